//! Where a volume goes: pools in, decision and reasons out.
//!
//! What it is for: [`choose`] picks a pool for a volume as Cinder's filters and weighers would. What
//! it promises: no I/O; a refusal says for each pool which filter refused it and why. What it leans
//! on: `vocabulary` for host names.

mod capabilities;
mod choose;
mod pool;

pub use capabilities::matches;
pub use choose::{Choice, Filter, Refusal, Request, choose};
pub use pool::{Capability, PoolState};

//! Where a volume goes: pools in, decision and reasons out.
//!
//! What it is for: a [`Scheduler`] picks a pool for a volume as Cinder's filters and weighers would.
//! What it promises: no I/O, no chance but what the caller draws; a refusal says for each pool which
//! filter refused it and why; whatever operators and users write, it answers in bounded time and
//! memory. What it leans on: `vocabulary` for host names.

mod capabilities;
mod capacity;
mod choose;
mod filter;
mod function;
mod pool;
mod protocol;
mod request;
mod weigh;

#[cfg(test)]
mod fixture;

pub use capabilities::{matches, says_yes_or_no};
pub use capacity::{Capacity, Ratio, Room};
pub use choose::{Choice, Handler, Refusal, Scheduler};
pub use filter::{Filter, UnknownFilter};
pub use function::{Function, FunctionError, Outcome, Variables};
pub use pool::{Capability, PoolState};
pub use protocol::variants;
pub use request::{Locality, Request};
pub use weigh::{UnknownWeigher, Weigher, Weighing};

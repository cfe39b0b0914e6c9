//! Moving a backend to its other site and back, and what groups that move on their own share with that.

mod catch_up;
mod check;
pub(crate) mod commit;
pub(crate) mod failover;
mod holding;
mod relation;
mod report;
mod request;
mod reset;
pub(crate) mod rpo;
mod steps;
pub(crate) mod switch;
pub(crate) mod target;

pub use relation::{Relation, RelationState};
pub use report::{FailoverReport, VolumeOutcome, VolumeReport};

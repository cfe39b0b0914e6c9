//! Moving a backend to its other site and back, one volume alone, and what groups that move on their own share
//! with that.

mod catch_up;
mod check;
pub(crate) mod commit;
pub(crate) mod drill;
pub(crate) mod failover;
mod holding;
pub(crate) mod leftovers;
pub(crate) mod mirroring;
mod relation;
pub(crate) mod report;
mod request;
mod reset;
pub(crate) mod rpo;
pub(crate) mod single;
mod steps;
pub(crate) mod switch;
pub(crate) mod target;
pub(crate) mod way;

pub use relation::{Relation, RelationState};
pub use report::{FailoverReport, VolumeOutcome, VolumeReport};
pub use single::FailoverVolume;

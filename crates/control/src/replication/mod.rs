//! Moving a backend to its other site and back.

mod commit;
pub(crate) mod failover;
mod request;
mod steps;

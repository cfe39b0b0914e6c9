//! Moving a backend to its other site and back, and what groups that move on their own share with that.

pub(crate) mod commit;
pub(crate) mod failover;
mod request;
mod steps;
pub(crate) mod switch;
pub(crate) mod target;

//! Services: what operators look at and switch.

pub(crate) mod list;
pub(crate) mod replication;
pub(crate) mod switch;

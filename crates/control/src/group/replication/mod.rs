//! Replication of groups: turned on and off, and moved to another site on their own.

pub(crate) mod failover;
pub(crate) mod mirroring;
mod request;
mod rules;
mod targets;

pub use request::FailoverGroup;
pub(crate) use rules::check_types;
pub(super) use rules::{joins, rests};

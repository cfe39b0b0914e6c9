//! Messages: what users are told of activities that failed.

mod look;
mod reap;
mod reasons;
mod write;

pub(crate) use reap::run;
pub(crate) use reasons::unplaced;
pub(crate) use write::message_of;

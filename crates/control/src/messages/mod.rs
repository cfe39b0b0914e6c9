//! Messages: what users are told of activities that failed.

mod reasons;
mod write;

pub(crate) use reasons::unplaced;
pub(crate) use write::message_of;

//! QoS specs: what they are, and what they mean for volumes.

pub(crate) mod compare;
pub(crate) mod front;
pub(crate) mod limit;
mod resource;
mod types;

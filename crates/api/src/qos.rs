//! `/qos-specs`.

pub(crate) mod associations;
mod list;
pub(crate) mod resource;

pub(crate) use list::list;

//! Volume types.

pub(crate) mod extra_specs;
pub(crate) mod list;
pub(crate) mod resource;

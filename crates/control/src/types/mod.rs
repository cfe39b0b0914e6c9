//! Volume types: themselves, their extra specs, who may use private ones, how volumes of a type are
//! encrypted, and which type a project's volumes get where none is named.

mod access;
mod default;
mod encryption;
mod extra_specs;
pub(crate) mod look;
mod resource;
mod size;

pub(crate) use default::for_new as default_for_new;
pub(crate) use encryption::key_for;
pub(crate) use resource::ensure_default;
pub(crate) use size::check_size;

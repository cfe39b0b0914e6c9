//! Volumes: one file a story.

mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod extend;
mod image_metadata;
mod look;
mod metadata;
mod reset;
pub(crate) mod revert;
mod source;
mod zone;

pub(crate) use create::wants;
pub(crate) use look::{detailed, is_moving, locked as hold, no_marker, visible as look_at};

//! Snapshots of volumes: one file a story.

mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod look;

//! Snapshots of groups: of all their volumes, where the group's type says so at one moment.

mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod look;
pub(crate) mod take;

//! Volumes.

pub(crate) mod action;
mod connect;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod metadata;
pub(crate) mod show;
pub(crate) mod summary;
pub(crate) mod update;

pub(crate) use connect::mode;

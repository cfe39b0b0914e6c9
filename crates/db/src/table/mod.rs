//! One file a table.

pub mod activities;
pub mod attachments;
pub(crate) mod listing;
pub mod properties;
pub mod qos;
pub(crate) mod query;
pub mod services;
pub mod snapshots;
pub mod types;
pub mod usage;
pub mod volumes;

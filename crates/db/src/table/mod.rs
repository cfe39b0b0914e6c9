//! One file a table.

pub mod activities;
pub mod attachments;
pub mod backups;
pub mod beside;
pub mod clusters;
pub mod default_types;
pub mod group_snapshots;
pub mod group_types;
pub mod groups;
pub mod image_cache;
pub mod image_properties;
pub mod limits;
pub(crate) mod listing;
pub mod messages;
pub mod pairs;
pub mod properties;
pub mod qos;
pub(crate) mod query;
pub(crate) mod record;
pub mod services;
pub mod snapshots;
pub mod transfers;
pub mod type_encryption;
pub mod types;
pub mod usage;
pub mod volumes;

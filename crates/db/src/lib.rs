//! What the control plane remembers: tables, compare-and-set, leases.
//!
//! What it is for: one file a table, with queries that SQLite and PostgreSQL both understand. What it
//! promises: what a [`Tx`] has committed is durable; a status changes by one compare-and-set or not at
//! all ([`Swapped`]); what a transaction has read with `get_locked`, or counted after
//! [`Tx::lock_project`], stays so until its end; an activity belongs to one worker at a time. What it leans on: `state` for the statuses,
//! `vocabulary` for the ids.

mod error;
mod open;
mod row;
mod rows;
mod schema;
mod swapped;
mod table;
mod time;
mod value;

pub use error::{Error, ErrorKind};
pub use open::{Connection, Db, Tx};
pub use swapped::Swapped;
pub use table::activities::{self, Activity};
pub use table::attachments::{self, AttachMode, Attachment};
pub use table::backups::{self, Backup};
pub use table::beside::{self, Beside};
pub use table::clusters::{self, Cluster};
pub use table::default_types;
pub use table::group_snapshots::{self, GroupSnapshot};
pub use table::group_types::{self, GroupType};
pub use table::groups::{self, Group};
pub use table::image_cache::{self, CachedImage};
pub use table::image_properties;
pub use table::leftovers::{self, Leftover};
pub use table::limits::{self, HardLimits, LimitsOf};
pub use table::listing::{Column, Direction, Filter, Listing, Test, TimeTest};
pub use table::messages::{self, Message};
pub use table::pairs::{self, PrivateType};
pub use table::properties;
pub use table::qos::{self, QosSpec};
pub use table::rehost::rehost;
pub use table::services::{self, Service};
pub use table::snapshots::{self, Snapshot};
pub use table::transfers::{self, Transfer};
pub use table::type_encryption::{self, TypeEncryption};
pub use table::types::{self, VolumeType};
pub use table::usage::{self, PoolUsage, Usage};
pub use table::volumes::{self, Volume};
pub use time::now;

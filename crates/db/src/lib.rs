//! What the control plane remembers: tables, compare-and-set, leases.
//!
//! What it is for: one file a table, with queries that SQLite and PostgreSQL both understand. What it
//! promises: what a [`Tx`] has committed is durable; a status changes by one compare-and-set or not at
//! all; an activity belongs to one worker at a time. What it leans on: `state` for the statuses,
//! `vocabulary` for the ids.

mod error;
mod open;
mod row;
mod schema;
mod table;
mod time;

pub use error::{Error, ErrorKind};
pub use open::{Connection, Db, Tx};
pub use table::activities::{self, Activity};
pub use table::attachments::{self, AttachMode, Attachment};
pub use table::listing::{Column, Direction, Filter, Listing, Test, TimeTest};
pub use table::properties;
pub use table::qos::{self, QosSpec};
pub use table::services::{self, Service};
pub use table::snapshots::{self, Snapshot};
pub use table::types::{self, VolumeType};
pub use table::usage::{self, Usage};
pub use table::volumes::{self, Volume};
pub use time::now;

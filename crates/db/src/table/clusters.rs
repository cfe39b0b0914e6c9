//! Clusters: several hosts that serve one backend.

use ::time::OffsetDateTime;
use firebrick_state::ReplicationStatus;
use uuid::Uuid;

use crate::error::Error;
use crate::row::Columns;
use crate::table::record::{Field, Record, field, keyed, swapped};

/// A cluster.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct Cluster {
    pub id: Uuid,
    pub name: String,
    pub binary: String,
    pub disabled: bool,
    pub disabled_reason: Option<String>,
    pub frozen: bool,
    pub replication_status: ReplicationStatus,
    pub active_backend_id: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Record for Cluster {
    const TABLE: &'static str = "clusters";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            name: columns.text("name")?,
            binary: columns.text("program")?,
            disabled: columns.flag("disabled")?,
            disabled_reason: columns.maybe_text("disabled_reason")?,
            frozen: columns.flag("frozen")?,
            replication_status: columns.parsed("replication_status")?,
            active_backend_id: columns.maybe_text("active_backend_id")?,
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("name", self.name.as_str()),
            field("program", self.binary.as_str()),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("disabled", self.disabled),
            field("disabled_reason", self.disabled_reason.as_deref()),
            field("frozen", self.frozen),
            field("replication_status", self.replication_status.to_string()),
            field("active_backend_id", self.active_backend_id.as_deref()),
        ]
    }
}

keyed!(Cluster, Uuid);
swapped!(Cluster, ReplicationStatus, "replication_status");

//! Snapshots of groups.

use ::time::OffsetDateTime;
use firebrick_state::GroupSnapshotStatus;
use firebrick_vocabulary::{GroupId, GroupSnapshotId, GroupTypeId, ProjectId, UserId};

use crate::error::Error;
use crate::row::Columns;
use crate::table::record::{Field, Record, field, keyed, swapped};

/// A snapshot of all volumes of a group.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct GroupSnapshot {
    pub id: GroupSnapshotId,
    pub project: ProjectId,
    pub user: UserId,
    pub group: GroupId,
    pub name: Option<String>,
    pub description: Option<String>,
    pub status: GroupSnapshotStatus,
    pub group_type: GroupTypeId,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Record for GroupSnapshot {
    const TABLE: &'static str = "group_snapshots";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            project: ProjectId(columns.text("project")?),
            user: UserId(columns.text("user_id")?),
            group: columns.parsed("group_id")?,
            name: columns.maybe_text("name")?,
            description: columns.maybe_text("description")?,
            status: columns.parsed("status")?,
            group_type: columns.parsed("group_type")?,
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("project", self.project.as_str()),
            field("user_id", self.user.as_str()),
            field("group_id", self.group.to_string()),
            field("group_type", self.group_type.to_string()),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("name", self.name.as_deref()),
            field("description", self.description.as_deref()),
            field("status", self.status.to_string()),
        ]
    }
}

keyed!(GroupSnapshot, GroupSnapshotId);
swapped!(GroupSnapshot, GroupSnapshotStatus, "status");

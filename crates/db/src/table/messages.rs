//! Messages to users.

use ::time::OffsetDateTime;
use firebrick_state::MessageResource;
use firebrick_vocabulary::{MessageId, ProjectId};
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, maybe};
use crate::table::record::{Field, Record, field, keyed};
use crate::time::to_micros;

/// What failed, and why.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct Message {
    pub id: MessageId,
    pub project: ProjectId,
    pub request_id: String,
    pub resource_type: MessageResource,
    pub resource: Option<Uuid>,
    pub event_id: String,
    /// The number of a `MessageAction`.
    pub action: u32,
    /// The number of a `MessageDetail`.
    pub detail: u32,
    /// What the user is told besides.
    pub note: Option<String>,
    pub level: String,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

impl Record for Message {
    const TABLE: &'static str = "messages";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            project: ProjectId(columns.text("project")?),
            request_id: columns.text("request_id")?,
            resource_type: columns.parsed("resource_type")?,
            resource: columns.maybe_parsed("resource")?,
            event_id: columns.text("event_id")?,
            action: columns.size("action")?,
            detail: columns.size("detail")?,
            note: columns.maybe_text("note")?,
            level: columns.text("level")?,
            created_at: columns.time("created_at")?,
            expires_at: columns.time("expires_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("project", self.project.as_str()),
            field("request_id", self.request_id.as_str()),
            field("resource_type", self.resource_type.to_string()),
            field("resource", maybe(self.resource.as_ref())),
            field("event_id", self.event_id.as_str()),
            field("action", i64::from(self.action)),
            field("detail", i64::from(self.detail)),
            field("note", self.note.as_deref()),
            field("level", self.level.as_str()),
            field("created_at", self.created_at),
            field("expires_at", self.expires_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        Vec::new()
    }
}

keyed!(Message, MessageId);

/// Forgets messages that have expired. How many.
pub async fn forget(connection: &mut Connection, present: OffsetDateTime) -> Result<u64, Error> {
    let query = sqlx::query("DELETE FROM messages WHERE expires_at < $1");
    let done = query.bind(to_micros(present)).execute(connection).await;
    done.map(|done| done.rows_affected())
        .map_err(Error::sql("forget messages"))
}

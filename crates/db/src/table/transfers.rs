//! Transfers of volumes to other projects.

use ::time::OffsetDateTime;
use firebrick_vocabulary::{ProjectId, TransferId, VolumeId};

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, maybe};
use crate::swapped::Swapped;
use crate::table::record::{Field, Record, field, keyed};
use crate::time::{now, to_micros};

/// A volume offered to whoever has the key. It stays when it has been accepted.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct Transfer {
    pub id: TransferId,
    pub volume: VolumeId,
    /// The project that offers, `source_project_id`.
    pub project: ProjectId,
    pub name: Option<String>,
    pub salt: String,
    /// What the key makes of the salt; the key itself is nowhere.
    pub key_hash: String,
    pub no_snapshots: bool,
    /// The project that accepted.
    pub destination: Option<ProjectId>,
    pub accepted: bool,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Record for Transfer {
    const TABLE: &'static str = "transfers";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            volume: columns.parsed("volume")?,
            project: ProjectId(columns.text("project")?),
            name: columns.maybe_text("name")?,
            salt: columns.text("salt")?,
            key_hash: columns.text("key_hash")?,
            no_snapshots: columns.flag("no_snapshots")?,
            destination: columns.maybe_text("destination")?.map(ProjectId),
            accepted: columns.flag("accepted")?,
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("volume", self.volume.to_string()),
            field("project", self.project.as_str()),
            field("name", self.name.as_deref()),
            field("salt", self.salt.as_str()),
            field("key_hash", self.key_hash.as_str()),
            field("no_snapshots", self.no_snapshots),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("destination", maybe(self.destination.as_ref())),
            field("accepted", self.accepted),
        ]
    }
}

keyed!(Transfer, TransferId);

/// Notes that the project has accepted, if nobody has.
pub async fn accept(
    connection: &mut Connection,
    id: TransferId,
    destination: &ProjectId,
) -> Result<Swapped, Error> {
    let sql = "UPDATE transfers SET accepted = 1, destination = $2, updated_at = $3 \
               WHERE id = $1 AND accepted = 0";
    let query = sqlx::query(sql)
        .bind(id.to_string())
        .bind(destination.as_str())
        .bind(to_micros(now()));
    let done = query.execute(connection).await;
    let done = done.map_err(Error::sql("accept a transfer"))?;
    Ok(Swapped::of(done.rows_affected()))
}

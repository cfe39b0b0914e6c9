//! Looking at snapshots.

use firebrick_db::{Connection, Snapshot, Tx, snapshots};
use firebrick_policy::Rule;
use firebrick_vocabulary::SnapshotUuid;

use crate::control::Control;
use crate::detail::SnapshotDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, Query};

impl Control {
    /// `GET /snapshots/{id}`.
    pub async fn snapshot(&self, context: &Context, id: SnapshotUuid) -> Result<SnapshotDetail> {
        let connection = &mut *self.inner.db.read().await?;
        let snapshot = visible(connection, context, id).await?;
        Ok(SnapshotDetail { snapshot })
    }

    /// `GET /snapshots` and `/snapshots/detail`.
    pub async fn snapshots(&self, context: &Context, query: Query) -> Result<Vec<SnapshotDetail>> {
        context.allow(Rule::VolumeGetAllSnapshots)?;
        let listing = context.narrowed(query);
        let found = snapshots::list(&mut *self.inner.db.read().await?, &listing).await?;
        let Some(found) = found else {
            let marker = listing.marker.unwrap_or_default();
            let text = format!("marker {marker} could not be found.");
            return Err(Error::new(ErrorKind::NotFound, text));
        };
        Ok(found
            .into_iter()
            .map(|snapshot| SnapshotDetail { snapshot })
            .collect())
    }

    /// How many snapshots a list has on all its pages.
    pub async fn count_snapshots(&self, context: &Context, query: Query) -> Result<u64> {
        context.allow(Rule::VolumeGetAllSnapshots)?;
        let listing = context.narrowed(query);
        Ok(
            snapshots::total(&mut *self.inner.db.read().await?, &listing)
                .await?
                .0,
        )
    }
}

/// The snapshot, if it exists for whoever asks and they may look at it, held until the transaction
/// ends.
pub(crate) async fn locked(tx: &mut Tx, context: &Context, id: SnapshotUuid) -> Result<Snapshot> {
    let found = snapshots::get_locked(tx, id).await?;
    seen(found, context, id)
}

/// The snapshot, if it exists for whoever asks and they may look at it.
pub(crate) async fn visible(
    connection: &mut Connection,
    context: &Context,
    id: SnapshotUuid,
) -> Result<Snapshot> {
    let found = snapshots::get(connection, id).await?;
    seen(found, context, id)
}

fn seen(found: Option<Snapshot>, context: &Context, id: SnapshotUuid) -> Result<Snapshot> {
    let found = found.filter(|snapshot| context.sees(&snapshot.project));
    let snapshot = found.ok_or_else(|| Error::no_snapshot(id))?;
    context.allow_for(Rule::VolumeGetSnapshot, &snapshot)?;
    Ok(snapshot)
}

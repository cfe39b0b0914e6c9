//! A volume gets what is in a snapshot, which may be another volume's and live elsewhere.

use firebrick_backend::{Content, ViewOf};
use firebrick_db::{Activity, Volume, snapshots, volumes};
use firebrick_vocabulary::{Gibibytes, SnapshotUuid};

use super::fill::ASK_EVERY;
use super::sink::free;
use crate::control::Inner;
use crate::home::Home;
use crate::story::{Step, Stop};

/// Writes what is in the snapshot into the volume that lives at `home`.
pub(super) async fn refill(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    volume: &Volume,
    from: SnapshotUuid,
) -> Step {
    let gone = || Stop::never(format!("snapshot {from} is gone"));
    let (origin, name) = {
        let connection = &mut *inner.db.read().await?;
        let snapshot = snapshots::get(connection, from).await?.ok_or_else(gone)?;
        let origin = volumes::get(connection, snapshot.volume).await?;
        (origin.ok_or_else(gone)?, snapshot.image_name())
    };
    let there = inner.home(&origin).await?;
    let view = ViewOf::Snapshot(name);
    let mut reader = there.site.reader(origin.image(), view, None, 0).await?;
    let mut writer = home.site.writer(volume.image()).await?;
    free(&mut *writer, Gibibytes(volume.size).bytes()).await?;
    let total = reader.size().0;
    let mut ask_at = 0;
    while let Some(extent) = reader.next().await? {
        if extent.offset >= ask_at {
            inner.cancelled(activity).await?;
            ask_at = extent.offset + ASK_EVERY;
        }
        let at = extent.offset;
        inner.progress(activity, "copying", at, total).await?;
        match extent.content {
            Content::Data(data) => writer.write(at, &data).await?,
            Content::Hole(_) => {}
        }
    }
    Ok(writer.flush().await?)
}

//! The bytes of a volume on their way to another backend. Each pass copies what differs between two
//! snapshots of the image, so that a volume in use is copied as it was at one moment, and a volume that
//! changes is followed until little is left.

use firebrick_backend::{Content, FaultKind, Reader, ViewOf, Writer};
use firebrick_db::Activity;
use firebrick_vocabulary::{ImageId, SnapshotName, VolumeId};

use super::route::Way;
use crate::control::Inner;
use crate::home::Home;
use crate::story::{Step, Stop};

/// What the names of the snapshots begin with.
const OURS: &str = "migration-";

/// How many bytes are copied until it is asked whether somebody wants it to end.
const ASK_EVERY: u64 = 64 << 20;

/// How many bytes are copied until they are made durable, and need not be copied again.
const KEEP_EVERY: u64 = 1 << 30;

/// Whether a snapshot of an image was taken to copy it.
pub(crate) fn is_ours(name: &SnapshotName) -> bool {
    let id = name.as_str().strip_prefix(OURS);
    let id = id.and_then(|rest| rest.get(..36));
    id.is_some_and(|id| id.parse::<VolumeId>().is_ok())
}

/// The snapshot up to which a pass copies.
fn of_pass(target: VolumeId, pass: u32) -> Step<SnapshotName> {
    let name = SnapshotName::new(format!("{OURS}{target}-{pass}"));
    name.map_err(|error| Stop::never(error.to_string()))
}

/// From which image to which.
pub(super) struct Ends<'a> {
    pub(super) from: &'a Home,
    pub(super) source: ImageId,
    pub(super) to: &'a Home,
    pub(super) copy: ImageId,
    /// The hidden volume.
    pub(super) target: VolumeId,
}

/// One pass; how many bytes differed.
pub(super) async fn pass(
    inner: &Inner,
    activity: &Activity,
    ends: &Ends<'_>,
    way: &mut Way,
) -> Step<u64> {
    let number = way.passes + 1;
    let name = of_pass(ends.target, number)?;
    let since = match way.passes {
        0 => None,
        done => Some(ViewOf::Snapshot(of_pass(ends.target, done)?)),
    };
    let site = &ends.from.site;
    site.create_snapshot(ends.source, name.clone()).await?;
    let incremental = since.is_some();
    let reader = site.reader(ends.source, ViewOf::Snapshot(name), since, way.next);
    let reader = reader.await?;
    let writer = ends.to.site.writer(ends.copy).await?;
    let stream = Stream {
        reader,
        writer,
        incremental,
    };
    let copied = pour(inner, activity, stream, way).await?;
    let former = way.passes;
    way.passes = number;
    way.next = 0;
    way.save(inner, activity).await?;
    if former > 0 {
        forget(ends.from, ends.source, of_pass(ends.target, former)?).await?;
    }
    Ok(copied)
}

struct Stream {
    reader: Box<dyn Reader>,
    writer: Box<dyn Writer>,
    /// Whether a hole is where something was.
    incremental: bool,
}

async fn pour(inner: &Inner, activity: &Activity, mut stream: Stream, way: &mut Way) -> Step<u64> {
    let total = stream.reader.size().0;
    let (mut copied, mut ask_at, mut keep_at) = (0, 0, way.next + KEEP_EVERY);
    while let Some(extent) = stream.reader.next().await? {
        if extent.offset >= ask_at {
            inner.cancelled(activity).await?;
            ask_at = extent.offset + ASK_EVERY;
        }
        let phase = if stream.incremental {
            "following"
        } else {
            "copying"
        };
        inner
            .progress(activity, phase, extent.offset, total)
            .await?;
        let end = extent.end();
        match extent.content {
            Content::Data(data) => {
                stream.writer.write(extent.offset, &data).await?;
                copied += data.len() as u64;
            }
            Content::Hole(len) if stream.incremental => {
                stream.writer.discard(extent.offset, len).await?;
            }
            Content::Hole(_) => {}
        }
        if end >= keep_at {
            stream.writer.flush().await?;
            way.next = end;
            way.save(inner, activity).await?;
            keep_at = end + KEEP_EVERY;
        }
    }
    stream.writer.flush().await?;
    Ok(copied)
}

/// Removes the snapshots of a copy that was given up.
pub(super) async fn forget_all(from: &Home, source: ImageId) -> Step {
    for snapshot in from.site.snapshots(source).await? {
        if is_ours(&snapshot.name) {
            forget(from, source, snapshot.name).await?;
        }
    }
    Ok(())
}

async fn forget(from: &Home, source: ImageId, name: SnapshotName) -> Step {
    match from.site.remove_snapshot(source, name).await {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        removed => Ok(removed?),
    }
}

//! What goes, at once or through the trash.

use std::thread;
use std::time::{Duration, Instant};

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::{ImageId, SnapshotName};

use super::part::{self, Part};
use super::{Shared, exports, snapshots};
use crate::fault::{Doing, fault, gone_is_fine};
use crate::ffi::{Cancel, Errno, Image, Kind, Opening};
use crate::link::Link;
use crate::names::{open, work_name};

/// How long clients may take to close an image. One that was killed has it open until its cluster forgets it, 30 seconds
/// later (`osd_client_watch_timeout`).
const CLOSING: Duration = Duration::from_secs(40);
/// How often that is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Removes an image. One that clones need still goes to the trash, where nobody sees it, until they are gone;
/// so does every one where deletion is deferred.
pub(super) fn image(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    unfinished(link, &work_name(id), cancel, doing)?;
    let (image, name, notes) = match shared.names.open(link, id, Opening::Changing, doing) {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
        found => found?,
    };
    if exports::is_exported(link, id, doing)? {
        return Err(Fault::new(FaultKind::Busy, doing, "it is exported"));
    }
    let part = part::primary(link, &image, &notes, doing)?;
    let snaps = image.snaps().doing(doing)?;
    let users = snaps.iter().filter(|snap| snap.kind == Kind::User);
    let (ours, others): (Vec<_>, Vec<_>) = users.partition(|snap| snapshots::is_internal(snap));
    if let Some(snap) = others.first() {
        let why = format!("it has snapshots, as {}", snap.name);
        return Err(Fault::new(FaultKind::Busy, doing, why));
    }
    if part != Part::Alone {
        // A peer that does not know yet whom it follows keeps its copy, and is asked later to remove that.
        image.mirror_no_more(false).doing(doing)?;
    }
    for snap in ours {
        self::snap(link, &image, &snap.name, cancel, doing)?;
    }
    let again = || own_snaps(shared, link, id, cancel, doing);
    let needed = image
        .snaps()
        .doing(doing)?
        .iter()
        .any(|snap| snap.kind == Kind::Trashed);
    drop(image);
    let go = || match shared.options().deferred {
        Some(delay) => link.pool.discard(&name, delay.as_secs()),
        None if needed => link.pool.discard(&name, 0),
        None => link.pool.remove(&name, cancel),
    };
    let closed = || once_closed(go, cancel, doing);
    gone_is_fine(once_empty(closed, again, cancel))?;
    shared.names.forget(id);
    Ok(())
}

/// Removes the snapshots of an image that nobody took by name.
fn own_snaps(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let (image, ..) = shared.names.open(link, id, Opening::Changing, doing)?;
    for snap in image.snaps().doing(doing)? {
        if snap.kind == Kind::User && snapshots::is_internal(&snap) {
            self::snap(link, &image, &snap.name, cancel, doing)?;
        }
    }
    Ok(())
}

/// Does it again where it is refused as the image has snapshots: the rbd-mirror of a peer, which has not heard yet
/// that the image is not mirrored any more, may have taken one behind the last look.
fn once_empty(
    go: impl Fn() -> Result<(), Fault>,
    again: impl Fn() -> Result<(), Fault>,
    cancel: &Cancel,
) -> Result<(), Fault> {
    let end = Instant::now() + CLOSING;
    loop {
        match go() {
            Err(fault)
                if fault.kind == FaultKind::Busy && Instant::now() < end && !cancel.is_asked() =>
            {
                thread::sleep(LOOK);
                again()?;
            }
            result => return result,
        }
    }
}

/// Does it once nobody has the image open any more: readers and guests that have just gone are soon forgotten.
pub(super) fn once_closed(
    go: impl Fn() -> Result<(), Errno>,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let end = Instant::now() + CLOSING;
    loop {
        match go() {
            Err(Errno(libc::EBUSY)) if Instant::now() < end && !cancel.is_asked() => {
                thread::sleep(LOOK);
            }
            Err(Errno(libc::EBUSY)) => {
                return Err(Fault::new(FaultKind::Busy, doing, "a client has it open"));
            }
            result => return result.doing(doing),
        }
    }
}

/// Removes what was never finished.
pub(super) fn unfinished(
    link: &Link,
    work: &str,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    if open(link, work, Opening::Looking, doing)?.is_none() {
        return Ok(());
    }
    gone_is_fine(link.pool.remove(work, cancel).doing(doing))
}

/// Removes a snapshot.
pub(super) fn snapshot(
    shared: &Shared,
    link: &Link,
    (id, name): (ImageId, &SnapshotName),
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let (image, _, notes) = match shared.names.open(link, id, Opening::Changing, doing) {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
        found => found?,
    };
    if snapshots::find(&image, name.as_str(), doing)?.is_none() {
        return Ok(());
    }
    part::primary(link, &image, &notes, doing)?;
    snap(link, &image, name.as_str(), cancel, doing)
}

/// Removes a snapshot of an open image; none is no error. Clones as Cinder makes them hold it fast: they
/// are made independent first. Those that are made here do not.
pub(super) fn snap(
    link: &Link,
    image: &Image,
    name: &str,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    match image.is_protected(name) {
        Err(Errno(libc::ENOENT)) => return Ok(()),
        Err(error) => return Err(fault(error, doing)),
        Ok(false) => {}
        Ok(true) => match image.unprotect(name) {
            Ok(()) => {}
            Err(Errno(libc::EBUSY)) => {
                release(link, image, name, cancel, doing)?;
                image.unprotect(name).doing(doing)?;
            }
            Err(error) => return Err(fault(error, doing)),
        },
    }
    gone_is_fine(image.remove_snap(name).doing(doing))
}

/// Makes the clones of a snapshot independent of it.
fn release(
    link: &Link,
    image: &Image,
    name: &str,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    image.look_at(Some(name)).doing(doing)?;
    let children = image.children().doing(doing);
    image.look_at(None).doing(doing)?;
    for child in children? {
        let busy = |why: String| Fault::new(FaultKind::Busy, doing, why);
        if child.trashed {
            return Err(busy(format!(
                "{} in the trash is a clone of it",
                child.name
            )));
        }
        let clone = open(link, &child.name, Opening::Changing, doing)?;
        let clone =
            clone.ok_or_else(|| busy(format!("{}/{} is a clone of it", child.pool, child.name)))?;
        clone.flatten(cancel).doing(doing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn full() -> Fault {
        fault(Errno(libc::ENOTEMPTY), "remove")
    }

    #[test]
    fn a_snapshot_that_comes_behind_the_look_is_removed_too() {
        let left = Cell::new(2);
        let go = || if left.get() == 0 { Ok(()) } else { Err(full()) };
        let again = || {
            left.set(left.get() - 1);
            Ok(())
        };
        assert_eq!(once_empty(go, again, &Cancel::default()), Ok(()));
        assert_eq!(left.get(), 0);
    }

    #[test]
    fn what_is_refused_for_another_reason_is_not_tried_again() {
        let never = || unreachable!("it is not looked again");
        let go = || Err(fault(Errno(libc::EIO), "remove"));
        let done = once_empty(go, never, &Cancel::default());
        assert_eq!(done.unwrap_err().kind, FaultKind::Io);
        let asked = Cancel::default();
        asked.ask();
        let done = once_empty(|| Err(full()), never, &asked);
        assert_eq!(done.unwrap_err().kind, FaultKind::Busy);
    }
}

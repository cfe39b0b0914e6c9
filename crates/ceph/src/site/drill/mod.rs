//! Drills: what a copy has, for guests that try what a failover would give.
//!
//! Nobody can take snapshots of a copy, but rbd-mirror brings those of its primary along, and of these librbd makes
//! clones. The clone keeps what it needs of the snapshot when that is removed, at the primary and so here. Where there
//! is no such snapshot, as the primary does not answer, a drill is a copy of its own of all that is here ([`copy`]).
//!
//! There is one drill of an image, and its name says of which: so it is found again without anybody who remembers it.

mod copy;

use std::time::UNIX_EPOCH;

use firebrick_backend::{DrillInfo, Fault, FaultKind};
use firebrick_vocabulary::{ImageId, Role, SnapshotName};

use super::clone::INHERITED;
use super::snapshots::find;
use super::{Shared, exports, images, remove};
use crate::fault::{Doing, gone_is_fine};
use crate::ffi::{Cancel, Image, Kind, Opening, Snap, feature};
use crate::link::Link;
use crate::names::{DRILL, WORK, open};
use crate::notes::Notes;

fn name_of(of: ImageId) -> String {
    format!("{DRILL}{of}")
}

/// The name of one that is not whole.
fn work_of(of: ImageId) -> String {
    format!("{WORK}drill-{of}")
}

/// Makes a copy of what is here of an image; finds the drill that there is.
pub(super) fn begin(
    shared: &Shared,
    link: &Link,
    of: ImageId,
    cancel: &Cancel,
    doing: &str,
) -> Result<DrillInfo, Fault> {
    if let Some(known) = known(shared, link, of, doing)? {
        return Ok(known);
    }
    let (source, _) = follower(shared, link, of, doing)?;
    let work = work_of(of);
    remove::unfinished(link, &work, cancel, doing)?;
    let state = state(&source, doing)?;
    if let Some(snap) = &state {
        source.look_at_id(snap.id).doing(doing)?;
    }
    let size = source.size().doing(doing)?;
    let order = u64::from(shared.options().order);
    link.pool.create(&work, size, order).doing(doing)?;
    let target = open(link, &work, Opening::Changing, doing)?.ok_or_else(|| lost(doing))?;
    copy::all(&source, &target, size, cancel, doing)?;
    drop((source, target));
    if let Some(snap) = state {
        // One that rbd-mirror removed meanwhile was no snapshot any more in the end.
        let (source, _) = follower(shared, link, of, doing)?;
        let all = source.snaps().doing(doing)?;
        if all.iter().all(|kept| kept.id != snap.id) {
            let why = "its primary has sent a newer state meanwhile";
            return Err(Fault::new(FaultKind::TimedOut, doing, why));
        }
    }
    finish(shared, link, of, doing)
}

/// Makes a clone of a snapshot that its primary has sent; `None` where that is not here yet.
pub(super) fn begin_of(
    shared: &Shared,
    link: &Link,
    (of, snapshot): (ImageId, &SnapshotName),
    cancel: &Cancel,
    doing: &str,
) -> Result<Option<DrillInfo>, Fault> {
    if let Some(known) = known(shared, link, of, doing)? {
        return Ok(Some(known));
    }
    let (source, source_name) = follower(shared, link, of, doing)?;
    let Some(snap) = find(&source, snapshot.as_str(), doing)? else {
        return Ok(None);
    };
    if !is_here(&source, &snap, doing)? {
        return Ok(None);
    }
    let work = work_of(of);
    remove::unfinished(link, &work, cancel, doing)?;
    let features = source.features().doing(doing)? & INHERITED | feature::LAYERING;
    let order = u64::from(shared.options().order);
    let from = (source_name.as_str(), snapshot.as_str());
    link.pool
        .clone_of(from, &work, features, order)
        .doing(doing)?;
    finish(shared, link, of, doing).map(Some)
}

/// The copy, open, with its name. Of a primary there is nothing to try, and of half a copy neither.
fn follower(
    shared: &Shared,
    link: &Link,
    of: ImageId,
    doing: &str,
) -> Result<(Image, String), Fault> {
    let (image, name, notes) = shared.names.open(link, of, Opening::Looking, doing)?;
    let info = images::info(link, &image, &name, &notes, doing)?;
    if info.role == Role::Primary {
        let why = format!("{name} is primary here; a clone of it is as good");
        return Err(Fault::new(FaultKind::Invalid, doing, why));
    }
    if !info.sync.is_consistent() {
        let why = format!("the first copy of {name} is not complete");
        return Err(Fault::new(FaultKind::Inconsistent, doing, why));
    }
    Ok((image, name))
}

/// Whether a copy is what its journal says, and not what its last mirror snapshot does.
fn is_journaled(copy: &Image, doing: &str) -> Result<bool, Fault> {
    Ok(copy.features().doing(doing)? & feature::JOURNALING != 0)
}

/// Whether the copy has all of a snapshot. A journal brings it behind all that was written before; else it is here
/// before its data is, which the mirror snapshot behind it has.
fn is_here(copy: &Image, snap: &Snap, doing: &str) -> Result<bool, Fault> {
    if is_journaled(copy, doing)? {
        return Ok(true);
    }
    Ok(newest_whole(copy, doing)?.is_some_and(|whole| whole.id > snap.id))
}

/// The newest mirror snapshot that has arrived.
fn newest_whole(copy: &Image, doing: &str) -> Result<Option<Snap>, Fault> {
    let all = copy.snaps().doing(doing)?;
    for snap in all.into_iter().rev() {
        if snap.kind == Kind::Mirror && copy.is_whole_mirror_snap(snap.id).doing(doing)? {
            return Ok(Some(snap));
        }
    }
    Ok(None)
}

/// What of a copy is a state of its primary: all of it (`None`), or that snapshot.
fn state(copy: &Image, doing: &str) -> Result<Option<Snap>, Fault> {
    if is_journaled(copy, doing)? {
        return Ok(None);
    }
    let whole = newest_whole(copy, doing)?;
    let missing = || Fault::new(FaultKind::Inconsistent, doing, "no mirror snapshot is here");
    whole.map(Some).ok_or_else(missing)
}

fn lost(doing: &str) -> Fault {
    Fault::new(FaultKind::Internal, doing, "the new image is not there")
}

/// Gives the drill its name. What it is stands in its notes before; those that a clone has are of its origin.
fn finish(shared: &Shared, link: &Link, of: ImageId, doing: &str) -> Result<DrillInfo, Fault> {
    let (work, name) = (work_of(of), name_of(of));
    let image = open(link, &work, Opening::Changing, doing)?.ok_or_else(|| lost(doing))?;
    let began = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let inherited = Notes::of(&image, doing)?;
    let notes = Notes {
        limits: inherited.limits,
        drill: Some(u64::try_from(began).unwrap_or(u64::MAX)),
        ..Notes::default()
    };
    notes.replace(&inherited, &image, doing)?;
    drop(image);
    link.pool.rename(&work, &name).doing(doing)?;
    known(shared, link, of, doing)?.ok_or_else(|| lost(doing))
}

/// The drill of an image, where there is one.
fn known(
    shared: &Shared,
    link: &Link,
    of: ImageId,
    doing: &str,
) -> Result<Option<DrillInfo>, Fault> {
    let name = name_of(of);
    let Some(image) = open(link, &name, Opening::Looking, doing)? else {
        return Ok(None);
    };
    Ok(Some(DrillInfo {
        of,
        position: None,
        began: Notes::of(&image, doing)?.drill.unwrap_or_default(),
        address: Some(exports::reached(shared, link, &name, doing)?),
        // Clients are the cluster's, which does not say whose they are.
        clients: 0,
    }))
}

/// Whether there is anything of a drill of that image.
pub(super) fn is_there(link: &Link, of: ImageId, doing: &str) -> Result<bool, Fault> {
    for name in [name_of(of), work_of(of)] {
        if open(link, &name, Opening::Looking, doing)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// All of them.
pub(super) fn all(shared: &Shared, link: &Link, doing: &str) -> Result<Vec<DrillInfo>, Fault> {
    let mut all = Vec::new();
    for entry in link.pool.entries().doing(doing)? {
        let of = entry.name.strip_prefix(DRILL);
        if let Some(of) = of.and_then(|id| id.parse().ok()) {
            all.extend(known(shared, link, of, doing)?);
        }
    }
    Ok(all)
}

/// Ends the drill of an image, whole or not. It goes through the trash: so it is gone at once, however large it is, and
/// also where a client that nobody here can send away has it open.
pub(super) fn end(link: &Link, of: ImageId, cancel: &Cancel, doing: &str) -> Result<(), Fault> {
    let work = work_of(of);
    if open(link, &work, Opening::Looking, doing)?.is_some() {
        // Who made it may only now hear that it is given up.
        let go = || link.pool.remove(&work, cancel);
        gone_is_fine(remove::once_closed(go, cancel, doing))?;
    }
    let name = name_of(of);
    if open(link, &name, Opening::Looking, doing)?.is_some() {
        gone_is_fine(link.pool.discard(&name, 0).doing(doing))?;
    }
    for trashed in link.pool.trash().doing(doing)? {
        // What stays there is looked for again and again.
        if trashed.name == name {
            let _ = link.pool.forget(&trashed.id, cancel);
        }
    }
    Ok(())
}

//! `snap …`.

use firebrick_ceph::tool::{MirrorSnap, OpenImage, SnapFacts, SnapOf, SnapshotRemoval};
use firebrick_vocabulary::Bytes;

use super::site::{Ceph, Doing as _, trouble};
use super::spec::Spec;
use crate::cli::rbd::args::{SnapLimitArgs, SnapLsArgs, SnapRmArgs, SpecArgs, TwoSpecs};
use crate::cli::rbd::error::{EBUSY, EINVAL, refuse};
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::show;
use crate::cli::rbd::show::snaps::{MirrorOf, Row, Taker};
use crate::cli::rbd::snap::{limit_of, protected_from_purge};
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;

/// The image to change of a command that names a snapshot too.
fn of_snapshot(ceph: &Ceph, args: &SpecArgs) -> Result<(OpenImage, String), Failure> {
    let spec = Spec::of(&ceph.common, args)?;
    spec.image()?;
    let name = spec.snapshot()?.to_owned();
    Ok((ceph.change(&spec)?, name))
}

/// `rbd snap create`
pub(super) fn create(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let (image, name) = of_snapshot(ceph, args)?;
    let mut progress = Progress::new(&ceph.common, "Creating snap");
    let taken = image.take(&name, &mut progress);
    taken.doing("failed to create snapshot")?;
    progress.done();
    Ok(())
}

/// `rbd snap rm`
pub(super) fn remove(ceph: &Ceph, args: &SnapRmArgs) -> Result<(), Failure> {
    let (image, name) = of_snapshot(ceph, &args.spec)?;
    let how = if args.force {
        SnapshotRemoval::Force
    } else {
        SnapshotRemoval::Plain
    };
    let mut progress = Progress::new(&ceph.common, "Removing snap");
    let removed = image.remove_snapshot(&name, how, &mut progress);
    removed.map_err(|error| match u8::try_from(error.errno()) {
        Ok(EBUSY) => {
            let text = format!("rbd: snapshot '{name}' is protected from removal.");
            refuse(EBUSY, text)
        }
        _ => trouble("failed to remove snapshot", &error),
    })?;
    progress.done();
    Ok(())
}

/// `rbd snap purge`
pub(super) fn purge(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "removing snaps failed";
    let spec = Spec::of(&ceph.common, args)?;
    spec.only_image()?;
    let image = ceph.change(&spec)?;
    let mut taken = image.snapshots().doing(DOING)?;
    taken.retain(|taken| taken.of == SnapOf::User);
    if taken.is_empty() {
        return Ok(());
    }
    let mut progress = Progress::new(&ceph.common, "Removing all snapshots");
    let total = taken.len() as u64;
    let (protected, free): (Vec<_>, Vec<_>) = taken.into_iter().partition(|taken| taken.protected);
    for (i, taken) in free.iter().enumerate() {
        let how = SnapshotRemoval::Plain;
        let removed = image.remove_snapshot(&taken.name, how, &mut firebrick_ceph::tool::Quiet);
        removed.doing(DOING)?;
        progress.at(i as u64 + 1, total);
    }
    if protected.is_empty() {
        progress.done();
        return Ok(());
    }
    let names: Vec<&str> = protected.iter().map(|taken| taken.name.as_str()).collect();
    Err(protected_from_purge(&names))
}

/// `rbd snap rollback`
pub(super) fn roll_back(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let (image, name) = of_snapshot(ceph, args)?;
    let mut progress = Progress::new(&ceph.common, "Rolling back to snapshot");
    let done = image.roll_back(&name, &mut progress);
    done.doing("rollback failed")?;
    progress.done();
    Ok(())
}

/// `rbd snap protect`, `unprotect`
pub(super) fn protect(ceph: &Ceph, args: &SpecArgs, on: bool) -> Result<(), Failure> {
    let doing = if on {
        "protecting snap failed"
    } else {
        "unprotecting snap failed"
    };
    let (image, name) = of_snapshot(ceph, args)?;
    match (image.is_protected(&name).doing(doing)?, on) {
        (true, true) => return Err(refuse(EBUSY, "rbd: snap is already protected")),
        (false, false) => return Err(refuse(EINVAL, "rbd: snap is already unprotected")),
        (true, false) | (false, true) => {}
    }
    image.protect(&name, on).doing(doing)
}

/// `rbd snap limit set`, `clear`
pub(super) fn limit(ceph: &Ceph, args: &SnapLimitArgs, set: bool) -> Result<(), Failure> {
    let doing = if set {
        "setting snapshot limit failed"
    } else {
        "clearing snapshot limit failed"
    };
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&ceph.common, &args.spec, &mut words)?;
    let limit = limit_of(args, &mut words, set)?;
    words.end()?;
    spec.only_image()?;
    let image = ceph.change(&spec)?;
    image.limit_snapshots(limit).doing(doing)
}

/// `rbd snap rename`
pub(super) fn rename(ceph: &Ceph, args: &TwoSpecs) -> Result<(), Failure> {
    let (source, dest) = Spec::two(&ceph.common, args)?;
    let (from, to) = (source.snapshot()?, dest.snapshot()?);
    if dest.maybe_image().is_some() && dest.maybe_image() != source.maybe_image() {
        let text = "rbd: source and destination image name must be the same";
        return Err(refuse(EINVAL, text));
    }
    let image = ceph.change(&source)?;
    image
        .rename_snapshot(from, to)
        .doing("renaming snap failed")
}

/// `rbd snap ls`
pub(super) fn list(ceph: &Ceph, args: &SnapLsArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, &args.spec)?;
    spec.only_image()?;
    let image = ceph.look(&spec)?;
    let mut taken = image.snapshots().doing("failed to list snapshots")?;
    taken.retain(|taken| args.all || taken.of == SnapOf::User);
    let row = |taken: SnapFacts| Row {
        id: taken.id,
        name: taken.name,
        size: Bytes(taken.size),
        protected: taken.protected,
        time: taken.time,
        taker: taker(taken.of),
    };
    let rows: Vec<Row> = taken.into_iter().map(row).collect();
    show::snaps::list(&ceph.common, &rows, args.all);
    Ok(())
}

fn taker(of: SnapOf) -> Taker {
    match of {
        SnapOf::User => Taker::Plain("user"),
        SnapOf::Trash { name } => Taker::Trash { name },
        SnapOf::Group {
            pool,
            group,
            snapshot,
        } => Taker::Group {
            pool,
            base: group.clone(),
            group,
            snapshot,
        },
        SnapOf::Mirror(mirror) => mirror_taker(mirror),
    }
}

fn mirror_taker(mirror: MirrorSnap) -> Taker {
    let state = match (mirror.demoted, mirror.primary) {
        (true, _) => "demoted",
        (false, true) => "primary",
        (false, false) => "non-primary",
    };
    let of = (!mirror.primary).then_some(MirrorOf {
        site: mirror.from,
        id: mirror.from_id,
        copied: Some(mirror.copied),
    });
    Taker::Mirror {
        state,
        peers: mirror.peers,
        complete: mirror.complete,
        of,
    }
}

//! `rbd snap …`.

use firebrick_backend::{Backend as _, FaultKind};
use firebrick_site::admin::{ToolImage, ToolRequest, ToolSnapshot};
use firebrick_vocabulary::SnapshotName;

use super::args::{SnapLimitArgs, SnapLsArgs, SnapRmArgs, SpecArgs, TwoSpecs};
use super::error::{EBUSY, EEXIST, EINVAL, ENOENT, ERANGE, failed, fault, refuse};
use super::progress::Progress;
use super::show;
use super::show::snaps::{MirrorOf, Row, Taker};
use super::site::Rbd;
use super::spec::{POOL, Spec, Words};
use crate::exit::Failure;

/// Snapshots that belong to one of a group have such names, as in RBD.
pub(super) const GROUP: &str = ".group.";
/// Snapshots that mirroring took have such names.
const MIRROR: &str = ".mirror.";
/// Of those, the ones that mirroring removes itself, as in RBD.
const MIRROR_PRIMARY: &str = ".mirror.primary.";

/// `rbd snap create`
pub(super) async fn create(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "failed to create snapshot";
    let spec = Spec::of(&rbd.common, args)?;
    let name = spec.snapshot()?.clone();
    let image = rbd.open(spec.image()?).await?;
    let progress = Progress::new(&rbd.common, "Creating snap");
    let there = rbd.snapshot(image.id, &name).await;
    if there.map_err(|error| fault(DOING, &error))?.is_some() {
        return Err(failed(DOING, EEXIST));
    }
    let taken = rbd.backend.create_snapshot(image.id, name).await;
    taken.map_err(|error| fault(DOING, &error))?;
    progress.done();
    Ok(())
}

/// An image and a snapshot of it that must be there.
async fn existing(
    rbd: &mut Rbd,
    spec: &Spec,
    doing: &str,
) -> Result<(ToolImage, ToolSnapshot), Failure> {
    let name = spec.snapshot()?.clone();
    let image = rbd.open(spec.image()?).await?;
    let there = rbd.snapshot(image.id, &name).await;
    let there = there.map_err(|error| fault(doing, &error))?;
    // As in RBD, one that belongs to mirroring is nobody's to name.
    let there = there.filter(|there| !there.name.as_str().starts_with(MIRROR_PRIMARY));
    let there = there.ok_or_else(|| failed(doing, ENOENT))?;
    Ok((image, there))
}

/// `rbd snap rm`
pub(super) async fn remove(mut rbd: Rbd, args: &SnapRmArgs) -> Result<(), Failure> {
    const DOING: &str = "failed to remove snapshot";
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let progress = Progress::new(&rbd.common, "Removing snap");
    let (image, taken) = existing(&mut rbd, &spec, DOING).await?;
    if taken.protected && args.force {
        for child in rbd.children(image.id).await? {
            if child.snapshot == Some(taken.id) {
                let flattened = rbd.order(ToolRequest::Flatten { image: child.id }).await;
                flattened.map_err(|error| fault(DOING, &error))?;
            }
        }
        let request = ToolRequest::Protect {
            image: image.id,
            snapshot: taken.name.clone(),
            protected: false,
        };
        let done = rbd.order(request).await;
        done.map_err(|error| fault(DOING, &error))?;
    } else if taken.protected {
        let text = format!("rbd: snapshot '{}' is protected from removal.", taken.name);
        return Err(refuse(EBUSY, text));
    }
    let removed = rbd.backend.remove_snapshot(image.id, taken.name).await;
    removed.map_err(|error| fault(DOING, &error))?;
    progress.done();
    Ok(())
}

/// `rbd snap purge`
pub(super) async fn purge(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "removing snaps failed";
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    let taken = rbd.snapshots(image.id).await;
    let mut taken = taken.map_err(|error| fault(DOING, &error))?;
    taken.retain(|taken| !is_of_group(&taken.name) && !is_of_mirroring(&taken.name));
    if taken.is_empty() {
        return Ok(());
    }
    let mut progress = Progress::new(&rbd.common, "Removing all snapshots");
    let total = taken.len() as u64;
    let (protected, free): (Vec<_>, Vec<_>) = taken.into_iter().partition(|taken| taken.protected);
    for (i, snapshot) in free.into_iter().enumerate() {
        let removed = rbd.backend.remove_snapshot(image.id, snapshot.name).await;
        removed.map_err(|error| fault(DOING, &error))?;
        progress.at(i as u64 + 1, total);
    }
    if protected.is_empty() {
        progress.done();
        return Ok(());
    }
    let names: Vec<&str> = protected.iter().map(|taken| taken.name.as_str()).collect();
    Err(protected_from_purge(&names))
}

/// The failure where some are protected.
pub(super) fn protected_from_purge(names: &[&str]) -> Failure {
    let are = if names.len() == 1 { "is" } else { "are" };
    let text = format!(
        "rbd: error removing snapshot(s) '{}', which {are} protected - these must be unprotected with \
         `rbd snap unprotect`.",
        names.join(",")
    );
    refuse(EBUSY, text)
}

/// `rbd snap rollback`
pub(super) async fn roll_back(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "rollback failed";
    let spec = Spec::of(&rbd.common, args)?;
    let name = spec.snapshot()?.clone();
    let image = rbd.open(spec.image()?).await?;
    let progress = Progress::new(&rbd.common, "Rolling back to snapshot");
    let done = rbd.backend.roll_back(image.id, name).await;
    done.map_err(|error| fault(DOING, &error))?;
    progress.done();
    Ok(())
}

/// `rbd snap protect`, `unprotect`
pub(super) async fn protect(mut rbd: Rbd, args: &SpecArgs, on: bool) -> Result<(), Failure> {
    let doing = if on {
        "protecting snap failed"
    } else {
        "unprotecting snap failed"
    };
    let spec = Spec::of(&rbd.common, args)?;
    let snapshot = spec.snapshot()?.clone();
    let image = rbd.open(spec.image()?).await?.id;
    let request = ToolRequest::Protect {
        image,
        snapshot,
        protected: on,
    };
    let done = rbd.order(request).await;
    done.map_err(|error| match (error.kind, on) {
        (FaultKind::Busy, true) => refuse(EBUSY, "rbd: snap is already protected"),
        (FaultKind::Invalid, false) => refuse(EINVAL, "rbd: snap is already unprotected"),
        _ => fault(doing, &error),
    })
}

/// `rbd snap limit set`, `clear`
pub(super) async fn limit(mut rbd: Rbd, args: &SnapLimitArgs, set: bool) -> Result<(), Failure> {
    let doing = if set {
        "setting snapshot limit failed"
    } else {
        "clearing snapshot limit failed"
    };
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&rbd.common, &args.spec, &mut words)?;
    let limit = limit_of(args, &mut words, set)?;
    words.end()?;
    let image = rbd.open(spec.only_image()?).await?.id;
    let done = rbd
        .order(ToolRequest::LimitSnapshots { image, limit })
        .await;
    done.map_err(|error| fault(doing, &error))
}

/// How many an image may have, as an option or a word says it.
pub(super) fn limit_of(
    args: &SnapLimitArgs,
    words: &mut Words<'_>,
    set: bool,
) -> Result<Option<u64>, Failure> {
    match (args.limit, words.or_next(None)) {
        _ if !set => Ok(None),
        (Some(limit), _) => Ok(Some(limit)),
        (None, Some(word)) => {
            let limit = word.parse();
            let limit = limit.map_err(|_| refuse(EINVAL, format!("rbd: invalid limit '{word}'")));
            limit.map(Some)
        }
        (None, None) => Err(refuse(ERANGE, "rbd: must specify --limit <num>")),
    }
}

/// `rbd snap rename`
pub(super) async fn rename(mut rbd: Rbd, args: &TwoSpecs) -> Result<(), Failure> {
    const DOING: &str = "renaming snap failed";
    let (source, dest) = Spec::two(&rbd.common, args)?;
    let (snapshot, name) = (source.snapshot()?.clone(), dest.snapshot()?.clone());
    if dest.image.is_some() && dest.image != source.image {
        return Err(refuse(
            EINVAL,
            "rbd: source and destination image name must be the same",
        ));
    }
    let image = rbd.open(source.image()?).await?.id;
    let request = ToolRequest::RenameSnapshot {
        image,
        snapshot,
        name,
    };
    let done = rbd.order(request).await;
    done.map_err(|error| match error.kind {
        FaultKind::Exists => failed(DOING, EEXIST),
        _ => fault(DOING, &error),
    })
}

pub(super) fn is_of_group(name: &SnapshotName) -> bool {
    name.as_str().starts_with(GROUP)
}

/// Whether mirroring took it.
pub(super) fn is_of_mirroring(name: &SnapshotName) -> bool {
    name.as_str().starts_with(MIRROR)
}

/// Whether users do not see it among theirs: something else takes and removes it.
pub(super) fn is_hidden(name: &SnapshotName) -> bool {
    is_of_group(name) || name.as_str().starts_with(MIRROR_PRIMARY)
}

/// Who took a snapshot, in RBD's words.
fn taker(taken: &ToolSnapshot) -> Taker {
    if let Some(mirror) = &taken.mirror {
        let state = match (mirror.demoted, mirror.primary) {
            (true, _) => "demoted",
            (false, true) => "primary",
            (false, false) => "non-primary",
        };
        let of = mirror.of.map(|of| MirrorOf {
            site: of.to_string(),
            id: mirror.id.0,
            copied: None,
        });
        return Taker::Mirror {
            state,
            peers: mirror.peers.iter().map(ToString::to_string).collect(),
            complete: true,
            of,
        };
    }
    match (&taken.group, taken.divergent) {
        (Some((group, snapshot)), _) => Taker::Group {
            pool: POOL.to_owned(),
            group: group.to_string(),
            base: group.base().to_owned(),
            snapshot: snapshot.to_string(),
        },
        (None, true) => Taker::Plain("divergent"),
        (None, false) if is_of_group(&taken.name) => Taker::Plain("group"),
        (None, false) if is_of_mirroring(&taken.name) => Taker::Plain("mirror"),
        (None, false) => Taker::Plain("user"),
    }
}

/// `rbd snap ls`
pub(super) async fn list(mut rbd: Rbd, args: &SnapLsArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let image = rbd.open(spec.only_image()?).await?;
    let taken = rbd.snapshots(image.id).await;
    let mut taken = taken.map_err(|error| fault("failed to list snapshots", &error))?;
    taken.retain(|taken| args.all || !is_hidden(&taken.name));
    let row = |taken: &ToolSnapshot| Row {
        id: taken.id.0,
        name: taken.name.to_string(),
        size: taken.size,
        protected: taken.protected,
        time: taken.time,
        taker: taker(taken),
    };
    let rows: Vec<Row> = taken.iter().map(row).collect();
    show::snaps::list(&rbd.common, &rows, args.all);
    Ok(())
}

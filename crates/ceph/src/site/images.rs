//! Images: made, looked at, renamed, extended.

use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind, ImageInfo, NewImage};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, SyncState};

use super::part::{Part, primary};
use super::{Shared, clone, mirror, remove};
use crate::fault::Doing;
use crate::ffi::{Cancel, Grain, Image, Opening, Standing, feature};
use crate::journal::Journal;
use crate::link::{Link, Pace};
use crate::names::{is_own, open, work_name};
use crate::notes::{Notes, derived};

/// Images that one call looks at.
const TOGETHER: usize = 64;

/// An image as the trait describes it.
pub(super) fn info(
    link: &Link,
    image: &Image,
    name: &str,
    notes: &Notes,
    doing: &str,
) -> Result<ImageInfo, Fault> {
    let part = Part::of(link, image, notes, doing)?;
    let size = image.size().doing(doing)?;
    Ok(ImageInfo {
        id: notes.id(name),
        name: ImageName::new(name)
            .map_err(|error| Fault::new(FaultKind::Unsupported, doing, error))?,
        size: Bytes(size),
        used: Bytes(used(image, size, doing)?),
        role: part.role(),
        epoch: notes.epoch(),
        mirrored: part.is_mirrored(),
        sync: sync(link, image, part, doing)?,
        limits: notes.limits,
    })
}

/// Bytes of objects that are there; all of it where the cluster keeps no map of them.
fn used(image: &Image, size: u64, doing: &str) -> Result<u64, Fault> {
    if image.features().doing(doing)? & feature::FAST_DIFF == 0 || size == 0 {
        return Ok(size);
    }
    let all = image
        .differences(None, (0, size), Grain::Objects)
        .doing(doing)?;
    Ok(all.iter().filter(|it| it.exists).map(|it| it.len).sum())
}

/// A secondary is of no use while its first copy runs, or where it went a way of its own.
fn sync(link: &Link, image: &Image, part: Part, doing: &str) -> Result<SyncState, Fault> {
    let whole = match part {
        Part::Alone | Part::Primary | Part::Ending => true,
        Part::Unfinished => false,
        Part::Copy => is_whole(link, image, doing)?,
    };
    Ok(if whole {
        SyncState::Consistent
    } else {
        SyncState::NOTHING_COPIED
    })
}

/// Whether a copy has all of a state of its primary.
fn is_whole(link: &Link, image: &Image, doing: &str) -> Result<bool, Fault> {
    let reports = image.mirror_reports().doing(doing)?;
    let own = reports.iter().find(|report| report.peer.is_none());
    let fresh = || Ok(Journal::of(&link.pool, image, doing)?.map(|journal| journal.is_fresh()));
    Ok(match own.map(|own| own.standing) {
        Some(Standing::Syncing) => false,
        // That is said, too, for a moment behind a demotion, when there is no primary; of snapshots only their
        // daemon could tell more.
        None | Some(Standing::Unknown) => fresh()? == Some(false),
        Some(Standing::Error) if own.is_some_and(|own| own.description.contains(mirror::SPLIT)) => {
            false
        }
        Some(Standing::Replaying) => true,
        // One that was made just now may have been copied, or not.
        Some(Standing::Error | Standing::Starting | Standing::Stopping | Standing::Stopped) => {
            fresh()? != Some(true)
        }
    })
}

/// One image.
pub(super) fn one(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    doing: &str,
) -> Result<ImageInfo, Fault> {
    let (image, name, notes) = shared.names.open(link, id, Opening::Looking, doing)?;
    info(link, &image, &name, &notes, doing)
}

/// All images, several at once.
pub(super) async fn all(shared: &Arc<Shared>) -> Result<Vec<ImageInfo>, Fault> {
    let doing = "list the images";
    let listed = shared
        .line
        .call(Pace::Quick, doing, move |link, _| {
            let entries = link.pool.entries().doing(doing)?;
            let shown = entries.into_iter().map(|entry| entry.name);
            Ok(shown.filter(|name| !is_own(name)).collect::<Vec<_>>())
        })
        .await?;
    let mut running = Vec::new();
    for some in listed.chunks(TOGETHER) {
        let (some, shared) = (some.to_vec(), Arc::clone(shared));
        running.push(tokio::spawn(async move {
            let look = move |link: &_, _: &_| some_of(link, &some, doing);
            shared.line.call(Pace::Quick, doing, look).await
        }));
    }
    let mut all = Vec::with_capacity(listed.len());
    for some in running {
        let some = some.await;
        all.extend(some.map_err(|error| Fault::new(FaultKind::Internal, doing, error))??);
    }
    Ok(all)
}

/// Those of these that are still there, and that have names which the trait can say.
fn some_of(link: &Link, names: &[String], doing: &str) -> Result<Vec<ImageInfo>, Fault> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let look = || {
            let Some(image) = open(link, name, Opening::Looking, doing)? else {
                return Ok(None);
            };
            let notes = Notes::of(&image, doing)?;
            info(link, &image, name, &notes, doing).map(Some)
        };
        match look() {
            Ok(image) => found.extend(image),
            Err(fault) if matches!(fault.kind, FaultKind::NotFound | FaultKind::Unsupported) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(found)
}

/// Makes an image under another name and gives it its own when it is whole, so that a crash leaves nothing
/// that looks like it; mirroring comes last, and is made up for when it is asked for again.
pub(super) fn create(
    shared: &Shared,
    link: &Link,
    new: &NewImage,
    cancel: &Cancel,
    doing: &str,
) -> Result<ImageInfo, Fault> {
    let name = new.name.as_str();
    if new.mirrored && !shared.options().has_target {
        let why = "no replication_device is configured, so there is no peer to mirror it to";
        return Err(Fault::new(FaultKind::Invalid, doing, why));
    }
    let image = match open(link, name, Opening::Changing, doing)? {
        Some(image) => image,
        None => make(shared, link, new, cancel, doing)?,
    };
    let notes = Notes::of(&image, doing)?;
    if notes.id(name) != new.id || image.size().doing(doing)? != new.size.0 {
        let why = "there is an image of that name with another id or size";
        return Err(Fault::new(FaultKind::Exists, doing, why));
    }
    shared.names.learn(&image, new.id, name, &notes);
    if new.mirrored && Part::of(link, &image, &notes, doing)? == Part::Alone {
        mirror::begin(shared, link, &image, doing)?;
    }
    let notes = Notes::of(&image, doing)?;
    info(link, &image, name, &notes, doing)
}

fn make(
    shared: &Shared,
    link: &Link,
    new: &NewImage,
    cancel: &Cancel,
    doing: &str,
) -> Result<Image, Fault> {
    let (work, name) = (work_name(new.id), new.name.as_str());
    // What an earlier run began may be of any step.
    remove::unfinished(link, &work, cancel, doing)?;
    let order = u64::from(shared.options().order);
    match &new.origin {
        None => link.pool.create(&work, new.size.0, order).doing(doing)?,
        Some(origin) => clone::make(shared, link, (origin, &work), new, cancel, doing)?,
    }
    let missing = || Fault::new(FaultKind::Internal, doing, "the new image is not there");
    {
        let image = open(link, &work, Opening::Changing, doing)?.ok_or_else(missing)?;
        let notes = Notes {
            id: (derived(name) != new.id).then_some(new.id),
            ..Notes::default()
        };
        notes.replace(&Notes::default(), &image, doing)?;
    }
    link.pool.rename(&work, name).doing(doing)?;
    open(link, name, Opening::Changing, doing)?.ok_or_else(missing)
}

/// Gives the image another name. Its notes say its id before the name says another one.
pub(super) fn rename(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    name: &ImageName,
    doing: &str,
) -> Result<(), Fault> {
    let (image, before, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    if before == name.as_str() {
        return Ok(());
    }
    primary(link, &image, &notes, doing)?;
    if open(link, name.as_str(), Opening::Looking, doing)?.is_some() {
        let why = format!("there is an image {name} already");
        return Err(Fault::new(FaultKind::Exists, doing, why));
    }
    let noted = Notes {
        id: Some(id),
        ..notes.clone()
    };
    noted.replace(&notes, &image, doing)?;
    link.pool.rename(&before, name.as_str()).doing(doing)?;
    shared.names.learn(&image, id, name.as_str(), &noted);
    Ok(())
}

/// Makes the image larger.
pub(super) fn extend(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    size: Bytes,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    let now = Bytes(image.size().doing(doing)?);
    if now == size {
        return Ok(());
    }
    if now > size {
        let why = format!("it has {now} already, and images never shrink to {size}");
        return Err(Fault::new(FaultKind::Invalid, doing, why));
    }
    primary(link, &image, &notes, doing)?;
    image.resize(size.0, false, cancel).doing(doing)
}

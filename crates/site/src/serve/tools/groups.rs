//! Groups of images: what happens to them happens to all at one position of the log.
//!
//! A group is an image of no size, so that it is mirrored, promoted and recovered as every image is.
//! Its metadata names the images, and theirs names it. Its snapshots stand for those of the group: each
//! image has one with a name made of the ids of both, from the same frame.

use firebrick_backend::Fault;
use firebrick_engine::{
    Alteration, Error, ErrorKind, ImageInfo, SnapshotInfo, Store, is_of_mirroring,
};
use firebrick_vocabulary::{
    Feature, ImageId, ImageMirrorMode, ImageName, SnapshotId, SnapshotName, SyncMode, counted,
};

use super::{describe, keys, namespaces};
use crate::admin::{GroupRequest, JournalSettings, ToolGroup, ToolGroupSnapshot};
use crate::serve::exports::Exports;
use crate::serve::fault::fault;
use crate::serve::views::internal;

/// The namespace of what stands for groups.
pub(super) const GROUP: &str = ".group";
/// The members of a group stand in its metadata behind this.
const MEMBER: &str = "member/";

/// What stands for the group of that name.
fn marker(name: &ImageName) -> Result<ImageName, Error> {
    internal(GROUP, name.as_str())
}

/// The id of the group that an image says it belongs to; it may be gone.
pub(in crate::serve) fn id_of(info: &ImageInfo) -> Option<ImageId> {
    info.metadata.get(keys::GROUP)?.parse().ok()
}

/// The name of the group that an image stands for.
pub(in crate::serve) fn name_of(marker: &ImageName) -> Option<ImageName> {
    let name = marker.as_str().strip_prefix(GROUP)?.strip_prefix('/')?;
    ImageName::new(name).ok()
}

/// The snapshot that an image has for one of its group.
fn member_snapshot(group: ImageId, id: SnapshotId) -> Result<SnapshotName, Error> {
    let group: String = group.0.simple().to_string().chars().take(12).collect();
    let name = SnapshotName::new(format!(".group.1_{group}_{:x}", id.0));
    name.map_err(|error| Error {
        kind: ErrorKind::Invalid,
        doing: "name a snapshot",
        why: error.to_string(),
    })
}

fn member_ids(info: &ImageInfo) -> Vec<ImageId> {
    let keys = info.metadata.keys();
    keys.filter_map(|key| key.strip_prefix(MEMBER)?.parse().ok())
        .collect()
}

/// Whether flushes of a group's images wait for peers.
fn sync_mode(group: &ImageInfo) -> Option<SyncMode> {
    group.metadata.get(keys::GROUP_SYNC)?.parse().ok()
}

/// All groups, by name.
pub(super) fn list(store: &Store) -> Vec<ToolGroup> {
    let infos = store.images().into_iter().map(|image| image.info());
    let mut groups: Vec<ToolGroup> = infos
        .filter_map(|info| describe_group(store, &info))
        .collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    groups
}

fn describe_group(store: &Store, info: &ImageInfo) -> Option<ToolGroup> {
    let name = name_of(&info.name)?;
    let members: Vec<ImageInfo> = member_ids(info)
        .into_iter()
        .filter_map(|id| Some(store.image(id).ok()?.info()))
        .collect();
    let taken = store.snapshots(info.id).unwrap_or_default();
    let of_users = |taken: &SnapshotInfo| !taken.divergent && !is_of_mirroring(&taken.name);
    let snapshots = taken.into_iter().filter(of_users);
    let snapshots = snapshots.map(|taken| {
        let of = info.metadata.get(&keys::group_snapshot(taken.id));
        let wanted: Vec<ImageId> = of
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let member = member_snapshot(info.id, taken.id).ok();
        let has = |id: &ImageId| {
            let held = store.snapshots(*id).unwrap_or_default();
            held.into_iter()
                .any(|held| Some(&held.name) == member.as_ref())
        };
        ToolGroupSnapshot {
            complete: wanted.iter().all(has),
            id: taken.id,
            name: taken.name,
            time: taken.time.0,
            images: wanted,
        }
    });
    let journal = info.metadata.get(keys::JOURNAL);
    let mut images: Vec<(ImageId, ImageName)> = members
        .into_iter()
        .map(|info| (info.id, info.name))
        .collect();
    images.sort_by(|a, b| a.1.cmp(&b.1));
    Some(ToolGroup {
        id: info.id,
        name,
        role: info.role,
        mirrored: info.mirrored,
        mode: info.mode,
        sync: sync_mode(info),
        created: info.created.0,
        images,
        snapshots: snapshots.collect(),
        journal: journal.and_then(|text| serde_json::from_str(text).ok()),
    })
}

/// The snapshots of a group: what its images call them, and group and name.
pub(super) fn parts(
    store: &Store,
    group: ImageId,
) -> Vec<(SnapshotName, (ImageName, SnapshotName))> {
    let Ok(marker) = store.image(group) else {
        return Vec::new();
    };
    let Some(name) = name_of(&marker.info().name) else {
        return Vec::new();
    };
    let taken = store.snapshots(group).unwrap_or_default().into_iter();
    let part = |taken: firebrick_engine::SnapshotInfo| {
        let part = member_snapshot(group, taken.id).ok()?;
        Some((part, (name.clone(), taken.name)))
    };
    taken.filter_map(part).collect()
}

/// Does what is asked of a group, durably.
pub(super) fn serve(
    store: &Store,
    exports: &Exports,
    name: &ImageName,
    request: &GroupRequest,
) -> Result<(), Fault> {
    if let GroupRequest::RollBack { snapshot } = request {
        return roll_back(store, exports, name, snapshot);
    }
    let done = store.alter("change a group", |alteration| {
        alter(alteration, name, request)
    });
    done.and_then(|()| store.flush().map(drop))
        .map_err(|error| fault(&error))
}

fn alter(
    alteration: &mut Alteration<'_>,
    name: &ImageName,
    request: &GroupRequest,
) -> Result<(), Error> {
    if let GroupRequest::Create { journal } = request {
        return create(alteration, name, journal.as_ref());
    }
    let group = find(alteration, name)?;
    match request {
        GroupRequest::Create { .. } | GroupRequest::RollBack { .. } => Ok(()),
        GroupRequest::Rename { to } => {
            namespaces::exists(alteration, to.namespace())?;
            alteration.rename(group.id, marker(to)?)
        }
        GroupRequest::Remove => remove(alteration, &group),
        GroupRequest::Add {
            image,
            without_journal,
        } => add(alteration, &group, *image, *without_journal),
        GroupRequest::Detach { image } => detach(alteration, &group, *image),
        GroupRequest::Mirror { mode } => mirror(alteration, &group, *mode),
        GroupRequest::Sync { mode } => synchronize(alteration, &group, *mode),
        GroupRequest::TakeSnapshot { snapshot } => take_snapshot(alteration, &group, snapshot),
        GroupRequest::RemoveSnapshot { snapshot } => {
            let id = snapshot_of(alteration, &group, snapshot)?;
            let member = member_snapshot(group.id, id)?;
            for image in members(alteration, &group) {
                match alteration.remove_snapshot(image, &member) {
                    Err(error) if error.kind == ErrorKind::NotFound => {}
                    other => other?,
                }
            }
            alteration.set(group.id, &keys::group_snapshot(id), None)?;
            alteration.remove_snapshot(group.id, snapshot)
        }
        GroupRequest::RenameSnapshot { snapshot, to } => {
            alteration.rename_snapshot(group.id, snapshot, to)
        }
    }
}

fn create(
    alteration: &mut Alteration<'_>,
    name: &ImageName,
    journal: Option<&JournalSettings>,
) -> Result<(), Error> {
    namespaces::exists(alteration, name.namespace())?;
    let id = ImageId::random();
    alteration.create(id, marker(name)?, false)?;
    let text = journal.and_then(|journal| serde_json::to_string(journal).ok());
    match text {
        Some(text) => alteration.set(id, keys::JOURNAL, Some(&text)),
        None => Ok(()),
    }
}

fn find(alteration: &Alteration<'_>, name: &ImageName) -> Result<ImageInfo, Error> {
    if let Some(id) = alteration.named(&marker(name)?) {
        return alteration.image(id);
    }
    let why = format!("there is no group {name}");
    Err(alteration.error(ErrorKind::NotFound, why))
}

/// The images of a group that are here.
fn members(alteration: &Alteration<'_>, group: &ImageInfo) -> Vec<ImageId> {
    let mut ids = member_ids(group);
    ids.retain(|id| alteration.image(*id).is_ok());
    ids
}

fn remove(alteration: &mut Alteration<'_>, group: &ImageInfo) -> Result<(), Error> {
    let held = members(alteration, group).len() as u64;
    if held > 0 {
        let why = format!(
            "the group has {}; remove all images from it first",
            counted(held, "image")
        );
        return Err(alteration.error(ErrorKind::Busy, why));
    }
    for taken in alteration.snapshots(group.id)? {
        if !taken.divergent && !is_of_mirroring(&taken.name) {
            let why = "the group has snapshots; remove them first";
            return Err(alteration.error(ErrorKind::Busy, why));
        }
    }
    alteration.remove(group.id)
}

fn add(
    alteration: &mut Alteration<'_>,
    group: &ImageInfo,
    image: ImageId,
    without_journal: bool,
) -> Result<(), Error> {
    let info = alteration.changeable(image)?;
    let id = group.id.to_string();
    match info.metadata.get(keys::GROUP) {
        Some(held) if *held == id => return Ok(()),
        Some(held) => {
            // It may belong to a group that is gone.
            let other = held.parse().ok().and_then(|id| alteration.image(id).ok());
            if let Some(other) = other.and_then(|other| name_of(&other.name)) {
                let why = format!("{} belongs to group {other} already", info.name);
                return Err(alteration.error(ErrorKind::Exists, why));
            }
        }
        None => {}
    }
    if without_journal && describe::features(&info).has(Feature::Journaling) {
        let why = format!("{} has a journal of its own; disable that first", info.name);
        return Err(alteration.error(ErrorKind::Invalid, why));
    }
    alteration.set(image, keys::GROUP, Some(&id))?;
    alteration.set(group.id, &format!("{MEMBER}{image}"), Some("yes"))?;
    if group.mirrored && group.mode == ImageMirrorMode::Snapshot {
        // From here on there is a position that all of them can return to.
        alteration.mirror(image, group.mode)?;
        let mut images = members(alteration, group);
        images.extend([image, group.id]);
        return alteration.take_mirror_snapshots(&images);
    }
    if info.mirrored {
        // Whoever has the image can tell to which group it belongs.
        alteration.mirror(group.id, group.mode)?;
        if let Some(mode) = sync_mode(group) {
            alteration.synchronize(image, Some(mode))?;
        }
    }
    Ok(())
}

fn detach(alteration: &mut Alteration<'_>, group: &ImageInfo, image: ImageId) -> Result<(), Error> {
    let info = alteration.changeable(image)?;
    if info.metadata.get(keys::GROUP) != Some(&group.id.to_string()) {
        let why = format!("{} does not belong to the group", info.name);
        return Err(alteration.error(ErrorKind::NotFound, why));
    }
    alteration.set(image, keys::GROUP, None)?;
    alteration.set(group.id, &format!("{MEMBER}{image}"), None)
}

/// Mirrors all of a group, or nothing of it: one record says so of all its images.
fn mirror(
    alteration: &mut Alteration<'_>,
    group: &ImageInfo,
    mode: Option<ImageMirrorMode>,
) -> Result<(), Error> {
    let images: Vec<ImageId> = members(alteration, group)
        .into_iter()
        .chain([group.id])
        .collect();
    let sync = sync_mode(group);
    if sync.is_some() && mode == Some(ImageMirrorMode::Snapshot) {
        let why = "the group is in sync mode, and a peer would return to mirror snapshots; end one of the two first";
        return Err(alteration.error(ErrorKind::Invalid, why));
    }
    if sync.is_some() && mode.is_none() {
        alteration.set(group.id, keys::GROUP_SYNC, None)?;
    }
    let mut begins = false;
    for image in &images {
        let Some(mode) = mode else {
            alteration.end_mirroring(*image)?;
            continue;
        };
        let before = alteration.image(*image)?;
        begins |= !(before.mirrored && before.mode == mode);
        alteration.mirror(*image, mode)?;
        // What stands for the group itself has no flushes.
        if sync.is_some() && !before.mirrored && *image != group.id {
            alteration.synchronize(*image, sync)?;
        }
    }
    if begins && mode == Some(ImageMirrorMode::Snapshot) {
        alteration.take_mirror_snapshots(&images)?;
    }
    Ok(())
}

/// Has flushes of all images of a group wait for peers, or no longer: one record says so of all of them, and of those
/// that will belong to it.
fn synchronize(
    alteration: &mut Alteration<'_>,
    group: &ImageInfo,
    mode: Option<SyncMode>,
) -> Result<(), Error> {
    if mode.is_some() && !group.mirrored {
        return Err(alteration.error(ErrorKind::Invalid, "the group is not mirrored"));
    }
    for image in members(alteration, group) {
        // One that is not mirrored gets it when it is.
        if alteration.image(image)?.mirrored {
            alteration.synchronize(image, mode)?;
        }
    }
    let text = mode.map(|mode| mode.to_string());
    if text.as_ref() != group.metadata.get(keys::GROUP_SYNC) {
        alteration.set(group.id, keys::GROUP_SYNC, text.as_deref())?;
    }
    Ok(())
}

fn take_snapshot(
    alteration: &mut Alteration<'_>,
    group: &ImageInfo,
    name: &SnapshotName,
) -> Result<(), Error> {
    let images = members(alteration, group);
    let id = alteration.take_snapshot(group.id, name)?;
    let member = member_snapshot(group.id, id)?;
    for image in &images {
        alteration.take_snapshot(*image, &member)?;
    }
    let text = serde_json::to_string(&images).unwrap_or_default();
    alteration.set(group.id, &keys::group_snapshot(id), Some(&text))
}

fn snapshot_of(
    alteration: &Alteration<'_>,
    group: &ImageInfo,
    name: &SnapshotName,
) -> Result<SnapshotId, Error> {
    let taken = alteration.snapshots(group.id)?.into_iter();
    let found = taken.into_iter().find(|taken| taken.name == *name);
    found.map(|taken| taken.id).ok_or_else(|| {
        let why = format!("the group has no snapshot {name}");
        alteration.error(ErrorKind::NotFound, why)
    })
}

/// Returns all images of a group to one of its snapshots, in one frame.
fn roll_back(
    store: &Store,
    exports: &Exports,
    name: &ImageName,
    snapshot: &SnapshotName,
) -> Result<(), Fault> {
    const DOING: &str = "roll a group back";
    let images = store.alter(DOING, |alteration| {
        let group = find(alteration, name)?;
        Ok(members(alteration, &group))
    });
    let images = images.map_err(|error| fault(&error))?;
    exports.unwritten(&images, "roll back", || {
        store.alter(DOING, |alteration| {
            let group = find(alteration, name)?;
            let id = snapshot_of(alteration, &group, snapshot)?;
            let member = member_snapshot(group.id, id)?;
            for image in &images {
                alteration.roll_back(*image, &member)?;
            }
            Ok(())
        })
    })
}

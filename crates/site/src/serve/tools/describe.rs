//! Images and snapshots as tools see them.

use std::collections::BTreeMap;

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{Error, Image, ImageInfo, SNAPSHOT_LIMIT_KEY, SnapshotInfo, Store};
use firebrick_vocabulary::{Feature, Features, ImageId, ImageMirrorMode, ImageName, SnapshotName};

use super::{groups, keys};
use crate::admin::{
    JournalSettings, MirrorSnapshot, ToolChild, ToolImage, ToolParent, ToolSnapshot, ToolWatcher,
};
use crate::serve::exports::Exports;
use crate::serve::mirroring::{Mirroring, is_mark};
use crate::serve::views::{self, is_hidden};

/// All images that users have, by name.
pub(super) fn images(store: &Store, exports: &Exports) -> Vec<ToolImage> {
    let clients = exports.clients();
    let all = store.images().into_iter();
    let all = all.filter(|image| !is_hidden(&image.info().name));
    let mut images: Vec<ToolImage> = all.map(|image| describe(store, &clients, &image)).collect();
    images.sort_by(|a, b| a.name.cmp(&b.name));
    images
}

/// The image of that name.
pub(super) fn image_named(
    store: &Store,
    exports: &Exports,
    name: &ImageName,
) -> Result<ToolImage, Fault> {
    match store.image_named(name) {
        Some(image) => Ok(describe(store, &exports.clients(), &image)),
        None => Err(Fault::new(
            FaultKind::NotFound,
            format!("open {name}"),
            "there is no such image",
        )),
    }
}

fn describe(
    store: &Store,
    clients: &BTreeMap<ImageId, Vec<ToolWatcher>>,
    image: &Image,
) -> ToolImage {
    let info = image.info();
    let mut snapshots = store.snapshots(info.id).unwrap_or_default();
    snapshots.retain(|taken| !is_mark(&taken.name));
    let limit = info.metadata.get(SNAPSHOT_LIMIT_KEY);
    ToolImage {
        id: info.id,
        size: info.size,
        role: info.role,
        epoch: info.epoch,
        mirrored: info.mirrored,
        mode: info.mode,
        sync: info.sync,
        snapshots: snapshots.len() as u64,
        created: info.created.0,
        parent: parent(store, &info),
        watchers: clients.get(&info.id).cloned().unwrap_or_default(),
        features: features(&info),
        journal: journal(&info),
        group: group(store, &info),
        locks: super::locks::of(&info),
        snapshot_limit: limit.and_then(|limit| limit.parse().ok()),
        metadata: keys::notes(&info.metadata),
        name: info.name,
    }
}

fn parent(store: &Store, info: &ImageInfo) -> Option<ToolParent> {
    let parent = info.parent?;
    let image = store.image(parent.image).ok()?;
    let taken = store.snapshots(parent.image).unwrap_or_default();
    let snapshot = taken
        .into_iter()
        .find(|taken| Some(taken.id) == parent.snapshot);
    Some(ToolParent {
        id: parent.image,
        image: image.info().name,
        snapshot: snapshot.map(|snapshot| snapshot.name),
    })
}

/// What an image can do; what is mirrored at every record always has a journal, as that is how it is mirrored.
pub(in crate::serve) fn features(info: &ImageInfo) -> Features {
    let said = info.metadata.get(keys::FEATURES);
    let mut features: Features = said.and_then(|text| text.parse().ok()).unwrap_or_default();
    if info.mirrored {
        features.set(Feature::ExclusiveLock, true);
    }
    if by_journal(info) {
        features.set(Feature::Journaling, true);
    }
    features
}

/// Whether an image is mirrored at every record.
pub(super) fn by_journal(info: &ImageInfo) -> bool {
    info.mirrored && info.mode == ImageMirrorMode::Journal
}

fn journal(info: &ImageInfo) -> JournalSettings {
    let said = info.metadata.get(keys::JOURNAL);
    said.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The group that an image belongs to, where that is here.
fn group(store: &Store, info: &ImageInfo) -> Option<ImageName> {
    let id = info.metadata.get(keys::GROUP)?.parse().ok()?;
    groups::name_of(&store.image(id).ok()?.info().name)
}

/// The snapshots of an image, oldest first.
pub(super) fn snapshots(mirroring: &Mirroring, image: ImageId) -> Result<Vec<ToolSnapshot>, Error> {
    let store = &mirroring.store;
    let info = store.image(image)?.info();
    let of_mirror = mirroring.mirror_snapshots(&info);
    let id = info.metadata.get(keys::GROUP);
    let id = id.and_then(|id| id.parse().ok());
    let of_group = id.map_or_else(Vec::new, |id| groups::parts(store, id));
    let taken = store.snapshots(image)?.into_iter();
    let taken = taken.filter(|info| !is_mark(&info.name));
    let shown = taken.map(|info| {
        let part = of_group.iter().find(|(name, _)| *name == info.name);
        let mirror = of_mirror.iter().find(|mirror| mirror.id == info.id);
        let group = part.map(|(_, whole)| whole.clone());
        snapshot(info, group, mirror.cloned())
    });
    Ok(shown.collect())
}

fn snapshot(
    info: SnapshotInfo,
    group: Option<(ImageName, SnapshotName)>,
    mirror: Option<MirrorSnapshot>,
) -> ToolSnapshot {
    ToolSnapshot {
        mirror,
        group,
        id: info.id,
        name: info.name,
        size: info.size,
        time: info.time.0,
        divergent: info.divergent,
        protected: info.protected,
    }
}

/// The images that started as `of` and belong to it, by name.
pub(super) fn children(store: &Store, of: ImageId) -> Vec<ToolChild> {
    let infos = store.images().into_iter().map(|image| image.info());
    let mut children: Vec<ToolChild> = infos
        .filter_map(|info| {
            let parent = info.parent.filter(|parent| parent.image == of)?;
            let temporary =
                views::is_temporary(&info.name) || info.name.namespace() == views::DRILL;
            (!temporary).then_some(ToolChild {
                id: info.id,
                snapshot: parent.snapshot,
                name: info.name,
            })
        })
        .collect();
    children.sort_by(|a, b| a.name.cmp(&b.name));
    children
}

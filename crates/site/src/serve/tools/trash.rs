//! The trash: images that have lost their name, and come back or go for good.
//!
//! An image in the trash has the name `.trash/ID`, so that its former name is free; what it was called
//! stands in its mirrored metadata. Both change in one frame. What stays of replicas that their primary
//! removes is there too, under an id of its own; it is this site's alone, and goes when its time has come.

use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_edge::Clock;
use firebrick_engine::{Bury, Error, ErrorKind, ImageInfo, Store, Tombstone};
use firebrick_vocabulary::{ImageId, ImageName};
use serde::{Deserialize, Serialize};

use super::keys;
use super::namespaces::exists;
use crate::admin::{ToolTrash, TrashSource};
use crate::serve::exports::Exports;
use crate::serve::fault::fault;
use crate::serve::views::internal;

/// The namespace of what is in the trash.
const TRASH: &str = ".trash";

/// What the metadata says of an image in the trash.
#[derive(Serialize, Deserialize)]
struct Thrown {
    name: ImageName,
    /// When, in nanoseconds since the Unix epoch.
    at: u64,
    /// Until when it is protected.
    until: u64,
    /// Who brought it there.
    #[serde(default)]
    source: TrashSource,
}

fn thrown(info: &ImageInfo) -> Option<Thrown> {
    serde_json::from_str(info.metadata.get(keys::TRASH)?).ok()
}

/// What is in the trash, by id.
pub(super) fn list(store: &Store) -> Vec<ToolTrash> {
    let infos = store.images().into_iter().map(|image| image.info());
    let in_trash = infos.filter(|info| info.name.namespace() == TRASH);
    let entry = |info: ImageInfo| {
        let thrown = thrown(&info)?;
        Some(ToolTrash {
            id: info.id,
            name: thrown.name,
            deleted: thrown.at,
            until: thrown.until,
            source: thrown.source,
        })
    };
    in_trash.filter_map(entry).collect()
}

/// Takes an image its name; until `until` it cannot be removed without force. `now` and `until` are in
/// nanoseconds since the Unix epoch.
pub(super) fn throw(
    store: &Store,
    exports: &Exports,
    image: ImageId,
    (now, until): (u64, u64),
) -> Result<(), Fault> {
    exports.unexported(image, "move to the trash", || {
        store.alter("move an image to the trash", |alteration| {
            let info = alteration.changeable(image)?;
            if info.metadata.contains_key(keys::GROUP) {
                let why = format!(
                    "{} belongs to a group; remove it from there first",
                    info.name
                );
                return Err(alteration.error(ErrorKind::Busy, why));
            }
            let thrown = Thrown {
                name: info.name,
                at: now,
                until,
                source: TrashSource::User,
            };
            let text = serde_json::to_string(&thrown).unwrap_or_default();
            alteration.rename(image, internal(TRASH, &image.to_string())?)?;
            alteration.set(image, keys::TRASH, Some(&text))
        })
    })
}

/// Gives an image its name back, or another one.
pub(super) fn restore(
    store: &Store,
    image: ImageId,
    name: Option<&ImageName>,
) -> Result<(), Error> {
    store.alter("take an image out of the trash", |alteration| {
        let info = alteration.changeable(image)?;
        let Some(thrown) = thrown(&info) else {
            let why = format!("{} is not in the trash", info.name);
            return Err(alteration.error(ErrorKind::NotFound, why));
        };
        let name = name.unwrap_or(&thrown.name);
        exists(alteration, name.namespace())?;
        alteration.rename(image, name.clone())?;
        alteration.set(image, keys::TRASH, None)
    })
}

/// Removes an image that is in the trash; [`FaultKind::Busy`] where its time has not come, unless
/// `forced`.
pub(super) fn remove(
    store: &Store,
    exports: &Exports,
    image: ImageId,
    (now, forced): (u64, bool),
) -> Result<(), Fault> {
    let doing = "remove an image from the trash";
    let info = store.image(image).map_err(|error| fault(&error))?.info();
    let Some(thrown) = thrown(&info) else {
        let why = format!("{} is not in the trash", info.name);
        return Err(Fault::new(FaultKind::NotFound, doing, why));
    };
    if now < thrown.until && !forced {
        let why = "its time has not come";
        return Err(Fault::new(FaultKind::Busy, doing, why));
    }
    exports.remove_image(image)
}

/// Keeps replicas that their primary removes in the trash for `delay`.
pub(in crate::serve) fn keep_removed(delay: Duration, clock: Arc<dyn Clock>) -> Arc<Bury> {
    Arc::new(move |info, kept| {
        let name = match thrown(info) {
            Some(thrown) => thrown.name,
            // Groups and namespaces are no images of users.
            None if info.name.is_internal() => return None,
            None => info.name.clone(),
        };
        let now = clock.now().0;
        let thrown = Thrown {
            name,
            at: now,
            until: now.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)),
            source: TrashSource::Mirroring,
        };
        let mut metadata = info.metadata.clone();
        // Neither does it belong to a group, nor has it snapshots or anybody who uses it.
        metadata.retain(|key, _| {
            let left = key == keys::GROUP || key.starts_with(keys::LOCAL);
            !left && keys::of_snapshot(key).is_none()
        });
        metadata.insert(keys::TRASH.to_owned(), serde_json::to_string(&thrown).ok()?);
        let name = internal(TRASH, &kept.to_string()).ok()?;
        Some(Tombstone { name, metadata })
    })
}

/// Removes what stayed of replicas and whose time has come.
pub(in crate::serve) fn expire(store: &Store, exports: &Exports) {
    let now = store.now().0;
    let expired = |it: &ToolTrash| it.source == TrashSource::Mirroring && it.until <= now;
    for thrown in list(store).iter().filter(|it| expired(it)) {
        match exports.remove_image(thrown.id) {
            Ok(()) => {
                tracing::info!(image = %thrown.name, "what was kept of a removed image is gone");
            }
            Err(error) => {
                tracing::warn!(image = %thrown.name, %error, "what was kept of a removed image stays");
            }
        }
    }
}

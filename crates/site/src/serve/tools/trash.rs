//! The trash: images that have lost their name, and come back or go for good.
//!
//! An image in the trash has the name `.trash/ID`, so that its former name is free; what it was called
//! stands in its mirrored metadata. Both change in one frame.

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{Error, ErrorKind, ImageInfo, Store};
use firebrick_vocabulary::{ImageId, ImageName};
use serde::{Deserialize, Serialize};

use super::keys;
use super::namespaces::exists;
use crate::admin::ToolTrash;
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

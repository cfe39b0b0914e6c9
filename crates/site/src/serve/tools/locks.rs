//! Locks that users put on images, for each other: the site itself asks nobody. They concern this site
//! alone, as the clients that hold them do.

use firebrick_engine::{Error, ErrorKind, ImageInfo, Store};
use firebrick_vocabulary::ImageId;

use super::keys;
use crate::admin::{Locks, ToolLock};

/// The locks of an image.
pub(super) fn of(info: &ImageInfo) -> Locks {
    let said = info.metadata.get(keys::LOCKS);
    said.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Takes a lock; [`ErrorKind::Busy`] where somebody holds one that does not go with it.
pub(super) fn add(
    store: &Store,
    image: ImageId,
    lock: &ToolLock,
    tag: Option<&str>,
) -> Result<(), Error> {
    change(store, image, "lock an image", |locks| {
        let goes_with = locks.held.is_empty() || (tag.is_some() && locks.tag.as_deref() == tag);
        if !goes_with || locks.held.contains(lock) {
            return Err((ErrorKind::Busy, "somebody holds a lock already"));
        }
        locks.tag = tag.map(str::to_owned);
        locks.held.push(lock.clone());
        Ok(())
    })
}

/// Ends a lock.
pub(super) fn remove(store: &Store, image: ImageId, lock: &ToolLock) -> Result<(), Error> {
    change(store, image, "unlock an image", |locks| {
        let held = locks.held.len();
        locks
            .held
            .retain(|held| (&held.id, &held.locker) != (&lock.id, &lock.locker));
        if locks.held.len() < held {
            return Ok(());
        }
        Err((ErrorKind::NotFound, "nobody holds such a lock"))
    })
}

fn change(
    store: &Store,
    image: ImageId,
    doing: &'static str,
    change: impl FnOnce(&mut Locks) -> Result<(), (ErrorKind, &'static str)>,
) -> Result<(), Error> {
    store.alter(doing, |alteration| {
        let mut locks = of(&alteration.image(image)?);
        change(&mut locks).map_err(|(kind, why)| alteration.error(kind, why))?;
        let held = !locks.held.is_empty();
        let text = held.then(|| serde_json::to_string(&locks).unwrap_or_default());
        alteration.set(image, keys::LOCKS, text.as_deref())
    })
}

//! What tools do with snapshots and clones.

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{
    Error, ErrorKind, FLATTENED_KEY, NewImage, NewOrigin, SNAPSHOT_LIMIT_KEY, Store,
};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, Sequence, SnapshotName, counted};

use super::describe::children;
use crate::admin::ViewOf;
use crate::serve::fault::fault;

/// Keeps a snapshot from being removed, or no longer.
pub(super) fn protect(
    store: &Store,
    image: ImageId,
    name: &SnapshotName,
    protected: bool,
) -> Result<(), Fault> {
    let taken = store.snapshots(image).map_err(|error| fault(&error))?;
    let found = taken.into_iter().find(|taken| taken.name == *name);
    let verb = if protected { "protect" } else { "unprotect" };
    let refuse = |kind, why: String| Err(Fault::new(kind, format!("{verb} {name}"), why));
    let Some(found) = found else {
        return refuse(FaultKind::NotFound, "there is no such snapshot".to_owned());
    };
    match (found.protected, protected) {
        (true, true) => return refuse(FaultKind::Busy, "it is protected already".to_owned()),
        (false, false) => return refuse(FaultKind::Invalid, "it is not protected".to_owned()),
        (true, false) => {
            let of = children(store, image).into_iter();
            let count = of.filter(|child| child.snapshot == Some(found.id)).count();
            if count > 0 {
                let verb = if count == 1 { "is" } else { "are" };
                let why = format!(
                    "at least {} {verb} made of it",
                    counted(count as u64, "clone")
                );
                return refuse(FaultKind::Busy, why);
            }
        }
        (false, true) => {}
    }
    let set = store.protect_snapshot(image, name, protected);
    set.and_then(|()| store.flush().map(drop))
        .map_err(|error| fault(&error))
}

/// Gives a snapshot another name.
pub(super) fn rename(
    store: &Store,
    image: ImageId,
    from: &SnapshotName,
    to: &SnapshotName,
) -> Result<(), Error> {
    store.alter("rename a snapshot", |alteration| {
        alteration.rename_snapshot(image, from, to)
    })
}

/// How many snapshots an image may have.
pub(super) fn limit(store: &Store, image: ImageId, limit: Option<u64>) -> Result<(), Error> {
    let text = limit.map(|limit| limit.to_string());
    store.set_metadata(image, SNAPSHOT_LIMIT_KEY, text.as_deref())
}

/// Makes an image belong to nobody but itself.
pub(super) fn flatten(store: &Store, image: ImageId) -> Result<(), Error> {
    if store.image(image)?.info().parent.is_none() {
        return Err(Error {
            kind: ErrorKind::Invalid,
            doing: "flatten an image",
            why: "it has no parent".to_owned(),
        });
    }
    store.set_metadata(image, FLATTENED_KEY, Some("yes"))
}

/// Makes an image from another one.
pub(super) fn clone(
    store: &Store,
    (id, name, mirrored): (ImageId, ImageName, bool),
    (source, state): (ImageId, ViewOf),
    flat: bool,
) -> Result<(), Error> {
    let (snapshot, at): (_, Option<Sequence>) = match state {
        ViewOf::Head => (None, None),
        ViewOf::Snapshot(name) => (Some(name), None),
        ViewOf::At(at) => (None, Some(at)),
    };
    let size: Bytes = match (&snapshot, at) {
        (Some(name), _) => {
            let taken = store.snapshots(source)?;
            let taken = taken.into_iter().find(|taken| taken.name == *name);
            // Where there is none, making the clone says so.
            taken.map_or(Bytes::ZERO, |taken| taken.size)
        }
        (None, Some(at)) => store.size_at(source, at)?,
        (None, None) => store.image(source)?.size(),
    };
    let origin = NewOrigin {
        image: source,
        snapshot,
        at,
    };
    store.create_image(NewImage {
        id,
        name,
        size,
        origin: Some(origin),
        mirrored,
    })?;
    if flat {
        flatten(store, id)?;
    }
    Ok(())
}

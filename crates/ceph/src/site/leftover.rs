//! What is here of an image that does not live here: it goes, whatever its mirroring says of it.

use firebrick_backend::{Fault, FaultKind, GlobalId};
use firebrick_vocabulary::ImageId;

use super::remove::{once_closed, snap};
use super::{Shared, exports};
use crate::fault::{Doing, gone_is_fine};
use crate::ffi::{Cancel, Image, Kind, Opening};
use crate::link::Link;

/// By what the clusters that mirror the image know it.
pub(super) fn global_id(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    doing: &str,
) -> Result<Option<GlobalId>, Fault> {
    let (image, ..) = shared.names.open(link, id, Opening::Looking, doing)?;
    Ok(image.global_id().doing(doing)?.map(GlobalId))
}

/// Puts it into the trash, unless it has become another one than was known.
pub(super) fn remove(
    shared: &Shared,
    link: &Link,
    (id, known): (ImageId, Option<GlobalId>),
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let Some((image, _)) = found(shared, link, id, known.as_ref(), doing)? else {
        return Ok(());
    };
    exports::forget(link, id, doing)?;
    // First of all: what is mirrored has its snapshots from its primary, and cannot lose them.
    image.mirror_no_more(true).doing(doing)?;
    drop(image);
    let Some((image, name)) = found(shared, link, id, None, doing)? else {
        return Ok(());
    };
    for snapshot in image.snaps().doing(doing)? {
        if snapshot.kind == Kind::User {
            snap(link, &image, &snapshot.name, cancel, doing)?;
        }
    }
    drop(image);
    let delay = shared.options().deferred.unwrap_or_default();
    let go = || link.pool.discard(&name, delay.as_secs());
    gone_is_fine(once_closed(go, cancel, doing))?;
    shared.names.forget(id);
    Ok(())
}

/// The image and its name, where it is here under that global id.
fn found(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    known: Option<&GlobalId>,
    doing: &str,
) -> Result<Option<(Image, String)>, Fault> {
    let (image, name, _) = match shared.names.open(link, id, Opening::Changing, doing) {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(None),
        found => found?,
    };
    let now = image.global_id().doing(doing)?.map(GlobalId);
    Ok((now.as_ref() == known).then_some((image, name)))
}

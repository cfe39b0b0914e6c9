//! Clones.

use firebrick_backend::{Fault, FaultKind, NewImage, Origin};

use super::{Shared, part, remove};
use crate::fault::Doing;
use crate::ffi::{Cancel, Image, Opening, feature};
use crate::link::Link;
use crate::names::open;

/// What a clone has of its origin's features; mirroring borrows what it needs.
pub(super) const INHERITED: u64 = feature::LAYERING
    | feature::EXCLUSIVE_LOCK
    | feature::OBJECT_MAP
    | feature::FAST_DIFF
    | feature::DEEP_FLATTEN;

/// How deep a chain is followed, whatever is configured: RBD's own bound.
const DEEPEST: u32 = 16;

/// Makes a clone under the name `work`, of the size that is wanted. It depends on its origin, unless the
/// configuration, the depth of the chain or mirroring wants it otherwise: a copy at a peer must not need what
/// the peer does not have.
pub(super) fn make(
    shared: &Shared,
    link: &Link,
    (origin, work): (&Origin, &str),
    new: &NewImage,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let options = shared.options();
    let how = match origin.snapshot {
        Some(_) => Opening::Looking,
        None => Opening::Changing,
    };
    let (source, source_name, notes) = shared.names.open(link, origin.image, how, doing)?;
    let features = source.features().doing(doing)? & INHERITED | feature::LAYERING;
    let order = u64::from(options.order);
    let depth = 1 + depth(link, &source, doing)?;
    if let Some(snapshot) = &origin.snapshot {
        let of = (source_name.as_str(), snapshot.as_str());
        link.pool.clone_of(of, work, features, order).doing(doing)?;
    } else {
        // Cinder's own name for it: who looks at the pool knows what it is.
        let snapshot = format!("{work}{}", super::snapshots::OF_CLONES);
        part::primary(link, &source, &notes, doing)?;
        remove::snap(link, &source, &snapshot, cancel, doing)?;
        source.take(&snapshot).doing(doing)?;
        let of = (source_name.as_str(), snapshot.as_str());
        let made = link.pool.clone_of(of, work, features, order).doing(doing);
        // The clone keeps what it needs of it; nobody else does.
        remove::snap(link, &source, &snapshot, cancel, doing)?;
        made?;
    }
    drop(source);
    let clone = open(link, work, Opening::Changing, doing)?
        .ok_or_else(|| Fault::new(FaultKind::Internal, doing, "the clone is not there"))?;
    let alone = new.mirrored
        || depth > options.clone_depth
        || (options.flatten && origin.snapshot.is_some());
    let size = clone.size().doing(doing)?;
    if size != new.size.0 {
        clone.resize(new.size.0, true, cancel).doing(doing)?;
    }
    if alone && clone.parent().doing(doing)?.is_some() {
        clone.flatten(cancel).doing(doing)?;
    }
    Ok(())
}

/// How many origins an image has, one behind the other.
fn depth(link: &Link, image: &Image, doing: &str) -> Result<u32, Fault> {
    let mut depth = 0;
    let mut parent = image.parent().doing(doing)?;
    while let Some(of) = parent {
        depth += 1;
        // One in the trash has no name, and nobody makes chains behind it longer.
        if depth >= DEEPEST || of.trashed {
            break;
        }
        parent = match open(link, &of.name, Opening::Looking, doing)? {
            Some(image) => image.parent().doing(doing)?,
            None => None,
        };
    }
    Ok(depth)
}

//! A handle of one image, and what can be seen of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use firebrick_log::Applied;
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageName, Role, Sequence, StoreId, SyncState,
};

use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::map::MapView;
use crate::state::{Cell, ImageState};

/// A handle of one image: a block device. It stays valid while the image exists; calls may come from
/// any thread, and each is atomic against the others.
pub struct Image {
    pub(crate) core: Arc<Core>,
    pub(crate) id: ImageId,
    pub(crate) cell: Cell,
}

/// An image as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageInfo {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Its size.
    pub size: Bytes,
    /// Data that its newest state maps, shared with snapshots and clones or not.
    pub used: Bytes,
    /// Its role here.
    pub role: Role,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether it is mirrored.
    pub mirrored: bool,
    /// Whether it is complete here.
    pub sync: SyncState,
    /// The store that it follows, as a secondary.
    pub upstream: Option<StoreId>,
    /// Whether the primary has been demoted and all it wrote is here.
    pub primary_demoted: bool,
    /// Where the last promotion here followed on in the former primary's log.
    pub origin: Option<Applied>,
    /// Keys and values, those of this store alone begin with `local.`.
    pub metadata: BTreeMap<String, String>,
    /// The last own record about what peers share of it.
    pub last_change: Sequence,
}

/// A range of an image in one state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// Its length in bytes, counted from the end of the extent before.
    pub len: u64,
    /// Whether something was written there; otherwise it reads as zeroes and takes no room.
    pub data: bool,
}

impl Image {
    /// Its id.
    pub const fn id(&self) -> ImageId {
        self.id
    }

    /// How it is now.
    pub fn info(&self) -> ImageInfo {
        let state = self.cell.read();
        let meta = &state.meta;
        ImageInfo {
            id: meta.id,
            name: meta.name.clone(),
            size: meta.size,
            used: Bytes(state.map.mapped * BLOCK_SIZE),
            role: meta.role,
            epoch: meta.epoch,
            mirrored: meta.mirrored,
            sync: meta.sync,
            upstream: meta.upstream,
            primary_demoted: meta.primary_demoted,
            origin: meta.origin,
            metadata: meta.metadata.clone(),
            last_change: meta.last_own,
        }
    }

    /// Its size.
    pub fn size(&self) -> Bytes {
        self.cell.read().meta.size
    }

    /// Whether a write could succeed now.
    pub fn is_writable(&self) -> bool {
        let state = self.cell.read();
        let fenced = state.meta.mirrored && self.core.fenced.load(Ordering::Acquire);
        state.meta.role == Role::Primary && !state.removed && !fenced
    }

    /// Whether the image is gone.
    pub fn is_removed(&self) -> bool {
        self.cell.read().removed
    }

    /// Its map as it is now.
    pub fn map(&self) -> MapView {
        self.cell.read().view()
    }

    /// What lies in `len` bytes from `offset` on, at most `most` extents; neighbours differ.
    pub fn extents(&self, offset: u64, len: u64, most: usize) -> Result<Vec<Extent>, Error> {
        let state = self.cell.read();
        check_range(&state, "look for extents", offset, len)?;
        let end = offset + len;
        let mut extents = Vec::new();
        let mut at = offset;
        while at < end && extents.len() < most {
            let block = at / BLOCK_SIZE;
            let last = end.div_ceil(BLOCK_SIZE);
            let data = state.map.get(block).is_some();
            let until = if data {
                (block + 1..last)
                    .find(|b| !state.map.get(*b).is_some())
                    .unwrap_or(last)
            } else {
                state.map.next_mapped(block, last).unwrap_or(last)
            };
            let until = (until * BLOCK_SIZE).min(end);
            extents.push(Extent {
                len: until - at,
                data,
            });
            at = until;
        }
        Ok(extents)
    }
}

/// Refuses a range beyond the end of the image, and images that are gone.
pub(crate) fn check_range(
    state: &ImageState,
    doing: &'static str,
    offset: u64,
    len: u64,
) -> Result<(), Error> {
    if state.removed {
        return Err(Error::no_image(doing, state.meta.id));
    }
    match offset.checked_add(len) {
        Some(end) if end <= state.meta.size.0 => Ok(()),
        Some(_) | None => {
            let why = format!(
                "{len} bytes from {offset} on are beyond {} bytes",
                state.meta.size.0
            );
            Err(Error::new(ErrorKind::OutOfRange, doing, why))
        }
    }
}

//! A handle of one image, and what can be seen of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use firebrick_edge::Timestamp;
use firebrick_log::{Applied, ImageOrigin};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageMirrorMode, ImageName, Role, Sequence, StoreId,
    SyncMode, SyncState,
};

use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::keys::FLATTENED_KEY;
use crate::state::{Cell, ImageState};
use crate::view::MapView;

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
    /// Its role here.
    pub role: Role,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether it is mirrored.
    pub mirrored: bool,
    /// How it is mirrored, if it is.
    pub mode: ImageMirrorMode,
    /// Whether flushes of a mirrored image wait for its peers.
    pub sync_mode: Option<SyncMode>,
    /// Whether it is complete here.
    pub sync: SyncState,
    /// The store that it follows, as a secondary.
    pub upstream: Option<StoreId>,
    /// The store of the primary, where that is neither that one nor this store: it is followed by way of that.
    pub leader: Option<StoreId>,
    /// Whether the primary has been demoted and all it wrote is here.
    pub primary_demoted: bool,
    /// Where the last promotion here followed on in the former primary's log.
    pub origin: Option<Applied>,
    /// Keys and values, those of this store alone begin with `local.`.
    pub metadata: BTreeMap<String, String>,
    /// The last own record about what peers share of it.
    pub last_change: Sequence,
    /// When it was made, or came to this store; zero where that is not known.
    pub created: Timestamp,
    /// What it started as.
    pub parent: Option<ImageOrigin>,
}

/// A range of an image in one state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// Its length in bytes, counted from the end of the extent before.
    pub len: u64,
    /// Whether something was written there; otherwise it reads as zeroes and takes no room.
    pub data: bool,
}

impl ImageInfo {
    pub(crate) fn of(state: &ImageState) -> Self {
        let meta = &state.meta;
        Self {
            id: meta.id,
            name: meta.name.clone(),
            size: meta.size,
            role: meta.role,
            epoch: meta.epoch,
            mirrored: meta.mirrored,
            mode: crate::mirror_snapshots::mode(meta),
            sync_mode: crate::sync_mode::of(meta),
            sync: meta.sync,
            upstream: meta.upstream,
            leader: meta.leader,
            primary_demoted: meta.primary_demoted,
            origin: meta.origin,
            metadata: meta.metadata.clone(),
            last_change: meta.last_own,
            created: Timestamp(meta.created),
            parent: meta
                .parent
                .filter(|_| !meta.metadata.contains_key(FLATTENED_KEY)),
        }
    }
}

impl Image {
    /// Its id.
    pub const fn id(&self) -> ImageId {
        self.id
    }

    /// How it is now.
    pub fn info(&self) -> ImageInfo {
        ImageInfo::of(&self.cell.read())
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

    /// Whether nothing was ever written to it: it has neither blocks nor snapshots.
    pub fn is_blank(&self) -> Result<bool, Error> {
        let (view, blocks) = {
            let image = self.cell.read();
            if !image.snapshots.is_empty() {
                return Ok(false);
            }
            (image.view.clone(), image.blocks())
        };
        Ok(self.core.index.next_mapped(&view, 0, blocks)?.is_none())
    }

    /// Data that its newest state maps, shared with snapshots and clones or not. Takes time in
    /// proportion to that.
    pub fn used(&self) -> Result<Bytes, Error> {
        let view = self.cell.read().view.clone();
        Ok(Bytes(self.core.index.mapped(&view)? * BLOCK_SIZE))
    }

    /// Its blocks as they are now.
    pub fn map(&self) -> MapView {
        let mut state = self.core.lock();
        let (place, blocks) = {
            let image = self.cell.read();
            (
                (image.branch, self.core.log.head().sequence),
                image.blocks(),
            )
        };
        MapView::hold(&self.core, &mut state, place, blocks)
    }

    /// What lies in `len` bytes from `offset` on, at most `most` extents; neighbours differ.
    pub fn extents(&self, offset: u64, len: u64, most: usize) -> Result<Vec<Extent>, Error> {
        let view = {
            let state = self.cell.read();
            check_range(&state, "look for extents", offset, len)?;
            state.view.clone()
        };
        let index = &self.core.index;
        let end = offset + len;
        let last = end.div_ceil(BLOCK_SIZE);
        let mut extents: Vec<Extent> = Vec::new();
        let mut at = offset;
        while at < end && extents.len() < most {
            let block = at / BLOCK_SIZE;
            let mapped = index.next_mapped(&view, block, last)?;
            let data = mapped == Some(block);
            let until = if data {
                index.next_hole(&view, block, last)?
            } else {
                mapped
            };
            let until = (until.unwrap_or(last) * BLOCK_SIZE).min(end);
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

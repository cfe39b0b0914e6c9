//! librados and librbd behind safe types: the only place of this crate that is not safe by itself.
//!
//! Every call may block for as long as the cluster lets it, so only the threads of [`crate::threads`] make
//! them. What a call returns below zero is an [`Errno`].

#![expect(unsafe_code, reason = "librados and librbd are libraries of C")]

mod bytes;
mod cluster;
mod errno;
mod image;
mod load;
mod mirror;
mod mirror_snaps;
mod omap;
mod peers;
mod pool;
mod progress;
mod shapes;
mod snaps;
mod tables;
mod text;
pub(crate) mod tool;

pub(crate) use bytes::{Difference, Grain};
pub(crate) use cluster::Cluster;
pub(crate) use errno::Errno;
pub(crate) use image::{Image, Opening};
pub use load::Missing;
pub(crate) use mirror::{MirrorInfo, MirrorMode, MirrorState, SiteReport, Standing};
pub(crate) use peers::MirrorPeer;
pub(crate) use pool::Pool;
pub(crate) use progress::Cancel;
pub(crate) use snaps::{Kind, Snap};

/// Whether the libraries are here.
pub(crate) fn present() -> Result<(), Missing> {
    tables::libraries().map(drop)
}

/// Bits of `rbd_get_features`.
pub(crate) mod feature {
    /// Clones can be made of it.
    pub(crate) const LAYERING: u64 = 1;
    /// One client at a time writes.
    pub(crate) const EXCLUSIVE_LOCK: u64 = 4;
    /// Which objects are there is written down.
    pub(crate) const OBJECT_MAP: u64 = 8;
    /// What changed between snapshots is written down.
    pub(crate) const FAST_DIFF: u64 = 16;
    /// Flattening takes snapshots along.
    pub(crate) const DEEP_FLATTEN: u64 = 32;
    /// Every write is journaled first.
    pub(crate) const JOURNALING: u64 = 64;
}

//! Backups of images: chunks, manifests and the repositories that keep them.
//!
//! What it is for: [`Writing`] puts what a `backend::Reader` reads into a [`Repository`], as a full
//! backup or as what differs from a parent; [`Chain`] merges a backup with its parents and reads the
//! whole as a `backend::Reader` again. What it promises: a backup is there once its manifest is, which is
//! written last, so a half one is never seen; a writer that died goes on at the last object that is
//! there; whatever is read was checked against its SHA-256, and what is damaged is refused by name. What
//! it leans on: `backend` for bytes of images and for faults, `edge` for the disk. It knows images and
//! backups, not volumes.

mod chain;
mod digest;
mod manifest;
mod merged;
mod names;
mod object;
mod posix;
mod prune;
mod repository;
mod write;

pub use chain::Chain;
pub use manifest::{Manifest, Parent};
pub use names::{Container, InvalidContainer};
pub use posix::Posix;
pub use prune::{remove, sweep};
pub use repository::{Repository, SharedRepository};
pub use write::{Finished, Plan, Writing};

/// Data is cut into chunks at the multiples of this, in bytes: what is checked at once.
pub const CHUNK_BYTES: u64 = 4 << 20;

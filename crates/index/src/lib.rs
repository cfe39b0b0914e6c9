//! Where the blocks of every image are, now and at each of its snapshots.
//!
//! What it is for: lookups in bounded memory, however large the images are; the engine keeps its own
//! metadata in the same file, so that both are of one moment. What it promises: after a crash at any
//! instant the index is that of a completed [`Index::commit`], the last one that returned or one
//! that was under way; what is read is right or an error ([`ErrorKind::Damaged`]), never something
//! else; a commit that fails loses nothing and the next one can succeed. What it leans on: `redb` for
//! a B-tree with atomic commits, `edge` for the disk, and the engine for replaying the log behind
//! the last commit: the index is a cache of the log and no source of truth.

mod cache;
mod changed;
mod changes;
mod entry;
mod error;
mod fold;
mod index;
mod jobs;
mod leaf;
mod lookup;
mod memtable;
mod merge;
mod pages;
mod places;
mod points;
mod ranges;
mod slots;
mod state;
mod stored;
mod touched;
mod trim;
mod view;
mod walk;

pub use entry::{Entry, LEAF_BLOCKS};
pub use error::{Damage, Error, ErrorKind};
pub use index::{Frozen, Index, IndexOptions, Visit};
pub use points::{Batch, Child, Fold, Moved, Points, Released, Sweep, Trim, Weight};
pub use view::{BranchId, Changed, Step, View};

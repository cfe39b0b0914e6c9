//! What the operator's tool needs of a cluster, beyond what a site needs.
//!
//! Functions of librbd are looked up when they are called first: one that this version lacks is a
//! [`Trouble::Missing`] of the command that wanted it, and of no other.

mod bytes;
mod calls;
mod change;
mod daemons;
mod facts;
mod groups;
mod journal;
mod locks;
mod mirror;
mod namespaces;
mod notes;
mod objects;
mod open;
mod report;
mod requests;
mod shapes;
mod snaps;
mod texts;
mod trash;

use super::errno::Errno;
pub use bytes::Extent;
pub use change::NewImage;
pub use daemons::Refused;
pub use facts::{ImageFacts, Link, Parent, Striping, Watcher};
pub use groups::{GroupSnap, Member};
pub use journal::{JournalClient, JournalEntry, JournalHeader, ObjectPosition};
pub use locks::{HeldLock, HeldLocks};
pub use mirror::{
    ImageMirroring, ImageMode, MirrorPeer, MirrorState, MirrorStatus, PeerDirection, PoolMode,
    SiteStatus,
};
pub use open::{Access, Connection, ImageAt, OpenImage, OpenPool};
pub use report::{Quiet, Report};
pub use requests::{Advice, Requests};
pub use snaps::{MirrorSnap, SnapFacts, SnapOf, SnapshotRemoval};
pub use trash::{Thrown, ThrownBy};

/// Why a call of the tool failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// What librbd or librados returned, as a number of `errno.h`.
    #[error("{}", std::io::Error::from_raw_os_error(*.0))]
    Errno(i32),
    /// A function that this machine's librbd or librados does not have.
    #[error("the librbd of this machine has no {0}; install a newer package librbd1")]
    Missing(&'static str),
}

impl Trouble {
    /// The number of `errno.h`; of a missing function, that nothing does this.
    pub const fn errno(&self) -> i32 {
        match self {
            Self::Errno(errno) => *errno,
            Self::Missing(_) => libc::EOPNOTSUPP,
        }
    }
}

impl From<Errno> for Trouble {
    fn from(error: Errno) -> Self {
        Self::Errno(error.0)
    }
}

/// `Err` for a number below zero.
fn check(code: std::ffi::c_int) -> Result<std::ffi::c_int, Trouble> {
    Ok(super::errno::check(code)?)
}

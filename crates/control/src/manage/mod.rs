//! Images and snapshots that a site has already are taken over, and what is managed is given up: the
//! bytes stay where they are.

pub(crate) mod adopt;
mod list;
mod page;
mod request;
pub(crate) mod snapshot;
pub(crate) mod unmanage;
mod volume;
mod whereabouts;

pub use page::{Manageable, ManageableKey, ManageableQuery};
pub use request::{ManageSnapshot, ManageVolume, Reference};
pub use whereabouts::At;

use firebrick_vocabulary::{Bytes, GIB};

/// The GiB that hold `size`: volumes have whole ones.
fn whole(size: Bytes) -> u32 {
    u32::try_from(size.0.div_ceil(GIB)).unwrap_or(u32::MAX)
}

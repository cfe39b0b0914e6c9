//! What a record says.

use std::collections::BTreeMap;

use crc_fast::{CrcAlgorithm, Digest};
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageName, Role, Sequence, SnapshotId, SnapshotName, StoreId, SyncState,
};
use serde::{Deserialize, Serialize};

/// A CRC-32C (Castagnoli; RFC 3720, section B.4), that of a block or of what else is stored.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Checksum(pub u32);

impl Checksum {
    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32)
    }

    /// The checksum of what this is the checksum of with `bytes` behind it.
    #[must_use]
    pub fn and(self, bytes: &[u8]) -> Self {
        let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!self.0));
        digest.update(bytes);
        Self(digest.finalize() as u32)
    }
}

/// Where a block lies in the log.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Location {
    /// The number of the segment.
    pub segment: u32,
    /// The block's first byte within the segment file, in units of 512 bytes.
    pub unit: u32,
}

impl Location {
    /// The first byte within the segment file.
    pub const fn offset(self) -> u64 {
        self.unit as u64 * 512
    }

    /// The place `blocks` blocks further on in the same segment.
    #[must_use]
    pub const fn plus_blocks(self, blocks: u32) -> Self {
        Self {
            segment: self.segment,
            unit: self.unit + blocks * 8,
        }
    }
}

/// Up to which record of a peer's log a frame brings this store: written into the frame itself, so
/// that what was applied and how far it reaches are one atomic fact.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The store that was read.
    pub peer: StoreId,
    /// Its last record that this store holds once the frame is there.
    pub sequence: Sequence,
}

/// The record that took a snapshot. Ids of snapshots are given out twice where two sites are primary, or
/// where the newest one goes; this is not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// In whose log it is.
    pub by: StoreId,
    /// Its place there.
    pub at: Sequence,
}

/// From where a clone starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ImageOrigin {
    /// The image.
    pub image: ImageId,
    /// The snapshot of it; `None` for its newest state at the record's own position.
    pub snapshot: Option<SnapshotId>,
    /// The record that took that; none in what an older release wrote, or where that did not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
    /// Its state at this earlier record of the same log instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Sequence>,
}

/// Who is primary of an image, and in which epoch. Of two the later one is the greater; where two sites that did not
/// hear of each other chose the same epoch, that of the greater store.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Reign {
    /// The epoch.
    pub epoch: Epoch,
    /// The store of the primary.
    pub leader: StoreId,
}

/// One image becomes primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// The image.
    pub image: ImageId,
    /// The epoch that starts.
    pub epoch: Epoch,
    /// Where it follows on: the last record of the former primary's log that the image holds here.
    /// `None` where the image never followed anyone.
    pub origin: Option<Applied>,
    /// Whether the former primary was not asked.
    pub forced: bool,
    /// The reign that ends here; not there in logs from before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Reign>,
}

/// One image of a former primary returns to the common position.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FallBack {
    /// The image.
    pub image: ImageId,
    /// The last own record that the new primary has; what came after is undone.
    pub to: Sequence,
    /// Under which snapshot what came after is kept.
    pub keep_id: SnapshotId,
    /// The name of that snapshot.
    pub keep_name: SnapshotName,
    /// The epoch of the new primary.
    pub epoch: Epoch,
    /// The store of the new primary, which the image follows from here on.
    pub peer: StoreId,
    /// Its size then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// Its name then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ImageName>,
    /// Its metadata then, without what concerns the one store alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// A record that carries no block data. It is stored as JSON, so that old readers can name what they
/// do not know and `journal inspect` can print it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// An image begins to exist.
    Create {
        /// Its id.
        image: ImageId,
        /// Its name.
        name: ImageName,
        /// Its size.
        size: Bytes,
        /// Where a clone starts.
        origin: Option<ImageOrigin>,
        /// Whether it is mirrored from the first record on.
        mirrored: bool,
        /// Its role here.
        role: Role,
        /// Its epoch.
        epoch: Epoch,
        /// Whether it is complete; `Copying` where it is made to receive a first copy.
        sync: SyncState,
    },
    /// An image ends, with its snapshots.
    Remove {
        /// Which.
        image: ImageId,
    },
    /// An image gets another name.
    Rename {
        /// Which.
        image: ImageId,
        /// The new name.
        name: ImageName,
    },
    /// An image gets another size; blocks beyond it are dropped.
    Resize {
        /// Which.
        image: ImageId,
        /// The new size.
        size: Bytes,
    },
    /// A snapshot: a name for this position of an image.
    SnapshotCreate {
        /// Of which image.
        image: ImageId,
        /// Its id.
        snapshot: SnapshotId,
        /// Its name.
        name: SnapshotName,
        /// The record that took it, at whatever site; not there in logs from before this was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken: Option<Taken>,
    },
    /// A snapshot ends.
    SnapshotRemove {
        /// Of which image.
        image: ImageId,
        /// Which.
        snapshot: SnapshotId,
    },
    /// An image returns to an earlier state of its own.
    Rollback {
        /// Which.
        image: ImageId,
        /// The snapshot whose state it takes.
        snapshot: SnapshotId,
    },
    /// An image returns to what it was at an earlier record of this log. A local record: only images
    /// that are not mirrored do so.
    Restore {
        /// Which.
        image: ImageId,
        /// The record.
        to: Sequence,
        /// Its size then.
        size: Bytes,
    },
    /// A key of the image's metadata is set, or removed with `None`.
    Metadata {
        /// Of which image.
        image: ImageId,
        /// The key.
        key: String,
        /// The value.
        value: Option<String>,
    },
    /// The image is mirrored from here on, or no longer.
    Mirroring {
        /// Which.
        image: ImageId,
        /// Whether.
        enabled: bool,
    },
    /// Images become primary here, all at this position.
    Promote {
        /// Which, and how.
        images: Vec<Promotion>,
    },
    /// Images become secondary here, all at this position.
    Demote {
        /// Which.
        images: Vec<ImageId>,
    },
    /// Images of a former primary return to the common position and become secondary.
    FallBack {
        /// Which, and how.
        images: Vec<FallBack>,
    },
    /// How far the first copy of a secondary image has come. A local record: a mirror skips it.
    Sync {
        /// Which.
        image: ImageId,
        /// How far.
        state: SyncState,
    },
    /// A part of everything that a checkpoint's rows said. A local record: a mirror skips it.
    Base {
        /// The last record that the checkpoint holds.
        at: Sequence,
        /// Which part it is, from 0 on.
        part: u32,
        /// Whether it is the last one.
        last: bool,
        /// Keys and values.
        rows: Vec<(String, String)>,
    },
    /// An image of a former primary becomes secondary where it is: what both sites had cannot be had
    /// here any more. It is not complete until it has adopted the difference. A local record: a mirror
    /// skips it.
    Yield {
        /// Which.
        image: ImageId,
        /// The last own record that the new primary has; snapshots that were taken since are divergent.
        common: Sequence,
        /// Under which snapshot is kept what is here.
        keep_id: SnapshotId,
        /// The name of that snapshot.
        keep_name: SnapshotName,
        /// The epoch of the new primary.
        epoch: Epoch,
        /// The store that the image follows from here on.
        peer: StoreId,
        /// The store of the new primary, where that is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leader: Option<StoreId>,
    },
    /// Images become what was staged for each of them beside it, all at this position; the staged ones
    /// end. A local record: a mirror skips it.
    Adopt {
        /// Which.
        images: Vec<ImageId>,
    },
    /// The image follows a new primary's epoch. A local record: a mirror skips it.
    Follow {
        /// Which.
        image: ImageId,
        /// The primary's epoch.
        epoch: Epoch,
        /// The store that the image follows.
        peer: StoreId,
        /// The primary's store, where that is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leader: Option<StoreId>,
        /// The reign at whose end it goes on without a gap; none where nobody knows that it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Reign>,
        /// Whether that reign ended with a demotion, so that whoever has heard of that has all of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        planned: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_rfc_however_they_come_about() {
        // RFC 3720, section B.4.
        for (bytes, sum) in [(&[0; 32][..], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43)] {
            assert_eq!(Checksum::of(bytes), Checksum(sum));
        }
        let bytes: Vec<u8> = (0..9000u32).map(|i| (i * i / 7) as u8).collect();
        for at in [0, 1, 15, 16, 255, 4096, 8999, 9000] {
            let (one, two) = bytes.split_at(at);
            assert_eq!(Checksum::of(one).and(two), Checksum::of(&bytes));
        }
    }
}

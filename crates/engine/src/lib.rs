//! Images, snapshots and clones over the log.
//!
//! What it is for: [`Store`] turns images into records and records into images; [`Image`] is a block
//! device. What it promises: every change is one record, applied by the same code when it is made,
//! recovered or mirrored; a block is never returned that fails its checksum (INV-4); an image that is
//! not primary here takes no write (INV-3); snapshots, clones and rollbacks copy nothing. What it
//! leans on: `log` for durability and order, `edge` for the disk.

mod admission;
mod alter;
mod apply;
mod bell;
mod branch;
mod checkpoint;
mod clean;
mod commit;
mod copy;
mod difference;
mod ended;
mod error;
mod follow;
mod gather;
mod image;
mod images;
mod io;
mod journal;
mod keep;
mod keys;
mod lanes;
mod lend;
mod light;
mod mirror_snapshots;
mod mirror_way;
mod overwritten;
mod past;
mod peer;
mod rebuild;
mod rows;
mod scrub;
mod shared;
mod snapshots;
mod spans;
mod stage;
mod state;
mod store;
mod succession;
mod switch;
mod sync_mode;
mod tombstone;
mod view;
mod window;
mod write;

pub use firebrick_index::{Changed, Entry};
pub use firebrick_log::{Applied, Checksum, ImageOrigin, Reign};

pub use alter::Alteration;
pub use clean::{Cleaned, Pressure};
pub use copy::{CopyImage, CopySource, SnapshotSource};
pub use difference::{Difference, Served, ServedSnapshot, catching_up};
pub use ended::EndedImage;
pub use error::{Error, ErrorKind};
pub use follow::Followed;
pub use image::{Extent, Image, ImageInfo};
pub use images::{NewImage, NewOrigin};
pub use journal::{JournalItem, JournalReader, JournalStep, LogSpan};
pub use keys::{FLATTENED_KEY, GROUP_KEY, MIRROR_INTERVAL_KEY, SNAPSHOT_LIMIT_KEY, SYNC_HELD_KEY};
pub use mirror_snapshots::{MirrorPoint, is_of_mirroring};
pub use peer::{Handover, PeerRecord, SentRecords, Turn};
pub use rebuild::{RebuildPhase, RebuildProgress, RebuildReport};
pub use scrub::{NoSource, Rot, ScrubCursor, ScrubProgress, Scrubbed, Source};
pub use snapshots::{SNAPSHOTS_AT_ONCE_MAX, SnapshotInfo};
pub use stage::{HeldImage, SnapshotKey, Target, staged};
pub use store::{Space, Store, StoreOptions};
pub use switch::{KEPT_FOR_KEY, Promoted, Refusal};
pub use sync_mode::SyncPoint;
pub use tombstone::{Bury, Tombstone};
pub use view::MapView;
pub use window::{BadRetention, Moment, RETENTION_KEY, Retention};
pub use write::Write;

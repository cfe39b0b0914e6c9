//! The superblock: what a store is, written once.

use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_vocabulary::StoreId;
use uuid::Uuid;

use crate::entry::LogOptions;
use crate::error::{Error, ErrorKind};
use crate::record::Checksum;
use crate::segment::{u32_at, u64_at};

const NAME: &str = "superblock";
const MAGIC: &[u8; 8] = b"FIREBRCK";
const VERSION: u32 = 2;
const LEN: usize = 512;
const CHECKSUM_AT: usize = LEN - 4;

/// What the superblock says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Superblock {
    pub(crate) store: StoreId,
    pub(crate) options: LogOptions,
}

impl Superblock {
    /// Writes it. The store exists from here on: everything else of it must be durable before.
    pub(crate) fn write(self, disk: &Arc<dyn Disk>) -> Result<(), Error> {
        const DOING: &str = "write the superblock";
        let io = |error| Error::io(DOING, error);
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(self.store.0.as_bytes());
        bytes[32..40].copy_from_slice(&self.options.segment_bytes.to_le_bytes());
        let checksum = Checksum::of(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.0.to_le_bytes());
        let beside = format!("{NAME}.new");
        let file = match disk.create(&beside) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => disk.open(&beside),
            other => other,
        }
        .map_err(io)?;
        file.write_at(&[IoSlice::new(&bytes)], 0).map_err(io)?;
        file.sync().map_err(io)?;
        disk.rename(&beside, NAME).map_err(io)?;
        disk.sync_dir("").map_err(io)
    }

    /// Reads it.
    pub(crate) fn read(disk: &Arc<dyn Disk>) -> Result<Self, Error> {
        const DOING: &str = "open the store";
        let file = disk.open(NAME).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, DOING),
            _ => Error::io(DOING, error),
        })?;
        let mut bytes = [0; LEN];
        file.read_at(&mut bytes, 0)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => Error::damaged(DOING, 0, 0, "it is too short"),
                _ => Error::io(DOING, error),
            })?;
        if &bytes[..8] != MAGIC {
            return Err(Error::new(ErrorKind::Foreign, DOING));
        }
        let found = u32_at(&bytes, 8);
        if found > VERSION {
            return Err(Error::new(ErrorKind::NewerVersion { found }, DOING));
        }
        if found < VERSION {
            return Err(Error::new(ErrorKind::OlderVersion { found }, DOING));
        }
        if Checksum::of(&bytes[..CHECKSUM_AT]).0 != u32_at(&bytes, CHECKSUM_AT) {
            return Err(Error::damaged(DOING, 0, 0, "its checksum does not fit"));
        }
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[16..32]);
        Ok(Self {
            store: StoreId(Uuid::from_bytes(id)),
            options: LogOptions {
                segment_bytes: u64_at(&bytes, 32),
            },
        })
    }

    /// Whether the folder holds a store.
    pub(crate) fn exists(disk: &Arc<dyn Disk>) -> Result<bool, Error> {
        let names = disk
            .list("")
            .map_err(|error| Error::io("look for a store", error))?;
        Ok(names.iter().any(|name| name == NAME))
    }
}

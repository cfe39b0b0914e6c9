//! An object of data: the bytes of its chunks one behind the other, then a table of them.
//!
//! The object ends with the table as JSON, its SHA-256, its length (eight bytes, the highest first) and
//! [`MAGIC`]. So an object tells by itself what it holds, and how far in the image it reaches.

use firebrick_backend::Fault;
use firebrick_vocabulary::BackupId;
use serde::{Deserialize, Serialize};

use crate::CHUNK_BYTES;
use crate::digest::Digest;
use crate::repository::{Repository, damaged};

/// The end of every object.
const MAGIC: &[u8; 8] = b"FBKOBJ01";
/// What stands behind the table, in bytes.
const TAIL: usize = 32 + 8 + 8;
/// The longest table that is read, in bytes.
const TABLE_MAX: u64 = 64 << 20;
/// An object is closed once its table has as many entries.
pub(crate) const ENTRIES_MAX: usize = 65_536;

/// Neighbouring data of one part of the image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Its first byte in the image.
    pub(crate) offset: u64,
    /// How many, at most [`CHUNK_BYTES`].
    pub(crate) length: u32,
    /// Its first byte in the object.
    pub(crate) at: u64,
    /// What they must be.
    pub(crate) sha256: Digest,
}

/// Zeroes where the parent has data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hole {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) backup: BackupId,
    /// The object's number within the backup, from 0 on.
    pub(crate) number: u32,
    /// Everything of the image up to here is in this object or one before.
    pub(crate) next: u64,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) holes: Vec<Hole>,
}

impl Table {
    /// The object of `data` and this table.
    pub(crate) fn close(&self, mut data: Vec<u8>) -> Result<(Vec<u8>, Digest), serde_json::Error> {
        let table = serde_json::to_vec(self)?;
        let digest = Digest::of(&table);
        data.extend_from_slice(&table);
        data.extend_from_slice(&digest.0);
        data.extend_from_slice(&(table.len() as u64).to_be_bytes());
        data.extend_from_slice(MAGIC);
        Ok((data, digest))
    }

    /// The table of the object `name`, checked, and its digest.
    pub(crate) async fn read(
        repository: &dyn Repository,
        name: &str,
    ) -> Result<(Self, Digest), Fault> {
        let whole = repository.len(name).await?;
        let Some(behind) = whole.checked_sub(TAIL as u64) else {
            return Err(damaged(name, "it is too short"));
        };
        let tail = repository.read(name, behind, TAIL).await?;
        let (digest, rest) = tail.split_at(32);
        let (length, magic) = rest.split_at(8);
        let number = <[u8; 8]>::try_from(length).map(u64::from_be_bytes);
        let length = number.unwrap_or(u64::MAX);
        if magic != MAGIC || length > TABLE_MAX {
            return Err(damaged(name, "it does not end as an object does"));
        }
        let Some(start) = behind.checked_sub(length) else {
            return Err(damaged(name, "its table is longer than it is"));
        };
        let table = repository.read(name, start, length as usize).await?;
        let found = Digest::of(&table);
        if found.0 != digest {
            return Err(damaged(name, "its table fails its checksum"));
        }
        let table: Self = serde_json::from_slice(&table).map_err(|error| damaged(name, error))?;
        let within = |chunk: &Chunk| {
            let end = chunk.at.checked_add(u64::from(chunk.length));
            u64::from(chunk.length) <= CHUNK_BYTES
                && chunk.offset.checked_add(CHUNK_BYTES).is_some()
                && end.is_some_and(|end| end <= start)
        };
        let ends = |hole: &Hole| hole.offset.checked_add(hole.length).is_some();
        if !table.chunks.iter().all(within) || !table.holes.iter().all(ends) {
            return Err(damaged(name, "its table names what it does not have"));
        }
        Ok((table, found))
    }
}

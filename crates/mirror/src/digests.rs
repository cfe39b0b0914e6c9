//! Checksums of an image's ranges as it was at a snapshot: two sites that have the same ones have the same bytes.
//!
//! The snapshot is a record of the log, so at both sites it names the same position, whatever is written
//! meanwhile. Every block is read from the disk for it, and checked.

use std::fmt::Write as _;

use firebrick_engine::{Changed, Entry, Error, ErrorKind, MapView, Store};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, SnapshotName};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Blocks of one range.
pub const RANGE_BLOCKS: u64 = 256;
/// Blocks that one call reads, about.
const READ_MAX: u64 = 8192;
const BLOCK: usize = BLOCK_SIZE as usize;

/// Checksums of the ranges of a part of an image.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Digests {
    /// The number of each range that has something but zeroes, and its checksum.
    pub ranges: Vec<(u64, String)>,
    /// All ranges before this block have been looked at; at least that to which they were asked for where
    /// there is nothing more.
    pub upto: u64,
    /// The blocks that were read.
    pub blocks: u64,
}

/// The checksums of an image at a snapshot, from a block on that begins a range up to another one, or up to
/// where enough was read for one call.
pub fn digests(
    store: &Store,
    image: ImageId,
    snapshot: &SnapshotName,
    from: u64,
    to: u64,
) -> Result<Digests, Error> {
    let map = store.snapshot_map(image, snapshot)?;
    let mut found = Digests {
        upto: from,
        ..Digests::default()
    };
    while found.upto < to && found.blocks < READ_MAX {
        let changed = map.changed_since(None, found.upto, RANGE_BLOCKS as usize)?;
        let Some(first) = changed.first().filter(|first| first.block < to) else {
            found.upto = to;
            break;
        };
        let range = first.block / RANGE_BLOCKS;
        let end = (range + 1) * RANGE_BLOCKS;
        let within: Vec<Changed> = changed
            .into_iter()
            .filter(|block| block.block < end)
            .collect();
        if let Some(digest) = digest(&map, &within)? {
            found.ranges.push((range, digest));
        }
        found.blocks += within.len() as u64;
        found.upto = end;
    }
    Ok(found)
}

/// The checksum of a range; `None` where it has nothing but zeroes.
fn digest(map: &MapView, blocks: &[Changed]) -> Result<Option<String>, Error> {
    let mut hash = Sha256::new();
    let mut empty = true;
    let entries: Vec<Entry> = blocks.iter().filter_map(|block| block.entry).collect();
    let mut bytes = vec![0; entries.len() * BLOCK];
    match map.read(&entries, &mut bytes) {
        Ok(()) => {}
        // It differs from whatever the other site has.
        Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Io) => {
            return Ok(Some(format!("damaged: {}", error.why)));
        }
        Err(error) => return Err(error),
    }
    let mapped = blocks.iter().filter(|block| block.entry.is_some());
    for (block, bytes) in mapped.zip(bytes.chunks_exact(BLOCK)) {
        // A block of zeroes reads as one that was never written.
        if bytes.iter().any(|byte| *byte != 0) {
            empty = false;
            hash.update(block.block.to_le_bytes());
            hash.update(bytes);
        }
    }
    if empty {
        return Ok(None);
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        // A text takes all that is written to it.
        _ = write!(text, "{byte:02x}");
    }
    Ok(Some(text))
}

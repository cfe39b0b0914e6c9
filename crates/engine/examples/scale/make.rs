//! Makes a store whose one image is mapped wholly, block by block in random order, without the data:
//! the index and the headers of the segments are as if it had been written so; what would be the
//! frames are holes of the files, and so every block reads as zeroes, which its checksum confirms.

use std::fs::File;
use std::io::Write;

use firebrick_engine::Entry;
use firebrick_index::{Batch, BranchId, Index, IndexOptions, LEAF_BLOCKS, Points, View};
use firebrick_log::{Catalog, Checksum, Location, SegmentInfo, SegmentKind, Usage};
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, GIB, Sequence, StoreId};

use crate::support::{BLOCK, create, disk, image, ms, open, timed};

const SEGMENT_BYTES: u64 = 64 << 20;
/// The units of a frame with one block: its header and the data.
const FRAME_UNITS: u64 = 9;
/// Frames in a segment.
const FRAMES: u64 = (SEGMENT_BYTES / 512 - 1) / FRAME_UNITS;
/// Leaves in one commit.
const AT_ONCE: u64 = 8192;
/// The first segment and record that are made up: the store itself has written the one before.
const FIRST: u32 = 2;
/// The branch of the only image, and the record that made it.
pub(crate) const BRANCH: BranchId = BranchId(1);
const SINCE: Sequence = Sequence(1);

struct OneHead;

impl Points for OneHead {
    fn below(&self, _: BranchId) -> Option<View> {
        Some(View::new([]))
    }

    fn any(&self, _: BranchId, _: Sequence, upto: Sequence) -> bool {
        upto == Sequence(u64::MAX)
    }
}

pub(crate) fn make(folder: &str, gib: u64) {
    assert!(gib.is_power_of_two(), "a power of two");
    let store = create(folder);
    let id = store.id();
    image(&store, "large", gib * GIB, None);
    store.close().unwrap();
    drop(store);
    let blocks = gib * GIB / BLOCK_SIZE;
    let segments = blocks.div_ceil(FRAMES) as u32;
    let infos = headers(folder, id, segments, blocks);
    let ((), took) = timed(|| index(folder, blocks, infos));
    println!(
        "made {blocks} blocks in {segments} segments; index in {:.0} s, {} MiB",
        ms(took) / 1e3,
        std::fs::metadata(format!("{folder}/index/leaves"))
            .unwrap()
            .len()
            >> 20
    );
    drop(open(folder));
}

/// Writes the sparse segments, and an empty one at the end, which the log goes on with.
fn headers(folder: &str, store: StoreId, segments: u32, blocks: u64) -> Vec<SegmentInfo> {
    let mut infos = Vec::new();
    for nth in 0..=u64::from(segments) {
        let number = FIRST + nth as u32;
        let before = Sequence((nth * FRAMES).min(blocks) + SINCE.0);
        let info = SegmentInfo {
            number,
            kind: SegmentKind::Log,
            before: number - 1,
            first: before.next(),
            chain: Checksum(0),
            durable: before,
            epoch: Epoch::FIRST,
            len: SEGMENT_BYTES,
            usage: Some(Usage {
                bytes: SEGMENT_BYTES,
                blocks: FRAMES,
                last: Sequence(before.0 + FRAMES),
                ..Usage::default()
            }),
        };
        let mut file = File::create(format!("{folder}/segments/{number:010}.seg")).unwrap();
        file.write_all(&header(store, &info)).unwrap();
        file.set_len(SEGMENT_BYTES).unwrap();
        infos.push(info);
    }
    infos.pop();
    infos
}

/// As docs/format.md says.
fn header(store: StoreId, info: &SegmentInfo) -> [u8; 512] {
    let mut bytes = [0; 512];
    bytes[..4].copy_from_slice(b"FBSG");
    bytes[4..8].copy_from_slice(&2u32.to_le_bytes());
    bytes[8..24].copy_from_slice(store.0.as_bytes());
    bytes[24..28].copy_from_slice(&info.number.to_le_bytes());
    bytes[28..32].copy_from_slice(&info.chain.0.to_le_bytes());
    bytes[32..40].copy_from_slice(&info.first.0.to_le_bytes());
    bytes[40..48].copy_from_slice(&info.durable.0.to_le_bytes());
    bytes[48..56].copy_from_slice(&info.epoch.0.to_le_bytes());
    bytes[56] = 1;
    bytes[60..64].copy_from_slice(&info.before.to_le_bytes());
    let checksum = Checksum::of(&bytes[..508]);
    bytes[508..].copy_from_slice(&checksum.0.to_le_bytes());
    bytes
}

/// Writes the leaves, the list of segments and the last record.
fn index(folder: &str, blocks: u64, infos: Vec<SegmentInfo>) {
    let options = IndexOptions {
        cache_bytes: 16 << 20,
        pages_bytes: 256 << 20,
    };
    let index = Index::open(&disk(folder), options).unwrap();
    let checksum = Checksum::of(&[0; BLOCK]);
    let leaves = blocks / LEAF_BLOCKS;
    for first in (0..leaves).step_by(AT_ONCE as usize) {
        for leaf in first..leaves.min(first + AT_ONCE) {
            let first = leaf * LEAF_BLOCKS;
            let entries: [Entry; LEAF_BLOCKS as usize] = std::array::from_fn(|slot| Entry {
                at: name(first + slot as u64, blocks),
                checksum,
            });
            index.put(BRANCH, SINCE, first, &entries);
        }
        let frozen = index.freeze();
        index.commit(frozen, &OneHead, &Batch::default()).unwrap();
    }
    let mut state: serde_json::Value =
        serde_json::from_slice(&index.row(b"state").unwrap().unwrap()).unwrap();
    state["sequence"] = (SINCE.0 + blocks).into();
    let mut catalog = index.row(b"catalog").unwrap();
    let mut catalog = catalog.take().and_then(|it| Catalog::decode(&it)).unwrap();
    catalog.segments.extend(infos);
    let batch = Batch {
        rows: vec![
            (b"state".to_vec(), Some(state.to_string().into_bytes())),
            (b"catalog".to_vec(), Some(catalog.encode())),
        ],
        ..Batch::default()
    };
    index.commit(index.freeze(), &OneHead, &batch).unwrap();
}

/// Where the block was written, if all were written one by one in random order.
fn name(block: u64, blocks: u64) -> Location {
    let bits = blocks.trailing_zeros();
    let mut nth = block;
    // Each step is a bijection of numbers of that many bits.
    for factor in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9] {
        nth ^= nth >> (bits / 2);
        nth = nth.wrapping_mul(factor) & (blocks - 1);
    }
    nth ^= nth >> (bits / 2);
    Location {
        segment: FIRST + (nth / FRAMES) as u32,
        unit: (2 + nth % FRAMES * FRAME_UNITS) as u32,
    }
}

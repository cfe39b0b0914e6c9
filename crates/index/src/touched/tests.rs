//! What lookups find in memory behind a commit.

use firebrick_edge::Disk;
use firebrick_log::{Checksum, Location};
use firebrick_simulate::SimulatedDisk;
use firebrick_vocabulary::Sequence;

use super::*;
use crate::entry::Entry;
use crate::index::{Index, IndexOptions};
use crate::points::{Batch, Points, Sweep};
use crate::view::{Step, View};

const BRANCH: BranchId = BranchId(1);
const NOW: u64 = u64::MAX;

/// One branch with a head and these points.
struct At(&'static [u64]);

impl Points for At {
    fn below(&self, _: BranchId) -> Option<View> {
        Some(View::new([]))
    }

    fn any(&self, _: BranchId, behind: Sequence, upto: Sequence) -> bool {
        let mut points = self.0.iter();
        points.any(|point| behind.0 < *point && *point <= upto.0) || upto.0 == NOW
    }
}

fn index(cache_bytes: usize) -> Index {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    Index::create(&disk).unwrap();
    let options = IndexOptions {
        cache_bytes,
        pages_bytes: 1 << 20,
    };
    Index::open(&disk, options).unwrap()
}

fn entry(segment: u32) -> Entry {
    Entry {
        at: Location { segment, unit: 8 },
        checksum: Checksum(segment),
    }
}

fn commit(index: &Index, points: &'static [u64]) {
    let frozen = index.freeze();
    let done = index.commit(frozen, &At(points), &Batch::default());
    done.map(drop).unwrap();
}

fn view(before: u64) -> View {
    View::new([Step {
        branch: BRANCH,
        before: Sequence(before),
        blocks: u64::MAX,
    }])
}

/// What is in memory of a block.
fn cached(index: &Index, before: u64, block: u64) -> Option<Entry> {
    let mut found = Vec::new();
    let known = index.get_cached(&view(before), block, 1, &mut found);
    known.then(|| found[0])
}

fn read(index: &Index, before: u64, block: u64) -> Entry {
    let mut found = Vec::new();
    index.get(&view(before), block, 1, &mut found).unwrap();
    found[0]
}

#[test]
fn what_a_commit_wrote_is_in_memory_behind_it() {
    let index = index(1 << 20);
    index.put(BRANCH, Sequence(0), 7, &[entry(1)]);
    commit(&index, &[]);
    assert_eq!(cached(&index, NOW, 7), Some(entry(1)));
    // That there is no older version is known, too.
    assert_eq!(cached(&index, 0, 7), Some(Entry::NONE));
    index.put(BRANCH, Sequence(0), 8, &[entry(2)]);
    commit(&index, &[]);
    assert_eq!(cached(&index, NOW, 7), Some(entry(1)));
    assert_eq!(cached(&index, NOW, 8), Some(entry(2)));
}

#[test]
fn older_versions_are_found_behind_newer_ones() {
    let index = index(1 << 20);
    for (tag, segment) in [(0, 1), (10, 2), (20, 3)] {
        index.put(BRANCH, Sequence(tag), 7, &[entry(segment)]);
        commit(&index, &[10, 20]);
    }
    for (before, segment) in [(10, 1), (20, 2), (NOW, 3)] {
        assert_eq!(cached(&index, before, 7), Some(entry(segment)));
    }
    // Nothing but the newest version is known of a leaf that was thrown out meanwhile.
    index.core.cache.clear();
    index.put(BRANCH, Sequence(20), 7, &[entry(4)]);
    commit(&index, &[10, 20]);
    assert_eq!(cached(&index, NOW, 7), Some(entry(4)));
    assert_eq!(cached(&index, 20, 7), None);
    assert_eq!(read(&index, 20, 7), entry(2));
    assert_eq!(cached(&index, 20, 7), Some(entry(2)));
}

#[test]
fn two_versions_of_one_commit_are_both_found() {
    let index = index(1 << 20);
    index.put(BRANCH, Sequence(0), 7, &[entry(1)]);
    commit(&index, &[10, 20]);
    index.put(BRANCH, Sequence(10), 7, &[entry(2)]);
    index.put(BRANCH, Sequence(20), 7, &[entry(3)]);
    commit(&index, &[10, 20]);
    for (before, segment) in [(10, 1), (20, 2), (NOW, 3)] {
        assert_eq!(read(&index, before, 7), entry(segment));
    }
}

#[test]
fn the_newest_version_stays_where_older_ones_go() {
    const OTHER: u64 = 1000;
    let index = index(1 << 20);
    for (tag, segment) in [(0, 1), (10, 2)] {
        for block in [7, OTHER] {
            index.put(BRANCH, Sequence(tag), block, &[entry(segment)]);
        }
        commit(&index, &[10]);
    }
    // Nobody looks at the point any more, and one of the two leaves changes in the same commit.
    index.put(BRANCH, Sequence(10), 8, &[entry(3)]);
    let frozen = index.freeze();
    let sweep = Sweep {
        branch: BRANCH,
        from: Sequence(0),
        to: Sequence(10),
    };
    let batch = Batch {
        sweeps: vec![sweep],
        ..Batch::default()
    };
    index.commit(frozen, &At(&[]), &batch).unwrap();
    assert_eq!(cached(&index, NOW, 7), Some(entry(2)));
    assert_eq!(cached(&index, NOW, 8), Some(entry(3)));
    assert_eq!(cached(&index, NOW, OTHER), Some(entry(2)));
    for block in [7, OTHER] {
        assert_eq!(read(&index, 10, block), Entry::NONE);
    }
}

#[test]
fn a_version_that_goes_in_the_same_commit_is_not_kept() {
    let index = index(1 << 20);
    index.put(BRANCH, Sequence(0), 7, &[entry(1)]);
    let frozen = index.freeze();
    let batch = Batch {
        dropped: vec![BRANCH],
        ..Batch::default()
    };
    index.commit(frozen, &At(&[]), &batch).unwrap();
    assert_eq!(read(&index, NOW, 7), Entry::NONE);
}

#[test]
fn what_has_no_room_is_read_from_the_file() {
    let index = index(64 << 10);
    for leaf in 0..1000 {
        index.put(BRANCH, Sequence(0), leaf * 256, &[entry(1)]);
    }
    commit(&index, &[]);
    let kept = (0..1000).filter(|leaf| cached(&index, NOW, leaf * 256).is_some());
    assert!((1..200).contains(&kept.count()));
    assert!((0..1000).all(|leaf| read(&index, NOW, leaf * 256) == entry(1)));
}

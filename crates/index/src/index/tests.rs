//! What only the inside of an index can show.

use firebrick_log::Checksum;
use firebrick_simulate::SimulatedDisk;

use super::*;
use crate::jobs::STEPS;
use crate::points::Sweep;
use crate::view::Step;

const OPTIONS: IndexOptions = IndexOptions {
    cache_bytes: 1 << 20,
    pages_bytes: 4 << 20,
};
const BRANCH: BranchId = BranchId(1);

/// One branch with a head, or none.
struct Head(bool);

impl Points for Head {
    fn below(&self, _: BranchId) -> Option<View> {
        self.0.then(|| View::new([]))
    }

    fn any(&self, _: BranchId, _: Sequence, upto: Sequence) -> bool {
        self.0 && upto.0 == u64::MAX
    }
}

/// One branch with a head and these points.
struct At(&'static [u64]);

impl Points for At {
    fn below(&self, _: BranchId) -> Option<View> {
        Some(View::new([]))
    }

    fn any(&self, _: BranchId, behind: Sequence, upto: Sequence) -> bool {
        let mut points = self.0.iter();
        points.any(|point| behind.0 < *point && *point <= upto.0) || upto.0 == u64::MAX
    }
}

fn disk() -> Arc<dyn Disk> {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    Index::create(&disk).unwrap();
    disk
}

fn put(index: &Index, block: u64) {
    let entry = Entry {
        at: Location {
            segment: 1,
            unit: 8,
        },
        checksum: Checksum(block as u32),
    };
    index.put(BRANCH, Sequence(0), block, &[entry]);
}

fn view() -> View {
    View::new([Step {
        branch: BRANCH,
        before: Sequence(u64::MAX),
        blocks: u64::MAX,
    }])
}

#[test]
fn what_was_read_before_a_commit_is_not_cached_behind_it() {
    let index = Index::open(&disk(), OPTIONS).unwrap();
    let before = index.core.stored();
    put(&index, 7);
    let frozen = index.freeze();
    index
        .commit(frozen, &Head(true), &Batch::default())
        .unwrap();
    let mut kept = false;
    index.core.remember(&before, |_| kept = true);
    assert!(!kept);
    index.core.remember(&index.core.stored(), |_| kept = true);
    assert!(kept);
}

#[test]
fn a_large_branch_goes_in_several_commits() {
    let disk = disk();
    let leaves = STEPS as u64 + 500;
    let index = Index::open(&disk, OPTIONS).unwrap();
    for leaf in 0..leaves {
        put(&index, leaf * 256);
    }
    let frozen = index.freeze();
    index
        .commit(frozen, &Head(true), &Batch::default())
        .unwrap();
    let batch = Batch {
        dropped: vec![BRANCH],
        ..Batch::default()
    };
    let frozen = index.freeze();
    let first = index.commit(frozen, &Head(false), &batch).unwrap();
    assert!(index.is_unfinished().unwrap());
    assert_eq!(index.mapped(&view()).unwrap(), 500);
    drop(index);
    let index = Index::open(&disk, OPTIONS).unwrap();
    let frozen = index.freeze();
    let second = index.commit(frozen, &Head(false), &Batch::default());
    assert!(!index.is_unfinished().unwrap());
    assert_eq!(index.mapped(&view()).unwrap(), 0);
    let released = [first.count(1), second.unwrap().count(1)];
    assert_eq!(released, [STEPS, 500]);
}

#[test]
fn rows_are_found_by_their_beginning() {
    let index = Index::open(&disk(), OPTIONS).unwrap();
    let row = |key: &str| (key.as_bytes().to_vec(), Some(b"value".to_vec()));
    let batch = Batch {
        rows: vec![row("a"), row("b/2"), row("b/1"), row("c")],
        ..Batch::default()
    };
    let frozen = index.freeze();
    index.commit(frozen, &Head(true), &batch).unwrap();
    let batch = Batch {
        rows: vec![(b"b/2".to_vec(), None), row("b/3")],
        ..Batch::default()
    };
    let frozen = index.freeze();
    index.commit(frozen, &Head(true), &batch).unwrap();
    let mut found = Vec::new();
    let visited: Result<(), Error> = index.rows(b"b/", &mut |key, value| {
        assert_eq!(value, b"value");
        found.push(key.to_vec());
        Ok(())
    });
    visited.unwrap();
    assert_eq!(found, [b"b/1", b"b/3"]);
    assert_eq!(index.row(b"b/2").unwrap(), None);
}

#[test]
fn a_second_index_is_not_made_in_place_of_the_first() {
    let disk = disk();
    let error = Index::create(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Exists);
    Index::remove(&disk).unwrap();
    let Err(error) = Index::open(&disk, OPTIONS) else {
        panic!("what was removed was opened");
    };
    assert_eq!(error.kind, ErrorKind::NotFound);
    Index::create(&disk).unwrap();
}

#[test]
fn versions_are_kept_as_long_as_a_point_needs_them() {
    let index = Index::open(&disk(), OPTIONS).unwrap();
    let entry = |segment| Entry {
        at: Location { segment, unit: 8 },
        checksum: Checksum(segment),
    };
    let commit = |points, sweeps| {
        let frozen = index.freeze();
        let batch = Batch {
            sweeps,
            ..Batch::default()
        };
        let released = index.commit(frozen, &At(points), &batch).unwrap();
        let stored = index.core.stored();
        let tags = stored.look(BRANCH, 0, Sequence::ZERO).unwrap().0.tags;
        let counts = released
            .units
            .iter()
            .map(|(segment, units)| (*segment, units.len()));
        (tags.to_vec(), counts.collect::<Vec<_>>())
    };
    let sweep = |from, to| Sweep {
        branch: BRANCH,
        from: Sequence(from),
        to: Sequence(to),
    };
    index.put(BRANCH, Sequence(0), 5, &[entry(1)]);
    assert_eq!(commit(&[], vec![]), (vec![0], vec![]));
    index.put(BRANCH, Sequence(0), 5, &[entry(2)]);
    assert_eq!(commit(&[], vec![]), (vec![0], vec![(1, 1)]));
    index.put(BRANCH, Sequence(10), 5, &[entry(3)]);
    assert_eq!(commit(&[10], vec![]), (vec![0, 10], vec![]));
    index.clear(BRANCH, Sequence(20), 0, 256);
    assert_eq!(commit(&[10, 20], vec![]), (vec![0, 10, 20], vec![]));
    let swept = commit(&[20], vec![sweep(0, 10)]);
    assert_eq!(swept, (vec![10, 20], vec![(2, 1)]));
    let swept = commit(&[], vec![sweep(0, 20)]);
    assert_eq!(swept, (vec![20], vec![(3, 1)]));
    // A leaf of holes goes when something changes in it and nothing is left to hide.
    index.put(BRANCH, Sequence(20), 5, &[entry(4)]);
    index.clear(BRANCH, Sequence(20), 0, u64::MAX);
    assert_eq!(commit(&[], vec![]), (vec![20], vec![(4, 1)]));
    index.put(BRANCH, Sequence(20), 5, &[entry(5)]);
    commit(&[], vec![]);
    index.clear(BRANCH, Sequence(20), 0, u64::MAX);
    assert_eq!(commit(&[], vec![]), (vec![], vec![(5, 1)]));
}

#[test]
fn a_sweep_from_behind_looks_at_what_changed_behind_the_point_only() {
    let index = Index::open(&disk(), OPTIONS).unwrap();
    let entry = |segment| Entry {
        at: Location { segment, unit: 8 },
        checksum: Checksum(segment),
    };
    let commit = |points, behind| {
        let frozen = index.freeze();
        let batch = Batch {
            behind,
            ..Batch::default()
        };
        let released = index.commit(frozen, &At(points), &batch).unwrap();
        let stored = index.core.stored();
        let look = |leaf| stored.look(BRANCH, leaf, Sequence::ZERO).unwrap();
        let tags = |leaf| look(leaf).0.tags.to_vec();
        let released = released.units.iter();
        let counts = released.map(|(segment, units)| (*segment, units.len()));
        (tags(0), tags(1), counts.collect::<Vec<_>>())
    };
    let sweep = |from, to| Sweep {
        branch: BRANCH,
        from: Sequence(from),
        to: Sequence(to),
    };
    index.put(BRANCH, Sequence(0), 5, &[entry(1)]);
    index.put(BRANCH, Sequence(0), 256, &[entry(2)]);
    index.put(BRANCH, Sequence(10), 5, &[entry(3)]);
    index.put(BRANCH, Sequence(20), 5, &[entry(4)]);
    let was = commit(&[10, 20], vec![]);
    assert_eq!(was, (vec![0, 10, 20], vec![0], vec![]));
    let swept = commit(&[20], vec![sweep(10, 20)]);
    assert_eq!(swept, (vec![10, 20], vec![0], vec![(1, 1)]));
    let swept = commit(&[], vec![sweep(20, u64::MAX)]);
    assert_eq!(swept, (vec![20], vec![0], vec![(3, 1)]));
}

#[test]
fn each_of_many_versions_is_found() {
    const COUNT: u64 = 100;
    let index = Index::open(&disk(), OPTIONS).unwrap();
    let points: Vec<u64> = (1..COUNT).map(|nth| nth * 10).collect();
    let points: &'static [u64] = points.leak();
    let entry = |nth: u64| Entry {
        at: Location {
            segment: nth as u32 + 1,
            unit: 8,
        },
        checksum: Checksum(0),
    };
    for nth in 0..COUNT {
        index.put(BRANCH, Sequence(nth * 10), 5, &[entry(nth)]);
    }
    let frozen = index.freeze();
    index
        .commit(frozen, &At(points), &Batch::default())
        .unwrap();
    for _ in 0..2 {
        for nth in 0..COUNT {
            let view = View::new([Step {
                branch: BRANCH,
                before: Sequence(nth * 10 + 1),
                blocks: u64::MAX,
            }]);
            let mut found = Vec::new();
            index.get(&view, 5, 1, &mut found).unwrap();
            assert_eq!(found, [entry(nth)]);
        }
    }
}

//! Images, their snapshots and clones, as maps from block to entry; and an index that has to agree.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "not every test uses all of it, and a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_index::{
    Batch, BranchId, Changed, Child, Entry, Error, Fold, Index, IndexOptions, Points, Released,
    Step, Sweep, Trim, View, Weight,
};
use firebrick_log::{Checksum, Location};
use firebrick_vocabulary::Sequence;
use rand::Rng;
use rand::rngs::StdRng;

/// The blocks that are put lie below this, or a little behind [`FAR`].
pub(crate) const NEAR: u64 = 1300;
pub(crate) const FAR: u64 = 1 << 40;
pub(crate) const HEAD: u64 = u64::MAX;
pub(crate) const POSITION: &[u8] = b"position";

/// Little enough that things fall out of the cache.
pub(crate) const OPTIONS: IndexOptions = IndexOptions {
    cache_bytes: 32 << 10,
    pages_bytes: 256 << 10,
};

pub(crate) type Content = BTreeMap<u64, Entry>;

#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) below: View,
    /// Whether it has a head.
    pub(crate) live: bool,
    pub(crate) head: Content,
    /// Snapshots, and forks of children.
    pub(crate) points: BTreeMap<u64, Content>,
    /// The newest point there ever was.
    pub(crate) newest: u64,
    /// Points that no child leans on.
    pub(crate) removable: BTreeSet<u64>,
    /// Less than this no point of it ever is.
    pub(crate) since: u64,
    /// Its leaves move into its only child, and nobody looks at it but through that.
    pub(crate) folding: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Put(BranchId, u64, u64, Vec<Entry>),
    Clear(BranchId, u64, u64, u64),
}

/// What there is, and what an index that was opened again has to be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) branches: BTreeMap<BranchId, Branch>,
    pub(crate) sequence: u64,
    pub(crate) next_branch: u64,
    pub(crate) next_unit: u32,
    /// Since the last freeze whose commit succeeded.
    pub(crate) edits: Vec<Edit>,
    pub(crate) batch: Batch,
    pub(crate) position: u64,
}

impl Points for Model {
    fn below(&self, branch: BranchId) -> Option<View> {
        self.branches.get(&branch).map(|it| it.below.clone())
    }

    fn any(&self, branch: BranchId, behind: Sequence, upto: Sequence) -> bool {
        let Some(branch) = self.branches.get(&branch) else {
            return false;
        };
        let mut points = branch.points.keys();
        points.any(|point| behind.0 < *point && *point <= upto.0) || (branch.live && upto.0 == HEAD)
    }
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut model = Self::default();
        model.begin(View::new([]), Content::new());
        model
    }

    pub(crate) fn view(&self, branch: BranchId, before: u64) -> View {
        self.branches[&branch].below.under(Step {
            branch,
            before: Sequence(before),
            blocks: u64::MAX,
        })
    }

    /// All that can be looked at.
    pub(crate) fn views(&self) -> Vec<(View, &Content)> {
        let mut views = Vec::new();
        let visible = self.branches.iter().filter(|(_, branch)| !branch.folding);
        for (id, branch) in visible {
            for (point, content) in &branch.points {
                views.push((self.view(*id, *point), content));
            }
            if branch.live {
                views.push((self.view(*id, HEAD), &branch.head));
            }
        }
        views
    }

    fn begin(&mut self, below: View, head: Content) -> BranchId {
        self.next_branch += 1;
        let id = BranchId(self.next_branch);
        self.sequence += 2;
        let branch = Branch {
            since: self.sequence,
            folding: false,
            below,
            live: true,
            head,
            points: BTreeMap::new(),
            newest: self.sequence,
            removable: BTreeSet::new(),
        };
        self.branches.insert(id, branch);
        id
    }

    fn pick(&self, random: &mut StdRng) -> Option<BranchId> {
        let live = self.branches.iter().filter(|(_, branch)| branch.live);
        let live: Vec<BranchId> = live.map(|(id, _)| *id).collect();
        (!live.is_empty()).then(|| live[random.random_range(0..live.len())])
    }

    fn names(&mut self, count: u64, random: &mut StdRng) -> Vec<Entry> {
        let scattered = random.random_bool(0.3);
        let mut entry = |_| {
            self.next_unit += if scattered { 3 } else { 1 };
            Entry {
                at: Location {
                    segment: self.next_unit / 500 + 1,
                    unit: self.next_unit % 500 * 8,
                },
                checksum: Checksum(self.next_unit.wrapping_mul(2_654_435_761)),
            }
        };
        (0..count).map(&mut entry).collect()
    }

    pub(crate) fn put(&mut self, random: &mut StdRng) -> Option<Edit> {
        let id = self.pick(random)?;
        let first = if random.random_bool(0.1) { FAR } else { 0 };
        let first = first + random.random_range(0..NEAR);
        let most = [1, 1, 8, 600][random.random_range(0..4)];
        let entries = self.names(random.random_range(1..=most), random);
        let branch = self.branches.get_mut(&id)?;
        branch.head.extend((first..).zip(entries.iter().copied()));
        Some(Edit::Put(id, branch.newest, first, entries))
    }

    pub(crate) fn clear(&mut self, random: &mut StdRng) -> Option<Edit> {
        let id = self.pick(random)?;
        let first = random.random_range(0..NEAR);
        let len = [random.random_range(0..300), 256, 700, FAR][random.random_range(0..4)];
        let end = if random.random_bool(0.1) {
            u64::MAX
        } else {
            first + len
        };
        let branch = self.branches.get_mut(&id)?;
        branch.head.retain(|block, _| !(first..end).contains(block));
        Some(Edit::Clear(id, branch.newest, first, end))
    }

    pub(crate) fn snapshot(&mut self, random: &mut StdRng) -> Option<(BranchId, u64)> {
        let id = self.pick(random)?;
        Some((id, self.point(id)?))
    }

    fn point(&mut self, id: BranchId) -> Option<u64> {
        self.sequence += 1;
        let branch = self.branches.get_mut(&id)?;
        branch.points.insert(self.sequence, branch.head.clone());
        branch.removable.insert(self.sequence);
        branch.newest = self.sequence;
        Some(self.sequence)
    }

    /// A clone of a point, or of the head by way of a new point; or a rollback to it.
    pub(crate) fn fork(&mut self, rollback: bool, random: &mut StdRng) -> Option<()> {
        let id = self.pick(random)?;
        if self.branches.len() > 6 {
            return None;
        }
        let points: Vec<u64> = self.branches[&id].points.keys().copied().collect();
        let point = if points.is_empty() || random.random_bool(0.3) {
            self.point(id)?
        } else {
            points[random.random_range(0..points.len())]
        };
        let blocks = if random.random_bool(0.3) {
            random.random_range(0..NEAR)
        } else {
            u64::MAX
        };
        let parent = self.branches.get_mut(&id)?;
        parent.removable.remove(&point);
        let mut content = parent.points[&point].clone();
        content.retain(|block, _| *block < blocks);
        if rollback {
            parent.live = false;
        }
        let below = parent.below.under(Step {
            branch: id,
            before: Sequence(point),
            blocks,
        });
        self.begin(below, content);
        Some(())
    }

    pub(crate) fn remove_point(&mut self, random: &mut StdRng) -> Option<()> {
        let all = self.branches.iter();
        let all: Vec<(BranchId, u64)> = all
            .flat_map(|(id, branch)| branch.removable.iter().map(|point| (*id, *point)))
            .collect();
        if all.is_empty() {
            return None;
        }
        let (id, point) = all[random.random_range(0..all.len())];
        let branch = self.branches.get_mut(&id)?;
        branch.points.remove(&point);
        branch.removable.remove(&point);
        let before = branch.points.range(..point).next_back();
        let next = branch.points.range(point..).next();
        let next = next.map(|(next, _)| *next);
        match next.or(branch.live.then_some(HEAD)) {
            Some(next) if random.random_bool(0.5) => self.batch.behind.push(Sweep {
                branch: id,
                from: Sequence(point),
                to: Sequence(next),
            }),
            Some(_) | None => self.batch.sweeps.push(Sweep {
                branch: id,
                from: Sequence(before.map_or(0, |(point, _)| *point)),
                to: Sequence(point),
            }),
        }
        Some(())
    }

    /// Ends a branch that nothing leans on.
    pub(crate) fn end(&mut self, random: &mut StdRng) -> Option<BranchId> {
        let loose = |branch: &Branch| branch.points.len() == branch.removable.len();
        let all = self.branches.iter().filter(|(_, branch)| loose(branch));
        let all: Vec<BranchId> = all.map(|(id, _)| *id).collect();
        if all.is_empty() || self.branches.len() < 2 {
            return None;
        }
        let id = all[random.random_range(0..all.len())];
        let mut others = self.branches.iter();
        if !others.any(|(other, branch)| *other != id && branch.live) {
            return None;
        }
        let ended = self.branches.remove(&id)?;
        self.batch.dropped.push(id);
        self.edits.retain(|edit| match edit {
            Edit::Put(its, ..) | Edit::Clear(its, ..) => *its != id,
        });
        // The point of its parent is nobody's any more, and can go like a snapshot.
        if let Some(step) = ended.below.steps().first() {
            let forks =
                self.branches.values().any(|branch| {
                    branch.below.steps().first().is_some_and(|other| {
                        (other.branch, other.before) == (step.branch, step.before)
                    })
                });
            if let (false, Some(parent)) = (forks, self.branches.get_mut(&step.branch)) {
                parent.removable.insert(step.before.0);
            }
        }
        Some(id)
    }

    /// Folds some of the branches that one child alone looks at, a few leaves at a time.
    fn folds(&mut self) -> Vec<Fold> {
        let mut folds: Vec<Fold> = Vec::new();
        let ids: Vec<BranchId> = self.branches.keys().copied().collect();
        for id in ids {
            let branch = &self.branches[&id];
            let children = self.branches.iter().filter(|(_, child)| {
                let below = child.below.steps().first();
                below.is_some_and(|step| step.branch == id)
            });
            let children: Vec<_> = children.collect();
            let [(child, its)] = *children else { continue };
            let step = its.below.steps()[0];
            let other = folds.iter().any(|it| it.from == *child || it.into == id);
            let lonely = branch.points.len() == 1 && branch.removable.is_empty();
            if branch.live || !lonely || other {
                continue;
            }
            folds.push(Fold {
                from: id,
                into: *child,
                before: step.before,
                blocks: step.blocks,
                tag: Sequence(its.since - 1),
                at_most: 1 + (self.position % 3) as usize,
            });
            self.branches.get_mut(&id).unwrap().folding = true;
        }
        folds
    }

    /// Trims all others that children alone look at.
    fn trims(&mut self) -> Vec<Trim> {
        let mut trims = Vec::new();
        let ids: Vec<BranchId> = self.branches.keys().copied().collect();
        for id in ids {
            let branch = &self.branches[&id];
            let folds = self.batch.folds.iter();
            let folds = folds.filter(|it| it.from == id || it.into == id).count();
            if branch.live || !branch.removable.is_empty() || folds > 0 {
                continue;
            }
            let children = self.branches.iter().filter_map(|(child, its)| {
                let step = its.below.steps().first()?;
                (step.branch == id).then_some(Child {
                    branch: *child,
                    before: step.before,
                    blocks: step.blocks,
                    tag: Sequence(its.since - 1),
                })
            });
            trims.push(Trim {
                branch: id,
                children: children.collect(),
                from: 0,
                at_most: 10 + (self.position % 30) as usize,
            });
            self.branches.get_mut(&id).unwrap().folding = true;
        }
        trims
    }

    /// Views do without a branch that has no leaves any more.
    fn unite(&mut self, gone: BranchId) {
        self.branches.remove(&gone);
        self.batch.dropped.push(gone);
        for branch in self.branches.values_mut() {
            let mut limit = u64::MAX;
            let mut steps = Vec::new();
            for step in branch.below.steps() {
                if step.branch == gone {
                    limit = step.blocks;
                    continue;
                }
                let blocks = step.blocks.min(limit);
                steps.push(Step { blocks, ..*step });
            }
            branch.below = View::new(steps);
        }
    }

    /// What a commit is given. Its position is that of the model from then on.
    pub(crate) fn batch(&mut self) -> Batch {
        self.position += 1;
        let value = Some(self.position.to_be_bytes().to_vec());
        self.batch.rows = vec![(POSITION.to_vec(), value)];
        self.batch.folds = self.folds();
        self.batch.trims = self.trims();
        self.batch.clone()
    }

    pub(crate) fn committed(&mut self) {
        self.batch = Batch::default();
        self.edits.clear();
    }
}

pub(crate) fn apply(index: &Index, edit: &Edit) {
    match edit {
        Edit::Put(branch, tag, block, entries) => {
            index.put(*branch, Sequence(*tag), *block, entries);
        }
        Edit::Clear(branch, tag, first, end) => {
            index.clear(*branch, Sequence(*tag), *first, *end);
        }
    }
}

pub(crate) fn open(disk: &Arc<dyn Disk>) -> Index {
    Index::open(disk, OPTIONS).unwrap()
}

/// An index without anything.
pub(crate) fn fresh(disk: &Arc<dyn Disk>) -> Index {
    Index::create(disk).unwrap();
    open(disk)
}

/// One random step of the model, and of the index.
pub(crate) fn step(model: &mut Model, index: &Index, random: &mut StdRng) {
    let edit = match random.random_range(0..20) {
        0..8 => model.put(random),
        8..12 => model.clear(random),
        12..15 => {
            model.snapshot(random);
            None
        }
        15 => {
            model.fork(false, random);
            None
        }
        16 => {
            model.fork(true, random);
            None
        }
        17 | 18 => {
            model.remove_point(random);
            None
        }
        _ => {
            if let Some(branch) = model.end(random) {
                index.drop_changes(branch);
            }
            None
        }
    };
    if let Some(edit) = edit {
        apply(index, &edit);
        model.edits.push(edit);
    }
}

pub(crate) fn commit(model: &mut Model, index: &Index) -> Result<Released, Error> {
    let batch = model.batch();
    let frozen = index.freeze();
    let done = index.commit(frozen, model, &batch);
    if done.is_ok() {
        model.committed();
        for fold in &batch.folds {
            let empty = index.weigh(fold.from, fold.into)? == Weight::Empty;
            if empty && model.position.is_multiple_of(2) {
                model.unite(fold.from);
            }
        }
    }
    done
}

/// Whether a view is what it ought to be, in every way to look at it.
pub(crate) fn compare(index: &Index, view: &View, content: &Content) -> Result<(), Error> {
    for from in [0, FAR] {
        let mut found = Vec::new();
        index.get(view, from, 2100, &mut found)?;
        for (block, entry) in (from..).zip(&found) {
            let expected = content.get(&block).copied().unwrap_or(Entry::NONE);
            assert_eq!(*entry, expected, "block {block} of {view:?}");
        }
    }
    assert_eq!(index.mapped(view)?, content.len() as u64, "{view:?}");
    // All of them would take its time.
    for block in content.keys().step_by(13) {
        let at = content
            .range(..block)
            .next_back()
            .map_or(0, |(before, _)| before + 1);
        assert_eq!(index.next_mapped(view, at, u64::MAX)?, Some(*block));
        let hole = (*block..=u64::MAX).find(|block| !content.contains_key(block));
        assert_eq!(index.next_hole(view, *block, u64::MAX)?, hole);
    }
    let behind = content.keys().next_back().map_or(0, |last| last + 1);
    assert_eq!(index.next_mapped(view, behind, u64::MAX)?, None);
    Ok(())
}

/// Whether the difference of two views is what it ought to be, in pages of `at_most`.
pub(crate) fn compare_changed(
    index: &Index,
    newer: (&View, &Content),
    older: Option<(&View, &Content)>,
    at_most: usize,
) -> Result<(), Error> {
    let nothing = Content::new();
    let before = older.map_or(&nothing, |(_, content)| content);
    let blocks: BTreeSet<u64> = newer.1.keys().chain(before.keys()).copied().collect();
    let changed = blocks
        .into_iter()
        .filter(|block| newer.1.get(block) != before.get(block));
    let expected: Vec<Changed> = changed
        .map(|block| Changed {
            block,
            entry: newer.1.get(&block).copied(),
        })
        .collect();
    let (mut found, mut from) = (Vec::new(), 0);
    loop {
        let page = index.changed(newer.0, older.map(|(view, _)| view), from, at_most)?;
        let Some(last) = page.last() else { break };
        from = last.block + 1;
        found.extend(page);
    }
    assert_eq!(found, expected, "from {older:?} to {newer:?}");
    Ok(())
}

/// Looks at everything.
pub(crate) fn check(model: &Model, index: &Index, random: &mut StdRng) -> Result<(), Error> {
    let views = model.views();
    for (view, content) in &views {
        compare(index, view, content)?;
    }
    for _ in 0..4 {
        let (newer, content) = &views[random.random_range(0..views.len())];
        let older = random.random_range(0..=views.len());
        let older = views.get(older).map(|(view, content)| (view, *content));
        let at_most = [1000, 37][random.random_range(0..2)];
        compare_changed(index, (newer, content), older, at_most)?;
    }
    Ok(())
}

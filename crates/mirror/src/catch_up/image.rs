//! One image of a difference: its new snapshots, oldest first, and what it is now.

use std::collections::BTreeMap;

use firebrick_engine::{
    Changed, Difference, HeldImage, ImageOrigin, MapView, Served, ServedSnapshot, staged,
};
use firebrick_log::Change;
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId};

use super::digest::{self, Digest};
use super::{Answer, Ended, Line, strange};
use crate::copy::{PART_BLOCKS, put_blocks};
use crate::error::Error;
use crate::message::{self, ToReader};
use crate::wire::{self, Kind};

const BLOCK: usize = BLOCK_SIZE as usize;
/// Blocks about which the reader is asked at once.
const ASK_BLOCKS: usize = 4096;
/// Blocks that are compared by one digest first, where nobody knows what differs.
pub(super) const LEAF: u64 = 256;
/// How many of these the reader is asked about at once.
const ASK_LEAVES: usize = 64;

/// What is known of what the reader has, compared with what it is to get.
enum Known<'a> {
    /// It has exactly that; nothing at all, where there is none.
    Exactly(Option<&'a MapView>),
    /// What is the same as in that, it has, but for some runs of blocks.
    Since(&'a MapView, Vec<(u64, u64)>),
    /// Nothing.
    Unknown,
}

impl Known<'_> {
    /// The same, of another state than the one that it was looked up for.
    fn without_first(self) -> Self {
        match self {
            Self::Since(..) => Self::Unknown,
            Self::Exactly(_) | Self::Unknown => self,
        }
    }
}

/// An image on its way to the reader.
pub(super) struct Sending<'a> {
    line: &'a mut Line,
    difference: &'a Difference,
    served: &'a Served,
    /// What the reader has.
    held: &'a BTreeMap<ImageId, HeldImage>,
    /// Under which id it is staged there.
    id: ImageId,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        line: &'a mut Line,
        difference: &'a Difference,
        served: &'a Served,
        held: &'a BTreeMap<ImageId, HeldImage>,
    ) -> Self {
        let id = staged(served.image.image);
        Self {
            line,
            difference,
            served,
            held,
            id,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), Ended> {
        let (difference, served) = (self.difference, self.served);
        let held = self.held.get(&served.image.image);
        if held.is_some_and(|held| held.elsewhere) {
            return Ok(());
        }
        let lacking = served.snapshots.iter().filter(|it| !has(held, it));
        let mut lacking: Vec<&ServedSnapshot> = lacking.collect();
        lacking.sort_by_key(|it| it.at());
        let head = difference.head(served);
        let first = lacking.first().copied();
        let base = held
            .filter(|held| held.consistent)
            .and_then(|_| difference.base(served, first));
        let mut loose = difference.loose(served);
        loose.extend(
            held.and_then(|held| held.staged.clone())
                .unwrap_or_default(),
        );
        if let (Some(base), true) = (&base, lacking.is_empty() && loose.is_empty())
            && head.changed_since(Some(base), 0, 1)?.is_empty()
        {
            return Ok(());
        }
        let parent = match held {
            Some(_) => None,
            None => self.parent(),
        };
        self.line
            .say(&ToReader::Stage {
                image: Box::new(served.image.clone()),
                parent: parent.as_ref().map(|(origin, _)| *origin),
            })
            .await?;
        let begin = match (&base, held) {
            (Some(base), _) => Known::Since(base, loose),
            (None, Some(_)) => Known::Unknown,
            (None, None) => Known::Exactly(parent.as_ref().map(|(_, view)| view)),
        };
        self.states(&lacking, begin).await
    }

    /// Sends one state after the other: snapshots, and what the image is now.
    async fn states(&mut self, lacking: &[&ServedSnapshot], begin: Known<'_>) -> Result<(), Ended> {
        let (difference, served) = (self.difference, self.served);
        let mut before: Option<MapView> = None;
        let mut begin = Some(begin);
        for state in lacking.iter().map(Some).chain([None]) {
            let view = match state {
                Some(snapshot) => difference.snapshot(served, snapshot),
                None => Some(difference.head(served)),
            };
            let Some(view) = view else {
                // What the reader is told behind the difference ends it there, too. What was known
                // of the first one says nothing of those behind it.
                begin = begin.map(Known::without_first);
                continue;
            };
            let known = match (&before, begin.take()) {
                (Some(before), _) => Known::Exactly(Some(before)),
                (None, Some(begin)) => begin,
                (None, None) => Known::Unknown,
            };
            let size = state.map_or(served.image.size, |snapshot| snapshot.size);
            self.resize(size).await?;
            self.state(&view, known).await?;
            if let Some(snapshot) = state {
                self.name(snapshot).await?;
            }
            before = Some(view);
        }
        Ok(())
    }

    /// What an image started as that the reader has by now.
    fn parent(&self) -> Option<(ImageOrigin, MapView)> {
        let origin = self.served.parent?;
        let id = origin.snapshot.filter(|_| origin.at.is_none())?;
        let mut all = self.difference.images.iter();
        // Those behind it have not been sent.
        let parent = all
            .by_ref()
            .take_while(|it| it.image.image != self.served.image.image)
            .find(|it| it.image.image == origin.image)?;
        // Who has it from another site may have another snapshot of that id.
        let held = self.held.get(&origin.image);
        if held.is_some_and(|held| held.elsewhere) {
            return None;
        }
        let snapshot = parent.snapshots.iter().find(|it| it.id == id)?;
        let view = self.difference.snapshot(parent, snapshot)?;
        Some((origin, view))
    }

    /// Brings what is staged to a state.
    async fn state(&mut self, view: &MapView, known: Known<'_>) -> Result<(), Ended> {
        match known {
            Known::Exactly(older) => self.send_changed(view, older).await,
            Known::Since(base, loose) => {
                self.compare_changed(view, base).await?;
                for (first, count) in loose {
                    let end = first.saturating_add(count).min(view.blocks());
                    self.compare_range(view, first, end).await?;
                }
                Ok(())
            }
            Known::Unknown => self.compare_leaves(view).await,
        }
    }

    async fn send_changed(&mut self, view: &MapView, older: Option<&MapView>) -> Result<(), Ended> {
        let mut from = 0;
        loop {
            let changed = view.changed_since(older, from, PART_BLOCKS)?;
            let Some(last) = changed.last() else {
                return Ok(());
            };
            from = last.block + 1;
            self.put(&changed).await?;
        }
    }

    async fn compare_changed(&mut self, view: &MapView, base: &MapView) -> Result<(), Ended> {
        let mut from = 0;
        loop {
            let changed = view.changed_since(Some(base), from, ASK_BLOCKS)?;
            let Some(last) = changed.last() else {
                return Ok(());
            };
            from = last.block + 1;
            self.compare(view, &changed).await?;
        }
    }

    /// All of a range: what is a hole there becomes one at the reader.
    async fn compare_range(&mut self, view: &MapView, first: u64, end: u64) -> Result<(), Ended> {
        let mut from = first;
        while from < end {
            let mut mapped = view.changed_since(None, from, ASK_BLOCKS)?;
            let all = mapped.len() < ASK_BLOCKS;
            mapped.retain(|it| it.block < end);
            let beyond = all || mapped.len() < ASK_BLOCKS;
            let until = match mapped.last() {
                Some(last) if !beyond => last.block + 1,
                Some(_) | None => end,
            };
            self.clear_between(from, &mapped, until).await?;
            self.compare(view, &mapped).await?;
            from = until;
        }
        Ok(())
    }

    /// Sends those of some blocks that the reader lacks.
    async fn compare(&mut self, view: &MapView, changed: &[Changed]) -> Result<(), Ended> {
        let (mapped, holes): (Vec<Changed>, Vec<Changed>) =
            changed.iter().partition(|it| it.entry.is_some());
        if !holes.is_empty() {
            self.put(&holes).await?;
        }
        if mapped.is_empty() {
            return Ok(());
        }
        let runs = runs_of(&mapped);
        let mut digests = Vec::with_capacity(mapped.len());
        for (first, count) in &runs {
            digests.extend(digests_of(view, *first, *count)?);
        }
        let ask = ToReader::Compare {
            image: self.served.image.image,
            runs,
            digests: digest::encode(&digests),
        };
        self.line.say(&ask).await?;
        let Answer::Lacks(runs) = self.line.answer().await? else {
            return Err(strange());
        };
        let lacks = |block: u64| {
            let behind = runs.partition_point(|(first, _)| *first <= block);
            let run = behind.checked_sub(1).and_then(|at| runs.get(at));
            run.is_some_and(|(first, count)| block - first < *count)
        };
        let lacking: Vec<Changed> = mapped.into_iter().filter(|it| lacks(it.block)).collect();
        self.put(&lacking).await
    }

    /// Compares everything: first large pieces, and of those that differ each block.
    async fn compare_leaves(&mut self, view: &MapView) -> Result<(), Ended> {
        let (mut from, mut asked) = (0, Vec::new());
        let end = view.blocks();
        while from < end {
            let next = view.changed_since(None, from, 1)?;
            let leaf = next.first().map(|it| it.block / LEAF);
            let until = leaf.map_or(end, |leaf| leaf * LEAF);
            if until > from {
                self.clear(from, until).await?;
            }
            from = leaf.map_or(end, |leaf| (leaf + 1) * LEAF);
            asked.extend(leaf);
            if asked.len() == ASK_LEAVES || (from >= end && !asked.is_empty()) {
                self.ask_leaves(view, std::mem::take(&mut asked)).await?;
            }
        }
        Ok(())
    }

    async fn ask_leaves(&mut self, view: &MapView, leaves: Vec<u64>) -> Result<(), Ended> {
        let mut data = vec![0; LEAF as usize * BLOCK];
        let mut digests = Vec::with_capacity(leaves.len());
        for leaf in &leaves {
            view.read_blocks(leaf * LEAF, &mut data)?;
            digests.push(Digest::of(&data));
        }
        let ask = ToReader::CompareLeaves {
            image: self.served.image.image,
            leaves,
            digests: digest::encode(&digests),
        };
        self.line.say(&ask).await?;
        let Answer::Leaves(differing) = self.line.answer().await? else {
            return Err(strange());
        };
        for (leaf, theirs) in differing {
            let (first, end) = (leaf * LEAF, ((leaf + 1) * LEAF).min(view.blocks()));
            if theirs.len() as u64 != LEAF || first >= end {
                return Err(strange());
            }
            let ours = digests_of(view, first, LEAF)?;
            let mut mapped = view.changed_since(None, first, LEAF as usize)?;
            mapped.retain(|it| it.block < end);
            self.clear_between(first, &mapped, end).await?;
            let at = |block: u64| (block - first) as usize;
            mapped.retain(|it| ours.get(at(it.block)) != theirs.get(at(it.block)));
            self.put(&mapped).await?;
        }
        Ok(())
    }

    /// Makes holes of what lies between blocks, up to `end`.
    async fn clear_between(
        &mut self,
        first: u64,
        mapped: &[Changed],
        end: u64,
    ) -> Result<(), Ended> {
        let mut from = first;
        for block in mapped {
            if block.block > from {
                self.clear(from, block.block).await?;
            }
            from = block.block + 1;
        }
        if end > from {
            self.clear(from, end).await?;
        }
        Ok(())
    }

    async fn clear(&mut self, first: u64, end: u64) -> Result<(), Ended> {
        let mut part = self.begin();
        message::put_discard(&mut part, self.id, first, end - first);
        self.line.send(wire::seal(part)).await
    }

    async fn put(&mut self, changed: &[Changed]) -> Result<(), Ended> {
        for some in changed.chunks(self.line.outlet.part_blocks(PART_BLOCKS)) {
            let mut part = self.begin();
            put_blocks(&self.line.shared.store, &mut part, self.id, some)?;
            self.line.send(wire::seal(part)).await?;
        }
        Ok(())
    }

    async fn resize(&mut self, size: Bytes) -> Result<(), Ended> {
        let image = self.id;
        self.change(&Change::Resize { image, size }).await
    }

    async fn name(&mut self, snapshot: &ServedSnapshot) -> Result<(), Ended> {
        let change = Change::SnapshotCreate {
            image: self.id,
            snapshot: snapshot.id,
            name: snapshot.name.clone(),
            taken: snapshot.taken,
        };
        self.change(&change).await
    }

    async fn change(&mut self, change: &Change) -> Result<(), Ended> {
        let mut part = self.begin();
        message::put_change(&mut part, change);
        self.line.send(wire::seal(part)).await
    }

    /// An empty part.
    fn begin(&self) -> Vec<u8> {
        let mut part = wire::begin(Kind::Copy);
        message::put_copy(&mut part, self.id, None);
        part
    }
}

/// Whether the reader has that snapshot. One of the same id alone may be another one.
fn has(held: Option<&HeldImage>, snapshot: &ServedSnapshot) -> bool {
    let mut all = held.into_iter().flat_map(|held| &held.snapshots);
    all.any(|it| it.id == snapshot.id && it.taken == snapshot.taken)
}

/// A digest of each of some blocks.
pub(super) fn digests_of(view: &MapView, first: u64, count: u64) -> Result<Vec<Digest>, Error> {
    let mut digests = Vec::with_capacity(count as usize);
    let (mut at, mut left) = (first, count as usize);
    while left > 0 {
        let some = left.min(PART_BLOCKS);
        let mut data = vec![0; some * BLOCK];
        view.read_blocks(at, &mut data)?;
        digests.extend(data.chunks_exact(BLOCK).map(Digest::of));
        (at, left) = (at + some as u64, left - some);
    }
    Ok(digests)
}

/// Neighbouring blocks as runs: first block and count.
fn runs_of(blocks: &[Changed]) -> Vec<(u64, u64)> {
    let neighbours = |one: &Changed, next: &Changed| one.block + 1 == next.block;
    let runs = blocks.chunk_by(neighbours);
    let runs = runs.filter_map(|run| Some((run.first()?.block, run.len() as u64)));
    runs.collect()
}

//! What an image was at an earlier position: a point of its branch, and the log behind it.
//!
//! Checkpoints that somebody may return to are kept as points of all branches. The position itself
//! lies between two of them, so the records of the image behind the point are read from the log and
//! taken over: their blocks are mapped again, not copied.

use std::collections::BTreeMap;

use firebrick_index::{BranchId, Entry, Index};
use firebrick_log::{Change, Frame, FrameRecord, Log, Recovery};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, Sequence};

use crate::apply::{self, Past};
use crate::branch::{Fork, Take};
use crate::error::{Error, ErrorKind};
use crate::keys::{LOCAL_KEY, protected, renamed_snapshot};
use crate::rows;
use crate::state::{ImageMeta, Snapshot, State};

const DOING: &str = "look up an earlier state";

/// An image as it was.
pub(crate) struct Then {
    pub(crate) meta: ThenMeta,
    /// Oldest first.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Where a branch with its content starts; none where that is empty.
    pub(crate) fork: Option<Fork>,
    /// Of which images it takes over records on top of that, in this order.
    pub(crate) takes: Vec<Take>,
    /// What these did.
    pub(crate) ops: Vec<Op>,
}

/// What of an image can be had of earlier times.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ThenMeta {
    pub(crate) name: ImageName,
    pub(crate) size: Bytes,
    /// What peers share of its metadata; `None` in what an older release wrote.
    #[serde(default)]
    pub(crate) metadata: Option<BTreeMap<String, String>>,
}

impl ThenMeta {
    pub(crate) fn of(meta: &ImageMeta) -> Self {
        let shared = meta.metadata.iter();
        let shared = shared.filter(|(key, _)| !key.starts_with(LOCAL_KEY));
        Self {
            name: meta.name.clone(),
            size: meta.size,
            metadata: Some(
                shared
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            ),
        }
    }
}

/// A change of blocks.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Put { block: u64, entries: Vec<Entry> },
    Clear { first: u64, end: u64 },
}

/// Where frames can be read from.
pub(crate) trait Frames {
    /// Visits the frames that hold the records from `from` to `upto`.
    fn scan(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), Error>,
    ) -> Result<(), Error>;
}

impl Frames for Recovery {
    fn scan(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Self::scan(self, from, upto, visit)
    }
}

impl Frames for Log {
    fn scan(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut reader = self.reader(from)?;
        while let Some(frame) = reader.next_frame()? {
            if frame.first > upto {
                break;
            }
            visit(&frame)?;
        }
        Ok(())
    }
}

/// The past as index and log tell it.
pub(crate) struct LogPast<'a> {
    pub(crate) index: &'a Index,
    pub(crate) frames: &'a dyn Frames,
}

/// A way to a state: from a point on, through the records of the image up to a position.
struct Way {
    fork: Option<Fork>,
    takes: Vec<Take>,
}

/// What must be known of the present to find an earlier state.
pub(crate) struct Plan {
    image: ImageId,
    at: Sequence,
    way: Way,
    /// The newest kept checkpoint at or before that.
    from: Sequence,
    /// What the image was at a checkpoint before, where the index does not know of that yet.
    meta: Option<ThenMeta>,
    /// All snapshots of the image of which something is known, and the record that removed them.
    snapshots: Vec<(Snapshot, Option<Sequence>)>,
}

impl Plan {
    /// How to find what `image` was at record `at`.
    pub(crate) fn new(state: &State, image: ImageId, at: Sequence) -> Result<Self, Error> {
        let branch = state.branches.of_record(image, at);
        let branch = branch.ok_or_else(|| gone(at))?;
        let from = state
            .branches
            .dense()
            .iter()
            .rev()
            .find(|kept| **kept <= at);
        let there = state.cell(image).map(|cell| cell.read().snapshots.to_vec());
        let there = there.unwrap_or_default().into_iter();
        let ghosts = state.ghosts.iter().filter(|ghost| ghost.image == image);
        let ghosts = ghosts.map(|ghost| (ghost.snapshot.clone(), Some(ghost.gone)));
        let unwritten = state.then.range((image, Sequence::ZERO)..=(image, at));
        Ok(Self {
            meta: unwritten.last().map(|(_, then)| then.clone()),
            image,
            at,
            way: Way::to(state, branch, at)?,
            from: from.copied().unwrap_or_default(),
            snapshots: there
                .map(|snapshot| (snapshot, None))
                .chain(ghosts)
                .collect(),
        })
    }

    /// The point that must not go away before the state has been found and used.
    pub(crate) fn point(&self) -> Option<(BranchId, Sequence)> {
        self.way.fork.map(|fork| (fork.branch, fork.at))
    }

    /// The record from which on the log says how the image became what it was.
    pub(crate) fn from(&self) -> Sequence {
        self.from
    }

    /// Name, size and metadata then: what the log says of them behind record `from`, on top of what is known.
    pub(crate) fn learn(
        &self,
        frames: &dyn Frames,
        from: Sequence,
        meta: &mut Option<ThenMeta>,
    ) -> Result<(), Error> {
        frames.scan(from.next(), self.at, &mut |frame| {
            for (i, record) in frame.records.iter().enumerate() {
                let sequence = frame.first.plus(i as u64);
                if let FrameRecord::Change(change) = record
                    && sequence > from
                    && sequence <= self.at
                {
                    learn(meta, self, change);
                }
            }
            Ok(())
        })
    }

    /// The state that was planned for.
    pub(crate) fn then(&self, meta: ThenMeta, ops: Vec<Op>) -> Then {
        let at = self.at;
        let there = |(snapshot, gone): &&(Snapshot, Option<Sequence>)| {
            snapshot.at <= at && !snapshot.meta.divergent && gone.is_none_or(|gone| gone > at)
        };
        let snapshots = self.snapshots.iter().filter(there);
        let mut snapshots: Vec<Snapshot> =
            snapshots.map(|(snapshot, _)| snapshot.clone()).collect();
        snapshots.sort_by_key(|snapshot| snapshot.at);
        Then {
            meta,
            snapshots,
            fork: self.way.fork,
            takes: self.way.takes.clone(),
            ops,
        }
    }
}

impl Way {
    /// How to come to what `branch` was at `at`.
    fn to(state: &State, branch: BranchId, at: Sequence) -> Result<Self, Error> {
        let line = state.branches.get(branch);
        let line = line.ok_or_else(|| gone(at))?;
        let point = state.branches.point_at(branch, at);
        let mut way = match point {
            Some(point) => Self {
                fork: Some(Fork {
                    branch,
                    at: point,
                    blocks: u64::MAX,
                }),
                takes: Vec::new(),
            },
            // Its parent shows that no more. Nobody may ask for what was there before the first point
            // of a branch whose parent nobody may ask for.
            None if line
                .parent
                .is_some_and(|fork| state.branches.is_partial(fork.branch)) =>
            {
                return Err(gone(at));
            }
            // It begins with what this one began with.
            None => Self {
                fork: line.parent,
                takes: line.takes.clone(),
            },
        };
        let behind = point.unwrap_or(line.since);
        if behind < at {
            way.takes.push(Take {
                image: line.image,
                behind,
                upto: at,
                blocks: u64::MAX,
            });
        }
        Ok(way)
    }
}

impl LogPast<'_> {
    /// Follows a plan; takes as long as there is log between two checkpoints.
    pub(crate) fn follow(&self, plan: &Plan) -> Result<Then, Error> {
        let ops = self.ops(&plan.way.takes)?;
        let mut meta = match &plan.meta {
            Some(meta) => Some(meta.clone()),
            None => rows::meta_at(self.index, plan.image, plan.at)?,
        };
        plan.learn(self.frames, plan.from, &mut meta)?;
        let meta = meta.ok_or_else(|| Error::no_image(DOING, plan.image))?;
        Ok(plan.then(meta, ops))
    }

    fn ops(&self, takes: &[Take]) -> Result<Vec<Op>, Error> {
        let mut ops = Vec::new();
        for take in takes {
            self.frames
                .scan(take.behind.next(), take.upto, &mut |frame| {
                    for (i, record) in frame.records.iter().enumerate() {
                        let sequence = frame.first.plus(i as u64);
                        if sequence > take.behind && sequence <= take.upto {
                            ops.extend(op(record, take));
                        }
                    }
                    Ok(())
                })?;
        }
        Ok(ops)
    }
}

fn gone(at: Sequence) -> Error {
    let why = format!("what was there at record {at} is not kept any more");
    Error::new(ErrorKind::NotFound, DOING, why)
}

/// What a record did to the blocks that are taken over.
fn op(record: &FrameRecord, take: &Take) -> Option<Op> {
    let image = take.image;
    match record {
        FrameRecord::Data {
            image: of,
            block,
            checksums,
            at,
            ..
        } if *of == image => {
            let mut entries = apply::entries(*at, checksums);
            entries.truncate(take.blocks.saturating_sub(*block).min(u32::MAX.into()) as usize);
            Some(Op::Put {
                block: *block,
                entries,
            })
        }
        FrameRecord::Discard {
            image: of,
            block,
            blocks,
        } if *of == image => Some(Op::Clear {
            first: *block,
            end: block.saturating_add(*blocks),
        }),
        FrameRecord::Change(Change::Resize { image: of, size }) if *of == image => {
            Some(Op::Clear {
                first: size.0.div_ceil(firebrick_vocabulary::BLOCK_SIZE),
                end: u64::MAX,
            })
        }
        FrameRecord::Data { .. } | FrameRecord::Discard { .. } | FrameRecord::Change(_) => None,
    }
}

fn learn(meta: &mut Option<ThenMeta>, plan: &Plan, change: &Change) {
    let of = plan.image;
    match change {
        Change::Create {
            image, name, size, ..
        } if *image == of => {
            *meta = Some(ThenMeta {
                name: name.clone(),
                size: *size,
                metadata: Some(BTreeMap::new()),
            });
        }
        Change::Metadata { image, key, value } if *image == of => {
            let shared = !key.starts_with(LOCAL_KEY) && renamed_snapshot(key).is_none();
            if let Some(known) = meta.as_mut().and_then(|meta| meta.metadata.as_mut())
                && shared
            {
                match value {
                    Some(value) => known.insert(key.clone(), value.clone()),
                    None => known.remove(key),
                };
            }
        }
        Change::SnapshotRemove { image, snapshot } if *image == of => {
            if let Some(known) = meta.as_mut().and_then(|meta| meta.metadata.as_mut()) {
                known.remove(&protected(*snapshot));
            }
        }
        Change::Rename { image, name } if *image == of => {
            if let Some(meta) = meta {
                meta.name = name.clone();
            }
        }
        Change::Resize { image, size } | Change::Restore { image, size, .. } if *image == of => {
            if let Some(meta) = meta {
                meta.size = *size;
            }
        }
        Change::Rollback { image, snapshot } if *image == of => {
            let mut all = plan.snapshots.iter();
            let taken = all.find(|(taken, _)| taken.meta.id == *snapshot);
            if let (Some(meta), Some((taken, _))) = (meta, taken) {
                meta.size = taken.meta.size;
            }
        }
        Change::FallBack { images } => {
            if let (Some(meta), Some(step)) = (meta, images.iter().find(|step| step.image == of)) {
                meta.size = step.size.unwrap_or(meta.size);
                if let Some(name) = &step.name {
                    meta.name = name.clone();
                }
                if let Some(metadata) = &step.metadata {
                    meta.metadata = Some(metadata.clone());
                }
            }
        }
        _ => {}
    }
}

impl Past for LogPast<'_> {
    fn image_at(&mut self, state: &State, image: ImageId, at: Sequence) -> Result<Then, Error> {
        self.follow(&Plan::new(state, image, at)?)
    }
}

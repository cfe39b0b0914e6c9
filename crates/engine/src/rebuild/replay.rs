//! What the images are: the newest base, and what the log says behind it.

use std::collections::BTreeMap;

use firebrick_index::{BranchId, Entry};
use firebrick_log::{Change, Frame, FrameRecord, Recovery, Tail};
use firebrick_vocabulary::{ImageId, Sequence};
use tracing::warn;

use super::{DOING, RebuildPhase, RebuildProgress};
use crate::apply::{self, Blocks, Past, Stamp, Target};
use crate::error::{Error, ErrorKind};
use crate::past::{Plan, Then, ThenMeta};
use crate::rows;
use crate::state::State;

/// The rows of a checkpoint, as the log holds them.
pub(super) struct Base {
    /// The last record of the checkpoint; zero where there is none and all begins with nothing.
    pub(super) at: Sequence,
    rows: BTreeMap<String, String>,
}

/// Parts of a base: each with whether it is the last.
type Parts = BTreeMap<u32, (bool, Vec<(String, String)>)>;

impl Base {
    /// The newest one of which all parts are in the log.
    pub(super) fn find(recovery: &Recovery) -> Result<Self, Error> {
        let oldest = recovery.oldest();
        let mut newest: Option<Self> = None;
        let mut now = (Sequence::ZERO, Parts::new());
        recovery.scan(oldest, Sequence(u64::MAX), &mut |frame: &Frame| {
            for record in &frame.records {
                let FrameRecord::Change(Change::Base {
                    at,
                    part,
                    last,
                    rows,
                }) = record
                else {
                    continue;
                };
                if now.0 != *at || *part == 0 {
                    now = (*at, Parts::new());
                }
                now.1.insert(*part, (*last, rows.clone()));
                if *last && now.1.len() == *part as usize + 1 {
                    let parts = std::mem::take(&mut now.1).into_values();
                    newest = Some(Self {
                        at: *at,
                        rows: parts.flat_map(|(_, rows)| rows).collect(),
                    });
                }
            }
            Ok::<(), Error>(())
        })?;
        let base = newest.unwrap_or(Self {
            at: Sequence::ZERO,
            rows: BTreeMap::new(),
        });
        if base.at.next() < oldest {
            let why = format!(
                "the log begins with record {oldest}, and nothing in it says what was there at record {}: \
                 segments with the records from {} to {} are missing",
                oldest.0 - 1,
                base.at.next(),
                oldest.0 - 1
            );
            return Err(Error::new(ErrorKind::Damaged, DOING, why));
        }
        Ok(base)
    }
}

/// Applies the log behind the base; what the images are at its end, and where that is.
pub(super) fn replay(
    recovery: &Recovery,
    base: &Base,
    progress: &mut dyn FnMut(RebuildProgress),
) -> Result<(State, Tail), Error> {
    let mut state = rows::load(&base.rows)?;
    // A later record may go back to what nobody would ask for otherwise.
    state.branches.hold_everything();
    let mut past = Memory {
        recovery,
        base,
        history: BTreeMap::new(),
    };
    let images: Vec<ImageId> = state.images.keys().copied().collect();
    for image in images {
        past.remember(&state, image, base.at);
    }
    let from = base.at.next();
    let tail = recovery.replay(from, &mut |frame| {
        let last = frame.first.plus(frame.records.len() as u64 - 1);
        progress(RebuildProgress {
            phase: RebuildPhase::Log,
            done: last.0 - base.at.0,
            total: 0,
        });
        apply_frame(&mut state, &mut past, frame, from)
    })?;
    if state.base < base.at {
        let why = format!("the base of record {} could not be read again", base.at);
        return Err(Error::new(ErrorKind::Damaged, DOING, why));
    }
    state.sequence = tail.position().sequence;
    // Nobody knows which checkpoints were kept at the end, and of those that were not, blocks are
    // gone.
    state.keep(Vec::new(), Sequence::ZERO, None);
    state.branches.settle();
    Ok((state, tail))
}

fn apply_frame(
    state: &mut State,
    past: &mut Memory<'_>,
    frame: &Frame,
    from: Sequence,
) -> Result<(), Error> {
    let peer = frame.applied.map(|applied| applied.peer);
    state.time = frame.time;
    for (i, record) in frame.records.iter().enumerate() {
        let sequence = frame.first.plus(i as u64);
        if sequence < from {
            continue;
        }
        let stamp = Stamp { sequence, peer };
        let mut target = Target {
            state,
            blocks: &NoBlocks,
            past,
        };
        match record {
            FrameRecord::Data {
                image,
                block,
                checksums,
                at,
                ..
            } => target.data(stamp, *image, *block, *at, checksums),
            FrameRecord::Discard {
                image,
                block,
                blocks,
            } => target.discard(stamp, *image, *block, *blocks),
            FrameRecord::Change(change) => {
                target.change(stamp, change)?;
                for image in reshaped(change) {
                    past.remember(state, image, sequence);
                }
            }
        }
    }
    if let Some(applied) = frame.applied {
        apply::cursor(state, applied);
    }
    Ok(())
}

/// The images to which a change may have given another name, size or metadata.
fn reshaped(change: &Change) -> Vec<ImageId> {
    match change {
        Change::Create { image, .. }
        | Change::Rename { image, .. }
        | Change::Resize { image, .. }
        | Change::Rollback { image, .. }
        | Change::Restore { image, .. }
        | Change::SnapshotRemove { image, .. }
        | Change::Metadata { image, .. } => vec![*image],
        Change::FallBack { images } => images.iter().map(|step| step.image).collect(),
        Change::Adopt { images } => images.clone(),
        Change::Remove { .. }
        | Change::SnapshotCreate { .. }
        | Change::Mirroring { .. }
        | Change::Promote { .. }
        | Change::Demote { .. }
        | Change::Yield { .. }
        | Change::Sync { .. }
        | Change::Base { .. }
        | Change::Follow { .. } => Vec::new(),
    }
}

/// Blocks are found in the segments later.
struct NoBlocks;

impl Blocks for NoBlocks {
    fn put(&self, _: BranchId, _: Sequence, _: u64, _: &[Entry]) {}

    fn clear(&self, _: BranchId, _: Sequence, _: u64, _: u64) {}
}

/// Earlier states, without their blocks.
struct Memory<'a> {
    recovery: &'a Recovery,
    base: &'a Base,
    /// Names, sizes and metadata of images, by the record that gave them; of the base and behind it.
    history: BTreeMap<(ImageId, Sequence), ThenMeta>,
}

impl Memory<'_> {
    fn remember(&mut self, state: &State, image: ImageId, at: Sequence) {
        if let Some(cell) = state.cell(image) {
            let image = cell.read();
            let then = ThenMeta::of(&image.meta);
            self.history.insert((image.meta.id, at), then);
        }
    }

    fn meta(
        &self,
        state: &State,
        plan: &Plan,
        (image, at): (ImageId, Sequence),
    ) -> Result<ThenMeta, Error> {
        let known = self.history.range((image, Sequence::ZERO)..=(image, at));
        let mut meta = known.last().map(|(_, meta)| meta.clone());
        if at < self.base.at {
            meta = rows::meta_at(&self.base.rows, image, at)?;
            // What is left of the log before the base.
            let oldest = Sequence(self.recovery.oldest().0 - 1);
            if at > oldest {
                plan.learn(self.recovery, plan.from().max(oldest), &mut meta)?;
            }
        }
        if let Some(meta) = meta {
            return Ok(meta);
        }
        let cell = apply::found(state, DOING, image)?.read();
        warn!(%image, %at, "the name and the size of an image at an earlier record are not known");
        Ok(ThenMeta::of(&cell.meta))
    }
}

impl Past for Memory<'_> {
    fn image_at(&mut self, state: &State, image: ImageId, at: Sequence) -> Result<Then, Error> {
        let plan = Plan::new(state, image, at)?;
        // Who clones what is not there any more has it in its record.
        let meta = self.meta(state, &plan, (image, at))?;
        Ok(plan.then(meta, Vec::new()))
    }
}

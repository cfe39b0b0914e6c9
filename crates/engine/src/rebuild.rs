//! Making the index anew from the segments alone.
//!
//! What the images are is in the log: a base holds all rows of one checkpoint, and the log is whole
//! behind it. What their blocks are is in the segments: whatever is still needed of a block or a hole
//! says of which image, and which record it was born with. So every branch gets all that its records
//! left, in the order of their births; what somebody needs is the last of its blocks that he sees,
//! and that is there, or the cleaner would have kept it. The new index is made beside the old one and
//! takes its name once it is whole.
//!
//! Which checkpoints were kept for the retention window and for peers is not in the log: both begin
//! anew with the next checkpoint.

mod gather;
mod leaves;
mod replay;
mod sorter;

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_edge::{Clock, Disk};
use firebrick_index::{Batch, Index, IndexOptions, Moved};
use firebrick_log::{Log, OpenOptions};
use firebrick_vocabulary::{Position, Sequence};
use tracing::{info, warn};

use crate::error::Error;
use crate::rows;
use crate::state::State;
use crate::store::{Store, StoreOptions};
use gather::{Gatherer, PIECE, Piece};
use leaves::{Builder, NAMED, decode};
use replay::Base;
use sorter::{Sorted, Sorter};

const DOING: &str = "rebuild the index";
/// How many moves are written at once.
const MOVES: usize = 1 << 16;
/// After how many pieces progress is told.
const STEP: u64 = 1 << 14;
/// The least memory for each of the things that need some, in bytes.
const MEMORY_MIN: usize = 64 << 10;

/// What a rebuild is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RebuildPhase {
    /// Reading what the log says of images; counted in records.
    Log,
    /// Reading what lies in segments; counted in segments.
    Segments,
    /// Writing leaves; counted in blocks and holes that were found.
    Leaves,
    /// Noting where blocks lie; counted in blocks.
    Places,
}

/// How far a rebuild has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RebuildProgress {
    /// What it is doing.
    pub phase: RebuildPhase,
    /// How much of that is done.
    pub done: u64,
    /// How much there is of it; 0 where that is not known.
    pub total: u64,
}

/// What a rebuild made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RebuildReport {
    /// The last record that is in the index.
    pub position: Position,
    /// The checkpoint that it began with; zero where the log was whole from its first record on.
    pub base: Sequence,
    /// Segments that were read.
    pub segments: u64,
    /// Images that are there.
    pub images: u64,
    /// Snapshots that are there.
    pub snapshots: u64,
    /// Blocks that somebody may need.
    pub blocks: u64,
    /// Segments with heads that are not whole. What these said is lost, and images may show what was
    /// there before; unless they are copies that were being made when the machine stopped.
    pub damaged: Vec<u32>,
}

impl Store {
    /// Makes the index of a store anew from its segments, in bounded memory, whether there is one or
    /// not; nobody may have the store open ([`ErrorKind::Locked`](crate::ErrorKind::Locked)). Where it ends early, whatever
    /// index was there is still there, and it can be called again. [`ErrorKind::Damaged`](crate::ErrorKind::Damaged) where
    /// parts of the log are missing without which nobody can say what the images are.
    ///
    /// The retention window, and what was kept for peers that return, begin anew.
    pub fn rebuild_index(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: StoreOptions,
        progress: &mut dyn FnMut(RebuildProgress),
    ) -> Result<RebuildReport, Error> {
        let open = OpenOptions {
            capacity: options.capacity,
            around_min: options.around_bytes,
            ..OpenOptions::default()
        };
        let recovery = Log::open_with(Arc::clone(&disk), clock, open, || None)?;
        sorter::remove_runs(&*disk)?;
        let base = Base::find(&recovery)?;
        let (state, tail) = replay::replay(&recovery, &base, progress)?;
        let log = recovery.finish(&tail)?;
        let mut rebuild = Rebuild {
            disk,
            log: &log,
            state: &state,
            options: &options,
            progress,
            report: RebuildReport {
                position: tail.position(),
                base: base.at,
                segments: 0,
                images: state.images.keys().count() as u64,
                snapshots: 0,
                blocks: 0,
                damaged: Vec::new(),
            },
        };
        rebuild.run()?;
        let mut report = rebuild.report;
        let snapshots = state
            .images
            .values()
            .map(|cell| cell.read().snapshots.len());
        report.snapshots = snapshots.sum::<usize>() as u64;
        info!(position = %report.position, blocks = report.blocks, "the index was rebuilt");
        // Only now may others open the store.
        log.close()?;
        Ok(report)
    }
}

/// The data blocks in each segment.
type Counts = BTreeMap<u32, u64>;

struct Rebuild<'a> {
    disk: Arc<dyn Disk>,
    log: &'a Log,
    state: &'a State,
    options: &'a StoreOptions,
    progress: &'a mut dyn FnMut(RebuildProgress),
    report: RebuildReport,
}

impl Rebuild<'_> {
    fn run(&mut self) -> Result<(), Error> {
        // First, as it gives back the room that an earlier attempt took.
        let index = Index::begin(
            &self.disk,
            IndexOptions {
                cache_bytes: self.options.cache_bytes / 4,
                pages_bytes: self.options.cache_bytes / 4,
            },
        )?;
        let (pieces, found, counts) = self.gather()?;
        let named = self.build(&index, pieces, found)?;
        let dead = self.place(&index, named, counts)?;
        let batch = Batch {
            rows: rows::everything(self.state, &dead)?,
            ..Batch::default()
        };
        let seen = self.state.branches.seen();
        index.commit(index.freeze(), &seen, &batch)?;
        Ok(index.publish(&self.disk)?)
    }

    /// A share of the memory that is allowed: half of what caches may take is for sorting.
    fn memory(&self, share: usize) -> usize {
        (self.options.cache_bytes / 2 / share).max(MEMORY_MIN)
    }

    fn tell(&mut self, phase: RebuildPhase, done: u64, total: u64) {
        (self.progress)(RebuildProgress { phase, done, total });
    }

    /// Everything that lies in segments, sorted; how much that is.
    fn gather(&mut self) -> Result<(Sorted<PIECE>, u64, Counts), Error> {
        let segments = self.log.segments();
        let mut gatherer = Gatherer {
            log: self.log,
            branches: &self.state.branches,
            pieces: Sorter::new(&self.disk, "pieces", self.memory(2)),
            found: 0,
        };
        let mut counts = Counts::new();
        for (i, segment) in (0..).zip(&segments) {
            self.tell(RebuildPhase::Segments, i, segments.len() as u64);
            let (blocks, is_whole) = gatherer.segment(segment)?;
            counts.insert(segment.number, blocks);
            if !is_whole {
                warn!(segment = segment.number, "heads of a segment are damaged");
                self.report.damaged.push(segment.number);
            }
        }
        self.report.segments = segments.len() as u64;
        let found = gatherer.found;
        Ok((gatherer.pieces.finish()?, found, counts))
    }

    /// Writes the leaves of all branches.
    fn build(
        &mut self,
        index: &Index,
        mut pieces: Sorted<PIECE>,
        found: u64,
    ) -> Result<Sorted<NAMED>, Error> {
        let named = Sorter::new(&self.disk, "names", self.memory(2));
        let pending_max = (self.options.pending_bytes / 2).max(MEMORY_MIN);
        let seen = self.state.branches.seen();
        let mut builder = Builder::new(index, self.log, seen, pending_max, named);
        let mut done = 0;
        while let Some(piece) = pieces.next()? {
            if done % STEP == 0 {
                self.tell(RebuildPhase::Leaves, done, found);
            }
            builder.piece(&Piece::decode(&piece))?;
            done += 1;
        }
        builder.finish()?.finish()
    }

    /// Notes where those blocks are that do not lie where they were first written; how many of each
    /// segment are dead.
    fn place(
        &mut self,
        index: &Index,
        mut named: Sorted<NAMED>,
        counts: Counts,
    ) -> Result<Counts, Error> {
        let mut dead = counts;
        let mut moves = Vec::new();
        let mut last = None;
        while let Some(bytes) = named.next()? {
            let (name, place) = decode(&bytes);
            // The same block in other branches, perhaps of another copy.
            if last == Some(name) {
                continue;
            }
            last = Some(name);
            if self.report.blocks.is_multiple_of(STEP) {
                self.tell(RebuildPhase::Places, self.report.blocks, 0);
            }
            self.report.blocks += 1;
            if let Some(dead) = dead.get_mut(&place.segment) {
                *dead = dead.saturating_sub(1);
            }
            if place != name {
                moves.push(Moved { name, place });
            }
            if moves.len() >= MOVES {
                index.apply_moves(&moves, &[])?;
                moves.clear();
            }
        }
        if !moves.is_empty() {
            index.apply_moves(&moves, &[])?;
        }
        dead.retain(|_, blocks| *blocks > 0);
        Ok(dead)
    }
}

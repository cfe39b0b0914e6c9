//! Cleaning: what is still needed of mostly dead segments moves into packed ones, and their room is
//! used again.
//!
//! A block keeps its name wherever it moves, so no map changes; the index remembers where it is now.
//! Orders that matter: the log is flushed, so that what replaced the rest is durable; the base that
//! replaces the changes of a freed segment and the blocks that were moved are durable before the
//! index says where they are, and that is durable before the segment is freed.

mod base;
mod choose;
mod live;
pub(crate) mod pace;
mod rescue;
mod room;

use std::collections::BTreeMap;
use std::time::Duration;

use firebrick_edge::Mutex;
use firebrick_index::Released;
use firebrick_log::{Change, Location, MovedDiscard, SegmentInfo, SegmentKind};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, Sequence};
use tracing::{debug, warn};

pub use choose::Pressure;

use crate::commit::Core;
use crate::error::Error;
use crate::images::SIZE_MAX;
use crate::store::Store;
use pace::Pace;
use rescue::Step;
use room::Barren;
pub(crate) use room::Made;

/// How much one step moves at most, about, in bytes: what is moved has its place in the index only
/// when the step ends, which costs about the same however much it is, and until then takes room twice.
const STEP_BYTES: u64 = 32 << 20;
/// How many segments one step frees at most.
const STEP_SEGMENTS: usize = 16;

/// What one step of cleaning did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cleaned {
    /// Segments that were freed.
    pub freed: u32,
    /// Data that was moved.
    pub moved: Bytes,
    /// How urgent it is to go on.
    pub pressure: Pressure,
    /// How long it took.
    pub took: Duration,
}

/// What the cleaner knows.
#[derive(Default)]
pub(crate) struct Cleaning {
    state: Mutex<Known>,
    /// Held during a step.
    running: Mutex<()>,
    /// Held by a guest's write that cleans for itself.
    making_room: Mutex<()>,
    pub(crate) pace: Pace,
}

#[derive(Default)]
struct Known {
    /// Blocks that may be dead, by the segment in which they lie: hints.
    dead: BTreeMap<u32, u64>,
    /// Segments that hold a damaged block which is still needed: the scrubber's, not the cleaner's.
    damaged: std::collections::BTreeSet<u32>,
    /// Data that was moved since the store was opened.
    moved: u64,
    /// Segments that were freed since then.
    freed: u64,
    /// When there was nothing to win for a guest that was refused.
    barren: Option<Barren>,
    /// Where the blocks go that a step under way has moved, by name.
    moving: BTreeMap<Location, Location>,
}

impl Cleaning {
    /// With the hints of the last checkpoint.
    pub(crate) fn load(dead: BTreeMap<u32, u64>) -> Self {
        let known = Known {
            dead,
            ..Known::default()
        };
        Self {
            state: Mutex::new(known),
            ..Self::default()
        }
    }

    /// How many blocks of each segment may be dead.
    pub(crate) fn dead(&self) -> BTreeMap<u32, u64> {
        self.state.lock().dead.clone()
    }
}

impl Store {
    /// Does one bounded step of cleaning, where there is something worth it.
    pub fn clean(&self) -> Result<Cleaned, Error> {
        self.core.clean()
    }

    /// Waits until guests are about to run short of room, at most `timeout`.
    pub fn wait_for_shortage(&self, timeout: Duration) {
        self.core.cleaning.pace.wait(timeout);
    }

    /// Data that the cleaner has moved since the store was opened.
    pub fn cleaned_bytes(&self) -> Bytes {
        Bytes(self.core.cleaning.state.lock().moved)
    }
}

impl Core {
    /// Notes which blocks lost their last reference, as the index believes.
    pub(crate) fn released(&self, released: &Released) -> Result<(), Error> {
        for (segment, units) in &released.units {
            let moved = self.index.moved_from(*segment)?;
            let mut known = self.cleaning.state.lock();
            for unit in units {
                let at = moved.binary_search_by_key(unit, |moved| moved.name.unit);
                let name = Location {
                    segment: *segment,
                    unit: *unit,
                };
                let stays = || at.map_or(*segment, |at| moved[at].place.segment);
                let moves = known.moving.get(&name);
                let place = moves.map_or_else(stays, |place| place.segment);
                *known.dead.entry(place).or_default() += 1;
            }
        }
        Ok(())
    }

    fn clean(&self) -> Result<Cleaned, Error> {
        let _running = self.cleaning.running.lock();
        let began = self.clock.elapsed();
        self.look_at_room()?;
        let (pressure, victims) = self.victims()?;
        let mut cleaned = Cleaned {
            pressure,
            ..Cleaned::default()
        };
        let mut step = Step::default();
        let folds = self.glance().branches.folds_begun();
        let done = self.empty(victims, &mut step).and_then(|emptied| {
            let done = self.conclude_step(&step, folds, emptied.is_empty())?;
            Ok(done.then_some(emptied))
        });
        self.cleaning.state.lock().moving.clear();
        let Some(emptied) = done? else {
            return Ok(cleaned);
        };
        cleaned.moved = Bytes(step.bytes());
        let mut known = self.cleaning.state.lock();
        known.moved += cleaned.moved.0;
        for victim in &emptied {
            known.dead.remove(&victim.number);
        }
        drop(known);
        for victim in &emptied {
            self.log.free(victim.number)?;
            cleaned.freed += 1;
        }
        self.cleaning.state.lock().freed += emptied.len() as u64;
        cleaned.took = self.clock.elapsed().saturating_sub(began);
        let won = emptied.iter().map(|victim| victim.len).sum::<u64>();
        let won = won.saturating_sub(step.packed());
        self.cleaning.pace.won(won, cleaned.took);
        self.look_at_room()?;
        let took_us = cleaned.took.as_micros() as u64;
        debug!(
            freed = cleaned.freed,
            moved = cleaned.moved.0,
            ?pressure,
            pace = %self.cleaning.pace,
            took_us,
            "segments were cleaned"
        );
        Ok(cleaned)
    }

    /// Moves what is needed of as many segments as a step may, and says of which.
    fn empty(&self, victims: Vec<SegmentInfo>, step: &mut Step) -> Result<Vec<SegmentInfo>, Error> {
        // What is moved needs room before it wins any: no more than the log's reserve has.
        let enough = STEP_BYTES.min(self.options.segment_bytes);
        let mut emptied = Vec::new();
        for victim in victims {
            if emptied.len() == STEP_SEGMENTS || step.bytes() >= enough {
                break;
            }
            if victim.kind == SegmentKind::Log && !self.based(&victim)? {
                continue;
            }
            match self.rescue(&victim, step) {
                Ok(()) => emptied.push(victim),
                Err(error) if error.kind == crate::ErrorKind::Damaged => {
                    warn!(segment = victim.number, %error, "a segment is damaged and not cleaned");
                    self.cleaning.state.lock().damaged.insert(victim.number);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(emptied)
    }

    /// Makes what was moved durable, and where it is now; `false` where the step is for nothing.
    fn conclude_step(&self, step: &Step, folds: u64, nothing: bool) -> Result<bool, Error> {
        // What has begun to move meanwhile may have been missed.
        if nothing || self.glance().branches.folds_begun() != folds {
            return Ok(false);
        }
        // What made the rest of it superfluous may have been written a moment ago: it must be durable
        // before the rest is gone.
        self.log.flush()?;
        self.pack_discards(step)?;
        // Before the index says that they are there.
        self.log.sync_packed()?;
        self.index.apply_moves(&step.moves, &step.dead)?;
        Ok(true)
    }

    /// Lets guests know how much room is left.
    pub(crate) fn look_at_room(&self) -> Result<(), Error> {
        let bytes = self.log.bytes_appended();
        let room = self.log.room()?;
        let free = choose::free(&room, self.options.segment_bytes);
        self.cleaning.pace.look(free, bytes);
        Ok(())
    }
}

/// The blocks that an image loses by a change of its size, as a discard of all that may lie there:
/// what is left of them in older segments must not come back when the image grows again.
pub(crate) fn cut_off(sequence: Sequence, change: &Change) -> Option<MovedDiscard> {
    let Change::Resize { image, size } = change else {
        return None;
    };
    let block = size.0.div_ceil(BLOCK_SIZE);
    Some(MovedDiscard {
        image: *image,
        block,
        blocks: (SIZE_MAX / BLOCK_SIZE).saturating_sub(block),
        birth: sequence,
    })
    .filter(|cut| cut.blocks > 0)
}

//! Checkpoints: what the log amounts to up to a position, in the index, so that recovery reads only
//! what lies behind.
//!
//! Under the commit lock the index's changes are frozen and the rows of what changed are made; then
//! guests go on. The log is flushed before the index is written: a checkpoint that says more than the
//! log holds after a crash would be believed (INV-1). The index writes everything as one transaction.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use firebrick_edge::{Condvar, Mutex, MutexGuard};
use firebrick_index::{Batch, BranchId, Fold, Frozen, Released, Sweep, Trim, Weight};
use firebrick_vocabulary::{Bytes, Position, Sequence};

use crate::bell::Bell;
use crate::branch::{Candidate, Garbage, HEAD, Seen};
use crate::clean::pace::slowed;
use crate::commit::Core;
use crate::difference::is_catching_up;
use crate::error::Error;
use crate::keep::readers;
use crate::rows;
use crate::state::{Changed, State, Window};
use crate::store::Store;
use crate::window::Kept;

/// From how many rows on that have changed a checkpoint is due: under the commit lock each costs.
const ROWS_MAX: usize = 1000;
/// The tail of the log may take that part of the room that is left.
const SCARCE_SHARE: u64 = 4;

/// How far checkpoints have come.
#[derive(Default)]
pub(crate) struct Progress {
    /// Held while one is taken.
    running: Mutex<()>,
    /// The bytes that the log had got at the last one before the store was opened.
    bytes_before: u64,
    /// The log's byte count at the last one.
    bytes: AtomicU64,
    /// Its position.
    position: AtomicU64,
    /// Up to where rows about earlier times have been thrown out; `None` where nobody has looked.
    cleared: Mutex<Option<Sequence>>,
    /// How long writers have to wait for one; notified after each.
    waiting: Mutex<()>,
    done: Condvar,
    /// Rung when one is due.
    due: Bell,
    /// The cleaner needs one.
    asked: AtomicBool,
    /// How fast checkpoints let the log grow, in bytes a second; 0 where none was measured.
    rate: AtomicU64,
}

/// What a checkpoint takes with it from under the commit lock.
struct Cut {
    position: Position,
    bytes: u64,
    rows: rows::Changes,
    /// How long guests had to wait for it.
    locked: Duration,
    seen: Seen,
    garbage: Garbage,
    changed: Changed,
    branches: Vec<BranchId>,
    frozen: Frozen,
    /// Branches that become part of their child.
    folds: Vec<Fold>,
    /// Branches of which is forgotten what none of their children shows.
    trims: Vec<Trim>,
    /// Branches that might.
    candidates: Vec<Candidate>,
    /// The first of the kept checkpoints.
    oldest: Option<Sequence>,
}

impl Progress {
    /// The position that the index holds when a store is opened.
    pub(crate) fn opened(position: Sequence, bytes: u64) -> Self {
        Self {
            bytes_before: bytes,
            position: AtomicU64::new(position.0),
            ..Self::default()
        }
    }

    /// The bytes that the log had got when the store was opened.
    pub(crate) const fn bytes_at_open(&self) -> u64 {
        self.bytes_before
    }

    /// The position of the last checkpoint.
    pub(crate) fn position(&self) -> Sequence {
        Sequence(self.position.load(Ordering::Acquire))
    }

    /// Asks for one: what died since the last one is needed to win room.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.due.ring();
    }

    /// Lets no checkpoint be taken meanwhile.
    pub(crate) fn pause(&self) -> MutexGuard<'_, ()> {
        self.running.lock()
    }
}

impl Store {
    /// What recovery would have to read of the log now, if the machine stopped: as long as checkpoints
    /// succeed, about twice [`crate::StoreOptions::checkpoint_bytes`] at most, whatever guests do and
    /// however often it stops.
    pub fn tail(&self) -> Bytes {
        Bytes(self.core.grown())
    }

    /// Whether the log has grown, or the scrubber has read, so much that a checkpoint should be taken.
    pub fn checkpoint_due(&self) -> bool {
        let core = &*self.core;
        let grown = core.grown();
        let due = grown >= core.options.checkpoint_bytes
            || core.progress.asked.load(Ordering::Relaxed)
            || core.index.pending() >= core.options.pending_bytes / 2
            || core.index.is_unfinished().unwrap_or(false)
            || core.scrubbed.lock().unwritten() >= core.options.checkpoint_bytes
            || {
                let state = core.glance();
                state.changed.len() >= ROWS_MAX || state.branches.has_folds()
            };
        // Where room is scarce: what died since the last one can be cleaned only behind the next.
        let scarce = || {
            let room = core.log.room();
            room.is_ok_and(|room| grown >= room.free_for_guests / SCARCE_SHARE)
        };
        due || (grown >= core.options.segment_bytes.saturating_mul(2) && scarce())
    }

    /// Waits until guests have written so much that a checkpoint is due, at most `timeout`.
    pub fn wait_for_checkpoint(&self, timeout: Duration) {
        self.core.progress.due.wait(timeout);
    }

    /// Writes down what the log amounts to now, so that recovery begins there. Guests go on
    /// meanwhile.
    pub fn checkpoint(&self) -> Result<Position, Error> {
        self.core.checkpoint()
    }
}

impl Core {
    /// The bytes that recovery would have to read.
    pub(crate) fn grown(&self) -> u64 {
        let last = self.progress.bytes.load(Ordering::Acquire);
        self.log.bytes_appended().saturating_sub(last)
    }

    /// How long a write of `len` bytes is to wait, so that guests need not be stopped before the next
    /// checkpoint is there: the longer the nearer that is.
    pub(crate) fn checkpoint_delay(&self, len: u64) -> Duration {
        let most = self.options.checkpoint_bytes.saturating_mul(2);
        let pending = self.index.pending() as f64 / self.options.pending_bytes.max(1) as f64;
        let grown = self.grown().max((most as f64 * pending.min(1.0)) as u64);
        if grown < most / 2 {
            return Duration::ZERO;
        }
        self.progress.due.ring();
        let rate = self.progress.rate.load(Ordering::Relaxed);
        slowed(len, most.saturating_sub(grown), most / 4, rate)
    }

    /// Makes a guest that is about to write wait where the tail of the log, which a recovery has to
    /// read, or what is known of it in memory, would grow beyond what was configured.
    pub(crate) fn throttle(&self) {
        const PATIENCE: Duration = Duration::from_millis(100);
        let too_much = || {
            self.grown() >= self.options.checkpoint_bytes.saturating_mul(2)
                || self.index.pending() >= self.options.pending_bytes
        };
        if too_much() {
            let waiting = self.progress.waiting.lock();
            // A checkpoint that fails must not stop guests for good: then they only become slow.
            if too_much() {
                drop(self.progress.done.wait_for(waiting, PATIENCE));
            }
        }
    }

    pub(crate) fn checkpoint(&self) -> Result<Position, Error> {
        let _running = self.progress.running.lock();
        self.progress.asked.store(false, Ordering::Relaxed);
        let began = self.clock.elapsed();
        // Where this fails nothing is taken any more, so nothing needs to be frozen.
        self.log.flush()?;
        let cut = self.cut();
        let position = cut.position;
        let bytes = cut.bytes;
        let written = self.write(cut);
        if written.is_ok() {
            let took = self.clock.elapsed().saturating_sub(began).as_secs_f64();
            // From the moment on when it is due, half of what may come until guests are stopped.
            let rate = self.options.checkpoint_bytes as f64 / 2.0 / took;
            let rate = if rate.is_finite() { rate as u64 } else { 0 };
            self.progress.rate.store(rate, Ordering::Relaxed);
            self.progress.bytes.store(bytes, Ordering::Release);
            let sequence = position.sequence;
            self.progress.position.store(sequence.0, Ordering::Release);
            self.log.trim(self.keep_from(sequence));
        }
        drop(self.progress.waiting.lock());
        self.progress.done.notify_all();
        written.map(|()| position)
    }

    fn cut(&self) -> Cut {
        let mut state = self.lock();
        let began = self.clock.now();
        let unheld = std::mem::take(&mut *self.unheld.lock());
        for (branch, at) in unheld {
            state.branches.release(branch, at);
        }
        let position = self.log.head();
        self.choose_kept(&mut state, position.sequence);
        state.note_then();
        let (folds, trims) = (state.branches.folds(), state.branches.trims());
        state.shorten_views();
        let changed = std::mem::take(&mut state.changed);
        let branches: Vec<_> = std::mem::take(&mut state.branches.changed)
            .into_iter()
            .collect();
        let rows = rows::collect(&state, &changed);
        let (seen, frozen) = (state.branches.seen(), self.index.freeze());
        Cut {
            position,
            bytes: self.log.bytes_appended(),
            rows,
            locked: began.until(self.clock.now()),
            seen,
            garbage: std::mem::take(&mut state.branches.garbage),
            changed,
            branches,
            frozen,
            folds,
            trims,
            candidates: state.branches.candidates(),
            oldest: state.branches.kept().first().copied(),
        }
    }

    /// Which checkpoints are kept from now on: of everybody who may ask for an older state the newest
    /// one before it, and this one for those who may ask later.
    fn choose_kept(&self, state: &mut State, now: Sequence) {
        let keep = self.keep.lock();
        let lasting = keep.iter().filter(|(who, _)| !is_catching_up(who));
        state.keep = lasting
            .map(|(who, keep)| (who.clone(), keep.clone()))
            .collect();
        // Who was let go of is told what there is, not what has ended.
        let readers: Vec<Sequence> = readers(&keep).collect();
        let oldest = readers.iter().min().copied();
        if let Some(oldest) = oldest {
            // Every peer has got the end of these images. Who was let go of does not get it from the log any more.
            let mut ended_to = state.ended_to;
            state.removed.retain(|_, window| {
                let heard = window.until.filter(|until| *until < oldest);
                ended_to = ended_to.max(heard.unwrap_or_default());
                heard.is_none()
            });
            state.ended_to = ended_to;
            let asked = |window: &Window| window.until.is_none_or(|until| until >= oldest);
            state.removed_told.retain(|_, window| asked(window));
        }
        // Those that were let go of hear of it with the difference.
        let heard = state.keep.values().map(|keep| keep.from).min();
        state.forget_ends(heard);
        let mut kept = state.kept.clone();
        let began = state.dense().is_empty();
        let base = |from: Sequence| {
            let before = kept.iter().rev().find(|kept| kept.at <= from);
            before.map(|kept| kept.at)
        };
        let bases = keep.values();
        let bases = bases.filter_map(|keep| keep.base(kept.iter().map(|kept| kept.at)));
        let bases: Vec<Sequence> = bases.collect();
        // The first behind which any state must be had, for those who read.
        let asked = readers
            .iter()
            .map(|from| base(*from).unwrap_or_default())
            .min();
        let retention = self.options.retention;
        let time = self.clock.now();
        state.bytes = self.progress.bytes_before + self.log.bytes_appended();
        let window = state.window_base(retention, time);
        let retains = window.is_some() || state.retains(retention);
        kept.retain(|kept| {
            bases.contains(&kept.at) || window.is_some_and(|window| kept.at >= window)
        });
        if (oldest.is_some() || retains) && kept.last().is_none_or(|kept| kept.at < now) {
            kept.push(Kept {
                at: now,
                time: time.0,
                bytes: state.bytes,
            });
        }
        let first = asked.into_iter().chain(window).min();
        let sparse_to = match first {
            // What was before it is not known any more, even where no point of that time is left.
            Some(first) => first,
            None if retains => {
                let sparse = kept.iter().rev().find(|kept| kept.at < now);
                sparse.map_or(Sequence::ZERO, |kept| kept.at.next())
            }
            // Nobody may ask for what was before: what ended is forgotten, and cannot be asked for later.
            None => now,
        };
        // What was nothing but a point cannot become more.
        let sparse_to = state.sparse_to.max(sparse_to);
        state.keep(kept, sparse_to, oldest);
        if began && !state.dense().is_empty() {
            state.changed.images.extend(state.images.keys().copied());
        }
    }

    /// From which record on the log must stay readable in order: recovery reads it from the last
    /// checkpoint on, and whoever asks for an older state from the one before that, and what a branch took over
    /// in between. A rebuild reads it from the newest base on: the cleaner frees nothing behind that.
    fn keep_from(&self, checkpoint: Sequence) -> Sequence {
        let state = self.lock();
        let kept = state.branches.dense();
        let keep = self.keep.lock();
        let anchor = readers(&keep).min().map(|from| {
            let base = kept.iter().rev().find(|at| **at <= from);
            base.copied().unwrap_or_default()
        });
        let window = kept.first().copied();
        [
            Some(checkpoint),
            anchor,
            window,
            state.branches.taken_from(),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or_default()
        .next()
    }

    fn write(&self, cut: Cut) -> Result<(), Error> {
        let Cut {
            position,
            rows,
            seen,
            garbage,
            changed,
            branches,
            frozen,
            oldest,
            locked,
            folds,
            trims,
            candidates,
            ..
        } = cut;
        let mut batch = batch(&garbage, folds, trims);
        // Everything that the checkpoint says must be durable before it is: recovery trusts it.
        let scrubbed = self.scrubbed.lock().now;
        let flushed = self.log.flush().map_err(Error::from);
        let committed = flushed.and_then(|_| {
            batch.rows = rows.rows(&branches, &seen)?;
            let segments = rows::segments(&self.log.catalog(), &self.cleaning.dead())?;
            batch.rows.extend(segments);
            if let Some(progress) = &scrubbed {
                rows::scrub(&mut batch.rows, progress)?;
            }
            let mut cleared = self.progress.cleared.lock();
            let needed = oldest.unwrap_or(HEAD);
            if *cleared != Some(needed) {
                // First, as this checkpoint may write one of them anew.
                let outdated = rows::outdated(&self.index, oldest, &seen.images())?;
                batch.rows.splice(0..0, outdated);
            }
            let released = self.index.commit(frozen, &seen, &batch)?;
            self.scrubbed.lock().written = scrubbed;
            *cleared = Some(needed);
            Ok(released)
        });
        match committed {
            Ok(released) => {
                let locked_us = locked.as_micros() as u64;
                tracing::debug!(%position, locked_us, "a checkpoint was taken");
                let written = |at: Sequence| at <= position.sequence;
                self.lock().then.retain(|(_, at), _| !written(*at));
                self.note_folds(&batch.folds, &candidates, &released);
                // Only hints for the cleaner: what is written is written.
                if let Err(error) = self.released(&released) {
                    tracing::warn!(%error, "which blocks died could not be noted");
                }
                Ok(())
            }
            Err(error) => {
                let mut state = self.lock();
                restore(&mut state, changed, branches, garbage);
                for candidate in candidates {
                    state.branches.fold_later(candidate);
                }
                Err(error)
            }
        }
    }

    /// Notes how far folds have come, and chooses which ones the next checkpoint begins.
    fn note_folds(&self, folds: &[Fold], candidates: &[Candidate], released: &Released) {
        let weigh = |from, into| {
            let weight = self.index.weigh(from, into);
            // Then it counts as too much for now; whoever reads what is damaged will say so.
            weight.unwrap_or(Weight::Heavy)
        };
        let done = folds.iter().map(|fold| {
            let inherited = released.inherited.contains(&fold.from);
            let empty = weigh(fold.from, fold.into) == Weight::Empty;
            (fold.from, inherited, empty)
        });
        let done: Vec<_> = done.collect();
        let weigh = |it: &Candidate| (*it, weigh(it.from, it.into));
        let candidates: Vec<_> = candidates.iter().map(weigh).collect();
        if done.is_empty() && candidates.is_empty() && released.trimmed.is_empty() {
            return;
        }
        let branches = &mut self.lock().branches;
        for (branch, (next, found)) in &released.trimmed {
            branches.trimmed(*branch, *next, *found);
        }
        for (from, inherited, empty) in done {
            branches.folded(from, inherited, empty);
        }
        for (candidate, weight) in candidates {
            match weight {
                Weight::Empty => branches.fold_next(candidate, true),
                Weight::Light => branches.fold_next(candidate, false),
                Weight::Heavy => branches.fold_later(candidate),
            }
        }
    }
}

/// What the index is to be rid of.
fn batch(garbage: &Garbage, folds: Vec<Fold>, trims: Vec<Trim>) -> Batch {
    let sweep = |(branch, from, to): &(BranchId, Sequence, Sequence)| Sweep {
        branch: *branch,
        from: *from,
        to: *to,
    };
    let sweeps = garbage.sweeps.iter().map(sweep);
    let behind = garbage.behind.iter().map(sweep);
    Batch {
        sweeps: sweeps.collect(),
        behind: behind.collect(),
        dropped: garbage.dropped.clone(),
        folds,
        trims,
        ..Batch::default()
    }
}

/// What a checkpoint that failed had taken is for the next one.
fn restore(state: &mut State, changed: Changed, branches: Vec<BranchId>, garbage: Garbage) {
    state.changed.images.extend(changed.images);
    state.changed.written.extend(changed.written);
    state.changed.snapshots.extend(changed.snapshots);
    state.branches.changed.extend(branches);
    state.branches.garbage.sweeps.extend(garbage.sweeps);
    state.branches.garbage.behind.extend(garbage.behind);
    state.branches.garbage.dropped.extend(garbage.dropped);
}

//! The commit lock: the order in which a store changes.
//!
//! Whoever changes anything holds the lock on [`State`] while they check, append the record and
//! apply it, so that the order of the log is the order in which checks were true.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firebrick_edge::{Clock, Disk};
use firebrick_edge::{Condvar, Mutex, MutexGuard};
use firebrick_index::{BranchId, Index};
use firebrick_log::{Appended, Applied, Change, Entry, Location, Log};
use firebrick_vocabulary::{Position, Role, Sequence, StoreId};

use crate::apply::{self, NoPast, Past, Stamp, Target};
use crate::checkpoint::Progress;
use crate::clean::Cleaning;
use crate::error::{Error, ErrorKind};
use crate::keep::Keep;
use crate::lanes::Lanes;
use crate::scrub::{Noted, Rot};
use crate::state::{ImageMeta, State};
use crate::store::StoreOptions;
use crate::tombstone::Bury;

/// What a store and the handles of its images share.
pub(crate) struct Core {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Log,
    pub(crate) index: Index,
    pub(crate) options: StoreOptions,
    pub(crate) fenced: AtomicBool,
    pub(crate) state: Mutex<State>,
    pub(crate) lanes: Lanes,
    /// What is kept for whom.
    pub(crate) keep: Mutex<BTreeMap<String, Keep>>,
    /// Notified when one of them moved.
    pub(crate) confirmed: Condvar,
    /// Points that nobody reads at any more, to be let go of under the commit lock.
    pub(crate) unheld: Mutex<Vec<(BranchId, Sequence)>>,
    pub(crate) progress: Progress,
    pub(crate) cleaning: Cleaning,
    /// What stays of replicas that their primary removes.
    pub(crate) bury: Mutex<Option<Arc<Bury>>>,
    /// Damaged blocks that somebody needs, by name.
    pub(crate) rot: Mutex<BTreeMap<Location, Rot>>,
    /// How far the scrubber is.
    pub(crate) scrubbed: Mutex<Noted>,
}

impl Core {
    /// The commit lock, for who may change anything: waits for the large writes that are on their
    /// way, and lets no more begin meanwhile.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.lanes.settle(self.state.lock())
    }

    /// The commit lock, for who only looks.
    pub(crate) fn glance(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Appends own changes as one frame and applies them.
    pub(crate) fn commit(&self, state: &mut State, changes: &[Change]) -> Result<Position, Error> {
        self.commit_as(state, changes, None, &mut NoPast)
    }

    /// Appends changes in a peer's name as one frame, with how much of its log is here as it was, and applies them.
    pub(crate) fn commit_of(
        &self,
        state: &mut State,
        peer: StoreId,
        changes: &[Change],
    ) -> Result<Position, Error> {
        let applied = Applied {
            peer,
            sequence: state.applied(peer),
        };
        self.commit_as(state, changes, Some(applied), &mut NoPast)
    }

    /// Appends changes as one frame, perhaps in a peer's name, and applies them.
    pub(crate) fn commit_as(
        &self,
        state: &mut State,
        changes: &[Change],
        applied: Option<Applied>,
        past: &mut dyn Past,
    ) -> Result<Position, Error> {
        let entries: Vec<Entry<'_>> = changes.iter().map(Entry::Change).collect();
        let appended = self.log.append(&entries, applied)?;
        self.applied(state, &entries, &appended, applied, past)
    }

    /// Applies what has just been appended.
    pub(crate) fn applied(
        &self,
        state: &mut State,
        entries: &[Entry<'_>],
        appended: &Appended,
        applied: Option<Applied>,
        past: &mut dyn Past,
    ) -> Result<Position, Error> {
        let peer = applied.map(|applied| applied.peer);
        state.time = appended.time;
        let mut locations = appended.locations.iter();
        let mut target = Target {
            state,
            blocks: &self.index,
            past,
        };
        for (i, entry) in entries.iter().enumerate() {
            let stamp = Stamp {
                sequence: appended.first.plus(i as u64),
                peer,
            };
            match entry {
                Entry::Data(batch) => {
                    if let Some(at) = locations.next() {
                        target.data(stamp, batch.image, batch.block, *at, batch.checksums);
                    }
                }
                Entry::Discard {
                    image,
                    block,
                    blocks,
                } => target.discard(stamp, *image, *block, *blocks),
                Entry::Change(change) => target.change(stamp, change)?,
            }
        }
        if let Some(applied) = applied {
            apply::cursor(state, applied);
        }
        Ok(appended.position)
    }

    /// Refuses a change by a guest or an operator where the image is not primary here (INV-3).
    pub(crate) fn may_change(&self, meta: &ImageMeta, doing: &'static str) -> Result<(), Error> {
        if meta.role != Role::Primary {
            let why = format!("{} is not primary here", meta.name);
            return Err(Error::new(ErrorKind::NotPrimary, doing, why));
        }
        if meta.mirrored && self.fenced.load(Ordering::Acquire) {
            let why = format!("{} waits for the word of its peer", meta.name);
            return Err(Error::new(ErrorKind::Fenced, doing, why));
        }
        Ok(())
    }
}

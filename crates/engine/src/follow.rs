//! Following a peer: what of its log becomes part of this one, and how a former primary returns.
//!
//! Records are taken over in their order, and only for images that follow that peer. A promotion at
//! the peer is where an image of a former primary turns: what it wrote itself behind the common
//! position is kept under a snapshot, and it follows from there on. As the peer's log says all of
//! this in one order, no negotiation is needed that could miss something in between (INV-2, INV-3).

use std::collections::BTreeSet;

use firebrick_log::{Applied, Change, Entry};
use firebrick_vocabulary::{ImageId, Position, Sequence, StoreId, SyncState};
use tracing::warn;

use crate::admission::{Admission, Admitted};
use crate::apply::KnownPast;
use crate::error::{Error, ErrorKind};
use crate::past::{LogPast, Plan};
use crate::peer::{PeerRecord, Stream};
use crate::stage::is_staged;
use crate::state::State;
use crate::store::Store;

/// What has been applied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Followed {
    /// The images that follow this peer and whose first copy is not complete.
    pub needs_copy: Vec<ImageId>,
    /// Images of which something was passed over, as they do not follow this peer or are incomplete: what it has
    /// of them by now is not here.
    pub passed_over: BTreeSet<ImageId>,
    /// The newest record of the own log now.
    pub position: Position,
}

impl Store {
    /// Takes over a batch of a peer's log: everything up to its record `upto`, as one frame.
    /// Records about images that do not follow this peer are passed over.
    pub fn apply(
        &self,
        peer: StoreId,
        upto: Sequence,
        records: &[PeerRecord<'_>],
    ) -> Result<Followed, Error> {
        let (position, passed_over) = self.follow(peer, upto, records, Stream::Main, None)?;
        Ok(Followed {
            needs_copy: self.copying(peer),
            passed_over,
            position,
        })
    }

    pub(crate) fn follow(
        &self,
        peer: StoreId,
        upto: Sequence,
        records: &[PeerRecord<'_>],
        stream: Stream,
        progress: Option<(ImageId, SyncState)>,
    ) -> Result<(Position, BTreeSet<ImageId>), Error> {
        let mut past = KnownPast(Vec::new());
        let mut lost = BTreeSet::new();
        let bury = self.core.bury.lock().clone();
        loop {
            let mut state = self.core.lock();
            // A checkpoint may have come between a look and this.
            past.0.retain(|(_, at, _)| !state.forgot(*at));
            let admission = Admission::new(self.own(), &state, peer, stream)
                .without(&lost)
                .burying(bury.as_deref());
            let (admitted, passed_over) = admission.run(records)?;
            let missing = missing_past(&admitted, &past);
            if missing.is_empty() {
                let upto = upto.max(state.applied(peer));
                let applied = Applied {
                    peer,
                    sequence: upto,
                };
                let position = self.take_over(&mut state, applied, admitted, progress, past)?;
                return Ok((position, passed_over));
            }
            // Reading the past takes long; guests of other images must not wait for it.
            let plans = Self::plan(&mut state, missing, &mut lost)?;
            drop(state);
            self.look_back(plans, &mut past, &mut lost)?;
        }
    }

    fn take_over(
        &self,
        state: &mut State,
        applied: Applied,
        mut admitted: Vec<Admitted<'_>>,
        progress: Option<(ImageId, SyncState)>,
        mut past: KnownPast,
    ) -> Result<Position, Error> {
        if let Some((image, sync)) = progress {
            let cell = state.cell(image).map(|cell| cell.read());
            let waits = cell.is_some_and(|it| {
                it.meta.upstream == Some(applied.peer) && !it.meta.sync.is_consistent()
            });
            // How far a copy has come says nothing of an image that follows another one by now.
            if waits {
                let state = sync;
                admitted.push(Admitted::Change(Change::Sync { image, state }));
            }
        }
        for it in &mut admitted {
            it.describe(&past);
        }
        if admitted.is_empty() {
            // Nothing of it concerns this store. The cursor alone is no record: two stores that
            // told each other how far they have read would never come to rest.
            crate::apply::cursor(state, applied);
            return Ok(self.core.log.head());
        }
        let entries: Vec<Entry<'_>> = admitted.iter().map(Admitted::entry).collect();
        let appended = self.core.log.append(&entries, Some(applied))?;
        let position = self
            .core
            .applied(state, &entries, &appended, Some(applied), &mut past)?;
        for step in admitted.iter().filter_map(Admitted::fall_back).flatten() {
            warn!(
                image = %step.image, snapshot = %step.keep_name, common = %step.to,
                "a former primary returned: divergent writes behind the common position are kept under a snapshot"
            );
        }
        Ok(position)
    }

    /// Plans how to find earlier states, and keeps what they begin with.
    fn plan(
        state: &mut State,
        missing: Vec<(ImageId, Sequence)>,
        lost: &mut BTreeSet<ImageId>,
    ) -> Result<Vec<(ImageId, Sequence, Plan)>, Error> {
        let mut plans = Vec::new();
        for (image, at) in missing {
            if state.forgot(at) {
                warn!(%image, %at, "what both sites had was given up when nobody could ask for it");
                lost.insert(image);
                continue;
            }
            match Plan::new(state, image, at) {
                Ok(plan) => {
                    if let Some((branch, point)) = plan.point() {
                        state.branches.hold(branch, point);
                    }
                    plans.push((image, at, plan));
                }
                Err(error) => give_up(image, error, lost)?,
            }
        }
        Ok(plans)
    }

    fn look_back(
        &self,
        plans: Vec<(ImageId, Sequence, Plan)>,
        past: &mut KnownPast,
        lost: &mut BTreeSet<ImageId>,
    ) -> Result<(), Error> {
        let log_past = LogPast {
            index: &self.core.index,
            frames: &self.core.log,
        };
        for (image, at, plan) in plans {
            let then = log_past.follow(&plan);
            // The next checkpoint lets go of it; by then it has been used.
            let mut unheld = self.core.unheld.lock();
            unheld.extend(plan.point());
            drop(unheld);
            match then {
                Ok(then) => past.0.push((image, at, then)),
                Err(error) => give_up(image, error, lost)?,
            }
        }
        Ok(())
    }

    fn own(&self) -> (StoreId, Sequence) {
        (self.id(), self.core.log.next_sequence())
    }

    /// The images that follow `peer` and whose first copy is not complete.
    pub fn copying(&self, peer: StoreId) -> Vec<ImageId> {
        let images = self.core.glance().images.clone();
        let copying = images.range(..).filter(|(_, cell)| {
            let meta = &cell.read().meta;
            meta.upstream == Some(peer) && !meta.sync.is_consistent() && !is_staged(meta)
        });
        copying.map(|(id, _)| *id).collect()
    }

    /// Up to which record of the peer's log everything is held here.
    pub fn applied(&self, peer: StoreId) -> Sequence {
        self.core.glance().applied(peer)
    }
}

/// Notes that an earlier state cannot be had any more; any other error is one.
fn give_up(image: ImageId, error: Error, lost: &mut BTreeSet<ImageId>) -> Result<(), Error> {
    match error.kind {
        // The records that led to it are trimmed, or nobody knows where they belong.
        ErrorKind::NotFound | ErrorKind::Invalid => {
            warn!(%image, %error, "what both sites had cannot be had any more");
            lost.insert(image);
            Ok(())
        }
        ErrorKind::Exists
        | ErrorKind::Busy
        | ErrorKind::Limit
        | ErrorKind::NotPrimary
        | ErrorKind::Fenced
        | ErrorKind::Inconsistent
        | ErrorKind::OutOfRange
        | ErrorKind::NoSpace
        | ErrorKind::Poisoned
        | ErrorKind::Damaged
        | ErrorKind::NoIndex
        | ErrorKind::DamagedIndex
        | ErrorKind::Closed
        | ErrorKind::Locked
        | ErrorKind::Io => Err(error),
    }
}

/// The earlier states that the admitted changes need and `past` lacks.
fn missing_past(admitted: &[Admitted<'_>], past: &KnownPast) -> Vec<(ImageId, Sequence)> {
    let steps = admitted.iter().filter_map(Admitted::fall_back).flatten();
    steps
        .map(|step| (step.image, step.to))
        .filter(|want| !past.0.iter().any(|(image, at, _)| (*image, *at) == *want))
        .collect()
}

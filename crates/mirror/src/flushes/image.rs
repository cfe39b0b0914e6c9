//! For which peers the flushes of one image wait, and which flushes do.

use std::collections::BTreeMap;
use std::time::Duration;

use firebrick_vocabulary::{Epoch, Sequence, SyncMode, SyncPolicy};

use super::{SyncPeer, SyncPlace, Synchrony, Waiter};

/// A peer that is not waited for is so again when it has everything of a moment that is no longer ago than this.
const CLOSE: Duration = Duration::from_secs(1);

/// A peer that reads this site's log, as it is to one image.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// What it is known by, whatever it is called: the fingerprint of its certificate.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether it is connected.
    pub(crate) reads: bool,
    /// Whether it has said that it does not have the whole image: nobody can promote it there.
    pub(crate) lacks: bool,
    /// Up to which record of this log it holds the image; `None` where that is not known.
    pub(crate) upto: Option<Sequence>,
}

impl Reader {
    fn holds(&self, record: Sequence) -> bool {
        self.upto.is_some_and(|upto| upto >= record)
    }
}

/// How it stands with a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Flushes wait for it no longer than the time-out, as it has not had everything yet in this epoch: after a
    /// promotion nobody knows whether it will ever come.
    Trial,
    /// Flushes wait for it, as the policy says.
    Held,
    /// They do not. Once it has the record, which was the newest at that time, it is close enough.
    Out { probe: Option<(Sequence, Duration)> },
}

/// A flush that is not acknowledged yet.
pub(super) struct Flush {
    pub(super) upto: Sequence,
    pub(super) since: Duration,
    pub(super) waiter: Box<dyn Waiter>,
}

/// What an operator is told of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// Flushes wait for that peer from here on.
    Joined(String),
    /// Flushes do not wait for that peer any more: it took too long.
    FellBack(String),
    /// Flushes have been waiting for longer than the time-out, and go on doing so.
    Late,
    /// They do not any more.
    InTime,
}

/// The flushes of an image that is primary here, in one epoch.
pub(super) struct ImageFlushes {
    pub(super) epoch: Epoch,
    /// Nobody has looked at the peers yet. Those that had everything when this site was last primary, one way or the
    /// other without another one in between, are among these.
    noted: Option<Vec<String>>,
    peers: BTreeMap<String, (String, Place)>,
    pub(super) flushes: Vec<Flush>,
    late: bool,
    /// The peers that the note names; `None` where that has to be written again.
    pub(super) written: Option<Vec<String>>,
}

impl ImageFlushes {
    /// Of an image whose peers are not known yet, but for those for which flushes waited before a restart.
    pub(super) const fn new(epoch: Epoch, noted: Vec<String>) -> Self {
        Self {
            epoch,
            noted: Some(noted),
            peers: BTreeMap::new(),
            flushes: Vec::new(),
            late: false,
            written: None,
        }
    }

    /// Looks at where the peers are now. `newest` is the newest record of the image.
    pub(super) fn look(
        &mut self,
        mode: SyncMode,
        newest: Sequence,
        readers: &[Reader],
        now: Duration,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        self.flushes.retain(|flush| flush.waiter.is_there());
        self.meet(readers);
        let oldest = self.flushes.first().map(|flush| flush.upto);
        for reader in readers {
            let Some((_, place)) = self.peers.get_mut(&reader.id) else {
                continue;
            };
            if let Some(now) = step(*place, reader, (newest, oldest), now) {
                if matches!((*place, now), (Place::Out { .. }, Place::Held)) {
                    events.push(Event::Joined(reader.name.clone()));
                }
                *place = now;
            }
        }
        let late = self.run_out(mode, readers, now, &mut events);
        if late != std::mem::replace(&mut self.late, late) {
            events.push(if late { Event::Late } else { Event::InTime });
        }
        events
    }

    /// Knows just the peers that there are.
    fn meet(&mut self, readers: &[Reader]) {
        self.peers
            .retain(|id, _| readers.iter().any(|reader| reader.id == *id));
        let noted = self.noted.take();
        for reader in readers {
            let place = match &noted {
                _ if reader.lacks => Place::Out { probe: None },
                Some(noted) if noted.contains(&reader.id) => Place::Held,
                Some(_) => Place::Trial,
                None => Place::Out { probe: None },
            };
            let known = self.peers.entry(reader.id.clone());
            known
                .or_insert_with(|| (reader.name.clone(), place))
                .0
                .clone_from(&reader.name);
        }
    }

    /// Gives up peers that take too long, where the policy says so; whether flushes wait for others for too long.
    fn run_out(
        &mut self,
        mode: SyncMode,
        readers: &[Reader],
        now: Duration,
        events: &mut Vec<Event>,
    ) -> bool {
        let mut late = false;
        for flush in &self.flushes {
            if now.saturating_sub(flush.since) <= mode.timeout() {
                continue;
            }
            for reader in readers.iter().filter(|reader| !reader.holds(flush.upto)) {
                let Some((_, place)) = self.peers.get_mut(&reader.id) else {
                    continue;
                };
                match (*place, mode.policy) {
                    (Place::Out { .. }, _) => {}
                    (Place::Held, SyncPolicy::Block) => late = true,
                    (Place::Trial, _) | (Place::Held, SyncPolicy::FallBack) => {
                        *place = Place::Out { probe: None };
                        events.push(Event::FellBack(reader.name.clone()));
                    }
                }
            }
        }
        late
    }

    /// The peers that are to be noted durably before any flush is acknowledged because of them: with the policy to
    /// block, those for which flushes wait.
    pub(super) fn to_note(&self, policy: SyncPolicy) -> Vec<String> {
        let held = self.peers.iter();
        let held = held.filter(|_| policy == SyncPolicy::Block);
        held.filter(|(_, (_, place))| *place == Place::Held)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Takes out the flushes that are where they should be, each with the names of the peers that hold it.
    pub(super) fn take_settled(
        &mut self,
        readers: &[Reader],
    ) -> Vec<(Box<dyn Waiter>, Vec<String>)> {
        let peers = &self.peers;
        let awaited: Vec<&Reader> = readers
            .iter()
            .filter(|reader| {
                let place = peers.get(&reader.id).map(|(_, place)| *place);
                matches!(place, Some(Place::Trial | Place::Held))
            })
            .collect();
        let is_there = |flush: &Flush| awaited.iter().all(|reader| reader.holds(flush.upto));
        let (settled, waiting) = std::mem::take(&mut self.flushes)
            .into_iter()
            .partition(is_there);
        self.flushes = waiting;
        let settled: Vec<Flush> = settled;
        let names: Vec<String> = awaited.iter().map(|reader| reader.name.clone()).collect();
        let settled = settled.into_iter();
        settled.map(|flush| (flush.waiter, names.clone())).collect()
    }

    /// As operators see it.
    pub(super) fn synchrony(&self, now: Duration) -> Synchrony {
        let peers = self.peers.values().map(|(name, place)| SyncPeer {
            name: name.clone(),
            place: match place {
                Place::Trial => SyncPlace::Beginning,
                Place::Held => SyncPlace::Held,
                Place::Out { .. } => SyncPlace::Out,
            },
        });
        let oldest = self.flushes.iter().map(|flush| flush.since).min();
        Synchrony {
            peers: peers.collect(),
            waiting: oldest.map(|since| now.saturating_sub(since)),
            late: self.late,
        }
    }
}

/// Where a peer stands from here on, if that is elsewhere.
fn step(
    place: Place,
    reader: &Reader,
    (newest, oldest): (Sequence, Option<Sequence>),
    now: Duration,
) -> Option<Place> {
    match place {
        _ if reader.lacks => Some(Place::Out { probe: None }),
        Place::Held => None,
        Place::Trial => {
            let enough = oldest.unwrap_or(newest);
            reader.holds(enough).then_some(Place::Held)
        }
        Place::Out { .. } if !reader.reads => Some(Place::Out { probe: None }),
        Place::Out {
            probe: Some((record, _)),
        } if reader.holds(record) => Some(Place::Held),
        Place::Out {
            probe: Some((_, at)),
        } if now.saturating_sub(at) < CLOSE => None,
        Place::Out { .. } => Some(Place::Out {
            probe: Some((newest, now)),
        }),
    }
}

#[cfg(test)]
mod tests;

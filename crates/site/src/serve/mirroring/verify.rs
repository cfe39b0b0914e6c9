//! Whether the sites hold the same: checksums of both, at one position, while guests write.
//!
//! The position is that of a snapshot which is taken for it and is gone afterwards: it is a record like any
//! other, so a peer that has it has the image as it was there. The peer is asked over the mirror's connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{ImageInfo, Store};
use firebrick_mirror::{Digests, ImageReader, RANGE_BLOCKS, digests};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, Position, Role, SnapshotName};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Mirroring;
use super::target::nanos;
use crate::admin::{LastVerified, VerifiedPeer};
use crate::serve::background::every;
use crate::serve::fault::fault;

const DOING: &str = "verify a mirror";
/// Snapshots that are taken for it are called so, and whatever.
const MARK: &str = ".verify-";
/// Where the metadata says when a peer last held what it should, as JSON by the peers' names. It is mirrored,
/// so that all sites know.
const KEY: &str = "mirror.verified";
/// How often it is looked whether the peer has the snapshot.
const POLL: Duration = Duration::from_millis(20);
/// How long a peer may take to have it.
const ARRIVES: Duration = Duration::from_secs(60);
/// And how long one that is not connected may take to come back.
const RETURNS: Duration = Duration::from_secs(5);
/// Ranges that differ and are named.
const NAMED_MAX: usize = 1000;
/// How often it is looked whether an image is due, and the pause between two parts of it.
const ERRAND: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(2);
/// After how many looks left snapshots are searched for again.
const SWEEP: u32 = 60;

/// The snapshots that are in use for it, and when to look for those that are not.
pub(in crate::serve) struct Verifying {
    marks: Mutex<BTreeSet<SnapshotName>>,
    looks: AtomicU32,
    ending: CancellationToken,
}

impl Verifying {
    /// Nothing is compared any more once `ending` is cancelled.
    pub(super) fn new(ending: CancellationToken) -> Self {
        Self {
            marks: Mutex::default(),
            looks: AtomicU32::new(0),
            ending,
        }
    }

    /// Refuses to go on where the site ends.
    fn goes_on(&self) -> Result<(), Fault> {
        if self.ending.is_cancelled() {
            return Err(Fault::new(FaultKind::Unreachable, DOING, "the site ends"));
        }
        Ok(())
    }
}

/// How fast.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Pace {
    AtOnce,
    /// With pauses, so that guests have the disk.
    Slow,
}

/// What is noted of a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    time: u64,
    position: Position,
    holds: bool,
}

/// Whether a snapshot is there only to compare sites.
pub(in crate::serve) fn is_mark(name: &SnapshotName) -> bool {
    name.as_str().starts_with(MARK)
}

/// When each peer was last found to hold an image, or not to.
pub(super) fn last(info: &ImageInfo) -> Vec<LastVerified> {
    let shown = |(peer, note): (String, Note)| LastVerified {
        peer,
        time: note.time,
        position: note.position,
        holds: note.holds,
    };
    notes(info).into_iter().map(shown).collect()
}

fn notes(info: &ImageInfo) -> BTreeMap<String, Note> {
    let text = info.metadata.get(KEY);
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Compares images that are due, one after the other, slowly.
pub(in crate::serve) async fn errand(
    mirroring: Arc<Mirroring>,
    interval: Duration,
    ending: CancellationToken,
) {
    every(ERRAND, ending, move || {
        // One that cannot be compared now must not keep others from it.
        let mut failed = BTreeSet::new();
        while let Some(image) = mirroring.due(interval, &failed) {
            if mirroring.verifying.goes_on().is_err() {
                return;
            }
            if let Err(error) = mirroring.compare(image, Pace::Slow) {
                tracing::warn!(%image, %error, "an image was not verified");
                failed.insert(image);
            }
        }
    })
    .await;
}

impl Mirroring {
    /// Compares an image with each peer that follows it.
    pub(super) fn verify(&self, image: ImageId) -> Result<Vec<VerifiedPeer>, Fault> {
        self.compare(image, Pace::AtOnce)
    }

    /// The primary image here that was verified longest ago, if that is longer than `interval`.
    fn due(&self, interval: Duration, failed: &BTreeSet<ImageId>) -> Option<ImageId> {
        let since = nanos().saturating_sub(interval.as_nanos() as u64);
        let infos = self.store.images().into_iter().map(|image| image.info());
        let mirrored = infos.filter(|info| info.mirrored && info.role == Role::Primary);
        let worth = mirrored.filter(|info| info.size > Bytes::ZERO && !failed.contains(&info.id));
        let dated = worth.filter_map(|info| {
            let readers = self.mirror.readers(info.id);
            let ready = |reader: &ImageReader| {
                reader.peer.following && reader.peer.reading && reader.consistent != Some(false)
            };
            if readers.is_empty() || !readers.iter().all(ready) {
                return None;
            }
            let notes = notes(&info);
            let of =
                |reader: &ImageReader| notes.get(&reader.peer.name).map_or(0, |note| note.time);
            Some((readers.iter().map(of).min()?, info.id))
        });
        let (oldest, image) = dated.min()?;
        (oldest < since).then_some(image)
    }

    fn compare(&self, image: ImageId, pace: Pace) -> Result<Vec<VerifiedPeer>, Fault> {
        let info = self
            .store
            .image(image)
            .map_err(|error| fault(&error))?
            .info();
        if info.role != Role::Primary {
            let why = format!("{} is verified where it is primary", info.name);
            return Err(Fault::new(FaultKind::NotPrimary, DOING, why));
        }
        let readers = self.mirror.readers(image);
        if !info.mirrored || readers.is_empty() {
            let why = format!("nobody mirrors {}", info.name);
            return Err(Fault::new(FaultKind::Invalid, DOING, why));
        }
        let mark = Mark::take(self, &info)?;
        let mut verified = Vec::new();
        for reader in &readers {
            verified.push(mark.compare(&reader.peer.name, pace)?);
        }
        drop(mark);
        self.note(&info, &verified)?;
        Ok(verified)
    }

    /// Notes for all sites what was found.
    fn note(&self, info: &ImageInfo, verified: &[VerifiedPeer]) -> Result<(), Fault> {
        let mut notes = notes(info);
        for peer in verified {
            let holds = peer.differs.is_empty();
            if holds {
                tracing::info!(image = %info.name, peer = %peer.peer, position = %peer.position, "a mirror was verified");
            } else {
                tracing::error!(image = %info.name, peer = %peer.peer, position = %peer.position, "a mirror differs");
            }
            let note = Note {
                time: nanos(),
                position: peer.position,
                holds,
            };
            notes.insert(peer.peer.clone(), note);
        }
        let text = serde_json::to_string(&notes).unwrap_or_default();
        let noted = self.store.set_metadata(info.id, KEY, Some(&text));
        noted
            .and_then(|()| self.store.flush().map(drop))
            .map_err(|error| fault(&error))
    }

    /// Removes snapshots that were taken to compare sites and that nobody uses: a former process left them.
    pub(super) fn sweep_marks(&self) {
        let looks = self.verifying.looks.fetch_add(1, Ordering::Relaxed);
        if looks.is_multiple_of(SWEEP) {
            for image in self.store.images() {
                self.remove_marks(image.id());
            }
        }
    }

    /// Ends comparisons of an image that is about to go: its snapshots are in the way.
    pub(in crate::serve) fn give_up_comparing(&self, image: ImageId) {
        for taken in self.store.snapshots(image).unwrap_or_default() {
            if is_mark(&taken.name) {
                remove(&self.store, image, &taken.name);
            }
        }
    }

    /// Removes those of one image.
    fn remove_marks(&self, image: ImageId) {
        for taken in self.store.snapshots(image).unwrap_or_default() {
            let used = self.verifying.marks.lock().contains(&taken.name);
            if is_mark(&taken.name) && !used {
                remove(&self.store, image, &taken.name);
            }
        }
    }
}

/// Removes a snapshot, as far as this site may.
fn remove(store: &Store, image: ImageId, name: &SnapshotName) {
    if let Err(error) = store.remove_snapshot(image, name) {
        tracing::debug!(%image, snapshot = %name, %error, "a snapshot of a comparison stays");
    }
}

/// A snapshot to compare at; it is gone with this.
struct Mark<'a> {
    mirroring: &'a Mirroring,
    image: ImageId,
    name: SnapshotName,
    position: Position,
    blocks: u64,
}

impl<'a> Mark<'a> {
    fn take(mirroring: &'a Mirroring, info: &ImageInfo) -> Result<Self, Fault> {
        let name = format!("{MARK}{}", ImageId::random().0.simple());
        let name = SnapshotName::new(name)
            .map_err(|error| Fault::new(FaultKind::Internal, DOING, error))?;
        let store = &mirroring.store;
        mirroring.verifying.marks.lock().insert(name.clone());
        let taken = store.create_snapshot(info.id, name.clone());
        let mark = Self {
            position: Position {
                epoch: info.epoch,
                sequence: store.head().sequence,
            },
            blocks: info.size.0.div_ceil(BLOCK_SIZE),
            image: info.id,
            mirroring,
            name,
        };
        taken
            .and_then(|_| store.flush())
            .map_err(|error| fault(&error))?;
        Ok(mark)
    }

    fn compare(&self, peer: &str, pace: Pace) -> Result<VerifiedPeer, Fault> {
        self.arrives(peer)?;
        let mut found = VerifiedPeer {
            peer: peer.to_owned(),
            position: self.position,
            compared: Bytes::ZERO,
            differs: Vec::new(),
            more: 0,
        };
        let mut from = 0;
        while from < self.blocks {
            let store = &self.mirroring.store;
            let ours = digests(store, self.image, &self.name, from, self.blocks);
            let ours = ours.map_err(|error| fault(&error))?;
            let theirs = self.ask(peer, from, ours.upto)?;
            let upto = theirs.upto.min(ours.upto);
            if upto <= from {
                let why = format!("{peer} says nothing of what it was asked for");
                return Err(Fault::new(FaultKind::Internal, DOING, why));
            }
            differences(&mut found, &ours, &theirs, upto);
            found.compared.0 += ours.blocks * BLOCK_SIZE;
            from = upto;
            self.mirroring.verifying.goes_on()?;
            if pace == Pace::Slow {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(found)
    }

    /// Asks the peer for its checksums. One that has been started again may read here a moment before this
    /// site reads there, and only then it can be asked.
    fn ask(&self, peer: &str, from: u64, upto: u64) -> Result<Digests, Fault> {
        let mut patience = Patience::from(Instant::now());
        let mirror = &self.mirroring.mirror;
        loop {
            if let Some(theirs) = mirror.digests(peer, self.image, &self.name, from, upto) {
                return Ok(theirs);
            }
            self.mirroring.verifying.goes_on()?;
            let readers = mirror.readers(self.image);
            let mut peers = readers.iter().map(|reader| &reader.peer);
            let reached = peers.any(|it| it.name == peer && it.following);
            if patience.is_over(Instant::now(), reached) {
                let why = format!("{peer} does not say what it has");
                return Err(Fault::new(FaultKind::Unreachable, DOING, why));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until a peer has the snapshot.
    fn arrives(&self, peer: &str) -> Result<(), Fault> {
        let mut patience = Patience::from(Instant::now());
        loop {
            self.mirroring.verifying.goes_on()?;
            let readers = self.mirroring.mirror.readers(self.image);
            let Some(reader) = readers.iter().find(|reader| reader.peer.name == peer) else {
                let why = format!("{peer} mirrors the image no more");
                return Err(Fault::new(FaultKind::NotFound, DOING, why));
            };
            let has = reader.peer.store.is_some()
                && reader.peer.confirmed.sequence >= self.position.sequence;
            if has && reader.consistent != Some(false) {
                return Ok(());
            }
            let reading = reader.peer.reading;
            if patience.is_over(Instant::now(), reading) {
                let what = if reading {
                    "is too far behind"
                } else {
                    "does not read this site's log"
                };
                let why = format!("{peer} {what}; `mirror explain` says what to do");
                return Err(Fault::new(FaultKind::TimedOut, DOING, why));
            }
            std::thread::sleep(POLL);
        }
    }
}

/// How long a peer is waited for.
struct Patience {
    until: Instant,
    /// Since when it has not been connected.
    away: Option<Instant>,
}

impl Patience {
    fn from(now: Instant) -> Self {
        Self {
            until: now + ARRIVES,
            away: None,
        }
    }

    /// Whether that was long enough, of a peer that is connected or is not.
    fn is_over(&mut self, now: Instant, connected: bool) -> bool {
        if connected {
            self.away = None;
        } else {
            self.away.get_or_insert(now);
        }
        let gone = self.away.is_some_and(|since| now >= since + RETURNS);
        gone || now >= self.until
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        remove(&self.mirroring.store, self.image, &self.name);
        self.mirroring.verifying.marks.lock().remove(&self.name);
    }
}

/// Adds the ranges before block `upto` that one side has otherwise than the other.
fn differences(found: &mut VerifiedPeer, ours: &Digests, theirs: &Digests, upto: u64) {
    let known = |digests: &Digests| -> BTreeMap<u64, String> {
        let all = digests.ranges.iter();
        let before = all.filter(|(range, _)| range * RANGE_BLOCKS < upto);
        before.cloned().collect()
    };
    let (ours, theirs) = (known(ours), known(theirs));
    let ranges: BTreeSet<u64> = ours.keys().chain(theirs.keys()).copied().collect();
    let len = RANGE_BLOCKS * BLOCK_SIZE;
    for range in ranges {
        if ours.get(&range) == theirs.get(&range) {
            continue;
        }
        let offset = range * len;
        let full = found.differs.len() >= NAMED_MAX;
        match found.differs.last_mut() {
            Some((first, many)) if *first + *many == offset => *many += len,
            Some(_) if full => found.more += 1,
            Some(_) | None => found.differs.push((offset, len)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebrick_vocabulary::{Epoch, Sequence};

    #[test]
    fn who_is_away_is_waited_for_less_long() {
        let start = Instant::now();
        let mut patience = Patience::from(start);
        assert!(!patience.is_over(start + RETURNS, true));
        assert!(!patience.is_over(start + RETURNS, false));
        // It came back in time, and has all of it again.
        assert!(!patience.is_over(start + RETURNS * 2, true));
        assert!(!patience.is_over(start + RETURNS * 3, false));
        assert!(patience.is_over(start + RETURNS * 4, false));
        assert!(patience.is_over(start + ARRIVES, true));
    }

    #[test]
    fn ranges_that_differ_are_named_together() {
        let of = |ranges: &[(u64, &str)]| Digests {
            ranges: ranges
                .iter()
                .map(|(n, text)| (*n, (*text).to_owned()))
                .collect(),
            upto: 10 * RANGE_BLOCKS,
            blocks: 0,
        };
        let mut found = VerifiedPeer {
            peer: "site-b".to_owned(),
            position: Position {
                epoch: Epoch(1),
                sequence: Sequence(5),
            },
            compared: Bytes::ZERO,
            differs: Vec::new(),
            more: 0,
        };
        let ours = of(&[(0, "a"), (2, "b"), (3, "c"), (7, "d")]);
        let theirs = of(&[(0, "a"), (2, "x"), (4, "e"), (7, "d"), (8, "z")]);
        differences(&mut found, &ours, &theirs, 8 * RANGE_BLOCKS);
        let mib = 1 << 20;
        assert_eq!(found.differs, [(2 * mib, 3 * mib)]);
    }
}

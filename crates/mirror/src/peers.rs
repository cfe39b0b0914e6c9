//! What is known of each peer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::{Runtime, Timestamp};
use firebrick_engine::Store;
use firebrick_vocabulary::{Bytes, ImageId, Lag, Position, Sequence, StoreId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::direction::Direction;
use crate::flushes::Reader;
use crate::identity::Fingerprint;
use crate::lag::Backlog;
use crate::lend::Desk;
use crate::mirror::PeerOptions;
use crate::pace::Bucket;
use crate::packed;
use crate::relay::Relay;
use crate::stream::Said;
use crate::traffic::{Allowed, Compression, Traffic};

/// How a peer is, seen from here.
#[derive(Clone, Debug)]
pub struct PeerState {
    /// Its name.
    pub name: String,
    /// Which way logs go.
    pub direction: Direction,
    /// Its store, once it has been seen.
    pub store: Option<StoreId>,
    /// Whether it reads this log now.
    pub reading: bool,
    /// Whether this site reads its log now.
    pub following: bool,
    /// Up to where it has confirmed this log.
    pub confirmed: Position,
    /// Up to which record of its log everything is held here.
    pub applied: Sequence,
    /// Whether it lacks records that the log does not keep for it any more: it gets, or will get, the
    /// difference.
    pub by_difference: bool,
    /// What the log holds that is kept for it.
    pub held: Bytes,
    /// Whether this site was away for too long itself, and gets the difference from it now.
    pub catching_up: bool,
    /// How far it is behind this site.
    pub lag: Lag,
    /// Bytes received from it since the start.
    pub received: Bytes,
    /// Bytes sent to it since the start.
    pub sent: Bytes,
    /// What these were before they were made smaller.
    pub sent_plain: Bytes,
    /// What may go to it now.
    pub allowed: Allowed,
    /// How long ago it last said anything.
    pub last_heard: Option<Duration>,
}

/// How one image is at a peer that reads it from here.
#[derive(Clone, Debug)]
pub struct ImageReader {
    /// The peer.
    pub peer: PeerState,
    /// Whether it has the whole image; `None` as long as it has not said.
    pub consistent: Option<bool>,
    /// How far it is behind in this image.
    pub lag: Lag,
}

/// What is known of the primary that an image follows.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The peer.
    pub peer: PeerState,
    /// How far this site was behind in the image when the primary last said so, and how long ago that
    /// was; `None` where it has not said since the start of this site.
    pub told: Option<(Lag, Duration)>,
}

/// A peer as the tasks share it.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) options: PeerOptions,
    runtime: Arc<dyn Runtime>,
    /// It is a peer no longer, or the mirror ends.
    pub(crate) ending: CancellationToken,
    /// What goes on with it.
    pub(crate) tasks: TaskTracker,
    facts: Mutex<Facts>,
    /// How much may go to it, and what has gone, on whatever connection.
    traffic: Mutex<Traffic>,
    gone: Mutex<Bucket>,
    /// Where it is asked for blocks.
    pub(crate) desk: Desk,
    /// Something changed that somebody may wait for.
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct Facts {
    store: Option<StoreId>,
    readers: u32,
    /// Ends the connection on which it reads.
    reading: CancellationToken,
    following: bool,
    confirmed: Sequence,
    received: u64,
    sent: u64,
    sent_plain: u64,
    heard: Option<Duration>,
    caught_up: bool,
    /// This site gets a difference from it.
    gets_difference: bool,
    /// It catches up by a difference to that record.
    catching_up: Option<Sequence>,
    /// The images that it has whole with that record, but for those that it passes over.
    difference: Option<Vec<ImageId>>,
    /// Up to here the log may have reached it when it was last here.
    reached: Sequence,
    consistent: BTreeMap<ImageId, bool>,
    /// Images that were created in the stream, or that it follows from there on, and where: with that record the
    /// peer has them whole, unless it asks for a copy or passes it over.
    created: Vec<(ImageId, Sequence)>,
    /// How far this site is behind the peer, as it said, and when.
    told: Option<Told>,
    /// What it gets, as a reader, of what this site follows.
    relay: Option<Arc<Relay>>,
}

/// What a peer said of how far this site is behind it.
struct Told {
    images: BTreeMap<ImageId, Lag>,
    /// Of these it does not know how far it is behind itself.
    unknown: BTreeSet<ImageId>,
    at: Duration,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Peer {
    pub(crate) fn new(
        options: PeerOptions,
        runtime: Arc<dyn Runtime>,
        ending: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: options.name.clone(),
            traffic: Mutex::new(options.traffic.clone()),
            gone: Mutex::default(),
            options,
            runtime,
            ending,
            tasks: TaskTracker::new(),
            facts: Mutex::new(Facts::default()),
            desk: Desk::default(),
            changed: Notify::new(),
        })
    }

    /// The certificate that it shows.
    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.options.fingerprint
    }

    /// Ends what goes on with it, and waits until that is over.
    pub(crate) async fn leave(&self) {
        self.ending.cancel();
        self.changed.notify_waiters();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(crate) fn saw_store(&self, store: StoreId) {
        self.facts.lock().store = Some(store);
    }

    pub(crate) fn store(&self) -> Option<StoreId> {
        self.facts.lock().store
    }

    pub(crate) fn heard(&self, bytes: usize) {
        let mut facts = self.facts.lock();
        facts.heard = Some(self.runtime.elapsed());
        facts.received += bytes as u64;
    }

    /// What may go to it at `now`.
    pub(crate) fn allowed(&self, now: Timestamp) -> Allowed {
        self.traffic.lock().at(now)
    }

    /// In which form it gets what goes to it.
    pub(crate) fn compression(&self) -> Compression {
        self.traffic.lock().compression
    }

    pub(crate) fn set_traffic(&self, traffic: Traffic) {
        *self.traffic.lock() = traffic;
    }

    /// Lets so many bytes go at `now`, or says how long to wait before this is asked again.
    pub(crate) fn take(&self, bytes: usize, now: Timestamp) -> Result<(), Duration> {
        let rate = self.allowed(now).rate;
        self.gone.lock().take(bytes, rate, self.runtime.elapsed())
    }

    /// A frame has gone to it.
    pub(crate) fn sent(&self, frame: &[u8]) {
        let plain = packed::plain_len(frame);
        let mut facts = self.facts.lock();
        facts.sent += frame.len() as u64;
        facts.sent_plain += plain as u64;
    }

    /// It reads from here on; until when it does so on this connection. That ends when it comes with another one:
    /// what is known of it is what it says there. One of a process that is gone may be heard of late, and then the
    /// living one comes again.
    pub(crate) fn reader_came(
        &self,
        from: Sequence,
        images: Vec<(ImageId, bool)>,
        relay: &Arc<Relay>,
    ) -> CancellationToken {
        let mut facts = self.facts.lock();
        facts.readers += 1;
        let reading = self.ending.child_token();
        std::mem::replace(&mut facts.reading, reading.clone()).cancel();
        facts.relay = Some(Arc::clone(relay));
        facts.confirmed = Sequence(from.0.saturating_sub(1));
        facts.consistent = images.into_iter().collect();
        facts.created.clear();
        facts.catching_up = None;
        facts.difference = None;
        reading
    }

    pub(crate) fn reader_went(&self, head: Sequence) {
        let mut facts = self.facts.lock();
        facts.readers = facts.readers.saturating_sub(1);
        facts.reached = head;
        if facts.readers == 0 {
            facts.catching_up = None;
        }
    }

    /// Up to where the log may have reached it: `head`, where it reads.
    pub(crate) fn reached(&self, head: Sequence) -> Sequence {
        let facts = self.facts.lock();
        if facts.readers > 0 {
            head
        } else {
            facts.reached
        }
    }

    /// It has come with nothing but what it had when `head` was the newest record.
    pub(crate) fn begins_at(&self, head: Sequence) {
        self.facts.lock().reached = head;
    }

    /// It gets the difference up to that record, if it still reads on that connection.
    pub(crate) fn catches_up_to(&self, to: Sequence, on: &CancellationToken) {
        let mut facts = self.facts.lock();
        if !on.is_cancelled() {
            facts.catching_up = Some(to);
        }
    }

    /// Whether it has not confirmed the difference yet that it gets.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.facts.lock().catching_up.is_some()
    }

    /// The difference is of these images: it has all of each as soon as it confirms it.
    pub(crate) fn catches_up_with(&self, images: Vec<ImageId>, on: &CancellationToken) {
        let mut facts = self.facts.lock();
        if !on.is_cancelled() {
            facts.difference = Some(images);
        }
    }

    /// It has everything up to `sequence`, but for what it passed over of some images.
    pub(crate) fn confirmed(&self, sequence: Sequence, passed_over: &[ImageId]) {
        let mut facts = self.facts.lock();
        facts.confirmed = facts.confirmed.max(sequence);
        facts.catching_up = facts.catching_up.filter(|to| *to > sequence);
        if facts.catching_up.is_none()
            && let Some(images) = facts.difference.take()
        {
            facts.consistent = images.into_iter().map(|image| (image, true)).collect();
        }
        let (held, created) = std::mem::take(&mut facts.created)
            .into_iter()
            .partition(|(_, created)| *created <= sequence);
        facts.created = created;
        let held: Vec<(ImageId, Sequence)> = held;
        for (image, _) in held {
            // Where the peer has asked for a copy meanwhile, it is not whole.
            facts.consistent.entry(image).or_insert(true);
        }
        for image in passed_over {
            // One that it lacks in part it has asked for, and says when it is whole.
            if facts.consistent.get(image) == Some(&true) {
                facts.consistent.remove(image);
            }
        }
    }

    /// How it stands to an image, for those who wait until it has something.
    pub(crate) fn to_flushes(&self, image: ImageId) -> Reader {
        let facts = self.facts.lock();
        let whole = facts.consistent.get(&image).copied();
        Reader {
            id: self.options.fingerprint.to_string(),
            name: self.name.clone(),
            reads: facts.readers > 0,
            lacks: whole == Some(false),
            upto: (whole == Some(true)).then_some(facts.confirmed),
        }
    }

    /// Up to where it has said that it holds this log.
    pub(crate) fn known_confirmed(&self) -> Sequence {
        self.facts.lock().confirmed
    }

    /// Notes what the stream to the peer said.
    pub(crate) fn told(&self, said: Said) {
        if said.created.is_empty() && said.ended.is_empty() {
            return;
        }
        let mut facts = self.facts.lock();
        facts.created.extend(said.created);
        for image in said.ended {
            facts.consistent.remove(&image);
            facts.created.retain(|(created, _)| *created != image);
        }
    }

    /// Notes what the peer said of how far this site is behind it.
    pub(crate) fn told_lags(&self, images: Vec<(ImageId, Lag)>, unknown: Vec<ImageId>) {
        self.facts.lock().told = Some(Told {
            images: images.into_iter().collect(),
            unknown: unknown.into_iter().collect(),
            at: self.runtime.elapsed(),
        });
    }

    /// How far this site is behind in an image, as the peer last said, and how long ago.
    pub(crate) fn told_lag(&self, image: ImageId) -> Option<(Lag, Duration)> {
        let facts = self.facts.lock();
        let told = facts.told.as_ref()?;
        if told.unknown.contains(&image) {
            return None;
        }
        let lag = told.images.get(&image).copied().unwrap_or(Lag::NONE);
        Some((lag, self.runtime.elapsed().saturating_sub(told.at)))
    }

    /// Whether it gets an image, as a reader, that follows the store `of` here.
    pub(crate) fn is_told(&self, of: StoreId, image: ImageId) -> bool {
        let relay = self.facts.lock().relay.clone();
        relay.is_some_and(|relay| relay.tells(of, image))
    }

    /// Whether it has to get, as a reader, what was written while images follow the store `of` here; what is this
    /// site's own, where there is none.
    pub(crate) fn gets(&self, of: Option<StoreId>) -> bool {
        let relay = self.facts.lock().relay.clone();
        of.is_none_or(|of| relay.is_some_and(|relay| relay.tells_any(of)))
    }

    /// This site gets a difference from it, or no longer.
    pub(crate) fn set_gets_difference(&self, gets: bool) {
        self.facts.lock().gets_difference = gets;
    }

    pub(crate) fn set_following(&self, following: bool) {
        {
            let mut facts = self.facts.lock();
            facts.following = following;
            facts.gets_difference = false;
        }
        self.changed.notify_waiters();
    }

    /// Whether this site reads its log now.
    pub(crate) fn is_following(&self) -> bool {
        self.facts.lock().following
    }

    pub(crate) fn set_caught_up(&self) {
        let mut facts = self.facts.lock();
        if !facts.caught_up {
            facts.caught_up = true;
            drop(facts);
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.facts.lock().caught_up
    }

    pub(crate) fn set_consistent(&self, image: ImageId, consistent: bool) {
        self.facts.lock().consistent.insert(image, consistent);
    }

    pub(crate) fn consistent(&self, image: ImageId) -> Option<bool> {
        self.facts.lock().consistent.get(&image).copied()
    }

    pub(crate) fn state(&self, store: &Store, backlog: &Backlog) -> PeerState {
        let now = self.runtime.elapsed();
        let gets = |of| self.gets(of);
        let lag = backlog.behind(self.known_confirmed(), store.now(), &gets);
        let facts = self.facts.lock();
        let head = store.head();
        PeerState {
            name: self.name.clone(),
            direction: self.options.direction,
            store: facts.store,
            reading: facts.readers > 0,
            following: facts.following,
            confirmed: Position {
                epoch: head.epoch,
                sequence: facts.confirmed,
            },
            applied: facts
                .store
                .map_or(Sequence::ZERO, |peer| store.applied(peer)),
            by_difference: facts.catching_up.is_some() || store.is_let_go(&self.name),
            held: store.held_for(&self.name),
            catching_up: facts.gets_difference,
            lag,
            received: Bytes(facts.received),
            sent: Bytes(facts.sent),
            sent_plain: Bytes(facts.sent_plain),
            allowed: self.allowed(store.now()),
            last_heard: facts.heard.map(|heard| now.saturating_sub(heard)),
        }
    }
}

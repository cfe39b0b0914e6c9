//! Flushes that are acknowledged once peers have what they cover.
//!
//! One worker looks whenever a peer confirms something, and now and then: so any number of flushes wait for one
//! confirmation. It waits for all peers that read this log and keep up, as a forced promotion may be at any of them.
//! The policy says what becomes of flushes that a peer does not confirm in time.

mod image;
mod note;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use firebrick_engine::SyncPoint;
use firebrick_vocabulary::{ImageId, Role, SyncPolicy};
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::mirror::{Mirror, Shared};
pub(crate) use image::Reader;
use image::{Event, Flush, ImageFlushes};

/// How often it is looked without being called, where an image is in sync mode.
const PERIOD: Duration = Duration::from_millis(100);
/// How often it is looked which images are.
const SCAN: Duration = Duration::from_secs(1);

/// Who waits for a flush.
pub trait Waiter: Send + Sync {
    /// Whether anybody would hear of it.
    fn is_there(&self) -> bool;
    /// It is settled; called once, and not to block.
    fn settle(&self, outcome: Settled);
}

/// What became of a flush.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Settled {
    /// These peers hold all that it covers, durably: all for which flushes of the image wait. With none nobody was
    /// waited for.
    Held(Vec<String>),
    /// The image is not primary here any more, or was so anew meanwhile: it is not to be acknowledged.
    NotPrimary,
}

/// How it goes with the flushes of an image in sync mode.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Synchrony {
    /// The peers that read this log.
    pub peers: Vec<SyncPeer>,
    /// How long the oldest flush has been waiting that is not acknowledged; `None` where none waits.
    pub waiting: Option<Duration>,
    /// Whether some wait for longer than the time-out, as the policy is to block.
    pub late: bool,
}

/// A peer, to flushes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SyncPeer {
    /// Its name.
    pub name: String,
    /// Whether flushes wait for it.
    pub place: SyncPlace,
}

/// Whether flushes wait for a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncPlace {
    /// No longer than the time-out: it has not had everything yet since the image was made primary here.
    Beginning,
    /// They do.
    Held,
    /// They do not: it has yet to catch up.
    Out,
}

/// The flushes of a site that wait.
#[derive(Default)]
pub(crate) struct Flushes {
    /// Somebody looks after them.
    watched: AtomicBool,
    /// There are images in sync mode.
    active: AtomicBool,
    /// Those that the worker has not seen yet.
    inbox: Mutex<Vec<(ImageId, SyncPoint, Flush)>>,
    images: Mutex<BTreeMap<ImageId, ImageFlushes>>,
    /// How often flushes ceased to wait for a peer.
    fallbacks: AtomicU64,
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Flushes {
    /// Something changed that flushes may wait for. Never waits.
    pub(crate) fn ring(&self) {
        if self.active.load(Ordering::Acquire) {
            self.call();
        }
    }

    fn call(&self) {
        *self.rung.lock() = true;
        self.bell.notify_one();
    }

    fn wait(&self, most: Duration) -> bool {
        let mut rung = self.rung.lock();
        if !*rung {
            self.bell.wait_for(&mut rung, most);
        }
        std::mem::take(&mut *rung)
    }
}

impl Mirror {
    /// Begins to look after flushes that wait for peers; until then they are settled at once.
    pub fn watch_flushes(&self) {
        let shared = self.shared();
        if !shared.flushes.watched.swap(true, Ordering::AcqRel) {
            drop(shared.work(watch(Arc::clone(shared))));
        }
    }

    /// Has `waiter` hear when everything up to `point` of an image, which is durable here, is where its sync mode says.
    pub fn hold_flush(&self, image: ImageId, point: SyncPoint, waiter: Box<dyn Waiter>) {
        let shared = self.shared();
        let flushes = &shared.flushes;
        if !flushes.watched.load(Ordering::Acquire) {
            return waiter.settle(Settled::Held(Vec::new()));
        }
        let flush = Flush {
            upto: point.upto,
            since: shared.runtime.elapsed(),
            waiter,
        };
        flushes.inbox.lock().push((image, point, flush));
        flushes.active.store(true, Ordering::Release);
        flushes.call();
    }

    /// How it goes with the flushes of an image; `None` where it is not in sync mode and primary here, or nobody has
    /// looked yet.
    pub fn synchrony(&self, image: ImageId) -> Option<Synchrony> {
        let shared = self.shared();
        let images = shared.flushes.images.lock();
        let now = shared.runtime.elapsed();
        images.get(&image).map(|image| image.synchrony(now))
    }

    /// How often flushes ceased to wait for a peer that took too long, since the start.
    pub fn sync_fallbacks(&self) -> u64 {
        self.shared().flushes.fallbacks.load(Ordering::Relaxed)
    }
}

/// Looks after the flushes until the mirror ends.
async fn watch(shared: Arc<Shared>) {
    let flushes = &shared.flushes;
    let mut scanned: Option<Duration> = None;
    while !shared.stop.load(Ordering::Acquire) {
        let now = shared.runtime.elapsed();
        if scanned.is_none_or(|last| now.saturating_sub(last) >= SCAN) {
            scanned = Some(now);
            scan(&shared);
        }
        take_in(&shared);
        turn(&shared);
        let idle = flushes.images.lock().is_empty() && flushes.inbox.lock().is_empty();
        flushes.active.store(!idle, Ordering::Release);
        let wait = |most| flushes.wait(most);
        let most = if idle { SCAN } else { PERIOD };
        shared.runtime.block(most, &wait).await;
    }
}

/// Finds the images that are in sync mode and primary here.
fn scan(shared: &Shared) {
    for image in shared.store.images() {
        if let Some(point) = image.sync_point() {
            begin(shared, image.id(), point);
        }
    }
}

/// Knows of an image, in that epoch. Those who wait since an earlier one hear that they need not.
fn begin(shared: &Shared, image: ImageId, point: SyncPoint) {
    let mut images = shared.flushes.images.lock();
    if images
        .get(&image)
        .is_some_and(|known| known.epoch >= point.epoch)
    {
        return;
    }
    let noted = match point.mode.policy {
        SyncPolicy::Block => note::read(&shared.store, image, point.epoch),
        SyncPolicy::FallBack => Vec::new(),
    };
    let former = images.insert(image, ImageFlushes::new(point.epoch, noted));
    drop(images);
    for flush in former.into_iter().flat_map(|former| former.flushes) {
        flush.waiter.settle(Settled::NotPrimary);
    }
}

fn take_in(shared: &Shared) {
    for (id, point, flush) in std::mem::take(&mut *shared.flushes.inbox.lock()) {
        begin(shared, id, point);
        let mut images = shared.flushes.images.lock();
        match images.get_mut(&id) {
            Some(image) if image.epoch == point.epoch => image.flushes.push(flush),
            Some(_) | None => {
                drop(images);
                flush.waiter.settle(Settled::NotPrimary);
            }
        }
    }
}

/// Looks at all images once.
fn turn(shared: &Shared) {
    let ids: Vec<ImageId> = shared.flushes.images.lock().keys().copied().collect();
    for id in ids {
        for (waiter, outcome) in turn_one(shared, id) {
            waiter.settle(outcome);
        }
    }
}

/// Looks at an image: the flushes that are settled by now.
fn turn_one(shared: &Shared, id: ImageId) -> Vec<(Box<dyn Waiter>, Settled)> {
    let image = shared.store.image(id).ok();
    let point = image.as_ref().and_then(|image| image.sync_point());
    let mut images = shared.flushes.images.lock();
    let Some(known) = images.get_mut(&id) else {
        return Vec::new();
    };
    let Some(point) = point.filter(|point| point.epoch == known.epoch) else {
        let epoch = known.epoch;
        let primary = image.is_some_and(|image| {
            let info = image.info();
            info.role == Role::Primary && info.epoch == epoch
        });
        // It was taken out of sync mode: nobody is waited for any more.
        let outcome = if primary {
            Settled::Held(Vec::new())
        } else {
            Settled::NotPrimary
        };
        let gone = images.remove(&id).into_iter();
        drop(images);
        if primary && let Err(error) = note::write(&shared.store, id, epoch, &[]) {
            error!(image = %id, %error, "a note of peers for which flushes waited could not be removed");
        }
        let flushes = gone.flat_map(|gone| gone.flushes);
        return flushes
            .map(|flush| (flush.waiter, outcome.clone()))
            .collect();
    };
    let readers: Vec<Reader> = shared.readers().map(|peer| peer.to_flushes(id)).collect();
    let now = shared.runtime.elapsed();
    for event in known.look(point.mode, point.upto, &readers, now) {
        say(shared, id, &event);
    }
    // Before anything is acknowledged because of them: after a crash here they are waited for again, whether they can
    // be reached or not.
    let held = known.to_note(point.mode.policy);
    if known.written.as_ref() != Some(&held) {
        if let Err(error) = note::write(&shared.store, id, known.epoch, &held) {
            error!(image = %id, %error, "for which peers flushes wait could not be noted; they wait on");
            return Vec::new();
        }
        known.written = Some(held);
    }
    let settled = known.take_settled(&readers).into_iter();
    settled
        .map(|(waiter, names)| (waiter, Settled::Held(names)))
        .collect()
}

fn say(shared: &Shared, id: ImageId, event: &Event) {
    let image = shared.store.image(id);
    let name = image.map_or_else(|_| id.to_string(), |image| image.info().name.to_string());
    match event {
        Event::Joined(peer) => {
            info!(image = %name, peer, "flushes of an image wait for a peer from here on");
        }
        Event::FellBack(peer) => {
            shared.flushes.fallbacks.fetch_add(1, Ordering::Relaxed);
            warn!(
                image = %name, peer,
                "a peer did not confirm a flush of an image in time; flushes do not wait for it until it has caught up"
            );
        }
        Event::Late => {
            warn!(image = %name, "flushes of an image wait for longer than its time-out, and go on waiting");
        }
        Event::InTime => info!(image = %name, "flushes of an image are confirmed in time again"),
    }
}

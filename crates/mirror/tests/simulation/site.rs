//! One site: a machine with a disk and a clock, and the process that runs on it or does not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firebrick_edge::{Clock, Disk};
use firebrick_engine::{Error, Store, StoreOptions};
use firebrick_mirror::{Direction, Mirror, MirrorOptions, PeerOptions, Traffic};
use firebrick_simulate::{Process, Scheduler, SimulatedDisk};
use firebrick_vocabulary::{MIB, Sequence, StoreId};
use uuid::Uuid;

use crate::network::{Cables, fingerprint};
use crate::rot::Flipped;

pub(crate) const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    checkpoint_bytes: 64 * MIB,
    cache_bytes: 1 << 20,
    lazy_percent: 0,
    ..StoreOptions::DEFAULT
};
/// How long mirrored primaries wait for the word of their peers after a start.
pub(crate) const GRACE: Duration = Duration::from_secs(40);
const HEARTBEAT: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_millis(500);

/// A rule that is taken away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lie {
    None,
    /// Nobody waits for the word of a peer after a start.
    NoFence,
    /// Flushes are acknowledged before anybody has confirmed them.
    Unconfirmed,
    /// What is said to be durable is not, so that neither is what is sent or confirmed.
    Syncs,
}

pub(crate) struct Site {
    pub(crate) lie: Lie,
    /// Whether somebody looks after flushes that wait for peers.
    pub(crate) watches: bool,
    pub(crate) number: usize,
    pub(crate) disk: SimulatedDisk,
    clock: Arc<dyn Clock>,
    pub(crate) running: Option<Running>,
    /// Up to where it has said that everything is durable.
    pub(crate) flushed: Sequence,
    /// Something failed on its disk, and it has to be started anew.
    pub(crate) ill: bool,
    /// A bit that was flipped and not repaired yet.
    pub(crate) flipped: Option<Flipped>,
    /// The sites that an operator has removed from its peers.
    pub(crate) without: BTreeSet<usize>,
    /// Those of whom this process has not to hear: they were no peers when it started, or have left since.
    pub(crate) unheard: BTreeSet<usize>,
    /// Whether the last of them has left.
    pub(crate) leaving: Option<Arc<AtomicBool>>,
}

/// The process of a site.
pub(crate) struct Running {
    pub(crate) store: Arc<Store>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) since: Duration,
}

/// How a site is known to others.
pub(crate) fn peer(site: usize) -> PeerOptions {
    PeerOptions {
        name: site.to_string(),
        address: site.to_string(),
        fingerprint: fingerprint(site),
        direction: Direction::RxTx,
        traffic: Traffic::default(),
    }
}

/// The id of the store of a site.
pub(crate) fn store_id(site: usize) -> StoreId {
    StoreId(Uuid::from_u128(1000 + site as u128))
}

impl Site {
    pub(crate) fn new(number: usize, scheduler: &Scheduler, ahead: Duration, lie: Lie) -> Self {
        let disk = SimulatedDisk::new();
        let made: Arc<dyn Disk> = Arc::new(disk.clone());
        Store::create(&made, store_id(number), &OPTIONS).unwrap();
        if lie == Lie::Syncs {
            disk.ignore_sync(|name| name.starts_with("segments/"));
        }
        Self {
            lie,
            watches: false,
            number,
            disk,
            clock: scheduler.clock(ahead),
            running: None,
            flushed: Sequence::ZERO,
            ill: false,
            flipped: None,
            without: BTreeSet::new(),
            unheard: BTreeSet::new(),
            leaving: None,
        }
    }

    /// Whether a peer is still about to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        let leaving = self.leaving.as_ref();
        leaving.is_some_and(|left| !left.load(Ordering::Acquire))
    }

    pub(crate) const fn process(&self) -> Process {
        self.number as Process
    }

    pub(crate) fn is_on(&self) -> bool {
        self.disk.space().is_ok()
    }

    /// Starts the process, as the site's own does.
    pub(crate) fn start(
        &mut self,
        scheduler: &Scheduler,
        cables: &Cables,
        others: Vec<usize>,
    ) -> Result<(), Error> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let store = Store::open(disk, Arc::clone(&self.clock), OPTIONS)?;
        let others = others.into_iter();
        let peers = others.filter(|other| !self.without.contains(other));
        let options = MirrorOptions {
            name: self.number.to_string(),
            listen: None,
            peers: peers.map(peer).collect(),
            heartbeat: HEARTBEAT,
            retry: RETRY,
        };
        let runtime = scheduler.runtime(self.process());
        let way = (cables.of(self.number), Some(cables.port(self.number)));
        if store.has_mirrored_primaries() && self.lie != Lie::NoFence {
            store.set_fenced(true);
        }
        let mirror = Mirror::start_on(Arc::clone(&store), Arc::clone(&runtime), way, options);
        let mirror = Arc::new(mirror);
        mirror.forget_others();
        self.leaving = None;
        self.unheard = self.without.clone();
        if self.watches {
            mirror.watch_flushes();
        }
        let (heard, opened) = (Arc::clone(&mirror), Arc::clone(&store));
        let timer = runtime.sleep(GRACE);
        runtime.spawn(Box::pin(async move {
            tokio::select! {
                biased;
                () = heard.wait_caught_up() => {}
                () = timer => {}
            }
            opened.set_fenced(false);
        }));
        self.running = Some(Running {
            store,
            mirror,
            since: scheduler.elapsed(),
        });
        self.ill = false;
        Ok(())
    }

    /// The process is gone; the machine and its disk are not.
    pub(crate) fn kill(&mut self, scheduler: &Scheduler) {
        scheduler.kill(self.process());
        self.running = None;
        self.disk.restart();
        self.disk.heal();
    }

    /// The power is cut; `seed` chooses what becomes of what was not synced.
    pub(crate) fn cut_power(&mut self, scheduler: &Scheduler, cables: &Cables, seed: u64) {
        cables.silence(self.number);
        scheduler.kill(self.process());
        self.running = None;
        self.disk = self.disk.crash(seed);
        if self.lie == Lie::Syncs {
            self.disk.ignore_sync(|name| name.starts_with("segments/"));
        }
    }

    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        self.running.as_ref().map(|running| &running.store)
    }
}

//! The mirror of one site.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firebrick_edge::Runtime;
use firebrick_engine::Store;
use firebrick_vocabulary::{Bytes, ImageId, Sequence, StoreId};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::direction::Direction;
use crate::door::Knock;
use crate::error::Error;
use crate::flushes::Flushes;
use crate::follow::Follower;
use crate::hold::{self, Limits};
use crate::identity::{Fingerprint, Identity};
use crate::known::Known;
use crate::lag::{self, Backlog};
use crate::network::{Listener, Network};
use crate::peers::{ImageReader, Peer, PeerState, Upstream};
use crate::runtime::{TokioRuntime, within};
use crate::serve;
use crate::tcp::Tcp;
use crate::traffic::Traffic;

/// How a mirror works.
#[derive(Clone, Debug)]
pub struct MirrorOptions {
    /// The name of this site.
    pub name: String,
    /// Where peers read this site's log; port 0 takes a free one. Without it no peer can.
    pub listen: Option<SocketAddr>,
    /// The other sites, to begin with.
    pub peers: Vec<PeerOptions>,
    /// How often a sign of life is sent where there is nothing else.
    pub heartbeat: Duration,
    /// The longest pause between two attempts to connect.
    pub retry: Duration,
}

/// Another site.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerOptions {
    /// Its name.
    pub name: String,
    /// Where it serves its log, as `host:port`; empty where this site does not read it.
    pub address: String,
    /// The certificate that it must show.
    pub fingerprint: Fingerprint,
    /// Which way logs go.
    pub direction: Direction,
    /// How much may go to it.
    pub traffic: Traffic,
}

/// What all tasks share.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) name: String,
    pub(crate) heartbeat: Duration,
    pub(crate) retry: Duration,
    pub(crate) ending: CancellationToken,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) network: Arc<dyn Network>,
    /// Those that touch the store.
    tasks: TaskTracker,
    pub(crate) known: Arc<Known>,
    pub(crate) backlog: Backlog,
    /// Where those are announced who want to be peers.
    pub(crate) door: Mutex<Option<mpsc::Sender<Knock>>>,
    /// Whether somebody counts what peers lack.
    counting: AtomicBool,
    /// How much of the log is kept for peers.
    pub(crate) limits: Limits,
    /// Flushes that wait for peers.
    pub(crate) flushes: Flushes,
    pub(crate) stop: AtomicBool,
}

impl Shared {
    /// Begins a task that never blocks; [`Mirror::stop`] waits for it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(Box::pin(self.tasks.track_future(task)));
    }

    /// Begins a worker, and says what it led to; [`Mirror::stop`] waits for it.
    pub(crate) fn work<T: Send + 'static>(
        &self,
        worker: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, outcome) = oneshot::channel();
        let worker = async move {
            // Whoever asked may have gone.
            drop(done.send(worker.await));
        };
        let worker = self.tasks.track_future(worker);
        self.runtime.spawn_worker(Box::pin(worker));
        outcome
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = Arc<Peer>> {
        self.known.all().into_iter()
    }

    /// The peers that may read this site's log.
    pub(crate) fn readers(&self) -> impl Iterator<Item = Arc<Peer>> {
        self.peers().filter(|peer| peer.options.direction.sends())
    }
}

/// Serves the log of a store to its peers and applies theirs, until [`Mirror::stop`].
pub struct Mirror {
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // Without it the threads that send would outlive who is not there to stop them.
        self.shared.ending.cancel();
        self.shared.stop.store(true, Ordering::Release);
    }
}

impl Mirror {
    /// Begins to listen and to connect.
    pub async fn start(
        store: Arc<Store>,
        identity: Identity,
        options: MirrorOptions,
    ) -> Result<Self, Error> {
        let known = Arc::new(Known::default());
        let network = Tcp::new(identity);
        let mut listener = None;
        let mut address = None;
        if let Some(wanted) = options.listen {
            let (port, taken) = network.listen(wanted, &known).await?;
            listener = Some(Box::new(port) as Box<dyn Listener>);
            address = Some(taken);
        }
        let runtime = Arc::new(TokioRuntime::current());
        let way = (Arc::new(network) as Arc<dyn Network>, listener);
        let mut mirror = Self::begin(store, runtime, way, known, options);
        mirror.address = address;
        Ok(mirror)
    }

    /// As [`Self::start`], where time passes and other sites are reached otherwise than on this machine;
    /// without a listener no peer can read this site's log.
    pub fn start_on(
        store: Arc<Store>,
        runtime: Arc<dyn Runtime>,
        way: (Arc<dyn Network>, Option<Box<dyn Listener>>),
        options: MirrorOptions,
    ) -> Self {
        Self::begin(store, runtime, way, Arc::default(), options)
    }

    fn begin(
        store: Arc<Store>,
        runtime: Arc<dyn Runtime>,
        (network, listener): (Arc<dyn Network>, Option<Box<dyn Listener>>),
        known: Arc<Known>,
        options: MirrorOptions,
    ) -> Self {
        let shared = Arc::new(Shared {
            known,
            backlog: Backlog::new(store.head().sequence),
            store,
            name: options.name,
            heartbeat: options.heartbeat,
            retry: options.retry,
            ending: CancellationToken::new(),
            runtime,
            network,
            tasks: TaskTracker::new(),
            door: Mutex::default(),
            counting: AtomicBool::new(false),
            limits: Limits::default(),
            flushes: Flushes::default(),
            stop: AtomicBool::new(false),
        });
        let mirror = Self {
            shared,
            address: None,
        };
        for peer in options.peers {
            mirror.add_peer(peer);
        }
        let shared = &mirror.shared;
        if let Some(listener) = listener {
            shared.spawn(serve::listen(Arc::clone(shared), listener));
        }
        mirror
    }

    /// Mirrors with another site too; one of the same name must have left.
    pub fn add_peer(&self, options: PeerOptions) {
        let shared = &self.shared;
        let direction = options.direction;
        let runtime = Arc::clone(&shared.runtime);
        let peer = Peer::new(options, runtime, shared.ending.child_token());
        if direction.sends() {
            // Until a peer says what it has, nothing that it may need is given up.
            shared.store.keep_for(&peer.name);
            peer.begins_at(shared.store.head().sequence);
            if !shared.counting.swap(true, Ordering::AcqRel) {
                shared.backlog.begin(shared.store.head().sequence);
                drop(shared.work(count(Arc::clone(shared))));
                drop(shared.work(hold::watch(Arc::clone(shared))));
            }
        }
        shared.known.put(Arc::clone(&peer));
        if direction.receives() && !peer.options.address.is_empty() {
            let follower = Follower {
                shared: Arc::clone(shared),
                peer: Arc::clone(&peer),
            };
            shared.spawn(peer.tasks.track_future(follower.run()));
        }
    }

    /// Mirrors with that site no longer: ends its connections, waits until nothing of them goes on, and
    /// lets go of what the log kept for it. Whether there was one of that name.
    pub async fn remove_peer(&self, name: &str) -> bool {
        let Some(peer) = self.shared.known.take(name) else {
            return false;
        };
        peer.leave().await;
        self.shared.store.keep_no_more(name);
        true
    }

    /// How much may go to a peer from here on; its connections stay. Whether there is one of that name.
    pub fn set_traffic(&self, name: &str, traffic: &Traffic) -> bool {
        let mut peers = self.shared.peers();
        let peer = peers.find(|peer| peer.name == name);
        peer.is_some_and(|peer| {
            peer.set_traffic(traffic.clone());
            true
        })
    }

    /// Goes on with what a peer is now. What the log keeps for it stays, unless it may not read it any more.
    pub async fn change_peer(&self, options: PeerOptions) {
        let (name, sends) = (options.name.clone(), options.direction.sends());
        if let Some(peer) = self.shared.known.take(&name) {
            peer.leave().await;
        }
        if !sends {
            self.shared.store.keep_no_more(&name);
        }
        self.add_peer(options);
    }

    /// Keeps at most so many bytes of the log for a peer that is away, or for each that has no limit of
    /// its own. Beyond, it gets the difference when it returns.
    pub fn limit_log(&self, peer: Option<&str>, most: Bytes) {
        self.shared.limits.set(peer, most);
    }

    /// Keeps as much of the log for a peer as for those that have no limit of their own.
    pub fn limit_log_as_usual(&self, peer: &str) {
        self.shared.limits.forget(peer);
    }

    /// Lets go of what the log kept for sites that are no peers any more, after all peers have been added.
    pub fn forget_others(&self) {
        let known: Vec<String> = self.shared.peers().map(|peer| peer.name.clone()).collect();
        let is_known = |who: &str| known.iter().any(|name| name == who);
        self.shared.store.keep_only(is_known);
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Where peers read this site's log; `None` where they cannot.
    pub const fn listen_address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// How each peer is.
    pub fn peers(&self) -> Vec<PeerState> {
        let shared = &self.shared;
        shared
            .peers()
            .map(|peer| peer.state(&shared.store, &shared.backlog))
            .collect()
    }

    /// Keeps the log no longer for a peer that does not read it: it gets the difference when it comes back.
    /// `false` where it reads, or nobody is called so.
    pub fn let_go(&self, peer: &str) -> Result<bool, firebrick_engine::Error> {
        let shared = &self.shared;
        let mut peers = shared.peers();
        let Some(peer) = peers.find(|known| known.name == peer) else {
            return Ok(false);
        };
        if peer.state(&shared.store, &shared.backlog).reading {
            return Ok(false);
        }
        let reached = peer.reached(shared.store.head().sequence);
        shared.store.let_go(&peer.name, reached)?;
        Ok(true)
    }

    /// How an image of this site is at each peer.
    pub fn readers(&self, image: ImageId) -> Vec<ImageReader> {
        let shared = &self.shared;
        shared
            .readers()
            .map(|peer| self.reader(&peer, image))
            .collect()
    }

    /// The same of an image that follows the store `of` here, at the peers to which it is handed on.
    pub fn handed_on(&self, image: ImageId, of: StoreId) -> Vec<ImageReader> {
        let readers = self.shared.readers();
        let told = readers.filter(|peer| peer.is_told(of, image));
        told.map(|peer| self.reader(&peer, image)).collect()
    }

    fn reader(&self, peer: &Arc<Peer>, image: ImageId) -> ImageReader {
        let shared = &self.shared;
        let now = shared.store.now();
        ImageReader {
            peer: peer.state(&shared.store, &shared.backlog),
            consistent: peer.consistent(image),
            lag: shared
                .backlog
                .image_behind(image, peer.known_confirmed(), now, &|of| peer.gets(of)),
        }
    }

    /// What is known of the primary of an image that follows the store `of`; `None` where no peer with
    /// that store has been met.
    pub fn upstream(&self, image: ImageId, of: StoreId) -> Option<Upstream> {
        let shared = &self.shared;
        let peer = shared.peers().find(|peer| peer.store() == Some(of))?;
        Some(Upstream {
            peer: peer.state(&shared.store, &shared.backlog),
            told: peer.told_lag(image),
        })
    }

    /// Whether the peers hold the whole image; `None` as long as none has said.
    pub fn peer_consistent(&self, image: ImageId) -> Option<bool> {
        let said = self
            .shared
            .peers()
            .filter_map(|peer| peer.consistent(image));
        said.reduce(|all, one| all && one)
    }

    /// Waits until every peer has been heard since the start: what its log said when it was first
    /// reached has been applied.
    pub async fn wait_caught_up(&self) {
        for peer in self.shared.peers() {
            if peer.options.direction.receives() {
                wait_until(&peer, || peer.is_caught_up()).await;
            }
        }
    }

    /// Waits until everything up to record `sequence` of the store `of` is applied here, at most
    /// `patience`. Whether it is.
    pub async fn wait_applied(&self, of: StoreId, sequence: Sequence, patience: Duration) -> bool {
        let shared = &self.shared;
        let done = || shared.store.applied(of) >= sequence;
        let waits = async {
            loop {
                let known = shared.peers().find(|peer| peer.store() == Some(of));
                match known {
                    Some(peer) => {
                        wait_until(&peer, done).await;
                        // A peer that left may come back within the time.
                        if !peer.ending.is_cancelled() || shared.ending.is_cancelled() {
                            return;
                        }
                    }
                    None if done() => return,
                    // A peer that has not been met yet has no name for its store.
                    None => shared.runtime.sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let waited = within(&*shared.runtime, patience, waits).await;
        waited.is_some() || done()
    }

    /// Ends all connections and waits until nothing of the mirror touches the store any more.
    pub async fn stop(&self) {
        self.shared.ending.cancel();
        self.shared.stop.store(true, Ordering::Release);
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

/// Counts what peers lack.
async fn count(shared: Arc<Shared>) {
    let lowest = || {
        let confirmed = shared.readers().map(|peer| peer.known_confirmed());
        // Where nobody reads, nobody lacks anything.
        let all = || shared.store.head().sequence;
        confirmed.min().unwrap_or_else(all)
    };
    let Shared {
        store,
        backlog,
        runtime,
        stop,
        ..
    } = &*shared;
    lag::follow(store, backlog, &**runtime, &lowest, stop).await;
}

/// Waits for something that comes from a peer, or that it leaves.
async fn wait_until(peer: &Peer, done: impl Fn() -> bool) {
    loop {
        let changed = peer.changed.notified();
        tokio::pin!(changed);
        // Before the look, so that no change falls between the two.
        changed.as_mut().enable();
        if done() || peer.ending.is_cancelled() {
            return;
        }
        tokio::select! {
            biased;
            () = peer.ending.cancelled() => return,
            () = changed => {}
        }
    }
}

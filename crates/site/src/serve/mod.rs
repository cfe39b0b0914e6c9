//! The process of a site: engine, mirror and exports, driven over the admin socket.
//!
//! A start goes: store, mirror, admin socket, and then, once it is known that no peer has taken over
//! (or the grace time is over), the exports. So a guest never reads through an export what this site
//! is about to give up, and tools can watch a site that still waits.

mod admin_socket;
mod background;
mod bytes;
mod device;
mod errands;
mod error;
mod exports;
mod fault;
mod limits;
mod local;
mod metrics;
mod mirroring;
mod open;
mod pool;
mod rewrite;
mod schedules;
mod scrub;
mod tools;
mod upkeep;
mod views;
mod whole_file;
mod work;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use firebrick_engine::Store;
use firebrick_mirror::{Fingerprint, Identity, Mirror};
use firebrick_vocabulary::StoreId;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::conf::SiteConf;
use errands::Threads;
use exports::{ExportPlan, Exports};
use local::LocalSite;

pub use error::{Error, ErrorKind};
pub use firebrick_engine::{RebuildPhase, RebuildProgress, RebuildReport};

/// A running site.
pub struct SiteServer {
    store: Arc<Store>,
    mirror: Arc<Mirror>,
    exports: Arc<Exports>,
    tasks: TaskTracker,
    ending: DropGuard,
    socket: admin_socket::SocketFile,
    metrics: Option<SocketAddr>,
}

impl SiteServer {
    /// Starts the site that `conf` describes; makes its store and identity where there are none.
    /// Returns once the admin socket answers. The exports come when the peer has been heard or the
    /// grace time is over; where nothing needs to be waited for, they are there already.
    pub async fn start(conf: SiteConf) -> Result<Self, Error> {
        let opened = open::open(&conf).await?;
        let store = Arc::clone(&opened.store);
        let started = Self::run(&conf, opened).await;
        if started.is_err() {
            close(store).await;
        }
        started
    }

    async fn run(conf: &SiteConf, opened: open::Opened) -> Result<Self, Error> {
        let open::Opened {
            store,
            identity,
            roster,
            keeper,
        } = opened;
        let schedules = Arc::new(schedules::Scheduler::open(conf, &store)?);
        let threads = Threads::start()?;
        let (listener, socket) = admin_socket::bind(&conf.admin).await?;
        let metrics = metrics::bind(conf.metrics_listen).await?;
        let fenced = open::fence(conf, &roster, &store);
        let fingerprint = identity.fingerprint();
        let mirror = Arc::new(open::start_mirror(conf, &store, identity, &roster).await?);
        let exports = exports_of(conf, &store, &mirror)?;
        let ending = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (opened, gate) = watch::channel(false);
        let opener = background::Opener {
            store: Arc::clone(&store),
            mirror: Arc::clone(&mirror),
            exports: Arc::clone(&exports),
            opened,
        };
        if fenced {
            tasks.spawn(opener.open_after(conf.fence_grace, ending.clone()));
        } else if let Err(error) = opener.open().await {
            mirror.stop().await;
            return Err(error);
        }
        let works = Arc::new(work::Works::default());
        let scrubber = Arc::new(scrub::Scrubber::default());
        let desk = tools::Desk {
            works: Arc::clone(&works),
            scrubber: Arc::clone(&scrubber),
        };
        let reach = (open::reach(conf, &mirror), Some(fingerprint));
        let pool = Arc::new(pool::Pool::new(roster, keeper, reach, &store, &mirror));
        tasks.spawn(Arc::clone(&pool).keep_door(mirror.door(), ending.clone()));
        let end = ending.clone();
        let mirroring = mirroring::Mirroring::new(conf, &store, &mirror, &pool, &schedules, end);
        let mirroring = Arc::new(mirroring);
        tasks.spawn(schedules::errand(schedules, ending.clone()));
        let site = LocalSite::new(conf, Arc::clone(&mirroring), &exports, gate, desk);
        let site = Arc::new(site);
        tasks.spawn(admin_socket::accept(listener, site, ending.clone()));
        watch_mirroring(conf, &mirroring, &tasks, &ending);
        let metrics = metrics::spawn(metrics, mirroring, &tasks, &ending);
        let upkeep = upkeep::Upkeep {
            store: &store,
            mirror: &mirror,
            exports: &exports,
            works: &works,
            scrubber,
            scrub_interval: conf.scrub_interval,
            threads,
        };
        upkeep.spawn(&tasks, &ending);
        tasks.spawn(background::withdraw(Arc::clone(&exports), ending.clone()));
        tracing::info!(site = conf.name, store = %store.id(), fenced, "the site is up");
        Ok(Self {
            store,
            mirror,
            exports,
            tasks,
            ending: ending.drop_guard(),
            socket,
            metrics,
        })
    }

    /// The id of the site's store.
    pub fn store(&self) -> StoreId {
        self.store.id()
    }

    /// Where peers reach the log; `None` where `mirror_listen` is not set.
    pub fn mirror_address(&self) -> Option<SocketAddr> {
        self.mirror.listen_address()
    }

    /// Where figures for Prometheus are; `None` where `metrics_listen` is not set.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Ends the site in order: no more calls, no more exports, no more mirroring, and then a last
    /// checkpoint, so that the next start has little to read.
    pub async fn stop(self) {
        self.ending.disarm().cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // Before the store is free for the next process, which makes a socket of its own.
        drop(self.socket);
        let exports = self.exports;
        drop(tokio::task::spawn_blocking(move || exports.close()).await);
        self.mirror.stop().await;
        close(self.store).await;
    }
}

/// The exports of a site, whose flushes wait for peers where they are to.
fn exports_of(
    conf: &SiteConf,
    store: &Arc<Store>,
    mirror: &Arc<Mirror>,
) -> Result<Arc<Exports>, Error> {
    // Before any guest can flush.
    mirror.watch_flushes();
    let (store, mirror) = (Arc::clone(store), Arc::clone(mirror));
    let exports = Exports::new(store, mirror, ExportPlan::of(conf)?);
    Ok(Arc::new(exports))
}

async fn close(store: Arc<Store>) {
    match tokio::task::spawn_blocking(move || store.close()).await {
        Ok(Ok(())) => tracing::info!("the store is closed"),
        Ok(Err(error)) => tracing::error!(%error, "the store was not closed in order"),
        Err(error) => tracing::error!(%error, "the store was not closed in order"),
    }
}

/// Makes the index of the site that `conf` describes anew, from its log alone. The site must not run.
pub fn rebuild_index(
    conf: &SiteConf,
    progress: &mut dyn FnMut(RebuildProgress),
) -> Result<RebuildReport, Error> {
    open::rebuild_index(conf, progress)
}

/// The fingerprint by which peers know the site that `conf` describes; makes its identity where there
/// is none. The site need not run.
pub fn fingerprint(conf: &SiteConf) -> Result<Fingerprint, Error> {
    fingerprint_in(&conf.dir)
}

/// As [`fingerprint`], for the folder of a site whose configuration is not written yet: two sites
/// that are to know each other need both fingerprints first.
pub fn fingerprint_in(dir: &Path) -> Result<Fingerprint, Error> {
    Ok(identity(dir)?.fingerprint())
}

fn identity(dir: &Path) -> Result<Identity, Error> {
    std::fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, error))?;
    Identity::load_or_create(dir).map_err(|error| Error::mirror("read the identity", error))
}

/// Looks after targets, and compares the sites where that is wanted.
fn watch_mirroring(
    conf: &SiteConf,
    mirroring: &Arc<mirroring::Mirroring>,
    tasks: &TaskTracker,
    ending: &CancellationToken,
) {
    tasks.spawn(mirroring::watch(Arc::clone(mirroring), ending.clone()));
    if let Some(interval) = conf.verify_interval {
        let mirroring = Arc::clone(mirroring);
        tasks.spawn(mirroring::verify_errand(
            mirroring,
            interval,
            ending.clone(),
        ));
    }
}

//! What keeps a store in order while guests use it.

use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::SystemClock;
use firebrick_engine::Store;
use firebrick_mirror::Mirror;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::errands::Threads;
use super::exports::Exports;
use super::scrub::{Scrubber, Scrubbing};
use super::{background, work};

/// What it needs.
pub(super) struct Upkeep<'a> {
    pub(super) store: &'a Arc<Store>,
    pub(super) mirror: &'a Arc<Mirror>,
    pub(super) exports: &'a Arc<Exports>,
    pub(super) works: &'a work::Works,
    pub(super) scrubber: Arc<Scrubber>,
    /// Within which time all is read once; never without.
    pub(super) scrub_interval: Option<Duration>,
    pub(super) threads: Threads,
}

impl Upkeep<'_> {
    /// Begins it; it goes on until `ending`.
    pub(super) fn spawn(self, tasks: &TaskTracker, ending: &CancellationToken) {
        let (store, threads) = (self.store, self.threads);
        tasks.spawn(background::cleaning(
            Arc::clone(store),
            threads.cleaner,
            self.works.add("cleaner"),
            ending.clone(),
        ));
        tasks.spawn(background::checkpoints(
            Arc::clone(store),
            threads.checkpointer,
            self.works.add("checkpointer"),
            ending.clone(),
        ));
        let scrubbing = Scrubbing {
            store: Arc::clone(store),
            mirror: Arc::clone(self.mirror),
            scrubber: self.scrubber,
            worker: self.works.add("scrubber"),
            errands: threads.scrubber,
            clock: Arc::new(SystemClock::new()),
            interval: self.scrub_interval,
        };
        tasks.spawn(scrubbing.run(ending.clone()));
        tasks.spawn(background::expire(
            Arc::clone(store),
            Arc::clone(self.exports),
            ending.clone(),
        ));
        tasks.spawn(background::segments(
            Arc::clone(store),
            threads.segments,
            ending.clone(),
        ));
    }
}

//! What goes on without being asked.

use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::{Cleaned, Pressure, Store};
use firebrick_mirror::Mirror;
use firebrick_vocabulary::counted;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::errands::Errands;
use super::error::Error;
use super::exports::Exports;
use super::tools;
use super::work::Worker;

/// How often it is looked whether a checkpoint is due.
const CHECKPOINT_POLL: Duration = Duration::from_millis(100);
/// The pause between two looks in any case.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(5);
/// How long it is waited for a segment to be made ahead before it is looked whether the site ends.
const SEGMENT_WAIT: Duration = Duration::from_millis(200);
/// The pause after a segment could not be made, for example for want of room.
const SEGMENT_PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether there is something to clean.
const CLEAN_POLL: Duration = Duration::from_millis(250);
/// The same where room is scarce: it is waited for a checkpoint.
const CLEAN_SOON: Duration = Duration::from_millis(20);
/// The pause between two steps of cleaning, as a multiple of what a step took: while there is room
/// enough, and while there is little.
const CLEAN_PAUSE: u32 = 4;
const CLEAN_PAUSE_SHORT: u32 = 1;
const CLEAN_PAUSE_LEAST: Duration = Duration::from_millis(5);
/// How soon an image that lost its role through the mirror loses its exports. Writes are refused by
/// the engine from the first instant, so this is only about connections.
const WITHDRAW_POLL: Duration = Duration::from_millis(150);
/// How often it is looked whether the time of what was removed has come.
const EXPIRE_POLL: Duration = Duration::from_secs(10);
/// The pause before a listener that could not be opened is tried again.
const REOPEN: Duration = Duration::from_secs(1);

/// Opens the exports once the fence is lifted.
pub(super) struct Opener {
    pub(super) store: Arc<Store>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) exports: Arc<Exports>,
    pub(super) opened: watch::Sender<bool>,
}

impl Opener {
    /// Lifts the fence when the peer's word is here or `grace` is over, and opens the exports.
    pub(super) async fn open_after(self, grace: Duration, ending: CancellationToken) {
        let waiting = async {
            tokio::select! {
                biased;
                () = self.mirror.wait_caught_up() => {
                    tracing::info!("the peer has been heard; the fence is lifted");
                }
                () = tokio::time::sleep(grace) => {
                    tracing::warn!("the peer was not heard within the grace time; the fence is lifted");
                }
            }
            self.store.set_fenced(false);
            while let Err(error) = self.open().await {
                tracing::error!(%error, "the exports are not there; trying again");
                tokio::time::sleep(REOPEN).await;
            }
        };
        ending.run_until_cancelled(waiting).await;
    }

    /// Opens the exports now, and lets through the calls that wait for them.
    pub(super) async fn open(&self) -> Result<(), Error> {
        let exports = Arc::clone(&self.exports);
        tokio::task::spawn_blocking(move || exports.open())
            .await
            .map_err(Error::task)??;
        self.opened.send_replace(true);
        Ok(())
    }
}

/// Takes checkpoints when they are due.
pub(super) async fn checkpoints(
    store: Arc<Store>,
    errands: Errands,
    worker: Arc<Worker>,
    ending: CancellationToken,
) {
    let checkpoint = move || {
        // Ends at once where one gets due by what guests write.
        store.wait_for_checkpoint(CHECKPOINT_POLL);
        if !store.checkpoint_due() {
            return;
        }
        worker.busy("takes a checkpoint");
        match store.checkpoint() {
            Ok(position) => {
                tracing::info!(%position, "a checkpoint was taken");
                worker.idle(format!("the last one is at {position}"));
            }
            Err(error) => {
                tracing::error!(%error, "a checkpoint failed");
                worker.failed(&error);
                worker.throttled("tries again");
            }
        }
    };
    let checkpoint = Arc::new(checkpoint);
    let mut ticks = ticks(CHECKPOINT_PAUSE);
    while ending.run_until_cancelled(ticks.tick()).await.is_some() {
        let checkpoint = Arc::clone(&checkpoint);
        if let Err(error) = errands.run(move || checkpoint()).await {
            tracing::error!(%error, "a checkpoint failed");
        }
    }
}

/// Makes segments of the log ahead of their use.
pub(super) async fn segments(store: Arc<Store>, errands: Errands, ending: CancellationToken) {
    let work = errands.run(move || {
        while !ending.is_cancelled() {
            if let Err(error) = store.prepare_segment(SEGMENT_WAIT) {
                tracing::debug!(%error, "no segment could be made ahead");
                std::thread::sleep(SEGMENT_PAUSE);
            }
        }
    });
    if let Err(error) = work.await {
        tracing::error!(%error, "segments are not made ahead any more");
    }
}

/// Cleans segments, the more eagerly the less room is left.
pub(super) async fn cleaning(
    store: Arc<Store>,
    errands: Errands,
    worker: Arc<Worker>,
    ending: CancellationToken,
) {
    let mut freed = 0;
    loop {
        let cleaner = Arc::clone(&store);
        let cleaned = match errands.run(move || cleaner.clean()).await {
            Ok(Ok(cleaned)) => cleaned,
            Ok(Err(error)) => {
                tracing::error!(%error, "cleaning failed");
                worker.failed(&error);
                Cleaned::default()
            }
            Err(error) => {
                tracing::error!(%error, "cleaning failed");
                worker.failed(&error);
                Cleaned::default()
            }
        };
        freed += u64::from(cleaned.freed);
        let said = format!("{} freed since the start", counted(freed, "segment"));
        match (cleaned.pressure, cleaned.freed) {
            (_, 0) | (Pressure::None, _) => worker.idle(said),
            (Pressure::Full, _) => worker.busy(said),
            (Pressure::Low | Pressure::High, _) => worker.throttled(said),
        }
        let pause = match (cleaned.pressure, cleaned.freed) {
            (Pressure::Full, 1..) => Duration::ZERO,
            (Pressure::High, 1..) => (cleaned.took * CLEAN_PAUSE_SHORT).max(CLEAN_PAUSE_LEAST),
            (Pressure::Low, 1..) => (cleaned.took * CLEAN_PAUSE).max(CLEAN_PAUSE_LEAST),
            (Pressure::Full, 0) => CLEAN_SOON,
            (Pressure::None, _) | (Pressure::Low | Pressure::High, 0) => CLEAN_POLL,
        };
        // Nobody is short of room in `Low`, and in `Full` a pause has its reason.
        if pause > CLEAN_SOON {
            let waiting = Arc::clone(&store);
            let pause = pause.min(CLEAN_POLL);
            let waited = errands.run(move || waiting.wait_for_shortage(pause));
            if let Some(Ok(())) = ending.run_until_cancelled(waited).await {
                continue;
            }
        } else if ending
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_some()
        {
            continue;
        }
        return;
    }
}

/// Ends the exports of images that are primary elsewhere now.
pub(super) async fn withdraw(exports: Arc<Exports>, ending: CancellationToken) {
    every(WITHDRAW_POLL, ending, move || exports.withdraw_lost()).await;
}

/// Removes what was kept of removed images, once its time has come.
pub(super) async fn expire(store: Arc<Store>, exports: Arc<Exports>, ending: CancellationToken) {
    every(EXPIRE_POLL, ending, move || {
        tools::expire(&store, &exports);
    })
    .await;
}

/// Does `work` on a thread of its own, again and again until `ending`.
pub(super) async fn every(
    period: Duration,
    ending: CancellationToken,
    work: impl Fn() + Send + Sync + 'static,
) {
    let work = Arc::new(work);
    let mut ticks = ticks(period);
    while ending.run_until_cancelled(ticks.tick()).await.is_some() {
        let work = Arc::clone(&work);
        if let Err(error) = tokio::task::spawn_blocking(move || work()).await {
            tracing::error!(%error, "work in the background failed");
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

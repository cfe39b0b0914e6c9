//! Reading and checking everything that is stored, all the time and slowly, or at once when asked.

use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::{Clock, Timestamp};
use firebrick_engine::{Error, Rot, ScrubCursor, ScrubProgress, Scrubbed, Store};
use firebrick_mirror::Mirror;
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, MIB};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::errands::Errands;
use super::work::Worker;
use crate::admin::{RotReport, ScrubStatus};

/// What is read at one go.
const UNIT: Bytes = Bytes(4 * MIB);
/// The pause between two units of a pass that somebody waits for.
const HURRY_PAUSE: Duration = Duration::from_millis(2);
/// The shortest pause between two units of the others.
const PAUSE_LEAST: Duration = Duration::from_millis(100);
/// The longest: a store that is nearly empty has been read sooner than it must be.
const PAUSE_MOST: Duration = Duration::from_secs(60);
/// The pause after a failure.
const FAILED_PAUSE: Duration = Duration::from_secs(30);
/// Damaged blocks that a status names.
const LISTED_MAX: usize = 1000;

/// The scrubber of a site, as those who ask see it.
#[derive(Default)]
pub(super) struct Scrubber {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Default)]
struct State {
    status: ScrubStatus,
    /// Somebody waits for a pass that begins after this was set.
    wanted: bool,
    /// The pass that runs must not pause.
    hurry: bool,
}

impl Scrubber {
    /// Asks for a pass that begins now.
    pub(super) fn start(&self) -> ScrubStatus {
        let mut state = self.state.lock();
        if !state.wanted {
            state.wanted = true;
            state.begin(Bytes::ZERO);
        }
        let status = state.status.clone();
        drop(state);
        self.asked.notify_one();
        status
    }

    /// How it goes.
    pub(super) fn status(&self) -> ScrubStatus {
        self.state.lock().status.clone()
    }

    /// Takes over what was asked for; whether a new pass begins.
    fn take_wanted(&self) -> bool {
        let mut state = self.state.lock();
        let wanted = std::mem::take(&mut state.wanted);
        state.hurry |= wanted;
        wanted
    }

    fn read(&self, scrubbed: &Scrubbed, total: Bytes) {
        let mut state = self.state.lock();
        // A pass that was asked for meanwhile begins from nothing.
        if state.wanted {
            return;
        }
        let status = &mut state.status;
        status.done.0 += scrubbed.bytes.0;
        status.total = Bytes(total.0.max(status.done.0));
        for rot in &scrubbed.rot {
            if status.rot.len() < LISTED_MAX {
                status.rot.push(report(rot));
            } else {
                status.more += 1;
            }
        }
        if scrubbed.next.is_none() {
            status.completed = status.pass;
            status.total = status.done;
            state.hurry = false;
        }
    }

    fn fail(&self, why: String) {
        let mut state = self.state.lock();
        if state.wanted {
            return;
        }
        state.status.failed = Some(why);
        state.status.completed = state.status.pass;
        state.hurry = false;
    }
}

impl State {
    fn begin(&mut self, done: Bytes) {
        self.status = ScrubStatus {
            pass: self.status.pass + 1,
            completed: self.status.completed,
            done,
            ..ScrubStatus::default()
        };
    }
}

fn report(rot: &Rot) -> RotReport {
    RotReport {
        image: rot.image,
        name: rot.name.clone(),
        offset: rot.offset,
        len: BLOCK_SIZE,
        repaired: rot.repaired,
    }
}

/// What the work in the background needs.
pub(super) struct Scrubbing {
    pub(super) store: Arc<Store>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) scrubber: Arc<Scrubber>,
    pub(super) worker: Arc<Worker>,
    pub(super) errands: Errands,
    pub(super) clock: Arc<dyn Clock>,
    /// Within which time everything is read once; `None`: only when asked.
    pub(super) interval: Option<Duration>,
}

impl Scrubbing {
    /// Scrubs until `ending`.
    pub(super) async fn run(self, ending: CancellationToken) {
        ending.run_until_cancelled(self.passes()).await;
    }

    async fn passes(&self) {
        loop {
            let now = self.clock.now();
            if self.scrubber.take_wanted() {
                self.pass(fresh(now), None).await;
                continue;
            }
            let Some(interval) = self.interval else {
                self.worker.idle("waits to be asked");
                self.scrubber.asked.notified().await;
                continue;
            };
            match turn(self.store.scrub_progress(), now, interval) {
                Turn::Pass(progress) => {
                    self.scrubber.state.lock().begin(progress.read);
                    self.pass(progress, Some(interval)).await;
                }
                Turn::Rest(rest) => {
                    self.worker
                        .idle(format!("the next pass begins in {} s", rest.as_secs()));
                    // A pass that somebody asks for does not wait for the next turn.
                    drop(tokio::time::timeout(rest, self.scrubber.asked.notified()).await);
                }
            }
        }
    }

    /// One pass, or what is left of it; ends early where another one is asked for.
    async fn pass(&self, mut progress: ScrubProgress, interval: Option<Duration>) {
        while let Some(from) = progress.next {
            let (store, mirror) = (Arc::clone(&self.store), Arc::clone(&self.mirror));
            self.worker.busy(self.progress());
            let unit = move || {
                let scrubbed = store.scrub(from, UNIT, &*mirror)?;
                Ok::<_, Error>((scrubbed, store.space()?.used))
            };
            let (scrubbed, total) = match self.errands.run(unit).await {
                Ok(Ok(done)) => done,
                Ok(Err(error)) => return self.failed(error.to_string()).await,
                Err(error) => return self.failed(error.to_string()).await,
            };
            self.scrubber.read(&scrubbed, total);
            progress.read.0 += scrubbed.bytes.0;
            progress.next = scrubbed.next;
            // One that was asked for takes the other's place only once it has read everything.
            if interval.is_some() || progress.next.is_none() {
                self.store.note_scrub(progress);
            }
            if progress.next.is_some() {
                self.worker.throttled(self.progress());
                let pause = interval.map_or(HURRY_PAUSE, |interval| pace(interval, total));
                let asked = self.scrubber.asked.notified();
                drop(tokio::time::timeout(pause, asked).await);
            }
            if self.scrubber.state.lock().wanted {
                return;
            }
        }
    }

    async fn failed(&self, error: String) {
        tracing::error!(error, "a scrub failed");
        self.worker.failed(&error);
        self.scrubber.fail(error);
        self.worker.throttled("pauses after a failure");
        let asked = self.scrubber.asked.notified();
        drop(tokio::time::timeout(FAILED_PAUSE, asked).await);
    }

    fn progress(&self) -> String {
        let status = self.scrubber.status();
        format!(
            "pass {}: {} of {} read",
            status.pass, status.done, status.total
        )
    }
}

/// What the scrubber does when nobody asks for anything.
#[derive(Debug, Eq, PartialEq)]
enum Turn {
    Pass(ScrubProgress),
    Rest(Duration),
}

/// What it is the turn of, where the last pass has come as far as `former` says.
fn turn(former: Option<ScrubProgress>, now: Timestamp, interval: Duration) -> Turn {
    let Some(former) = former else {
        return Turn::Pass(fresh(now));
    };
    if former.next.is_some() {
        return Turn::Pass(former);
    }
    match interval.saturating_sub(former.began.until(now)) {
        Duration::ZERO => Turn::Pass(fresh(now)),
        rest => Turn::Rest(rest),
    }
}

/// A pass that begins now.
fn fresh(now: Timestamp) -> ScrubProgress {
    ScrubProgress {
        began: now,
        read: Bytes::ZERO,
        next: Some(ScrubCursor::default()),
    }
}

/// The pause behind a unit, so that all of `total` is read within `interval`.
fn pace(interval: Duration, total: Bytes) -> Duration {
    let units = total.0.div_ceil(UNIT.0).max(1);
    let pause = interval / u32::try_from(units).unwrap_or(u32::MAX);
    pause.clamp(PAUSE_LEAST, PAUSE_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_store_is_read_in_time_and_a_small_one_slowly() {
        let week = Duration::from_secs(7 * 86_400);
        assert_eq!(pace(week, Bytes(0)), PAUSE_MOST);
        assert_eq!(pace(week, Bytes(1 << 40)).as_millis(), 2307);
        assert_eq!(pace(Duration::from_secs(1), Bytes(1 << 40)), PAUSE_LEAST);
    }

    #[test]
    fn a_pass_goes_on_where_it_was_and_the_next_one_waits_for_its_turn() {
        const SECOND: u64 = 1_000_000_000;
        let interval = Duration::from_secs(100);
        let now = Timestamp(1000 * SECOND);
        let turn = |former| super::turn(former, now, interval);
        assert_eq!(turn(None), Turn::Pass(fresh(now)));
        let under_way = fresh(Timestamp(1));
        assert_eq!(turn(Some(under_way)), Turn::Pass(under_way));
        let done = |began| ScrubProgress {
            next: None,
            ..fresh(Timestamp(began))
        };
        let early = done(940 * SECOND);
        assert_eq!(turn(Some(early)), Turn::Rest(Duration::from_secs(40)));
        assert_eq!(turn(Some(done(900 * SECOND))), Turn::Pass(fresh(now)));
        // Of a clock that was set back meanwhile.
        let later = done(2000 * SECOND);
        assert_eq!(turn(Some(later)), Turn::Rest(interval));
    }

    #[test]
    fn who_asks_gets_a_pass_that_began_afterwards() {
        let scrubber = Scrubber::default();
        let first = scrubber.start();
        assert_eq!((first.pass, first.completed), (1, 0));
        assert_eq!(scrubber.start().pass, 1);
        assert!(scrubber.take_wanted());
        // While it runs, another one is asked for: the first does not count for that.
        assert_eq!(scrubber.start().pass, 2);
        scrubber.read(&Scrubbed::default(), Bytes(0));
        assert_eq!(scrubber.status().completed, 0);
        assert!(scrubber.take_wanted());
        scrubber.read(&Scrubbed::default(), Bytes(0));
        assert_eq!(scrubber.status().completed, 2);
    }
}

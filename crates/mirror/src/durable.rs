//! The own log, up to where it is durable: what a crash could take back never reaches a peer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::Runtime;
use firebrick_engine::Store;
use firebrick_log::{Frame, Reader};
use firebrick_vocabulary::Sequence;

use crate::error::{Error, ErrorKind};

/// The shortest time between two flushes that only the mirror asks for: guests flush themselves,
/// and a flush serves all.
const FLUSH_PAUSE: Duration = Duration::from_millis(5);
/// How long frames without anything for the peer may wait for somebody else's flush: nothing is
/// late because of them, and guests that do not flush are not slowed down.
const PATIENCE: Duration = Duration::from_secs(1);
/// Frames that are looked at ahead of the durable end.
const AHEAD_MAX: usize = 1024;

/// Reads a log up to where it is durable, and flushes where that is worth it.
pub(crate) struct Durable {
    store: Arc<Store>,
    runtime: Arc<dyn Runtime>,
    reader: Reader,
    /// Read, but not yet durable.
    ahead: VecDeque<Frame>,
    /// Whether something in `ahead` is for the peer.
    wanted: bool,
    /// When it flushed last; `None` before the first time.
    flushed: Option<Duration>,
}

impl Durable {
    pub(crate) fn new(
        store: Arc<Store>,
        runtime: Arc<dyn Runtime>,
        from: Sequence,
    ) -> Result<Self, Error> {
        let reader = store.reader(from)?;
        Ok(Self {
            store,
            runtime,
            reader,
            ahead: VecDeque::new(),
            wanted: false,
            flushed: None,
        })
    }

    /// The last record that has been looked at.
    pub(crate) fn seen(&self) -> Sequence {
        let last = self.ahead.back();
        last.map_or(Sequence::ZERO, |frame| frame.position.sequence)
    }

    /// The next frame; `None` at the durable end. Flushes as soon as there is a frame behind that for
    /// which `tells` is true, and otherwise now and then.
    pub(crate) async fn next(
        &mut self,
        tells: impl Fn(&Frame) -> bool,
    ) -> Result<Option<Frame>, Error> {
        if let Some(frame) = self.take_durable() {
            return Ok(Some(frame));
        }
        while !self.wanted && self.ahead.len() < AHEAD_MAX {
            let Some(frame) = self.reader.next_frame().map_err(log_failed)? else {
                break;
            };
            if self.ahead.is_empty() && self.is_durable(&frame) {
                return Ok(Some(frame));
            }
            self.wanted |= tells(&frame);
            self.ahead.push_back(frame);
        }
        if self.ahead.is_empty() {
            return Ok(None);
        }
        let now = self.runtime.elapsed();
        let since = self.flushed.map(|flushed| now.saturating_sub(flushed));
        let full = self.ahead.len() >= AHEAD_MAX;
        if self.wanted || full || since.is_none_or(|since| since >= PATIENCE) {
            let pause = FLUSH_PAUSE.saturating_sub(since.unwrap_or(FLUSH_PAUSE));
            if !pause.is_zero() {
                self.runtime.pause(pause).await;
            }
            self.store.flush()?;
            self.flushed = Some(self.runtime.elapsed());
        }
        Ok(self.take_durable())
    }

    fn is_durable(&self, frame: &Frame) -> bool {
        frame.position.sequence <= self.store.durable().sequence
    }

    fn take_durable(&mut self) -> Option<Frame> {
        if !self.is_durable(self.ahead.front()?) {
            return None;
        }
        let frame = self.ahead.pop_front();
        // As long as one is left, nothing new has been looked at.
        self.wanted &= !self.ahead.is_empty();
        frame
    }
}

fn log_failed(error: firebrick_log::Error) -> Error {
    Error::new(ErrorKind::Store, "send the log", error)
}

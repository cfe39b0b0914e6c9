//! Any point in time: how far back images can be cloned and rolled back, and which position a time
//! is.

use std::time::Duration;

use firebrick_edge::Timestamp;
use firebrick_log::Change;
use firebrick_vocabulary::{Bytes, ImageId, Sequence};
use serde::{Deserialize, Serialize};

use crate::apply::{KnownPast, found};
use crate::error::{Error, ErrorKind};
use crate::past::{Frames, LogPast, Plan};
use crate::state::State;
use crate::store::Store;

/// The metadata key by which an image says how far back it can be had, instead of its pool.
pub const RETENTION_KEY: &str = "retention";
const BACK: &str = "roll an image back";

/// How far back images can be had.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Retention {
    /// Only as they are, and their snapshots.
    #[default]
    None,
    /// As they were up to that long ago.
    Time(Duration),
    /// As they were before the last so many bytes of the log.
    Log(Bytes),
}

/// Why a text is no retention.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a retention is a number and s, m, h or d, or MiB, GiB or TiB, such as 24h or 10GiB, or 0")]
pub struct BadRetention;

impl std::str::FromStr for Retention {
    type Err = BadRetention;

    fn from_str(text: &str) -> Result<Self, BadRetention> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
        let number: u64 = number.parse().map_err(|_| BadRetention)?;
        let times = |factor: u64| number.checked_mul(factor).ok_or(BadRetention);
        let time = |factor| times(factor).map(|seconds| Self::Time(Duration::from_secs(seconds)));
        let log = |shift: u32| times(1 << shift).map(|bytes| Self::Log(Bytes(bytes)));
        match unit.trim() {
            _ if number == 0 => Ok(Self::None),
            "s" => time(1),
            "m" | "min" => time(60),
            "h" => time(3600),
            "d" => time(86_400),
            "MiB" => log(20),
            "GiB" => log(30),
            "TiB" => log(40),
            _ => Err(BadRetention),
        }
    }
}

/// A checkpoint to which somebody may return.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) at: Sequence,
    /// When it was taken, in nanoseconds since the Unix epoch.
    pub(crate) time: u64,
    /// The bytes that the log had got by then since the store was made.
    pub(crate) bytes: u64,
}

/// A position and when it was the newest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// The record.
    pub sequence: Sequence,
    /// Its time.
    pub time: Timestamp,
}

impl Retention {
    /// The first of the checkpoints that has to be kept, if this is how far back one may ask.
    pub(crate) fn base(self, kept: &[Kept], now: Timestamp, bytes: u64) -> Option<Sequence> {
        let within = |kept: &Kept| match self {
            Self::None => false,
            Self::Time(back) => Timestamp(kept.time).until(now) < back,
            Self::Log(back) => bytes.saturating_sub(kept.bytes) < back.0,
        };
        if self == Self::None {
            return None;
        }
        // The one before the window is needed to build what lies at its beginning.
        let before = kept.iter().rev().find(|kept| !within(kept));
        before.or_else(|| kept.first()).map(|kept| kept.at)
    }
}

impl State {
    /// How far back the image can be had: as it says itself, or as its pool does.
    pub(crate) fn retention(&self, image: ImageId, pool: Retention) -> Retention {
        self.retentions.get(&image).copied().unwrap_or(pool)
    }

    /// Notes what the image says of itself, after its metadata has changed.
    pub(crate) fn note_retention(&mut self, image: ImageId) {
        let own = self.cell(image).and_then(|cell| {
            let image = cell.read();
            image.meta.metadata.get(RETENTION_KEY)?.parse().ok()
        });
        match own {
            Some(own) => self.retentions.insert(image, own),
            None => self.retentions.remove(&image),
        };
    }

    /// Whether earlier states of anything are to be kept.
    pub(crate) fn retains(&self, pool: Retention) -> bool {
        pool != Retention::None || self.retentions.values().any(|own| *own != Retention::None)
    }

    /// The first checkpoint that some image or the pool asks to keep.
    pub(crate) fn window_base(&self, pool: Retention, now: Timestamp) -> Option<Sequence> {
        let own = self.retentions.values();
        own.chain([&pool])
            .filter_map(|retention| retention.base(self.dense(), now, self.bytes))
            .min()
    }
}

impl Store {
    /// From which moment to which an image can be cloned and rolled back; `None` where nothing is
    /// retained.
    pub fn window(&self, id: ImageId) -> Result<Option<(Moment, Moment)>, Error> {
        let state = self.core.lock();
        let created = found(&state, "look for the window of an image", id)?;
        drop(created.read());
        let retention = state.retention(id, self.core.options.retention);
        let now = self.core.clock.now();
        let Some(base) = retention.base(state.dense(), now, state.bytes) else {
            return Ok(None);
        };
        let first = state.dense().iter().find(|kept| kept.at >= base);
        let newest = Moment {
            sequence: self.core.log.head().sequence,
            time: now,
        };
        Ok(first.map(|kept| {
            let oldest = Moment {
                sequence: kept.at,
                time: Timestamp(kept.time),
            };
            (oldest, newest)
        }))
    }

    /// The last record that was there at `time`; [`ErrorKind::OutOfRange`] where that is before
    /// everything that is retained.
    pub fn position_at(&self, time: Timestamp) -> Result<Sequence, Error> {
        let from = {
            let state = self.core.lock();
            let before = state.dense().iter().rev().find(|kept| kept.time <= time.0);
            before.map(|kept| kept.at)
        };
        let Some(from) = from else {
            let why = "that time is before everything that is retained: `retention` says how far back that is";
            return Err(Error::new(ErrorKind::OutOfRange, "look for a time", why));
        };
        let mut found = from;
        let mut behind = false;
        let head = self.core.log.head().sequence;
        Frames::scan(&self.core.log, from.next(), head, &mut |frame| {
            behind |= frame.time > time;
            if !behind {
                found = found.max(frame.position.sequence);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The size that the image had at record `at`.
    pub fn size_at(&self, id: ImageId, at: Sequence) -> Result<Bytes, Error> {
        self.with_past(id, at, |state, past| {
            let now = found(state, "look for an earlier size", id)?
                .read()
                .meta
                .size;
            Ok(past.0.first().map_or(now, |(_, _, then)| then.meta.size))
        })
    }

    /// Returns the image to what it was at record `at`, its size included. Copies nothing. A mirrored
    /// image cannot: its peers know no such record.
    pub fn roll_back_to(&self, id: ImageId, at: Sequence) -> Result<(), Error> {
        self.with_past(id, at, |state, past| {
            let meta = self.changeable(state, BACK, id)?;
            if meta.mirrored {
                let why = format!(
                    "{} is mirrored: clone it at that time, and copy the difference",
                    meta.name
                );
                return Err(Error::new(ErrorKind::Invalid, BACK, why));
            }
            let size = past
                .0
                .first()
                .map_or(meta.size, |(_, _, then)| then.meta.size);
            let change = Change::Restore {
                image: id,
                to: at,
                size,
            };
            self.core.commit_as(state, &[change], None, past).map(drop)
        })
    }

    /// Looks up what `image` was at record `at`, and does something with it under the lock.
    pub(crate) fn with_past<T>(
        &self,
        image: ImageId,
        at: Sequence,
        act: impl FnOnce(&mut State, &mut KnownPast) -> Result<T, Error>,
    ) -> Result<T, Error> {
        const DOING: &str = "look for an earlier state";
        let plan = {
            let mut state = self.core.lock();
            let retention = state.retention(image, self.core.options.retention);
            let now = self.core.clock.now();
            let base = retention.base(state.dense(), now, state.bytes);
            let head = self.core.log.head().sequence;
            if base.is_none_or(|base| at < base) || at > head {
                let why = format!(
                    "record {at} is not within what is retained of the image: `retention` says how far back that is"
                );
                return Err(Error::new(ErrorKind::OutOfRange, DOING, why));
            }
            let plan = Plan::new(&state, image, at)?;
            if let Some((branch, point)) = plan.point() {
                state.branches.hold(branch, point);
            }
            plan
        };
        let log_past = LogPast {
            index: &self.core.index,
            frames: &self.core.log,
        };
        let done = log_past.follow(&plan).and_then(|then| {
            let mut past = KnownPast(vec![(image, at, then)]);
            act(&mut self.core.lock(), &mut past)
        });
        self.core.unheld.lock().extend(plan.point());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retentions_are_times_or_bytes() {
        assert_eq!(
            "24h".parse(),
            Ok(Retention::Time(Duration::from_secs(86_400)))
        );
        assert_eq!("10GiB".parse(), Ok(Retention::Log(Bytes(10 << 30))));
        assert_eq!("0".parse(), Ok(Retention::None));
        for text in ["", "h", "5", "5x", "99999999999999999999h", "-1h"] {
            assert_eq!(text.parse::<Retention>(), Err(BadRetention), "{text}");
        }
    }

    #[test]
    fn a_window_needs_the_checkpoint_before_it() {
        let kept: Vec<Kept> = (1..=5)
            .map(|n| Kept {
                at: Sequence(n * 10),
                time: n * 1_000_000_000,
                bytes: n * 100,
            })
            .collect();
        let now = Timestamp(5_500_000_000);
        let time = |seconds| Retention::Time(Duration::from_secs(seconds));
        assert_eq!(time(2).base(&kept, now, 550), Some(Sequence(30)));
        assert_eq!(time(100).base(&kept, now, 550), Some(Sequence(10)));
        assert_eq!(
            Retention::Log(Bytes(160)).base(&kept, now, 550),
            Some(Sequence(30))
        );
        assert_eq!(Retention::None.base(&kept, now, 550), None);
    }
}

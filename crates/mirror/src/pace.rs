//! No faster than it may: how long what goes to a peer has to wait.

use std::time::Duration;

use crate::traffic::Rate;

/// The longest wait before it is looked again what may go: somebody may have changed it, or the hours.
const LOOK: Duration = Duration::from_millis(200);

/// Counts what has gone to a peer against what may go.
///
/// It fills with time, up to what may go in one second, and lets a frame go as soon as it is not empty: a frame that is
/// larger than that leaves a debt which has to be paid before the next one. So over any time no more goes than the rate,
/// what may go in a second, and one frame.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Bytes that may go; less than none behind a frame that was larger.
    left: f64,
    /// When that was so; `None` before the first frame.
    at: Option<Duration>,
}

impl Bucket {
    /// Lets a frame of so many bytes go at `now`, or says how long to wait before this is asked again.
    pub(crate) fn take(&mut self, bytes: usize, rate: Rate, now: Duration) -> Result<(), Duration> {
        let Some(rate) = rate.bytes() else {
            // Where anything may go, nothing is owed.
            *self = Self::default();
            return Ok(());
        };
        let rate = rate as f64;
        let won = self.at.map_or(rate, |at| {
            let since = now.saturating_sub(at);
            since.as_secs_f64() * rate
        });
        self.left = (self.left + won).min(rate);
        self.at = Some(now);
        if self.left > 0.0 {
            self.left -= bytes as f64;
            return Ok(());
        }
        // Until there is a byte; where nothing may go, that is never.
        let wait = (1.0 - self.left) / rate;
        let wait = Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX);
        Err(wait.min(LOOK))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Sends frames for so long, from `now` on; how many bytes went, and when it is then.
    fn send(
        bucket: &mut Bucket,
        rate: Rate,
        frame: usize,
        (mut now, time): (Duration, Duration),
    ) -> (u64, Duration) {
        let (until, mut sent) = (now + time, 0);
        while now < until {
            match bucket.take(frame, rate, now) {
                Ok(()) => sent += frame as u64,
                Err(wait) => now += wait.max(Duration::from_nanos(1)),
            }
        }
        (sent, now)
    }

    #[test]
    fn what_was_not_used_for_long_is_not_used_at_once() {
        let (mut bucket, rate) = (Bucket::default(), Rate::of(10_000).unwrap());
        let (sent, now) = send(&mut bucket, rate, 300, (Duration::ZERO, 10 * SECOND));
        assert!((100_000..=110_300).contains(&sent), "{sent}");
        let later = now + 3600 * SECOND;
        let mut burst = 0;
        while bucket.take(300, rate, later).is_ok() {
            burst += 300;
        }
        assert_eq!(burst, 10_200, "a second, and what began in it");
    }

    #[test]
    fn a_debt_is_paid_at_the_rate_that_holds() {
        let mut bucket = Bucket::default();
        let slow = Rate::of(1024).unwrap();
        assert_eq!(bucket.take(1 << 20, slow, Duration::ZERO), Ok(()));
        assert_eq!(bucket.take(1, slow, SECOND), Err(LOOK));
        // At a megabyte a second it is paid soon.
        let fast = Rate::of(1 << 20).unwrap();
        assert_eq!(bucket.take(1, fast, 3 * SECOND), Ok(()));
        assert_eq!(bucket.take(1 << 30, Rate::UNLIMITED, 3 * SECOND), Ok(()));
    }

    #[test]
    fn nothing_goes_where_nothing_may_and_it_begins_again_gently() {
        let mut bucket = Bucket::default();
        for second in 0..100 {
            let now = SECOND * second;
            assert_eq!(bucket.take(1, Rate::NOTHING, now), Err(LOOK));
        }
        let rate = Rate::of(10_000).unwrap();
        let (sent, _) = send(&mut bucket, rate, 100, (SECOND * 100, SECOND));
        assert!(sent <= 20_100, "{sent}");
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_a_second_and_a_frame(
            rate in 1024_u64..1 << 24,
            frames in prop::collection::vec((1_usize..1 << 20, 0_u64..2000), 1..200),
        ) {
            let limit = Rate::of(rate).unwrap();
            let (mut bucket, mut now, mut sent) = (Bucket::default(), Duration::ZERO, Vec::new());
            for (frame, pause) in frames {
                now += Duration::from_millis(pause);
                if bucket.take(frame, limit, now).is_ok() {
                    sent.push((now, frame));
                }
            }
            // Between any two moments.
            for (i, (begin, _)) in sent.iter().enumerate() {
                let (mut went, mut last) = (0, 0);
                for (at, frame) in &sent[i..] {
                    went += last as u64;
                    last = *frame;
                    let since = at.saturating_sub(*begin);
                    let may = (since.as_secs_f64() + 1.0) * rate as f64;
                    prop_assert!(went as f64 <= may + 1.0, "{went} bytes until {at:?}, {may} may");
                }
            }
        }
    }
}

//! `bench`: what is measured, and how it goes.

use std::time::Duration;

use firebrick_vocabulary::Bytes;

use crate::cli::rbd::args::{BenchArgs, IoPattern, IoType};
use crate::cli::rbd::error::{EINVAL, refuse};
use crate::cli::rbd::size::human;
use crate::exit::Failure;

/// The headings above what [`Plan::tick`] says.
pub(in crate::cli::rbd) const HEADINGS: &str = "  SEC       OPS   OPS/SEC   BYTES/SEC";

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::rbd) struct Plan {
    pub(in crate::cli::rbd) kind: IoType,
    pub(in crate::cli::rbd) pattern: IoPattern,
    /// Bytes of a request.
    pub(in crate::cli::rbd) size: u64,
    /// Requests that go at once.
    pub(in crate::cli::rbd) threads: u64,
    /// Bytes of all requests together.
    pub(in crate::cli::rbd) total: u64,
    /// Of 100 requests so many read.
    pub(in crate::cli::rbd) read_share: u64,
}

/// How many requests there were.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli::rbd) struct Ops {
    pub(in crate::cli::rbd) reads: u64,
    pub(in crate::cli::rbd) writes: u64,
}

impl Plan {
    /// That of a command line.
    pub(in crate::cli::rbd) fn of(args: &BenchArgs) -> Result<Self, Failure> {
        let missing = || refuse(EINVAL, "rbd: --io-type must be specified.");
        let kind = args.io_type.ok_or_else(missing)?;
        Ok(Self {
            kind,
            pattern: args.io_pattern,
            size: args.io_size,
            threads: args.io_threads,
            total: args.io_total.0.0,
            read_share: match kind {
                IoType::Read => 100,
                IoType::Write => 0,
                IoType::Readwrite => args.rw_mix_read,
            },
        })
    }

    /// Refuses requests that do not fit into the image, or are larger than `most`.
    pub(in crate::cli::rbd) fn check(&self, image: Bytes, most: Bytes) -> Result<(), Failure> {
        let size = Bytes(self.size);
        let shown = human(size);
        let text = if size > image {
            format!(
                "rbd: io-size {shown} larger than image size {}",
                human(image)
            )
        } else if size > most {
            format!("rbd: io-size {shown} larger than {}", human(most))
        } else {
            return Ok(());
        };
        let text = format!("{text}\nbench failed: ({EINVAL}) Invalid argument");
        Err(refuse(EINVAL, text))
    }

    /// What is said first.
    pub(in crate::cli::rbd) fn head(&self) -> String {
        let kind = match self.kind {
            IoType::Read => "read".to_owned(),
            IoType::Write => "write".to_owned(),
            IoType::Readwrite => {
                let writes = 100 - self.read_share;
                format!("readwrite read:write={}:{writes}", self.read_share)
            }
        };
        let pattern = match self.pattern {
            IoPattern::Rand => "random",
            IoPattern::Seq => "sequential",
            IoPattern::FullSeq => "full sequential",
        };
        format!(
            "bench  type {kind} io_size {} io_threads {} bytes {} pattern {pattern}",
            self.size, self.threads, self.total
        )
    }

    fn bytes(&self, rate: f64) -> String {
        human(Bytes((rate * self.size as f64) as u64))
    }

    /// What is said each second: how many there have been, and how many in a second.
    pub(in crate::cli::rbd) fn tick(&self, elapsed: Duration, ops: u64, rate: f64) -> String {
        let (seconds, bytes) = (elapsed.as_secs(), self.bytes(rate));
        let rate = six_digits(rate);
        format!("{seconds:5}{ops:10}{rate:>10}{bytes:>10}/s")
    }

    /// What is said at the end.
    pub(in crate::cli::rbd) fn summary(&self, elapsed: Duration, ops: Ops) -> Vec<String> {
        let line = |kind: &str, ops: u64| {
            let rate = ops as f64 / elapsed.as_secs_f64().max(1e-9);
            format!(
                "{kind}ops: {ops}   {kind}ops/sec: {}   {kind}bytes/sec: {}/s",
                six_digits(rate),
                self.bytes(rate)
            )
        };
        let all = line("", ops.reads + ops.writes);
        let mut lines = vec![format!("elapsed: {}   {all}", elapsed.as_secs())];
        if self.kind == IoType::Readwrite {
            lines.extend([line("read_", ops.reads), line("write_", ops.writes)]);
        }
        lines
    }
}

/// A number with six digits that count, as C++ prints it.
fn six_digits(value: f64) -> String {
    let whole = value.max(1.0).log10().floor() as usize + 1;
    let text = format!("{value:.*}", 6_usize.saturating_sub(whole));
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits() {
        for (value, text) in [
            (250.0, "250"),
            (5_333.333, "5333.33"),
            (10_666.666_7, "10666.7"),
            (0.5, "0.5"),
            (1_234_567.0, "1234567"),
        ] {
            assert_eq!(six_digits(value), text);
        }
    }

    #[test]
    fn it_is_said_as_rbd_says_it() {
        let plan = Plan {
            kind: IoType::Readwrite,
            pattern: IoPattern::Rand,
            size: 4096,
            threads: 16,
            total: 1 << 20,
            read_share: 70,
        };
        let head = "bench  type readwrite read:write=70:30 io_size 4096 io_threads 16 bytes 1048576 pattern random";
        assert_eq!(plan.head(), head);
        let second = Duration::from_secs(1);
        let tick = plan.tick(second, 21_760, 21_835.2);
        assert_eq!(tick, "    1     21760   21835.2    85 MiB/s");
        let ops = Ops {
            reads: 200,
            writes: 56,
        };
        let golden = [
            "elapsed: 1   ops: 256   ops/sec: 256   bytes/sec: 1 MiB/s",
            "read_ops: 200   read_ops/sec: 200   read_bytes/sec: 800 KiB/s",
            "write_ops: 56   write_ops/sec: 56   write_bytes/sec: 224 KiB/s",
        ];
        assert_eq!(plan.summary(second, ops), golden);
    }
}

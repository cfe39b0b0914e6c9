//! `rbd bench`: what guests get, measured as guests get it, by NBD.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use firebrick_backend::{Access, Backend as _, ExportKey};
use firebrick_export::Guest;
use firebrick_vocabulary::Bytes;
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::args::{BenchArgs, IoPattern, IoType};
use super::error::{EINVAL, EIO, fault, refuse};
use super::site::Rbd;
use super::spec::Spec;
use crate::exit::Failure;
use crate::printer::Printer;

/// The largest request that an export takes, in bytes.
const REQUEST_MAX: u64 = 64 << 20;
/// How often it is said how it goes.
const TICK: Duration = Duration::from_secs(1);

/// What all clients do together.
struct Work {
    kind: IoType,
    pattern: IoPattern,
    size: u64,
    threads: u64,
    total: u64,
    read_share: u64,
    image: u64,
    /// Bytes that somebody has taken on.
    taken: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
    ended: AtomicBool,
    failed: Mutex<Option<String>>,
}

/// `rbd bench`
pub(super) async fn run(mut rbd: Rbd, args: &BenchArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let missing = || refuse(EINVAL, "rbd: --io-type must be specified.");
    let kind = args.io_type.ok_or_else(missing)?;
    let image = rbd.open(spec.only_image()?).await?;
    let size = args.io_size;
    if size > image.size.0 || size > REQUEST_MAX {
        let size = Bytes(size);
        let text = if size > image.size {
            format!("rbd: io-size {size} larger than image size {}", image.size)
        } else {
            format!("rbd: io-size {size} larger than {}", Bytes(REQUEST_MAX))
        };
        return Err(refuse(
            EINVAL,
            format!("{text}\nbench failed: (22) Invalid argument"),
        ));
    }
    let work = Arc::new(Work {
        kind,
        pattern: args.io_pattern,
        size,
        threads: args.io_threads,
        total: args.io_total.0.0,
        read_share: match kind {
            IoType::Read => 100,
            IoType::Write => 0,
            IoType::Readwrite => args.rw_mix_read,
        },
        image: image.size.0,
        taken: AtomicU64::new(0),
        reads: AtomicU64::new(0),
        writes: AtomicU64::new(0),
        ended: AtomicBool::new(false),
        failed: Mutex::default(),
    });
    let access = if kind == IoType::Read {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let key = ExportKey(format!("rbd-bench-{}", std::process::id()));
    let address = rbd.backend.export(image.id, key.clone(), access).await;
    let address = address.map_err(|error| fault("bench failed", &error))?;
    let clients = Arc::clone(&work);
    let uri = address.uri;
    let done = tokio::task::spawn_blocking(move || bench(&clients, &uri)).await;
    let ended = rbd.backend.unexport(image.id, key).await;
    done.map_err(|error| refuse(EIO, format!("bench failed: {error}")))??;
    ended.map_err(|error| fault("bench failed", &error))
}

fn bench(work: &Arc<Work>, uri: &str) -> Result<(), Failure> {
    let mix = if work.kind == IoType::Readwrite {
        format!(" read:write={}:{}", work.read_share, 100 - work.read_share)
    } else {
        String::new()
    };
    let (kind, pattern) = work.names();
    Printer::line(&format!(
        "bench  type {kind}{mix} io_size {} io_threads {} bytes {} pattern {pattern}",
        work.size, work.threads, work.total
    ));
    Printer::line("  SEC       OPS   OPS/SEC   BYTES/SEC");
    let guests: Result<Vec<Guest>, _> = (0..work.threads).map(|_| Guest::open(uri)).collect();
    let guests = guests.map_err(|error| refuse(EIO, format!("bench failed: {error}")))?;
    let began = Instant::now();
    let clients: Vec<_> = guests
        .into_iter()
        .zip(0..)
        .map(|(guest, number)| {
            let work = Arc::clone(work);
            thread::spawn(move || work.client(guest, number))
        })
        .collect();
    let ticker = {
        let work = Arc::clone(work);
        thread::spawn(move || work.tell(began))
    };
    for client in clients {
        // What it did wrong stands in `failed`.
        drop(client.join());
    }
    work.ended.store(true, Ordering::Release);
    let elapsed = began.elapsed();
    ticker.thread().unpark();
    drop(ticker.join());
    if let Some(why) = work.failed.lock().take() {
        return Err(refuse(EIO, format!("bench failed: {why}")));
    }
    work.report(elapsed);
    Ok(())
}

impl Work {
    const fn names(&self) -> (&'static str, &'static str) {
        let kind = match self.kind {
            IoType::Read => "read",
            IoType::Write => "write",
            IoType::Readwrite => "readwrite",
        };
        let pattern = match self.pattern {
            IoPattern::Rand => "random",
            IoPattern::Seq => "sequential",
            IoPattern::FullSeq => "full sequential",
        };
        (kind, pattern)
    }

    /// One client, until all is done.
    fn client(&self, mut guest: Guest, number: u64) {
        let mut dice = SmallRng::seed_from_u64(number);
        let mut data = vec![0; self.size as usize];
        dice.fill(data.as_mut_slice());
        let slots = (self.image / self.size).max(1);
        let mut place = slots / self.threads * number;
        let done = loop {
            let before = self.taken.fetch_add(self.size, Ordering::Relaxed);
            if before >= self.total {
                break guest.flush();
            }
            let slot = match self.pattern {
                IoPattern::Rand => dice.random_range(0..slots),
                IoPattern::FullSeq => before / self.size,
                IoPattern::Seq => {
                    place += 1;
                    place - 1
                }
            };
            let offset = slot % slots * self.size;
            let (count, done) = if dice.random_range(0..100) < self.read_share {
                (&self.reads, guest.read(offset, self.size as u32).map(drop))
            } else {
                (&self.writes, guest.write(offset, &data))
            };
            if done.is_err() {
                break done;
            }
            count.fetch_add(1, Ordering::Relaxed);
        };
        if let Err(error) = done {
            // The others need not go on.
            self.taken.store(self.total, Ordering::Relaxed);
            *self.failed.lock() = Some(error.to_string());
        }
        guest.close();
    }

    fn ops(&self) -> (u64, u64) {
        let reads = self.reads.load(Ordering::Relaxed);
        (reads, self.writes.load(Ordering::Relaxed))
    }

    /// Says each second how it goes.
    fn tell(&self, began: Instant) {
        loop {
            thread::park_timeout(TICK);
            if self.ended.load(Ordering::Acquire) {
                return;
            }
            let (reads, writes) = self.ops();
            let elapsed = began.elapsed();
            let (rate, bytes) = self.rates(reads + writes, elapsed);
            let seconds = elapsed.as_secs();
            Printer::line(&format!(
                "{seconds:5}{:10}{rate:>10}   {bytes}/s",
                reads + writes
            ));
        }
    }

    fn rates(&self, ops: u64, elapsed: Duration) -> (String, Bytes) {
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let rate = ops as f64 / seconds;
        (six_digits(rate), Bytes((rate * self.size as f64) as u64))
    }

    fn report(&self, elapsed: Duration) {
        let (reads, writes) = self.ops();
        let seconds = elapsed.as_secs();
        let (rate, bytes) = self.rates(reads + writes, elapsed);
        Printer::line(&format!(
            "elapsed: {seconds}   ops: {}   ops/sec: {rate}   bytes/sec: {bytes}/s",
            reads + writes
        ));
        if self.kind != IoType::Readwrite {
            return;
        }
        for (name, ops) in [("read", reads), ("write", writes)] {
            let (rate, bytes) = self.rates(ops, elapsed);
            Printer::line(&format!(
                "{name}_ops: {ops}   {name}_ops/sec: {rate}   {name}_bytes/sec: {bytes}/s"
            ));
        }
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
}

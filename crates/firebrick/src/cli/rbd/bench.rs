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
use super::error::{EINTR, EIO, failed, fault, refuse};
use super::show::bench::{HEADINGS, Ops, Plan};
use super::site::Rbd;
use super::spec::Spec;
use crate::cli::parent::stop_requested;
use crate::exit::Failure;
use crate::printer::Printer;

/// The largest request that an export takes, in bytes.
const REQUEST_MAX: u64 = 64 << 20;
/// How often it is said how it goes.
const TICK: Duration = Duration::from_secs(1);

/// What all clients do together.
struct Work {
    plan: Plan,
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
    let plan = Plan::of(args)?;
    let image = rbd.open(spec.only_image()?).await?;
    plan.check(image.size, Bytes(REQUEST_MAX))?;
    let work = Arc::new(Work {
        plan,
        image: image.size.0,
        taken: AtomicU64::new(0),
        reads: AtomicU64::new(0),
        writes: AtomicU64::new(0),
        ended: AtomicBool::new(false),
        failed: Mutex::default(),
    });
    let access = if plan.kind == IoType::Read {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let key = ExportKey(format!("rbd-bench-{}", std::process::id()));
    let address = rbd.backend.export(image.id, key.clone(), access).await;
    let address = address.map_err(|error| fault("bench failed", &error))?;
    let clients = Arc::clone(&work);
    let uri = address.uri;
    let done = tokio::select! {
        done = tokio::task::spawn_blocking(move || bench(&clients, &uri)) => Some(done),
        _ = stop_requested(false) => None,
    };
    // In any case: what is exported is in use, also where nobody is left who uses it.
    let ended = rbd.backend.unexport(image.id, key).await;
    let Some(done) = done else {
        return Err(failed("bench failed", EINTR));
    };
    done.map_err(|error| refuse(EIO, format!("bench failed: {error}")))??;
    ended.map_err(|error| fault("bench failed", &error))
}

fn bench(work: &Arc<Work>, uri: &str) -> Result<(), Failure> {
    Printer::line(&work.plan.head());
    Printer::line(HEADINGS);
    let guests: Result<Vec<Guest>, _> = (0..work.plan.threads).map(|_| Guest::open(uri)).collect();
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
    for line in work.plan.summary(elapsed, work.ops()) {
        Printer::line(&line);
    }
    Ok(())
}

impl Work {
    /// One client, until all is done.
    fn client(&self, mut guest: Guest, number: u64) {
        let Plan {
            size,
            threads,
            total,
            ..
        } = self.plan;
        let mut dice = SmallRng::seed_from_u64(number);
        let mut data = vec![0; size as usize];
        dice.fill(data.as_mut_slice());
        let slots = (self.image / size).max(1);
        let mut place = slots / threads * number;
        let done = loop {
            let before = self.taken.fetch_add(size, Ordering::Relaxed);
            if before >= total {
                break guest.flush();
            }
            let slot = match self.plan.pattern {
                IoPattern::Rand => dice.random_range(0..slots),
                IoPattern::FullSeq => before / size,
                IoPattern::Seq => {
                    place += 1;
                    place - 1
                }
            };
            let offset = slot % slots * size;
            let (count, done) = if dice.random_range(0..100) < self.plan.read_share {
                (&self.reads, guest.read(offset, size as u32).map(drop))
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
            self.taken.store(total, Ordering::Relaxed);
            *self.failed.lock() = Some(error.to_string());
        }
        guest.close();
    }

    fn ops(&self) -> Ops {
        Ops {
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    /// Says each second how it goes.
    fn tell(&self, began: Instant) {
        loop {
            thread::park_timeout(TICK);
            if self.ended.load(Ordering::Acquire) {
                return;
            }
            let (ops, elapsed) = (self.ops(), began.elapsed());
            let ops = ops.reads + ops.writes;
            let rate = ops as f64 / elapsed.as_secs_f64().max(1e-9);
            Printer::line(&self.plan.tick(elapsed, ops, rate));
        }
    }
}

//! What all measurements share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_engine::{Image, NewImage, NewOrigin, Store, StoreOptions, Write};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, SnapshotName, StoreId};

pub(crate) const BLOCK: usize = BLOCK_SIZE as usize;

pub(crate) fn disk(folder: &str) -> Arc<dyn Disk> {
    std::fs::create_dir_all(folder).unwrap();
    Arc::new(RealDisk::new(Path::new(folder)).unwrap())
}

/// A new store with the default options.
pub(crate) fn create(folder: &str) -> Arc<Store> {
    Store::create(&disk(folder), StoreId::random(), &StoreOptions::DEFAULT).unwrap();
    open(folder)
}

pub(crate) fn open(folder: &str) -> Arc<Store> {
    let clock = Arc::new(SystemClock::new());
    Store::open(disk(folder), clock, StoreOptions::DEFAULT).unwrap()
}

pub(crate) fn image(
    store: &Store,
    name: &str,
    bytes: u64,
    origin: Option<NewOrigin>,
) -> Arc<Image> {
    let new = NewImage {
        id: ImageId::random(),
        name: ImageName::new(name).unwrap(),
        size: Bytes(bytes),
        origin,
        mirrored: false,
    };
    store.create_image(new).unwrap()
}

pub(crate) fn snapshot_name(number: u64) -> SnapshotName {
    SnapshotName::new(format!("s{number}")).unwrap()
}

pub(crate) fn write(image: &Image, block: u64) {
    let data = [block as u8; BLOCK];
    let offset = block * BLOCK_SIZE;
    image
        .write(&[Write {
            offset,
            data: &data,
        }])
        .unwrap();
}

/// Numbers that look random, the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

pub(crate) fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = act();
    (done, start.elapsed())
}

/// How long many of a kind took.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (done, took) = timed(act);
        self.0.push(took);
        done
    }

    pub(crate) fn say(mut self, what: &str) {
        if self.0.is_empty() {
            println!("{what}: none");
            return;
        }
        self.0.sort_unstable();
        let last = self.0.len() - 1;
        let part = |of: f64| us(self.0[(last as f64 * of) as usize]);
        let sum: Duration = self.0.iter().sum();
        println!(
            "{what}: {} times, mean {:.1} us, median {:.1}, p99 {:.1}, p99.9 {:.1}, longest {:.1}",
            self.0.len(),
            us(sum) / self.0.len() as f64,
            part(0.5),
            part(0.99),
            part(0.999),
            part(1.0)
        );
    }
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn from_proc(file: &str, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub(crate) fn say_memory(when: &str) {
    println!(
        "memory {when}: {} MiB resident, {} MiB at most so far",
        from_proc("status", "VmRSS:") / 1024,
        from_proc("status", "VmHWM:") / 1024
    );
}

/// What this process had written, in bytes.
pub(crate) fn written() -> u64 {
    from_proc("io", "write_bytes:")
}

/// Does something again and again until it is told to end.
pub(crate) struct Loop<T> {
    end: Arc<AtomicBool>,
    thread: JoinHandle<T>,
}

impl<T: Send + Default + 'static> Loop<T> {
    pub(crate) fn new(mut act: impl FnMut(&mut T) + Send + 'static) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = thread::spawn(move || {
            let mut done = T::default();
            while !ended.load(Ordering::Relaxed) {
                act(&mut done);
            }
            done
        });
        Self { end, thread }
    }

    pub(crate) fn end(self) -> T {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Makes room at the end of the log ahead of its use, as a site does.
pub(crate) fn preparing(store: &Arc<Store>) -> Loop<()> {
    let store = Arc::clone(store);
    Loop::new(move |()| {
        store.prepare_segment(Duration::from_millis(20)).unwrap();
    })
}

/// Writes single blocks, and says at the end how long each took.
pub(crate) fn writing(image: &Arc<Image>) -> Loop<Times> {
    let image = Arc::clone(image);
    let mut numbers = Numbers::new(1);
    Loop::new(move |times: &mut Times| {
        let block = numbers.below(image.size().0 / BLOCK_SIZE);
        times.add(|| write(&image, block));
    })
}

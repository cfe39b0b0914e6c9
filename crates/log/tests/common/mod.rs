//! A log on a simulated disk, and what must be in it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its part, and a test that cannot go on fails"
)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use firebrick_edge::Disk;
use firebrick_log::{
    BatchData, Catalog, Change, Checksum, Entry, Error, ErrorKind, Frame, FrameRecord, Log,
    LogOptions, OpenOptions,
};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{ImageId, Sequence, StoreId};
use rand::Rng;
use rand::rngs::StdRng;
use uuid::Uuid;

pub(crate) const BLOCK: usize = 4096;
pub(crate) const OPTIONS: LogOptions = LogOptions {
    segment_bytes: 1 << 20,
};
pub(crate) const STORE: StoreId = StoreId(Uuid::from_u128(7));
pub(crate) const IMAGE: ImageId = ImageId(Uuid::from_u128(9));

/// One record of the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// Blocks from the first on, each filled with one of the numbers.
    Data(u64, Vec<u64>),
    Discard(u64, u64),
    Note(String),
}

/// What the program is doing: lies about a sync are told in one of these.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Phase {
    Other,
    Create,
    Open,
    Append,
    Flush,
    Pack,
    SyncPacked,
    Free,
}

/// Which syncs do nothing: those of files or folders whose name begins so, in that phase.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    None,
    File(Phase, &'static str),
    Folder(Phase, &'static str),
}

/// A disk, the lies that it tells, and the phase that decides about them.
pub(crate) struct Machine {
    pub(crate) disk: SimulatedDisk,
    lie: Lie,
    phase: Arc<AtomicU8>,
    /// Syncs fail.
    pub(crate) failing: Cell<bool>,
}

impl Machine {
    pub(crate) fn new(lie: Lie) -> Self {
        Self::with(SimulatedDisk::new(), lie)
    }

    pub(crate) fn with(disk: SimulatedDisk, lie: Lie) -> Self {
        let phase = Arc::new(AtomicU8::new(Phase::Other as u8));
        let now = Arc::clone(&phase);
        match lie {
            Lie::None => {}
            Lie::File(when, prefix) => disk.ignore_sync(move |name| {
                now.load(Ordering::SeqCst) == when as u8 && name.starts_with(prefix)
            }),
            Lie::Folder(when, folder) => disk.ignore_sync_dir(move |name| {
                now.load(Ordering::SeqCst) == when as u8 && name == folder
            }),
        }
        Self {
            disk,
            lie,
            phase,
            failing: Cell::new(false),
        }
    }

    /// The machine after a power cut.
    pub(crate) fn crash(&self, seed: u64) -> Self {
        Self::with(self.disk.crash(seed), self.lie)
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    /// Whether the power is on.
    pub(crate) fn is_on(&self) -> bool {
        self.disk.space().is_ok()
    }

    /// Whether the disk is what made something fail.
    pub(crate) fn excuses(&self, error: &Error) -> bool {
        let failed = matches!(error.kind, ErrorKind::Io | ErrorKind::Poisoned);
        !self.is_on() || self.failing.get() && failed
    }

    /// Cures what a test broke, with all that this lost.
    pub(crate) fn heal(&self) {
        self.disk.heal();
        self.failing.set(false);
    }

    pub(crate) fn during<T>(&self, phase: Phase, act: impl FnOnce() -> T) -> T {
        self.phase.store(phase as u8, Ordering::SeqCst);
        let done = act();
        self.phase.store(Phase::Other as u8, Ordering::SeqCst);
        done
    }

    pub(crate) fn create(&self) -> Result<(), Error> {
        self.during(Phase::Create, || Log::create(&self.disk(), STORE, OPTIONS))
    }

    /// Opens the log, and reads all frames while doing so and afterwards.
    pub(crate) fn open(&self) -> Result<(Log, Vec<Frame>), Error> {
        self.during(Phase::Open, || {
            let recovery = Log::open(self.disk(), Arc::new(SimulatedClock::new()))?;
            let mut frames = Vec::new();
            let tail = recovery.replay(Sequence(1), &mut |frame| {
                frames.push(frame.clone());
                Ok::<_, Error>(())
            })?;
            Ok((recovery.finish(&tail)?, frames))
        })
    }

    /// Opens the log from a checkpoint without its catalog.
    pub(crate) fn open_at(
        &self,
        from: Sequence,
        options: OpenOptions,
    ) -> Result<(Log, Vec<Frame>), Error> {
        self.open_knowing(from, options, None)
    }

    /// Opens the log from a checkpoint: what its catalog says is believed, and frames are read from
    /// `from` on.
    pub(crate) fn open_knowing(
        &self,
        from: Sequence,
        options: OpenOptions,
        catalog: Option<Catalog>,
    ) -> Result<(Log, Vec<Frame>), Error> {
        self.during(Phase::Open, || {
            let clock = Arc::new(SimulatedClock::new());
            let recovery = Log::open_with(self.disk(), clock, options, || catalog)?;
            let mut frames = Vec::new();
            let tail = recovery.replay(from, &mut |frame| {
                frames.push(frame.clone());
                Ok::<_, Error>(())
            })?;
            Ok((recovery.finish(&tail)?, frames))
        })
    }

    pub(crate) fn append(&self, log: &Log, records: &[Wanted]) -> Result<(), Error> {
        self.during(Phase::Append, || append(log, records))
    }

    pub(crate) fn flush(&self, log: &Log) -> Result<(), Error> {
        self.during(Phase::Flush, || log.flush()).map(drop)
    }
}

/// The blocks that are filled with these numbers.
pub(crate) fn blocks_of(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * BLOCK);
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes().repeat(BLOCK / 8));
    }
    bytes
}

pub(crate) fn append(log: &Log, records: &[Wanted]) -> Result<(), Error> {
    struct Raw {
        bytes: Vec<u8>,
        checksums: Vec<Checksum>,
        change: Option<Change>,
    }
    let raw: Vec<Raw> = records
        .iter()
        .map(|record| match record {
            Wanted::Data(_, numbers) => {
                let bytes = blocks_of(numbers);
                let checksums = bytes.chunks(BLOCK).map(Checksum::of).collect();
                Raw {
                    bytes,
                    checksums,
                    change: None,
                }
            }
            Wanted::Discard(..) => Raw {
                bytes: Vec::new(),
                checksums: Vec::new(),
                change: None,
            },
            Wanted::Note(text) => Raw {
                bytes: Vec::new(),
                checksums: Vec::new(),
                change: Some(note(text)),
            },
        })
        .collect();
    let slices: Vec<[&[u8]; 1]> = raw.iter().map(|raw| [&raw.bytes[..]]).collect();
    let entries: Vec<Entry<'_>> = records
        .iter()
        .zip(&raw)
        .zip(&slices)
        .map(|((record, raw), data)| match (record, &raw.change) {
            (Wanted::Data(first, _), _) => Entry::Data(BatchData {
                image: IMAGE,
                block: *first,
                data,
                checksums: &raw.checksums,
            }),
            (Wanted::Discard(first, blocks), _) => Entry::Discard {
                image: IMAGE,
                block: *first,
                blocks: *blocks,
            },
            (Wanted::Note(_), change) => Entry::Change(change.as_ref().unwrap()),
        })
        .collect();
    log.append(&entries, None).map(drop)
}

fn note(text: &str) -> Change {
    Change::Metadata {
        image: IMAGE,
        key: "note".into(),
        value: Some(text.into()),
    }
}

/// Whether a frame says what was appended, its data included.
pub(crate) fn is_as_wanted(log: &Log, frame: &Frame, wanted: &[Wanted]) -> bool {
    let same = |(record, wanted): (&FrameRecord, &Wanted)| match (record, wanted) {
        (FrameRecord::Data { block: at, .. }, Wanted::Data(first, _)) if at != first => false,
        (FrameRecord::Data { at, blocks, .. }, Wanted::Data(_, numbers)) => {
            let mut bytes = vec![0; *blocks as usize * BLOCK];
            log.read(*at, &mut bytes).is_ok() && bytes == blocks_of(numbers)
        }
        (FrameRecord::Discard { block, blocks, .. }, Wanted::Discard(first, count)) => {
            (block, blocks) == (first, count)
        }
        (FrameRecord::Change(change), Wanted::Note(text)) => *change == note(text),
        _ => false,
    };
    frame.records.len() == wanted.len() && frame.records.iter().zip(wanted).all(same)
}

/// Whether the log holds the first frames of `wanted`, at least `least` of them, and nothing else:
/// in what recovery visited, and in what a reader finds. Says how many there are.
pub(crate) fn check(
    log: &Log,
    visited: &[Frame],
    wanted: &[Vec<Wanted>],
    least: usize,
) -> Result<usize, String> {
    let mut reader = log.reader(Sequence(1)).map_err(|e| e.to_string())?;
    let mut read = Vec::new();
    while let Some(frame) = reader.next_frame().map_err(|e| e.to_string())? {
        read.push(frame);
    }
    if read != visited {
        return Err(format!(
            "recovery saw {} frames, a reader {}",
            visited.len(),
            read.len()
        ));
    }
    if read.len() < least || read.len() > wanted.len() {
        let (found, most) = (read.len(), wanted.len());
        return Err(format!("{found} frames are there, not {least} to {most}"));
    }
    for (i, (frame, wanted)) in read.iter().zip(wanted).enumerate() {
        if !is_as_wanted(log, frame, wanted) {
            return Err(format!("frame {i} is not what was appended"));
        }
    }
    Ok(read.len())
}

/// A frame of some records, on average a tenth of a segment.
pub(crate) fn frame(random: &mut StdRng) -> Vec<Wanted> {
    let count = random.random_range(1..4);
    let one = |_| match random.random_range(0..6) {
        0 => Wanted::Discard(random.random_range(0..100), random.random_range(1..50)),
        1 => Wanted::Note("x".repeat(random.random_range(0..2000))),
        _ => {
            let blocks = random.random_range(1..30);
            let numbers = (0..blocks).map(|_| random.random()).collect();
            Wanted::Data(random.random_range(0..1000), numbers)
        }
    };
    (0..count).map(one).collect()
}

//! Sorting more than fits into memory: sorted runs in files, merged when all is there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::{Disk, DiskFile};
use firebrick_log::Checksum;

use crate::error::{Error, ErrorKind};

const DOING: &str = "sort what was found in the log";
/// How files of runs are called, within the folder of the index.
pub(super) const PREFIX: &str = "rebuild-";
/// The folder.
pub(super) const FOLDER: &str = "index";
/// How many runs of one generation are merged into one of the next.
const FAN_IN: usize = 64;
/// The least and the most that is read from a run at once, in bytes.
const CHUNK_MIN: usize = 4 << 10;
const CHUNK_MAX: usize = 1 << 20;

/// Sorts records of `N` bytes.
pub(super) struct Sorter<const N: usize> {
    disk: Arc<dyn Disk>,
    name: &'static str,
    buffer: Vec<[u8; N]>,
    /// How many records are sorted at once.
    most: usize,
    /// Oldest first; generations only fall.
    runs: Vec<Run>,
    made: u64,
}

/// Records in their order, in a file: chunks, each with its checksum behind it.
struct Run {
    name: String,
    file: Arc<dyn DiskFile>,
    records: u64,
    /// How many records there are in each chunk but the last one.
    chunk: usize,
    generation: u32,
}

/// Everything that was sorted, in order.
pub(super) struct Sorted<const N: usize> {
    disk: Arc<dyn Disk>,
    sources: Vec<Source<N>>,
    heads: BinaryHeap<Reverse<([u8; N], usize)>>,
}

enum Source<const N: usize> {
    Memory(std::vec::IntoIter<[u8; N]>),
    Run {
        run: Run,
        /// How many records have been read, and where the next chunk begins.
        read: u64,
        offset: u64,
        chunk: Vec<[u8; N]>,
        at: usize,
    },
}

/// Removes what an earlier attempt left.
pub(super) fn remove_runs(disk: &dyn Disk) -> Result<(), Error> {
    let failed = |error| Error::io(DOING, &error);
    disk.create_dir(FOLDER).map_err(failed)?;
    for name in disk.list(FOLDER).map_err(failed)? {
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        if name.starts_with(PREFIX) {
            disk.remove(&format!("{FOLDER}/{name}")).map_err(failed)?;
        }
    }
    Ok(())
}

impl<const N: usize> Sorter<N> {
    /// Sorts in `memory` bytes of memory, about.
    pub(super) fn new(disk: &Arc<dyn Disk>, name: &'static str, memory: usize) -> Self {
        Self {
            disk: Arc::clone(disk),
            name,
            buffer: Vec::new(),
            most: (memory / N).max(64),
            runs: Vec::new(),
            made: 0,
        }
    }

    pub(super) fn push(&mut self, record: [u8; N]) -> Result<(), Error> {
        if self.buffer.len() >= self.most {
            self.spill()?;
        }
        if self.buffer.capacity() == self.buffer.len() {
            // Doubling would take twice of what was allowed.
            let more = self.buffer.len().clamp(64, self.most - self.buffer.len());
            self.buffer.reserve_exact(more);
        }
        self.buffer.push(record);
        Ok(())
    }

    /// Everything in order.
    pub(super) fn finish(mut self) -> Result<Sorted<N>, Error> {
        if !self.runs.is_empty() {
            self.spill()?;
        }
        self.buffer.sort_unstable();
        let memory = Source::Memory(self.buffer.into_iter());
        let runs = self.runs.into_iter().map(Source::of);
        Sorted::begin(self.disk, runs.chain([memory]).collect())
    }

    fn spill(&mut self) -> Result<(), Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.sort_unstable();
        let mut records = buffer.iter().copied();
        self.write(0, &mut || Ok(records.next()))?;
        buffer.clear();
        self.buffer = buffer;
        while let Some(from) = self.runs.len().checked_sub(FAN_IN) {
            let generation = self.runs[from].generation;
            if self
                .runs
                .iter()
                .skip(from)
                .any(|run| run.generation != generation)
            {
                break;
            }
            let runs = self.runs.split_off(from).into_iter().map(Source::of);
            let mut sorted = Sorted::begin(Arc::clone(&self.disk), runs.collect())?;
            self.write(generation + 1, &mut || sorted.next())?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        generation: u32,
        next: &mut dyn FnMut() -> Result<Option<[u8; N]>, Error>,
    ) -> Result<(), Error> {
        let failed = |error| Error::io(DOING, &error);
        let name = format!("{FOLDER}/{PREFIX}{}-{}", self.name, self.made);
        self.made += 1;
        let file = self.disk.create(&name).map_err(failed)?;
        let bytes = (self.most * N / FAN_IN).clamp(CHUNK_MIN, CHUNK_MAX);
        let chunk = (bytes / N).max(1);
        let mut run = Run {
            name,
            file,
            records: 0,
            chunk,
            generation,
        };
        let mut bytes = Vec::with_capacity(chunk * N + 4);
        let mut offset = 0;
        loop {
            let record = next()?;
            if let Some(record) = &record {
                bytes.extend_from_slice(record);
                run.records += 1;
            }
            if bytes.len() >= chunk * N || (record.is_none() && !bytes.is_empty()) {
                let sum = Checksum::of(&bytes).0.to_le_bytes();
                bytes.extend_from_slice(&sum);
                run.file
                    .write_at(&[IoSlice::new(&bytes)], offset)
                    .map_err(failed)?;
                offset += bytes.len() as u64;
                bytes.clear();
            }
            if record.is_none() {
                break;
            }
        }
        self.runs.push(run);
        Ok(())
    }
}

impl<const N: usize> Source<N> {
    fn of(run: Run) -> Self {
        Self::Run {
            run,
            read: 0,
            offset: 0,
            chunk: Vec::new(),
            at: 0,
        }
    }

    fn next(&mut self, disk: &dyn Disk) -> Result<Option<[u8; N]>, Error> {
        match self {
            Self::Memory(records) => Ok(records.next()),
            Self::Run {
                run,
                read,
                offset,
                chunk,
                at,
            } => {
                if let Some(record) = chunk.get(*at) {
                    *at += 1;
                    return Ok(Some(*record));
                }
                let count = (run.records - *read).min(run.chunk as u64) as usize;
                if count == 0 {
                    // Its room is given back as early as may be.
                    let gone = disk.remove(&run.name);
                    return match gone {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            Err(Error::io(DOING, &error))
                        }
                        Ok(()) | Err(_) => Ok(None),
                    };
                }
                let mut bytes = vec![0; count * N + 4];
                let failed = |error| Error::io(DOING, &error);
                run.file.read_at(&mut bytes, *offset).map_err(failed)?;
                let (records, sum) = bytes.split_at(count * N);
                if Checksum::of(records).0.to_le_bytes() != sum {
                    let why = format!("{} is not what was written", run.name);
                    return Err(Error::new(ErrorKind::Damaged, DOING, why));
                }
                let (records, _) = records.as_chunks::<N>();
                chunk.clear();
                chunk.extend_from_slice(records);
                *at = 1;
                *read += count as u64;
                *offset += bytes.len() as u64;
                Ok(chunk.first().copied())
            }
        }
    }
}

impl<const N: usize> Sorted<N> {
    fn begin(disk: Arc<dyn Disk>, mut sources: Vec<Source<N>>) -> Result<Self, Error> {
        let mut heads = BinaryHeap::new();
        for (i, source) in sources.iter_mut().enumerate() {
            if let Some(record) = source.next(&*disk)? {
                heads.push(Reverse((record, i)));
            }
        }
        Ok(Self {
            disk,
            sources,
            heads,
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<[u8; N]>, Error> {
        let Some(Reverse((record, from))) = self.heads.pop() else {
            return Ok(None);
        };
        if let Some(next) = self.sources[from].next(&*self.disk)? {
            self.heads.push(Reverse((next, from)));
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use firebrick_simulate::SimulatedDisk;

    use super::*;

    fn sorted(count: u64, memory: usize) -> (Vec<u64>, SimulatedDisk) {
        let simulated = SimulatedDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        remove_runs(&*disk).unwrap();
        let mut sorter = Sorter::<8>::new(&disk, "test", memory);
        for n in 0..count {
            let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count;
            sorter.push(scattered.to_be_bytes()).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let mut found = Vec::new();
        while let Some(record) = sorted.next().unwrap() {
            found.push(u64::from_be_bytes(record));
        }
        (found, simulated)
    }

    #[test]
    fn what_fits_and_what_does_not_comes_in_order() {
        for (count, memory) in [(0, 8), (1, 8), (1000, 1 << 20), (20_000, 1024), (300, 2048)] {
            let (found, disk) = sorted(count, memory);
            assert_eq!(found.len() as u64, count);
            assert!(found.is_sorted(), "{count}");
            let left = disk.list(FOLDER).unwrap();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}

//! A disk in memory, whose power can be cut.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use firebrick_edge::{Disk, DiskFile, DiskLock, DiskSpace};
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::content::Content;
use crate::faults::{Fate, Faults, Pause};
use crate::file::SimulatedFile;
use crate::names::{Change, FileId, Names, folder_of};

/// The size of a disk unless a test says otherwise, in bytes.
const CAPACITY: u64 = 1 << 40;

/// A folder of files in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    inner: Arc<Mutex<Inner>>,
}

pub(crate) struct Inner {
    names: Names,
    /// By their ids; files without a name stay, as handles may be open.
    pub(crate) files: Vec<Content>,
    locks: BTreeSet<String>,
    capacity: u64,
    pub(crate) faults: Faults,
    /// What was to be dropped from the cache.
    pub(crate) given_up: Vec<(String, Range<u64>)>,
}

struct SimulatedLock {
    disk: Arc<Mutex<Inner>>,
    name: String,
}

impl DiskLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.lock().locks.remove(&self.name);
    }
}

impl SimulatedDisk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::with(Names::default(), Vec::new(), CAPACITY)
    }

    /// The disk that the machine finds after a power cut now: `seed` chooses among everything that
    /// may have become of what was not synced. It has no faults and no locks; this disk goes on as
    /// if nothing had happened.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let inner = self.inner.lock();
        let names = inner.names.crash(&mut random);
        let mut files = vec![Content::default(); inner.files.len()];
        for id in names.files() {
            files[id] = inner.files[id].crash(&mut random);
        }
        Self::with(names, files, inner.capacity)
    }

    /// Cuts the power in the middle of the operation after the next `count` ones that change or sync
    /// something: that one may have its effect or not, and it and everything behind it fails.
    pub fn stop_after(&self, count: u64) {
        let faults = &mut self.inner.lock().faults;
        faults.stop_after = Some(faults.operations + count);
    }

    /// The process has been killed and started again, and the machine has not: the power of
    /// [`Self::stop_after`] is back on, everything is as it was, and what was not synced still is not.
    pub fn restart(&self) {
        self.inner.lock().faults.stop_after = None;
    }

    /// From here on a read that may not wait gets at most the first `bytes` bytes of what it asks for.
    pub fn cache_at_most(&self, bytes: usize) {
        self.inner.lock().faults.cached = Some(bytes);
    }

    /// What the cache was told to drop since the last question: files, by the names by which they were opened,
    /// and ranges of bytes.
    pub fn given_up(&self) -> Vec<(String, Range<u64>)> {
        std::mem::take(&mut self.inner.lock().given_up)
    }

    /// The operations so far that changed or synced something.
    pub fn operations(&self) -> u64 {
        self.inner.lock().faults.operations
    }

    /// From here on a sync of a file whose name fits is reported, and does nothing. The name is the
    /// one by which the file was created or opened.
    pub fn ignore_sync(&self, lie: impl Fn(&str) -> bool + Send + 'static) {
        self.ignore_sync_where(move |name, _| lie(name));
    }

    /// As [`Self::ignore_sync`], where it also matters what programs read in the file.
    pub fn ignore_sync_where(&self, lie: impl Fn(&str, &[u8]) -> bool + Send + 'static) {
        self.inner.lock().faults.ignore_sync = Some(Box::new(lie));
    }

    /// From here on a sync of a folder whose name fits (`""` for the top one) is reported, and does
    /// nothing.
    pub fn ignore_sync_dir(&self, lie: impl Fn(&str) -> bool + Send + 'static) {
        self.inner.lock().faults.ignore_sync_dir = Some(Box::new(lie));
    }

    /// After `count` more writes, allocations and truncations they fail with `error`; half of what
    /// such a write was to change has changed.
    pub fn fail_writes_after(&self, count: u64, error: io::ErrorKind) {
        self.inner.lock().faults.writes.begin_after(count, error);
    }

    /// After `count` more syncs of files they fail with `error`, and what they were to make durable
    /// never will be, whatever a later sync says.
    pub fn fail_syncs_after(&self, count: u64, error: io::ErrorKind) {
        self.inner.lock().faults.syncs.begin_after(count, error);
    }

    /// Calls `act` once, right before the read behind the next `count` ones of files whose names begin
    /// with `prefix`: whoever reads waits until it returns, and others go on meanwhile.
    pub fn pause_read_after(&self, prefix: &str, count: u64, act: impl FnOnce() + Send + 'static) {
        self.inner.lock().faults.pause = Some(Pause {
            prefix: prefix.to_owned(),
            left: count,
            act: Box::new(act),
        });
    }

    /// No read is waited for any more.
    pub fn pause_no_read(&self) {
        let gone = self.inner.lock().faults.pause.take();
        // What it holds may be dropped only now.
        drop(gone);
    }

    /// Writes and syncs succeed again.
    pub fn heal(&self) {
        let faults = &mut self.inner.lock().faults;
        faults.writes.end();
        faults.syncs.end();
    }

    /// Sets the sum of the lengths that all files together can have, in bytes. What would need more
    /// fails with `StorageFull`.
    pub fn set_capacity(&self, bytes: u64) {
        self.inner.lock().capacity = bytes;
    }

    fn with(names: Names, files: Vec<Content>, capacity: u64) -> Self {
        let inner = Inner {
            names,
            files,
            locks: BTreeSet::new(),
            capacity,
            faults: Faults::default(),
            given_up: Vec::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn handle(&self, id: FileId, name: &str) -> Arc<dyn DiskFile> {
        Arc::new(SimulatedFile {
            disk: Arc::clone(&self.inner),
            id,
            name: name.to_owned(),
        })
    }
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    /// Fails where a file of that length does not fit.
    pub(crate) fn make_room(&self, file: FileId, len: u64) -> io::Result<()> {
        let more = len.saturating_sub(self.files[file].len());
        if more > self.capacity.saturating_sub(self.used()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        let named = self.names.files();
        named.map(|id| self.files[id].len()).sum()
    }

    fn existing(&self, name: &str) -> io::Result<FileId> {
        let found = self.names.file(name);
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn existing_folder(&self, name: &str) -> io::Result<()> {
        if self.names.has_folder(name) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn create(&mut self, name: &str) -> io::Result<FileId> {
        self.existing_folder(folder_of(name))?;
        if self.names.file(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.files.len();
        self.files.push(Content::default());
        self.names.change(Change::Create(name.to_owned(), id));
        Ok(id)
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.inner.lock();
        let fate = inner.faults.begin()?;
        let id = inner.create(name)?;
        fate.answer()?;
        Ok(self.handle(id, name))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let inner = self.inner.lock();
        inner.faults.powered()?;
        let id = inner.existing(name)?;
        Ok(self.handle(id, name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let fate = inner.faults.begin()?;
        inner.existing(name)?;
        inner.names.change(Change::Remove(name.to_owned()));
        fate.answer()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let fate = inner.faults.begin()?;
        let id = inner.existing(from)?;
        if folder_of(from) != folder_of(to) {
            // What two folders that are synced apart make of it nobody has needed to know.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let change = Change::Rename(from.to_owned(), to.to_owned(), id);
        inner.names.change(change);
        fate.answer()
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let inner = self.inner.lock();
        inner.faults.powered()?;
        inner.existing_folder(dir)?;
        Ok(inner.names.list(dir))
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let fate = inner.faults.begin()?;
        let ends = dir.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([dir.len()]) {
            let name = &dir[..end];
            if !inner.names.has_folder(name) {
                inner.names.change(Change::Folder(name.to_owned()));
            }
        }
        fate.answer()
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let fate = inner.faults.begin()?;
        inner.existing_folder(dir)?;
        if fate == Fate::Done && !inner.faults.ignores_sync_dir(dir) {
            inner.names.sync(dir);
        }
        fate.answer()
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        let mut inner = self.inner.lock();
        inner.faults.powered()?;
        if inner.names.file(name).is_none() {
            inner.create(name)?;
        }
        if !inner.locks.insert(name.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimulatedLock {
            disk: Arc::clone(&self.inner),
            name: name.to_owned(),
        }))
    }

    fn space(&self) -> io::Result<DiskSpace> {
        let inner = self.inner.lock();
        inner.faults.powered()?;
        Ok(DiskSpace {
            total: inner.capacity,
            free: inner.capacity.saturating_sub(inner.used()),
        })
    }
}

#[cfg(test)]
mod tests;

//! A device in memory, a server for it, and a client that speaks the protocol by hand.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails the test"
)]

pub mod certificates;
pub mod client;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use firebrick_export::{
    Device, DeviceError, DeviceWrite, ExportServer, ExportServerOptions, Extent, ExtentState,
    Flushed,
};
use firebrick_vocabulary::{BLOCK_SIZE, ByteRange, Bytes};
use parking_lot::{Condvar, Mutex};

/// A device whose every call can be watched, held up and made to fail.
pub struct MemoryDevice {
    state: Mutex<State>,
    changed: Condvar,
    /// Where the store that it stands for is full.
    full_from: AtomicUsize,
    pub writable: AtomicBool,
    /// Whether reads need no wait.
    pub cached: AtomicBool,
    pub flushes: AtomicUsize,
    /// The length of each batch of writes.
    pub batches: Mutex<Vec<usize>>,
    pub failure: Mutex<Option<DeviceError>>,
    /// Whether others must have what a flush covers.
    pub synchronous: AtomicBool,
    /// Who waits for them.
    pub waiting: Mutex<Vec<Weak<dyn Flushed>>>,
    /// The names of the threads that waited for reads.
    pub readers: Mutex<BTreeSet<String>>,
}

struct State {
    bytes: Vec<u8>,
    /// The size, where there are no bytes.
    sparse: Option<usize>,
    data: BTreeSet<u64>,
    /// Calls that may wait do so for as long as this holds.
    held: bool,
    running: usize,
}

impl MemoryDevice {
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                bytes: vec![0; size],
                sparse: None,
                data: BTreeSet::new(),
                held: false,
                running: 0,
            }),
            changed: Condvar::new(),
            full_from: AtomicUsize::new(size),
            writable: AtomicBool::new(true),
            cached: AtomicBool::new(true),
            flushes: AtomicUsize::new(0),
            batches: Mutex::default(),
            failure: Mutex::default(),
            synchronous: AtomicBool::new(false),
            waiting: Mutex::default(),
            readers: Mutex::default(),
        })
    }

    /// A device of a size that it has no memory for: good for everything but data.
    pub fn sparse(size: usize) -> Arc<Self> {
        let device = Self::new(0);
        device.state.lock().sparse = Some(size);
        device
    }

    pub fn resize(&self, size: usize) {
        self.state.lock().bytes.resize(size, 0);
        self.full_from.store(size, Ordering::SeqCst);
    }

    /// Has reads that wait, writes and flushes wait until [`Self::release`].
    pub fn hold(&self) {
        self.state.lock().held = true;
    }

    pub fn release(&self) {
        self.state.lock().held = false;
        self.changed.notify_all();
    }

    pub fn running(&self) -> usize {
        self.state.lock().running
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.state.lock().bytes.clone()
    }

    /// Has writes fail that reach beyond `offset`.
    pub fn fill_from(&self, offset: usize) {
        self.full_from.store(offset, Ordering::SeqCst);
    }

    /// Others have what was flushed, or it failed: how many still waited for that.
    pub fn confirm(&self, result: Result<(), DeviceError>) -> usize {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let there: Vec<_> = waiting.iter().filter_map(Weak::upgrade).collect();
        for flushed in &there {
            flushed.answer(result);
        }
        there.len()
    }

    fn enter(&self) -> Result<parking_lot::MutexGuard<'_, State>, DeviceError> {
        let mut state = self.state.lock();
        state.running += 1;
        while state.held {
            self.changed.wait(&mut state);
        }
        state.running -= 1;
        match *self.failure.lock() {
            Some(error) => Err(error),
            None => Ok(state),
        }
    }

    fn clear(&self, range: ByteRange) -> Result<(), DeviceError> {
        let mut state = self.enter()?;
        if state.sparse.is_some() {
            return Ok(());
        }
        state.bytes[range.offset as usize..(range.offset + range.len) as usize].fill(0);
        let inner = range.offset.div_ceil(BLOCK_SIZE)..(range.offset + range.len) / BLOCK_SIZE;
        state.data.retain(|block| !inner.contains(block));
        Ok(())
    }
}

impl Device for MemoryDevice {
    fn size(&self) -> Bytes {
        let state = self.state.lock();
        Bytes(state.sparse.unwrap_or(state.bytes.len()) as u64)
    }

    fn is_writable(&self) -> bool {
        self.writable.load(Ordering::SeqCst)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let reader = std::thread::current().name().map(str::to_owned);
        self.readers.lock().extend(reader);
        let state = self.enter()?;
        buffer.copy_from_slice(&state.bytes[offset as usize..offset as usize + buffer.len()]);
        Ok(())
    }

    fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DeviceError> {
        if self.cached.load(Ordering::SeqCst) {
            return self.read(offset, buffer).map(|()| buffer.len());
        }
        // Some of it is there, and nothing of use behind that.
        let here = buffer.len() / 2 / BLOCK_SIZE as usize * BLOCK_SIZE as usize;
        let (some, rest) = buffer.split_at_mut(here);
        rest.fill(0xee);
        let state = self.state.lock();
        match state.bytes.get(offset as usize..offset as usize + here) {
            Some(bytes) => some.copy_from_slice(bytes),
            None => return Ok(0),
        }
        Ok(here)
    }

    fn write(&self, writes: &[DeviceWrite<'_>]) -> Result<(), DeviceError> {
        self.batches.lock().push(writes.len());
        let mut state = self.enter()?;
        if !self.is_writable() {
            return Err(DeviceError::NotWritable);
        }
        let end = |write: &DeviceWrite<'_>| write.offset + write.data.len() as u64;
        let full_from = self.full_from.load(Ordering::SeqCst) as u64;
        if writes.iter().any(|write| end(write) > full_from) {
            return Err(DeviceError::NoSpace);
        }
        for write in writes {
            let start = write.offset as usize;
            state.bytes[start..start + write.data.len()].copy_from_slice(write.data);
            state
                .data
                .extend(write.offset / BLOCK_SIZE..end(write).div_ceil(BLOCK_SIZE));
        }
        Ok(())
    }

    fn discard(&self, range: ByteRange) -> Result<(), DeviceError> {
        self.clear(range)
    }

    fn write_zeroes(&self, range: ByteRange) -> Result<(), DeviceError> {
        self.clear(range)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        drop(self.enter()?);
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn is_synchronous(&self) -> bool {
        self.synchronous.load(Ordering::SeqCst)
    }

    fn hold_flush(&self, flushed: Weak<dyn Flushed>) {
        self.waiting.lock().push(flushed);
    }

    fn extents(&self, range: ByteRange, most: usize) -> Result<Vec<Extent>, DeviceError> {
        let state = self.state.lock();
        if state.sparse.is_some() {
            let (len, state) = (range.len, ExtentState::Hole);
            return Ok(vec![Extent { len, state }]);
        }
        let end = range.offset + range.len;
        let mut extents: Vec<Extent> = Vec::new();
        let mut at = range.offset;
        while at < end {
            let block = at / BLOCK_SIZE;
            let next = ((block + 1) * BLOCK_SIZE).min(end);
            let here = if state.data.contains(&block) {
                ExtentState::Data
            } else {
                ExtentState::Hole
            };
            let full = extents.len() == most;
            match extents.last_mut() {
                Some(last) if last.state == here => last.len += next - at,
                Some(_) | None if full => break,
                Some(_) | None => extents.push(Extent {
                    len: next - at,
                    state: here,
                }),
            }
            at = next;
        }
        Ok(extents)
    }
}

/// A server on a socket of its own.
pub struct Site {
    pub server: ExportServer,
    pub options: ExportServerOptions,
    _folder: tempfile::TempDir,
}

impl Site {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut ExportServerOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = ExportServerOptions::new(folder.path().join("nbd.sock"));
        change(&mut options);
        let server = ExportServer::start(options.clone()).unwrap();
        Self {
            server,
            options,
            _folder: folder,
        }
    }

    /// A server with one device, exported as "disk".
    pub fn with_disk(size: usize) -> (Self, Arc<MemoryDevice>) {
        let site = Self::new();
        let device = MemoryDevice::new(size);
        site.server
            .add("disk", Arc::clone(&device) as Arc<dyn Device>, false);
        (site, device)
    }

    pub fn socket(&self) -> PathBuf {
        self.options.unix.clone()
    }

    pub fn uri(&self, name: &str) -> String {
        format!("nbd+unix:///{name}?socket={}", self.options.unix.display())
    }
}

/// Waits until something is so.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::yield_now();
    }
}

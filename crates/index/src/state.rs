//! What lookups go through, from the newest to the oldest; and how it changes.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firebrick_edge::Disk;
use firebrick_edge::{Mutex, RwLock, RwLockReadGuard};

use crate::cache::Cache;
use crate::error::{Error, ErrorKind};
use crate::index::IndexOptions;
use crate::memtable::Memtable;
use crate::stored::{Database, Stored};

/// How often an operation is tried that a failing database disturbs.
const TRIES: u32 = 3;

/// One part of so many of the memory for leaves is for those that a commit makes.
const FRESH: usize = 4;

/// What lookups go through.
pub(crate) struct State {
    /// What changed since the last freeze.
    pub(crate) active: Memtable,
    /// What a commit is writing.
    pub(crate) frozen: Option<Arc<Memtable>>,
    /// What was committed.
    pub(crate) stored: Arc<Stored>,
    /// Segments from which blocks were moved.
    pub(crate) moved: HashSet<u32>,
    /// Changes whenever changes go from one of these to the next.
    pub(crate) epoch: u64,
}

impl State {
    /// The memtables, the newest first.
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Memtable> {
        [Some(&self.active), self.frozen.as_deref()]
            .into_iter()
            .flatten()
    }
}

/// The state, the file behind it, and what was read from there.
pub(crate) struct Core {
    disk: Arc<dyn Disk>,
    /// The name of the file.
    file: &'static str,
    options: IndexOptions,
    state: RwLock<State>,
    pub(crate) cache: Cache,
    /// Held by who opens the database again; whether nobody may any more.
    reviving: Mutex<bool>,
    generations: AtomicU64,
}

impl Core {
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        file: &'static str,
        options: IndexOptions,
    ) -> Result<Self, Error> {
        let database = Database::open(&**disk, file, options.pages_bytes)?;
        let stored = Stored::of(&Arc::new(database), 1)?;
        let moved = stored.moved_segments()?;
        Ok(Self {
            disk: Arc::clone(disk),
            file,
            options,
            state: RwLock::new(State {
                active: Memtable::default(),
                frozen: None,
                stored: Arc::new(stored),
                moved,
                epoch: 0,
            }),
            cache: Cache::new(options.cache_bytes - options.cache_bytes / FRESH),
            reviving: Mutex::new(false),
            generations: AtomicU64::new(2),
        })
    }

    pub(crate) const fn file(&self) -> &'static str {
        self.file
    }

    /// How much memory a commit may take for leaves that it makes, in bytes.
    pub(crate) const fn fresh_bytes(&self) -> u64 {
        (self.options.cache_bytes / FRESH) as u64
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// Changes what is not committed.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Memtable)) {
        change(&mut self.state.write().active);
    }

    pub(crate) fn stored(&self) -> Arc<Stored> {
        Arc::clone(&self.state.read().stored)
    }

    /// Keeps what was read from `stored` in the cache, unless a commit has come since: then it might
    /// be old, and nobody would throw it out any more.
    pub(crate) fn remember(&self, stored: &Stored, put: impl FnOnce(&Cache)) {
        let state = self.state.read();
        if state.stored.generation == stored.generation {
            put(&self.cache);
        }
    }

    /// Takes what changed aside.
    pub(crate) fn freeze(&self) -> Arc<Memtable> {
        let mut state = self.state.write();
        // Somebody dropped what he had frozen.
        if let Some(frozen) = state.frozen.take() {
            merge_back(&mut state, frozen);
        }
        state.epoch += 1;
        let frozen = Arc::new(std::mem::take(&mut state.active));
        state.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// Lets the state of the last commit be seen.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut State, &Cache)) -> Result<(), Error> {
        loop {
            let database = Arc::clone(&self.stored().database);
            let generation = self.generations.fetch_add(1, Ordering::Relaxed);
            let stored = Stored::of(&database, generation)?;
            let mut state = self.state.write();
            // A reader may have had to open it again meanwhile.
            if Arc::ptr_eq(&state.stored.database, &database) {
                state.stored = Arc::new(stored);
                state.epoch += 1;
                change(&mut state, &self.cache);
                return Ok(());
            }
        }
    }

    /// The frozen changes are in what was published.
    pub(crate) fn thaw(&self, frozen: &Arc<Memtable>) {
        let mut state = self.state.write();
        if state
            .frozen
            .as_ref()
            .is_some_and(|its| Arc::ptr_eq(its, frozen))
        {
            state.frozen = None;
            state.epoch += 1;
        }
    }

    /// The frozen changes could not be committed: the next commit takes them along.
    pub(crate) fn restore(&self, frozen: Arc<Memtable>) {
        let mut state = self.state.write();
        if state
            .frozen
            .as_ref()
            .is_some_and(|its| Arc::ptr_eq(its, &frozen))
        {
            state.frozen = None;
            state.epoch += 1;
            merge_back(&mut state, frozen);
        }
    }

    /// Reads from what was committed; where a failure that is not its own disturbs it, again.
    pub(crate) fn reading<T>(
        &self,
        read: impl Fn(&Arc<Stored>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let stored = self.stored();
            match read(&stored) {
                Ok(done) => return Ok(done),
                Err(error) => self.may_try_again(&stored, error, &mut tries)?,
            }
        }
    }

    /// After an error of `stored`: sees to it that the index goes on. Fails with that error unless it
    /// is worth to try again.
    pub(crate) fn may_try_again(
        &self,
        stored: &Arc<Stored>,
        error: Error,
        tries: &mut u32,
    ) -> Result<(), Error> {
        *tries += 1;
        let current = Arc::ptr_eq(&self.stored().database, &stored.database);
        let failed = stored.database.gate.has_failed();
        if current && failed {
            self.revive(&stored.database)?;
        }
        let its_own = current && matches!(error.kind, ErrorKind::Damaged(_));
        if *tries >= TRIES || its_own || !failed {
            return Err(error);
        }
        Ok(())
    }

    /// Nothing reads or writes the file any more when this returns, nor will.
    pub(crate) fn close(&self) {
        *self.reviving.lock() = true;
        self.stored().database.gate.shut();
    }

    /// Opens the database again: after any error it refuses everything, and what failed may have
    /// been one page, or have passed.
    pub(crate) fn revive(&self, failed: &Arc<Database>) -> Result<(), Error> {
        let closed = self.reviving.lock();
        if *closed {
            return Err(Error::io(
                "opening the index again",
                io::Error::other("it is closed"),
            ));
        }
        if !Arc::ptr_eq(&self.stored().database, failed) {
            return Ok(());
        }
        // From here on the old one writes nothing any more, whatever its users still try.
        failed.gate.shut();
        let database = Database::open(&*self.disk, self.file, self.options.pages_bytes)?;
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        let stored = Stored::of(&Arc::new(database), generation)?;
        let mut state = self.state.write();
        // A commit that was told to have failed may have reached the disk.
        self.cache.clear();
        let old = std::mem::replace(&mut state.stored, Arc::new(stored));
        state.epoch += 1;
        drop(state);
        drop(old);
        tracing::warn!("opened the index again after an error");
        Ok(())
    }
}

fn merge_back(state: &mut State, frozen: Arc<Memtable>) {
    let mut changes = Arc::unwrap_or_clone(frozen);
    changes.absorb(std::mem::take(&mut state.active));
    state.active = changes;
}

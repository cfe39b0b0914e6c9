//! The index itself: who may do what, and when.

use std::io;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_edge::Mutex;
use firebrick_log::Location;
use firebrick_vocabulary::Sequence;
use redb::ReadableTableMetadata;

use crate::entry::Entry;
use crate::error::{Error, ErrorKind};
use crate::fold;
use crate::jobs;
use crate::lookup::parts;
use crate::memtable::Memtable;
use crate::merge::{self, Leaves, unwritten};
use crate::places;
use crate::points::{Batch, Moved, Points, Released, Weight};
use crate::state::Core;
use crate::stored::{Database, FILE, FOLDER, NEW_FILE, REBUILT_FILE, unreadable};
use crate::touched::Touched;
use crate::trim;
use crate::view::{BranchId, Changed, View};

/// How much memory an index may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct IndexOptions {
    /// For what was read and decoded.
    pub cache_bytes: usize,
    /// For pages of the file.
    pub pages_bytes: usize,
}

/// Is called with a key and its value.
pub type Visit<'a, E> = dyn FnMut(&[u8], &[u8]) -> Result<(), E> + 'a;

/// Changes on their way into the file: for [`Index::commit`]. Where it is dropped instead, the next
/// [`Index::freeze`] takes them along.
#[must_use = "what was frozen is not durable before it is committed"]
pub struct Frozen(Arc<Memtable>);

/// Where the blocks of every image are.
pub struct Index {
    pub(crate) core: Core,
    /// Held by who writes to the file.
    writer: Mutex<()>,
}

impl Index {
    /// Makes an empty index, durably, in the folder `index` of the disk. Fails with
    /// [`ErrorKind::Exists`] where there is one.
    pub fn create(disk: &Arc<dyn Disk>) -> Result<(), Error> {
        let failed = |error| Error::io("making an index", error);
        disk.create_dir(FOLDER).map_err(failed)?;
        disk.sync_dir("").map_err(failed)?;
        match disk.open(FILE) {
            Ok(_) => return Err(Error::new(ErrorKind::Exists, "making an index")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // What a crash left of an attempt.
        remove(&**disk, NEW_FILE).map_err(failed)?;
        let file = disk.create(NEW_FILE).map_err(failed)?;
        Database::create(Arc::clone(&file))?;
        file.sync().map_err(failed)?;
        // It has its name only when it is whole.
        disk.rename(NEW_FILE, FILE).map_err(failed)?;
        disk.sync_dir(FOLDER).map_err(failed)
    }

    /// Removes the index, durably, so that another one can be made; no error where there is none.
    /// None may be open.
    pub fn remove(disk: &Arc<dyn Disk>) -> Result<(), Error> {
        let failed = |error| Error::io("removing the index", error);
        disk.create_dir(FOLDER).map_err(failed)?;
        remove(&**disk, FILE).map_err(failed)?;
        disk.sync_dir(FOLDER).map_err(failed)
    }

    /// Opens the index as the last commit left it. Fails with [`ErrorKind::NotFound`] where there is
    /// none, and with [`ErrorKind::Damaged`] where the file cannot be understood.
    pub fn open(disk: &Arc<dyn Disk>, options: IndexOptions) -> Result<Self, Error> {
        Ok(Self {
            core: Core::open(disk, FILE, options)?,
            writer: Mutex::new(()),
        })
    }

    /// Begins an index anew beside the one that is there, if any: it counts only once it was
    /// [published](Self::publish). What an earlier attempt left is removed.
    pub fn begin(disk: &Arc<dyn Disk>, options: IndexOptions) -> Result<Self, Error> {
        let failed = |error| Error::io("making an index", error);
        disk.create_dir(FOLDER).map_err(failed)?;
        disk.sync_dir("").map_err(failed)?;
        remove(&**disk, REBUILT_FILE).map_err(failed)?;
        Database::create(disk.create(REBUILT_FILE).map_err(failed)?)?;
        Ok(Self {
            core: Core::open(disk, REBUILT_FILE, options)?,
            writer: Mutex::new(()),
        })
    }

    /// Lets what was begun anew, as of its last commit, take the place of the index, durably.
    pub fn publish(self, disk: &Arc<dyn Disk>) -> Result<(), Error> {
        let failed = |error| Error::io("publishing the index", error);
        if self.core.file() != REBUILT_FILE {
            return Err(Error::new(ErrorKind::Exists, "publishing the index"));
        }
        // Closes it, and may write.
        drop(self);
        let file = disk.open(REBUILT_FILE).map_err(failed)?;
        // It has its name only when it is whole.
        file.sync().map_err(failed)?;
        disk.rename(REBUILT_FILE, FILE).map_err(failed)?;
        disk.sync_dir(FOLDER).map_err(failed)
    }

    /// Lets another process open the index: from here on everything that is not in memory fails. The file
    /// stays as the last commit left it, as after a crash: the database would go on to change it for as
    /// long as somebody holds a part of it.
    pub fn close(&self) {
        let _commit = self.writer.lock();
        self.core.close();
    }

    /// The blocks from `block` on have these entries. One caller at a time; never waits for the
    /// disk.
    pub fn put(&self, branch: BranchId, tag: Sequence, block: u64, entries: &[Entry]) {
        self.core
            .change(|table| table.put(branch, tag, block, entries));
    }

    /// The blocks from `first` up to, without, `end` are holes. As [`Self::put`]; its cost does not
    /// grow with the range, but with what changed in it since the last commit.
    pub fn clear(&self, branch: BranchId, tag: Sequence, first: u64, end: u64) {
        self.core
            .change(|table| table.clear(branch, tag, first, end));
    }

    /// Forgets what changed in a branch that is gone. What of it a commit is just writing goes with
    /// [`Batch::dropped`].
    pub fn drop_changes(&self, branch: BranchId) {
        self.core.change(|table| table.remove(branch));
    }

    /// The memory of what is not committed, in bytes.
    pub fn pending(&self) -> usize {
        self.core.read().memtables().map(Memtable::bytes).sum()
    }

    /// Appends the entries of `count` blocks from `first` on to `out`. On an error `out` is as it
    /// was.
    pub fn get(
        &self,
        view: &View,
        first: u64,
        count: usize,
        out: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        let had = out.len();
        let mut done = had;
        out.resize(had + count, Entry::NONE);
        for (leaf, slot, count) in parts(first, first.saturating_add(count as u64)) {
            let part = &mut out[done..done + count];
            if let Err(error) = self.core.resolve(view, leaf, slot, part) {
                out.truncate(had);
                return Err(error);
            }
            done += count;
        }
        Ok(())
    }

    /// As [`Self::get`], but only if that needs no wait for the disk: `false` where it would (then
    /// nothing was appended).
    pub fn get_cached(&self, view: &View, first: u64, count: usize, out: &mut Vec<Entry>) -> bool {
        let had = out.len();
        let mut done = had;
        out.resize(had + count, Entry::NONE);
        for (leaf, slot, count) in parts(first, first.saturating_add(count as u64)) {
            let part = &mut out[done..done + count];
            if !self.core.resolve_cached(view, leaf, slot, part) {
                out.truncate(had);
                return false;
            }
            done += count;
        }
        true
    }

    /// The first block in `first..end` that is no hole. Its cost grows with the leaves that exist
    /// there.
    pub fn next_mapped(&self, view: &View, first: u64, end: u64) -> Result<Option<u64>, Error> {
        self.core.next_mapped(view, first, end)
    }

    /// The first hole in `first..end`.
    pub fn next_hole(&self, view: &View, first: u64, end: u64) -> Result<Option<u64>, Error> {
        self.core.find(view, first, end, |entry| !entry.is_some())
    }

    /// The blocks from `from` on that differ between the views, ascending, at most `at_most`; all
    /// that are mapped where there is no older view. Where both views go through one branch, their
    /// positions in it have to be points (or the head), and the cost grows with what differs;
    /// otherwise with the leaves that exist.
    pub fn changed(
        &self,
        newer: &View,
        older: Option<&View>,
        from: u64,
        at_most: usize,
    ) -> Result<Vec<Changed>, Error> {
        self.core.changed(newer, older, from, at_most)
    }

    /// How many blocks of the view are no holes. Its cost grows with the leaves that exist.
    pub fn mapped(&self, view: &View) -> Result<u64, Error> {
        self.core.mapped(view)
    }

    /// Takes what changed so far aside for [`Self::commit`]; it is still seen by lookups. To be
    /// called where no change can come in between with what else belongs to the commit; takes no
    /// time to speak of.
    pub fn freeze(&self) -> Frozen {
        Frozen(self.core.freeze())
    }

    /// Makes the frozen changes and the batch durable, together or not at all. On an error lookups
    /// see what they saw before, and the changes are part of what is frozen next; the batch has to
    /// be handed in again. (After an error all of it may be durable nevertheless, which does no
    /// harm.)
    pub fn commit(
        &self,
        frozen: Frozen,
        points: &dyn Points,
        batch: &Batch,
    ) -> Result<Released, Error> {
        let _only = self.writer.lock();
        let Frozen(frozen) = frozen;
        let done = self.write("committing to the index", |touched, released| {
            let mut folded = Touched::default();
            let stored = self.core.stored();
            let database = Arc::clone(&stored.database);
            drop(stored);
            let placed = database.write("committing to the index", |tables| {
                merge::merge(tables, &frozen, points, touched, released)?;
                jobs::work(tables, batch, points, touched, released)?;
                let mut leaves = Leaves {
                    versions: &mut tables.leaves,
                    by_tag: &mut tables.by_tag,
                    touched: &mut folded,
                    released,
                };
                fold::fold(&mut leaves, points, &batch.folds)?;
                trim::trim(&mut leaves, points, &batch.trims)?;
                for (key, value) in &batch.rows {
                    let old = match value {
                        Some(value) => tables.rows.insert(&**key, &**value),
                        None => tables.rows.remove(&**key),
                    };
                    old.map_err(unwritten)?;
                }
                places::store(tables, &batch.moves, &batch.dead)
            })?;
            self.core.publish(|state, cache| {
                places::publish(state, &placed);
                // No frozen changes hide that these are old: a lookup must not find that a leaf is
                // not here any more and, from before, that it is not there yet.
                folded.forget(cache);
            })?;
            touched.give_way(&folded);
            places::forget(&self.core.cache, &placed);
            Ok(())
        });
        match done {
            Ok((touched, mut released)) => {
                // Until these are thrown out, the frozen changes hide that they are old.
                touched.settle(&self.core.cache);
                released.append(frozen.released());
                self.core.thaw(&frozen);
                Ok(released)
            }
            Err(error) => {
                self.core.restore(frozen);
                Err(error)
            }
        }
    }

    /// Makes durable where blocks were moved, and that nobody uses the `dead` names any more; what
    /// changed since the last commit is left alone.
    pub fn apply_moves(&self, moves: &[Moved], dead: &[Location]) -> Result<(), Error> {
        const DOING: &str = "writing moves to the index";
        let _only = self.writer.lock();
        self.write(DOING, |_, _| {
            let database = Arc::clone(&self.core.stored().database);
            let placed = database.write(DOING, |tables| places::store(tables, moves, dead))?;
            self.core
                .publish(|state, _| places::publish(state, &placed))?;
            places::forget(&self.core.cache, &placed);
            Ok(())
        })?;
        Ok(())
    }

    /// How much there is left to [fold](crate::Fold) of a branch into its child, as of the last commit.
    pub fn weigh(&self, from: BranchId, into: BranchId) -> Result<Weight, Error> {
        self.core.reading(|stored| fold::weigh(stored, from, into))
    }

    /// Whether earlier commits left work to do, which further ones go on with.
    pub fn is_unfinished(&self) -> Result<bool, Error> {
        self.core
            .reading(|stored| Ok(!stored.jobs.is_empty().map_err(unreadable)?))
    }

    /// One row of the engine's metadata, as of the last commit.
    pub fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.core.reading(|stored| {
            let found = stored.rows.get(key).map_err(unreadable)?;
            Ok(found.map(|value| value.value().to_vec()))
        })
    }

    /// All rows whose keys begin with `prefix`, in their order, as of the last commit.
    pub fn rows<E: From<Error>>(&self, prefix: &[u8], visit: &mut Visit<'_, E>) -> Result<(), E> {
        let stored = self.core.stored();
        for item in stored.rows.range(prefix..).map_err(unreadable)? {
            let (key, value) = item.map_err(unreadable)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            visit(key.value(), value.value())?;
        }
        Ok(())
    }

    /// Whether blocks that were first written to that segment may lie elsewhere now.
    pub fn has_moved(&self, segment: u32) -> bool {
        self.core.has_moved(segment)
    }

    /// Where a block is now: its name where it was never moved.
    pub fn place(&self, name: Location) -> Result<Location, Error> {
        self.core.place(name)
    }

    /// Where the blocks of `entries` are now, as [`Self::place`] says; `None` for holes.
    pub fn places(&self, entries: &[Entry]) -> Result<Vec<Option<Location>>, Error> {
        self.core.places(entries)
    }

    /// What was moved from a segment, by name.
    pub fn moved_from(&self, segment: u32) -> Result<Vec<Moved>, Error> {
        self.core.reading(|stored| stored.places(segment))
    }

    /// Writes to the file; where the database has failed, also before, it is opened again.
    fn write(
        &self,
        doing: &'static str,
        write: impl FnOnce(&mut Touched, &mut Released) -> Result<(), Error>,
    ) -> Result<(Touched, Released), Error> {
        let room = self.core.fresh_bytes();
        let (mut touched, mut released) = (Touched::with_room(room), Released::default());
        let database = Arc::clone(&self.core.stored().database);
        if database.gate.has_failed() {
            self.core.revive(&database)?;
        }
        drop(database);
        let done = write(&mut touched, &mut released);
        let database = Arc::clone(&self.core.stored().database);
        if database.gate.has_failed()
            && let Err(error) = self.core.revive(&database)
        {
            tracing::warn!(%error, doing, "the index cannot be opened again");
        }
        done.map(|()| (touched, released))
    }
}

fn remove(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests;

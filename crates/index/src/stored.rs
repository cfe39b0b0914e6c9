//! The database, and one committed state of it.

use std::any::Any;
use std::collections::HashSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use firebrick_edge::{Disk, DiskFile};
use firebrick_log::Location;
use firebrick_vocabulary::Sequence;
use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition};

use crate::entry::Entry;
use crate::error::{Damage, Error, ErrorKind};
use crate::leaf::Leaf;
use crate::pages::{self, Gate, Header, Pages};
use crate::places::Row;
use crate::points::Moved;
use crate::slots::{Entries, HOLES, Wanted, limit_of};
use crate::view::{BranchId, View};

/// Branch, leaf, tag; in the table by tag: branch, tag, leaf.
pub(crate) type LeafKey = (u64, u64, u64);

const LEAVES: TableDefinition<'_, LeafKey, &[u8]> = TableDefinition::new("leaves");
const BY_TAG: TableDefinition<'_, LeafKey, ()> = TableDefinition::new("by_tag");
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
/// By [`Row`].
const PLACES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("places");
const JOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("jobs");

/// The folder of the index.
pub(crate) const FOLDER: &str = "index";
/// Its file.
pub(crate) const FILE: &str = "index/leaves";
/// The file while it is made.
pub(crate) const NEW_FILE: &str = "index/new";
/// The file of an index that is rebuilt and has not its name yet.
pub(crate) const REBUILT_FILE: &str = "index/rebuilt";

/// A version of a leaf and its tag, where there is one.
pub(crate) type Found = Option<(u64, Arc<Leaf>)>;

/// How many versions of a leaf are remembered: each costs about as much to read as the leaf itself.
const VERSIONS_MAX: usize = 16;

/// Which versions a leaf has, as far as that is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    /// The tags of the newest ones, ascending.
    pub(crate) tags: Arc<[u64]>,
    /// Whether these are all.
    pub(crate) whole: bool,
}

/// The newest version before some position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Newest {
    Tag(u64),
    /// There is none.
    Nothing,
    /// It is not one of those that are remembered.
    Unknown,
}

impl Versions {
    pub(crate) fn newest(&self, before: Sequence) -> Newest {
        let count = self.tags.partition_point(|tag| *tag < before.0);
        match count.checked_sub(1).map(|last| self.tags[last]) {
            Some(tag) => Newest::Tag(tag),
            None if self.whole => Newest::Nothing,
            None => Newest::Unknown,
        }
    }

    /// Whether no more of them could be known.
    pub(crate) fn is_full(&self) -> bool {
        self.tags.len() >= VERSIONS_MAX
    }

    /// Without the tag of a version that has gone.
    pub(crate) fn without(&self, tag: u64) -> Self {
        let tags = self.tags.iter().copied();
        Self {
            tags: tags.filter(|known| *known != tag).collect(),
            whole: self.whole,
        }
    }

    /// With the tag of a version that is newer than all, or is the newest already.
    pub(crate) fn with(&self, tag: u64) -> Self {
        if self.tags.last() == Some(&tag) {
            return self.clone();
        }
        let tags = self.tags.iter().copied().chain([tag]);
        Self {
            tags: tags.skip(usize::from(self.is_full())).collect(),
            whole: self.whole && !self.is_full(),
        }
    }
}

/// An open database.
pub(crate) struct Database {
    inner: redb::Database,
    pub(crate) gate: Arc<Gate>,
}

/// The tables, while a transaction changes them.
pub(crate) struct Tables<'t> {
    pub(crate) leaves: Table<'t, LeafKey, &'static [u8]>,
    pub(crate) by_tag: Table<'t, LeafKey, ()>,
    pub(crate) rows: Table<'t, &'static [u8], &'static [u8]>,
    pub(crate) places: Table<'t, u64, &'static [u8]>,
    pub(crate) jobs: Table<'t, u64, &'static [u8]>,
}

/// What one commit left.
pub(crate) struct Stored {
    pub(crate) leaves: ReadOnlyTable<LeafKey, &'static [u8]>,
    pub(crate) by_tag: ReadOnlyTable<LeafKey, ()>,
    pub(crate) rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pub(crate) places: ReadOnlyTable<u64, &'static [u8]>,
    pub(crate) jobs: ReadOnlyTable<u64, &'static [u8]>,
    /// Behind the tables, which must go first.
    pub(crate) database: Arc<Database>,
    /// Which state this is; no two have the same number.
    pub(crate) generation: u64,
}

impl Database {
    /// Opens the database in the file, or makes one where the file is empty.
    fn with(file: Arc<dyn DiskFile>, pages_bytes: usize) -> Result<Self, Error> {
        const DOING: &str = "opening the index";
        let gate = Arc::new(Gate::default());
        let pages = Pages::new(file, Arc::clone(&gate));
        // What the checksums let through was written by the database, but a file may still have been
        // put together from two moments, and then it asserts.
        let opened = catch_unwind(AssertUnwindSafe(move || {
            redb::Builder::new()
                .set_cache_size(pages_bytes)
                .create_with_backend(pages)
        }));
        match opened {
            Ok(Ok(inner)) => Ok(Self { inner, gate }),
            Ok(Err(error)) => Err(Error::redb(DOING, error)),
            Err(panic) => {
                let said = said(panic.as_ref()).to_owned();
                Err(Error {
                    source: Some(said.into()),
                    ..Error::damaged(Damage::File, DOING)
                })
            }
        }
    }

    /// Makes an empty one.
    pub(crate) fn create(file: Arc<dyn DiskFile>) -> Result<(), Error> {
        let database = Self::with(file, 1 << 20)?;
        database.write("making an index", |_| Ok(()))
    }

    pub(crate) fn open(disk: &dyn Disk, name: &str, pages_bytes: usize) -> Result<Self, Error> {
        const DOING: &str = "opening the index";
        let file = match disk.open(name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::new(ErrorKind::NotFound, DOING));
            }
            opened => opened.map_err(|error| Error::io(DOING, error))?,
        };
        // After a sync that failed the cache holds what never got to the disk.
        let looked = file.forget_cached().and_then(|()| pages::look(&*file));
        match looked.map_err(|error| Error::io(DOING, error))? {
            Header::Ours => Self::with(file, pages_bytes),
            Header::Newer { found } => Err(Error::new(ErrorKind::NewerVersion { found }, DOING)),
            Header::Older { found } => Err(Error::new(ErrorKind::OlderVersion { found }, DOING)),
            Header::Damaged => Err(Error::damaged(Damage::File, DOING)),
        }
    }

    /// Changes the tables in one durable transaction, or not at all.
    pub(crate) fn write<T>(
        &self,
        doing: &'static str,
        change: impl FnOnce(&mut Tables<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut transaction = self
            .inner
            .begin_write()
            .map_err(|e| Error::redb(doing, e))?;
        // With it a commit has two phases (which the checksums of pages lean on), and opening after
        // a crash does not read the whole file.
        transaction.set_quick_repair(true);
        let table = |error: redb::TableError| Error::redb(doing, error);
        let mut tables = Tables {
            leaves: transaction.open_table(LEAVES).map_err(table)?,
            by_tag: transaction.open_table(BY_TAG).map_err(table)?,
            rows: transaction.open_table(ROWS).map_err(table)?,
            places: transaction.open_table(PLACES).map_err(table)?,
            jobs: transaction.open_table(JOBS).map_err(table)?,
        };
        let done = change(&mut tables)?;
        drop(tables);
        transaction.commit().map_err(|e| Error::redb(doing, e))?;
        Ok(done)
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the database gave up")
}

impl Stored {
    /// The state that the last commit left.
    pub(crate) fn of(database: &Arc<Database>, generation: u64) -> Result<Self, Error> {
        const DOING: &str = "reading the index";
        let transaction = database
            .inner
            .begin_read()
            .map_err(|e| Error::redb(DOING, e))?;
        let table = |error: redb::TableError| Error::redb(DOING, error);
        Ok(Self {
            leaves: transaction.open_table(LEAVES).map_err(table)?,
            by_tag: transaction.open_table(BY_TAG).map_err(table)?,
            rows: transaction.open_table(ROWS).map_err(table)?,
            places: transaction.open_table(PLACES).map_err(table)?,
            jobs: transaction.open_table(JOBS).map_err(table)?,
            database: Arc::clone(database),
            generation,
        })
    }

    /// The tags of the newest versions of a leaf, and the newest version with a tag before `before`
    /// where it is one of them: at one go, as the way down to them is what a lookup costs.
    pub(crate) fn look(
        &self,
        branch: BranchId,
        leaf: u64,
        before: Sequence,
    ) -> Result<(Versions, Found), Error> {
        let mut tags = Vec::new();
        let mut found = None;
        let mut whole = true;
        let keys = (branch.0, leaf, 0)..=(branch.0, leaf, u64::MAX);
        for item in self.leaves.range(keys).map_err(unreadable)?.rev() {
            let (key, bytes) = item.map_err(unreadable)?;
            let (_, _, tag) = key.value();
            if tags.len() >= VERSIONS_MAX {
                whole = false;
                break;
            }
            tags.push(tag);
            if tag < before.0 && found.is_none() {
                found = Some((tag, Arc::new(decode(branch, leaf, bytes.value())?)));
            }
        }
        tags.reverse();
        let tags = tags.into();
        Ok((Versions { tags, whole }, found))
    }

    /// The newest version of a leaf with a tag before `before`.
    pub(crate) fn newest(
        &self,
        branch: BranchId,
        leaf: u64,
        before: Sequence,
    ) -> Result<Found, Error> {
        let found = newest(&self.leaves, branch, leaf, before.0)?;
        Ok(found.map(|(tag, leaf)| (tag, Arc::new(leaf))))
    }

    /// What was moved from a segment, by name.
    pub(crate) fn places(&self, segment: u32) -> Result<Vec<Moved>, Error> {
        let mut all = Vec::new();
        for item in self.places.range(Row::all(segment)).map_err(unreadable)? {
            let (row, bytes) = item.map_err(unreadable)?;
            all.extend(decode_places(Row(row.value()), bytes.value())?);
        }
        Ok(all)
    }

    /// What was moved from a part of a segment.
    pub(crate) fn places_in(&self, row: Row) -> Result<Vec<Moved>, Error> {
        let found = self.places.get(row.0).map_err(unreadable)?;
        found.map_or_else(|| Ok(Vec::new()), |bytes| decode_places(row, bytes.value()))
    }

    /// The segments from which something was moved.
    pub(crate) fn moved_segments(&self) -> Result<HashSet<u32>, Error> {
        let mut segments = HashSet::new();
        let mut from = 0;
        // One look for each of them, however many rows it has.
        while let Some(item) = self.places.range(from..).map_err(unreadable)?.next() {
            let segment = Row(item.map_err(unreadable)?.0.value()).segment();
            segments.insert(segment);
            let Some(next) = segment.checked_add(1) else {
                break;
            };
            from = *Row::all(next).start();
        }
        Ok(segments)
    }
}

/// An error while the index was read.
pub(crate) fn unreadable(error: redb::StorageError) -> Error {
    Error::redb("reading the index", error)
}

/// The first leaf of a branch from `from` on that has a version with a tag before `before`.
pub(crate) fn next_leaf(
    leaves: &impl ReadableTable<LeafKey, &'static [u8]>,
    branch: BranchId,
    before: Sequence,
    mut from: u64,
) -> Result<Option<u64>, Error> {
    loop {
        let keys = (branch.0, from, 0)..=(branch.0, u64::MAX, u64::MAX);
        let first = leaves.range(keys).map_err(unreadable)?.next().transpose();
        let Some((key, _)) = first.map_err(unreadable)? else {
            return Ok(None);
        };
        let (_, leaf, tag) = key.value();
        if tag < before.0 {
            return Ok(Some(leaf));
        }
        from = leaf + 1;
    }
}

/// The newest version of a leaf with a tag before `before`.
pub(crate) fn newest(
    leaves: &impl ReadableTable<LeafKey, &'static [u8]>,
    branch: BranchId,
    leaf: u64,
    before: u64,
) -> Result<Option<(u64, Leaf)>, Error> {
    let keys = (branch.0, leaf, 0)..(branch.0, leaf, before);
    let last = leaves.range(keys).map_err(unreadable)?.next_back();
    let Some((key, bytes)) = last.transpose().map_err(unreadable)? else {
        return Ok(None);
    };
    let decoded = decode(branch, leaf, bytes.value())?;
    Ok(Some((key.value().2, decoded)))
}

/// What a leaf is in a view, without what is not committed.
pub(crate) fn entries_of(
    leaves: &impl ReadableTable<LeafKey, &'static [u8]>,
    view: &View,
    leaf: u64,
) -> Result<Entries, Error> {
    let mut entries = HOLES;
    let mut wanted = Wanted::new(0, &mut entries);
    for step in view.steps() {
        if let Some(limit) = limit_of(leaf, step.blocks) {
            wanted.holes_from(limit);
        }
        if wanted.is_done() {
            break;
        }
        if let Some((_, found)) = newest(leaves, step.branch, leaf, step.before.0)? {
            found.fill(&mut wanted);
            break;
        }
    }
    Ok(entries)
}

fn decode(branch: BranchId, leaf: u64, bytes: &[u8]) -> Result<Leaf, Error> {
    let damage = Damage::Leaf { branch, leaf };
    Leaf::decode(bytes).ok_or_else(|| Error::damaged(damage, "reading the index"))
}

/// The places of a part of a segment are stored as triples of 32-bit numbers: unit of the name, and segment
/// and unit of the place; sorted.
pub(crate) fn decode_places(row: Row, bytes: &[u8]) -> Result<Vec<Moved>, Error> {
    let segment = row.segment();
    let (triples, rest) = bytes.as_chunks::<12>();
    if !rest.is_empty() {
        let damage = Damage::Places { segment };
        return Err(Error::damaged(damage, "reading the index"));
    }
    let number = |triple: &[u8; 12], at: usize| {
        u32::from_be_bytes(std::array::from_fn(|index| triple[at + index]))
    };
    let moved = triples.iter().map(|triple| Moved {
        name: Location {
            segment,
            unit: number(triple, 0),
        },
        place: Location {
            segment: number(triple, 4),
            unit: number(triple, 8),
        },
    });
    Ok(moved.collect())
}

/// The first leaf from `from` on of those versions of a branch whose tag is exactly `tag`; or where
/// there is none, the first tag behind it that has any, and `end` bounds.
pub(crate) fn next_tagged(
    by_tag: &impl ReadableTable<LeafKey, ()>,
    branch: BranchId,
    tags: &Range<u64>,
    from: u64,
) -> Result<Option<(u64, u64)>, Error> {
    let keys = (branch.0, tags.start, from)..(branch.0, tags.end, 0);
    let first = by_tag.range(keys).map_err(unreadable)?.next();
    let found = first.transpose().map_err(unreadable)?;
    Ok(found.map(|(key, _)| {
        let (_, tag, leaf) = key.value();
        (tag, leaf)
    }))
}

/// Blocks of `old` that neither `new` nor `other` has in the same slot.
pub(crate) fn lost<'a>(
    old: &'a Entries,
    new: &'a Entries,
    other: &'a Entries,
) -> impl Iterator<Item = Entry> + 'a {
    let triples = old.iter().zip(new).zip(other);
    triples
        .filter(|((old, new), other)| old.is_some() && old.at != new.at && old.at != other.at)
        .map(|((old, _), _)| *old)
}

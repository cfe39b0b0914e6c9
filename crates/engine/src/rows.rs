//! The rows in which the index remembers everything that is no block: written with each checkpoint,
//! in the same transaction as the blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebrick_edge::RwLock;
use firebrick_edge::Timestamp;
use firebrick_index::{BranchId, Index, Visit};
use firebrick_log::Catalog;
use firebrick_vocabulary::{Bytes, ImageId, Sequence, SnapshotId, StoreId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::branch::{Branch, Branches, Seen};
use crate::ended::End;
use crate::error::{Error, ErrorKind};
use crate::keep::Keep;
use crate::light::Light;
use crate::past::ThenMeta;
use crate::scrub::{ScrubCursor, ScrubProgress};
use crate::state::{Changed, Ghost, ImageMeta, ImageState, Snapshot, State, Window};
use crate::window::Kept;

const READ: &str = "read the index";
const STATE: &str = "state";
const BRANCH: &str = "branch/";
const IMAGE: &str = "image/";
const SNAPSHOT: &str = "snapshot/";
/// Name, size and metadata of images at kept checkpoints: `then/IMAGE/SEQUENCE`.
const THEN: &str = "then/";

/// The segments of the log, as [`Catalog::encode`] wrote them.
const CATALOG: &str = "catalog";
/// How many blocks of each segment may be dead.
const DEAD: &str = "dead";
/// How images ended.
const ENDED: &str = "ended";
/// How far the scrubber is.
const SCRUB: &str = "scrub";

/// A row to be written, or to be removed.
pub(crate) type Row = (Vec<u8>, Option<Vec<u8>>);

/// What is neither an image nor a snapshot nor a branch.
#[derive(Default, Serialize, Deserialize)]
struct Document {
    sequence: Sequence,
    applied: BTreeMap<StoreId, Sequence>,
    removed: BTreeMap<ImageId, Window>,
    #[serde(default)]
    ended_to: Sequence,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    removed_told: BTreeMap<ImageId, Window>,
    ghosts: Vec<Ghost>,
    kept: Vec<Kept>,
    #[serde(default)]
    sparse_to: Sequence,
    #[serde(default)]
    keep: BTreeMap<String, Keep>,
    bytes: u64,
    newest_branch: u64,
    base: Sequence,
}

#[derive(Serialize, Deserialize)]
struct ImageRow {
    meta: Light<ImageMeta>,
    branch: BranchId,
}

/// A pass of the scrubber. Of the place where it is only the segment: after a crash other frames may
/// lie behind it.
#[derive(Serialize, Deserialize)]
struct ScrubRow {
    began: u64,
    read: Bytes,
    next: Option<u32>,
}

fn put(rows: &mut Vec<Row>, key: String, value: &impl Serialize) -> Result<(), Error> {
    let value = serde_json::to_vec(value)
        .map_err(|error| Error::new(ErrorKind::Invalid, "write the index", error.to_string()))?;
    rows.push((key.into_bytes(), Some(value)));
    Ok(())
}

fn set(rows: &mut Vec<Row>, key: String, value: Option<&impl Serialize>) -> Result<(), Error> {
    match value {
        Some(value) => put(rows, key, value)?,
        None => rows.push((key.into_bytes(), None)),
    }
    Ok(())
}

fn branch_key(id: BranchId) -> String {
    format!("{BRANCH}{:020}", id.0)
}

fn image_key(id: ImageId) -> String {
    format!("{IMAGE}{id}")
}

fn snapshot_key(image: ImageId, id: SnapshotId) -> String {
    format!("{SNAPSHOT}{image}/{:020}", id.0)
}

fn then_key(image: ImageId, at: Sequence) -> String {
    format!("{THEN}{image}/{:020}", at.0)
}

/// What has changed since the last checkpoint, as it was under the commit lock: to make rows of it
/// takes longer than guests should wait.
pub(crate) struct Changes {
    document: Document,
    images: Vec<(ImageId, Option<ImageRow>)>,
    then: Vec<(ImageId, Sequence, ThenMeta)>,
    snapshots: Vec<(ImageId, SnapshotId, Option<Snapshot>)>,
    ended: Option<BTreeMap<ImageId, End>>,
}

/// What the rows have to say that have changed since the last checkpoint.
pub(crate) fn collect(state: &State, changed: &Changed) -> Changes {
    let document = Document {
        sequence: state.sequence,
        applied: state.applied.clone(),
        removed: state.removed.clone(),
        ended_to: state.ended_to,
        removed_told: state.removed_told.clone(),
        ghosts: state.ghosts.clone(),
        kept: state.kept.clone(),
        sparse_to: state.sparse_to,
        keep: state.keep.clone(),
        bytes: state.bytes,
        newest_branch: state.branches.newest(),
        base: state.base,
    };
    let image = |id: &ImageId| {
        let cell = state.cell(*id).map(|cell| cell.read());
        cell.map(|image| ImageRow {
            meta: image.meta.clone(),
            branch: image.branch,
        })
    };
    let images = changed.images.union(&changed.written);
    let then = state.then.iter();
    let snapshot = |(image, id): &(ImageId, SnapshotId)| {
        let cell = state.cell(*image).map(|cell| cell.read());
        let found = cell.as_ref().and_then(|image| image.snapshot(*id));
        (*image, *id, found.cloned())
    };
    Changes {
        document,
        images: images.map(|id| (*id, image(id))).collect(),
        then: then
            .map(|((id, at), then)| (*id, *at, then.clone()))
            .collect(),
        snapshots: changed.snapshots.iter().map(snapshot).collect(),
        ended: changed.ended.then(|| state.ended.clone()),
    }
}

/// The rows that say everything, for an index that has none yet.
pub(crate) fn everything(state: &State, dead: &BTreeMap<u32, u64>) -> Result<Vec<Row>, Error> {
    let snapshots = state.images.range(..).flat_map(|(image, cell)| {
        let ids: Vec<_> = cell.read().snapshots.iter().map(|s| s.meta.id).collect();
        ids.into_iter().map(|id| (*image, id))
    });
    let all = Changed {
        images: state.images.keys().copied().collect(),
        snapshots: snapshots.collect(),
        ended: true,
        ..Changed::default()
    };
    let branches: Vec<BranchId> = state.branches.ids().collect();
    let seen = state.branches.seen();
    let mut rows = collect(state, &all).rows(&branches, &seen)?;
    if !state.branches.kept().is_empty() {
        for (id, cell) in state.images.range(..) {
            let then = ThenMeta::of(&cell.read().meta);
            put(&mut rows, then_key(*id, state.sequence), &then)?;
        }
    }
    put(&mut rows, DEAD.to_owned(), dead)?;
    Ok(rows)
}

impl Changes {
    /// The rows that say it, and what was seen of those branches at the same moment.
    pub(crate) fn rows(&self, branches: &[BranchId], seen: &Seen) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        put(&mut rows, STATE.to_owned(), &self.document)?;
        if let Some(ended) = &self.ended {
            put(&mut rows, ENDED.to_owned(), ended)?;
        }
        for id in branches {
            set(&mut rows, branch_key(*id), seen.get(*id))?;
        }
        for (id, image) in &self.images {
            set(&mut rows, image_key(*id), image.as_ref())?;
        }
        for (image, at, then) in &self.then {
            put(&mut rows, then_key(*image, *at), then)?;
        }
        for (image, id, snapshot) in &self.snapshots {
            set(&mut rows, snapshot_key(*image, *id), snapshot.as_ref())?;
        }
        Ok(rows)
    }
}

/// The rows about the segments.
pub(crate) fn segments(catalog: &Catalog, dead: &BTreeMap<u32, u64>) -> Result<Vec<Row>, Error> {
    let mut rows = vec![(CATALOG.as_bytes().to_vec(), Some(catalog.encode()))];
    put(&mut rows, DEAD.to_owned(), dead)?;
    Ok(rows)
}

/// The segments that the last checkpoint knew; `None` where that is not to be had.
pub(crate) fn catalog(index: &Index) -> Result<Option<Catalog>, Error> {
    let bytes = index.row(CATALOG.as_bytes())?;
    Ok(bytes.and_then(|bytes| Catalog::decode(&bytes)))
}

/// How many blocks of each segment may be dead.
pub(crate) fn dead(index: &Index) -> Result<BTreeMap<u32, u64>, Error> {
    let bytes = index.row(DEAD.as_bytes())?;
    bytes.map_or_else(|| Ok(BTreeMap::new()), |bytes| parse(&bytes))
}

/// The row about the scrubber.
pub(crate) fn scrub(rows: &mut Vec<Row>, progress: &ScrubProgress) -> Result<(), Error> {
    let row = ScrubRow {
        began: progress.began.0,
        read: progress.read,
        next: progress.next.map(ScrubCursor::segment),
    };
    put(rows, SCRUB.to_owned(), &row)
}

/// How far the scrubber was at the last checkpoint.
pub(crate) fn scrubbed(index: &Index) -> Result<Option<ScrubProgress>, Error> {
    let Some(bytes) = index.row(SCRUB.as_bytes())? else {
        return Ok(None);
    };
    let row: ScrubRow = parse(&bytes)?;
    Ok(Some(ScrubProgress {
        began: Timestamp(row.began),
        read: row.read,
        next: row.next.map(ScrubCursor::at_segment),
    }))
}

/// Whatever has rows.
pub(crate) trait Rows {
    /// One of them.
    fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;
    /// All whose keys begin with `prefix`, in their order.
    fn rows(&self, prefix: &[u8], visit: &mut Visit<'_, Error>) -> Result<(), Error>;
}

impl Rows for Index {
    fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(Self::row(self, key)?)
    }

    fn rows(&self, prefix: &[u8], visit: &mut Visit<'_, Error>) -> Result<(), Error> {
        Self::rows(self, prefix, visit)
    }
}

impl Rows for BTreeMap<String, String> {
    fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let key = std::str::from_utf8(key).ok();
        let found = key.and_then(|key| self.get(key));
        Ok(found.map(|value| value.clone().into_bytes()))
    }

    fn rows(&self, prefix: &[u8], visit: &mut Visit<'_, Error>) -> Result<(), Error> {
        let all = self.iter();
        all.filter(|(key, _)| key.as_bytes().starts_with(prefix))
            .try_for_each(|(key, value)| visit(key.as_bytes(), value.as_bytes()))
    }
}

/// Everything that the rows say.
pub(crate) fn load(index: &impl Rows) -> Result<State, Error> {
    let document: Document = match index.row(STATE.as_bytes())? {
        Some(bytes) => parse(&bytes)?,
        None => Document::default(),
    };
    let mut branches: BTreeMap<BranchId, Branch> = BTreeMap::new();
    index.rows(BRANCH.as_bytes(), &mut |key, value| {
        branches.insert(BranchId(number_behind_slash(key)?), parse(value)?);
        Ok::<(), Error>(())
    })?;
    let kept = document.kept.iter().map(|kept| kept.at).collect();
    let kept = (kept, document.sparse_to);
    let branches = Branches::load(branches, kept, document.newest_branch, document.sequence);
    let mut state = State {
        sequence: document.sequence,
        branches,
        applied: document.applied,
        removed: document.removed,
        ended_to: document.ended_to,
        removed_told: document.removed_told,
        ghosts: document.ghosts,
        kept: document.kept,
        sparse_to: document.sparse_to,
        keep: document.keep,
        bytes: document.bytes,
        base: document.base,
        ended: match index.row(ENDED.as_bytes())? {
            Some(bytes) => parse(&bytes)?,
            None => BTreeMap::new(),
        },
        ..State::default()
    };
    let mut snapshots: BTreeMap<ImageId, Vec<Snapshot>> = BTreeMap::new();
    index.rows(SNAPSHOT.as_bytes(), &mut |key, value| {
        let snapshot: Snapshot = parse(value)?;
        snapshots.entry(image_of(key)?).or_default().push(snapshot);
        Ok::<(), Error>(())
    })?;
    index.rows(IMAGE.as_bytes(), &mut |_, value| {
        let row: ImageRow = parse(value)?;
        let mut taken = snapshots.remove(&row.meta.id).unwrap_or_default();
        taken.sort_by_key(|snapshot| snapshot.at);
        insert(&mut state, row, taken);
        Ok::<(), Error>(())
    })?;
    let ghosts = state.ghosts.clone();
    for ghost in ghosts {
        state
            .branches
            .hold(ghost.snapshot.branch, ghost.snapshot.at);
    }
    Ok(state)
}

fn insert(state: &mut State, row: ImageRow, snapshots: Vec<Snapshot>) {
    for snapshot in &snapshots {
        state.branches.hold(snapshot.branch, snapshot.at);
    }
    let id = row.meta.id;
    let mut meta = row.meta;
    // A former release did not write it down.
    if meta.mirrored && meta.sync.is_consistent() && meta.steady.is_none() {
        meta.steady = Some(state.sequence);
        state.changed.images.insert(id);
    }
    let row = ImageRow { meta, ..row };
    state.names.insert(row.meta.name.clone(), id);
    let image = ImageState {
        view: state.branches.view(row.branch),
        branch: row.branch,
        meta: row.meta,
        snapshots: snapshots.into(),
        removed: false,
    };
    state.images.insert(id, Arc::new(RwLock::new(image)));
    state.note_retention(id);
}

/// All rows of the last checkpoint that say what the images are.
pub(crate) fn all(index: &Index) -> Result<Vec<(String, String)>, Error> {
    let mut all = Vec::new();
    for prefix in [STATE, BRANCH, IMAGE, SNAPSHOT, THEN] {
        index.rows(prefix.as_bytes(), &mut |key, value| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
            let (Ok(key), Ok(value)) = (text(key), text(value)) else {
                return Err(damaged("a row is no text"));
            };
            all.push((key, value));
            Ok(())
        })?;
    }
    Ok(all)
}

/// What is remembered of an image at or before `at`.
pub(crate) fn meta_at(
    index: &impl Rows,
    image: ImageId,
    at: Sequence,
) -> Result<Option<ThenMeta>, Error> {
    let mut newest = None;
    let prefix = format!("{THEN}{image}/");
    index.rows(prefix.as_bytes(), &mut |key, value| {
        if number_behind_slash(key)? <= at.0 {
            newest = Some(parse(value)?);
        }
        Ok::<(), Error>(())
    })?;
    Ok(newest)
}

/// Rows about earlier times that nobody asks for any more: of each image all before the newest one
/// at or before `oldest`, which is the first position that somebody may ask for; and all of images
/// that have no branch any more, of which nothing can be had.
pub(crate) fn outdated(
    index: &Index,
    oldest: Option<Sequence>,
    known: &BTreeSet<ImageId>,
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let mut former: Option<(ImageId, Vec<u8>)> = None;
    index.rows(THEN.as_bytes(), &mut |key, _| {
        let (image, at) = (image_of(key)?, number_behind_slash(key)?);
        let Some(oldest) = oldest else {
            rows.push((key.to_vec(), None));
            return Ok(());
        };
        if !known.contains(&image) {
            rows.push((key.to_vec(), None));
            return Ok(());
        }
        if let Some((of, former)) = former.take()
            && of == image
            && at <= oldest.0
        {
            rows.push((former, None));
        }
        former = Some((image, key.to_vec()));
        Ok::<(), Error>(())
    })?;
    Ok(rows)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| damaged(&error.to_string()))
}

fn number_behind_slash(key: &[u8]) -> Result<u64, Error> {
    let text = std::str::from_utf8(key).ok();
    let number = text.and_then(|text| text.rsplit('/').next()?.parse().ok());
    number.ok_or_else(|| damaged("a row has a strange name"))
}

fn image_of(key: &[u8]) -> Result<ImageId, Error> {
    let text = std::str::from_utf8(key).ok();
    let id = text.and_then(|text| text.split('/').nth(1)?.parse().ok());
    id.map(ImageId)
        .ok_or_else(|| damaged("a row has a strange name"))
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Damaged, READ, why)
}

#[cfg(test)]
mod tests;

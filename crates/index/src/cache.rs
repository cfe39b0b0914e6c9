//! What was read from the file and decoded, in bounded memory.

use std::sync::Arc;

use quick_cache::Weighter;

use crate::leaf::Leaf;
use crate::places::Row;
use crate::points::Moved;
use crate::stored::Versions;
use crate::view::BranchId;

/// What one cached thing costs besides its bytes.
const ITEM: u64 = 96;
/// What one weighs about, for a guess at how many there will be.
const TYPICAL: usize = 1024;

/// What is cached.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Key {
    /// The tags of the newest versions of a leaf; none where it has none.
    Versions(BranchId, u64),
    /// One version of a leaf.
    Leaf(BranchId, u64, u64),
    /// What was moved from a part of a segment.
    Places(Row),
}

#[derive(Clone)]
enum Value {
    Versions(Versions),
    Leaf(Arc<Leaf>),
    Places(Arc<[Moved]>),
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Value> for Weight {
    fn weight(&self, _: &Key, value: &Value) -> u64 {
        let bytes = match value {
            Value::Versions(known) => size_of_val(&*known.tags),
            Value::Leaf(leaf) => return Cache::cost(leaf),
            Value::Places(moved) => size_of_val(&**moved),
        };
        ITEM + bytes as u64
    }
}

/// The cache. It knows nothing of commits: who puts something in sees to it that it is still so.
pub(crate) struct Cache(quick_cache::sync::Cache<Key, Value, Weight>);

impl Cache {
    pub(crate) fn new(bytes: usize) -> Self {
        let items = (bytes / TYPICAL).max(16);
        Self(quick_cache::sync::Cache::with_weighter(
            items,
            bytes as u64,
            Weight,
        ))
    }

    pub(crate) fn versions(&self, branch: BranchId, leaf: u64) -> Option<Versions> {
        match self.0.get(&Key::Versions(branch, leaf)) {
            Some(Value::Versions(known)) => Some(known),
            Some(Value::Leaf(_) | Value::Places(_)) | None => None,
        }
    }

    pub(crate) fn leaf(&self, branch: BranchId, leaf: u64, tag: u64) -> Option<Arc<Leaf>> {
        match self.0.get(&Key::Leaf(branch, leaf, tag)) {
            Some(Value::Leaf(leaf)) => Some(leaf),
            Some(Value::Versions(_) | Value::Places(_)) | None => None,
        }
    }

    pub(crate) fn places(&self, row: Row) -> Option<Arc<[Moved]>> {
        match self.0.get(&Key::Places(row)) {
            Some(Value::Places(moved)) => Some(moved),
            Some(Value::Versions(_) | Value::Leaf(_)) | None => None,
        }
    }

    /// What it costs to keep a leaf, in bytes.
    pub(crate) fn cost(leaf: &Leaf) -> u64 {
        ITEM + leaf.weight() as u64
    }

    /// Puts the newest version of a leaf in the place of what it was; `alone` where its branch has no
    /// other one.
    pub(crate) fn renew(
        &self,
        branch: BranchId,
        leaf: u64,
        tag: u64,
        content: Arc<Leaf>,
        alone: bool,
    ) {
        let versions = match self.versions(branch, leaf) {
            Some(known) => known.with(tag),
            None => Versions {
                tags: [tag].into(),
                whole: alone,
            },
        };
        self.put_versions(branch, leaf, versions);
        self.put_leaf(branch, leaf, tag, content);
    }

    pub(crate) fn put_versions(&self, branch: BranchId, leaf: u64, known: Versions) {
        self.0
            .insert(Key::Versions(branch, leaf), Value::Versions(known));
    }

    pub(crate) fn put_leaf(&self, branch: BranchId, leaf: u64, tag: u64, found: Arc<Leaf>) {
        self.0
            .insert(Key::Leaf(branch, leaf, tag), Value::Leaf(found));
    }

    pub(crate) fn put_places(&self, row: Row, moved: Arc<[Moved]>) {
        self.0.insert(Key::Places(row), Value::Places(moved));
    }

    pub(crate) fn remove(&self, key: Key) {
        self.0.remove(&key);
    }

    /// A version of a leaf has gone.
    pub(crate) fn remove_version(&self, branch: BranchId, leaf: u64, tag: u64) {
        self.remove(Key::Leaf(branch, leaf, tag));
        if let Some(known) = self.versions(branch, leaf)
            && known.tags.contains(&tag)
        {
            self.put_versions(branch, leaf, known.without(tag));
        }
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

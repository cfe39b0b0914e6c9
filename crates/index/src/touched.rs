//! What a commit changes of what is cached.
//!
//! A leaf that was written anew is likely to be read soon, so the newest versions that a commit merges
//! take the place of those that it makes old, as far as there is room. All the rest is thrown out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cache::{Cache, Key};
use crate::leaf::Leaf;
use crate::stored::LeafKey;
use crate::view::BranchId;

/// How many cached things a commit throws out one by one; with more it empties the cache.
const TOUCHED_MAX: usize = 1 << 17;

/// The newest version of a leaf.
struct Fresh {
    tag: u64,
    content: Arc<Leaf>,
    /// Whether it is the only one.
    alone: bool,
}

/// What is no longer so in the cache, and what takes its place.
#[derive(Default)]
pub(crate) struct Touched {
    keys: Vec<Key>,
    /// Versions that have gone, while the newest ones of their leaves are what they were.
    gone: Vec<(BranchId, u64, u64)>,
    all: bool,
    fresh: HashMap<(BranchId, u64), Fresh>,
    /// How much more memory fresh leaves may take, in bytes.
    room: u64,
}

impl Touched {
    /// With room for so many bytes of fresh leaves.
    pub(crate) fn with_room(room: u64) -> Self {
        Self {
            room,
            ..Self::default()
        }
    }

    /// A version was changed.
    pub(crate) fn add(&mut self, key: LeafKey) {
        let (branch, leaf, tag) = key;
        let branch = BranchId(branch);
        self.throw_out(branch, leaf, tag);
        if let Some(fresh) = self.fresh.remove(&(branch, leaf)) {
            self.throw_out(branch, leaf, fresh.tag);
        }
    }

    /// A version has gone; of a leaf that has others, these are what they were.
    pub(crate) fn version_gone(&mut self, key: LeafKey) {
        let (branch, leaf, tag) = key;
        let branch = BranchId(branch);
        if self.keys.len() + self.gone.len() >= TOUCHED_MAX {
            self.all = true;
            return;
        }
        self.gone.push((branch, leaf, tag));
        let at = (branch, leaf);
        if self.fresh.get(&at).is_some_and(|fresh| fresh.tag == tag) {
            self.fresh.remove(&at);
        }
    }

    /// The newest version of a leaf was changed or made; `alone` where its branch had none before.
    pub(crate) fn renew(&mut self, key: LeafKey, content: Leaf, alone: bool) {
        let (branch, leaf, tag) = key;
        let at = (BranchId(branch), leaf);
        let known = self.fresh.get(&at);
        // Of one that comes second nobody knows any more which others there are.
        if known.is_some_and(|known| known.tag != tag) {
            return self.add(key);
        }
        let alone = known.map_or(alone, |known| known.alone);
        let cost = if known.is_some() {
            0
        } else {
            Cache::cost(&content)
        };
        let Some(room) = self.room.checked_sub(cost) else {
            return self.add(key);
        };
        self.room = room;
        let content = Arc::new(content);
        self.fresh.insert(
            at,
            Fresh {
                tag,
                content,
                alone,
            },
        );
    }

    /// The same commit has gone on with changing leaves, which `later` says.
    pub(crate) fn give_way(&mut self, later: &Self) {
        if later.all {
            self.all = true;
            self.fresh.clear();
        }
        for key in &later.keys {
            if let Key::Versions(branch, leaf) = key
                && let Some(fresh) = self.fresh.remove(&(*branch, *leaf))
            {
                self.throw_out(*branch, *leaf, fresh.tag);
            }
        }
        for (branch, leaf, tag) in &later.gone {
            self.version_gone((branch.0, *leaf, *tag));
        }
    }

    /// Throws out what is old.
    pub(crate) fn forget(&self, cache: &Cache) {
        if self.all {
            cache.clear();
            return;
        }
        for key in &self.keys {
            cache.remove(*key);
        }
        for (branch, leaf, tag) in &self.gone {
            cache.remove_version(*branch, *leaf, *tag);
        }
    }

    /// As [`Self::forget`], and puts what is fresh in its place. Only once all of the commit is published,
    /// and before the next one begins.
    pub(crate) fn settle(self, cache: &Cache) {
        self.forget(cache);
        for ((branch, leaf), fresh) in self.fresh {
            cache.renew(branch, leaf, fresh.tag, fresh.content, fresh.alone);
        }
    }

    fn throw_out(&mut self, branch: BranchId, leaf: u64, tag: u64) {
        if self.keys.len() + self.gone.len() >= TOUCHED_MAX {
            self.all = true;
            return;
        }
        self.keys.push(Key::Versions(branch, leaf));
        self.keys.push(Key::Leaf(branch, leaf, tag));
    }
}

#[cfg(test)]
mod tests;

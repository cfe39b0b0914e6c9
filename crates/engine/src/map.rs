//! The block map of an image: where each block lies in the log.
//!
//! A tree of three levels: the root has a node for each GiB, a node a leaf for each 2 MiB, a leaf an
//! entry for each block. All levels are shared copy-on-write, so that a snapshot is the clone of one
//! pointer, and comparing two maps skips what they share.

use std::sync::Arc;

use firebrick_log::{Checksum, Location};

/// Blocks of a leaf, and leaves of a node.
pub(crate) const FANOUT: usize = 512;
const NODE_BLOCKS: u64 = (FANOUT * FANOUT) as u64;

/// Where a block lies, and what it must hash to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its place in the log.
    pub at: Location,
    /// The CRC-32C of its bytes.
    pub checksum: Checksum,
}

impl Entry {
    /// Segments count from 1, so this is nowhere.
    pub(crate) const NONE: Self = Self {
        at: Location {
            segment: 0,
            unit: 0,
        },
        checksum: Checksum(0),
    };

    pub(crate) const fn is_some(self) -> bool {
        self.at.segment != 0
    }

    pub(crate) const fn some(self) -> Option<Self> {
        if self.is_some() { Some(self) } else { None }
    }
}

#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) entries: [Entry; FANOUT],
    pub(crate) mapped: u32,
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) leaves: [Option<Arc<Leaf>>; FANOUT],
}

impl Leaf {
    pub(crate) const EMPTY: Self = Self {
        entries: [Entry::NONE; FANOUT],
        mapped: 0,
    };
}

impl Node {
    pub(crate) const EMPTY: Self = Self {
        leaves: [const { None }; FANOUT],
    };
}

/// The map of an image or a snapshot.
#[derive(Clone, Default)]
pub(crate) struct BlockMap {
    pub(crate) nodes: Arc<Vec<Option<Arc<Node>>>>,
    pub(crate) mapped: u64,
}

const fn leaf_of(block: u64) -> (usize, usize, usize) {
    let node = (block / NODE_BLOCKS) as usize;
    let leaf = (block as usize / FANOUT) % FANOUT;
    (node, leaf, block as usize % FANOUT)
}

impl BlockMap {
    pub(crate) fn get(&self, block: u64) -> Entry {
        let (node, leaf, slot) = leaf_of(block);
        self.leaf(node, leaf)
            .map_or(Entry::NONE, |leaf| leaf.entries[slot])
    }

    pub(crate) fn set(&mut self, block: u64, entry: Entry) {
        let (node, leaf, slot) = leaf_of(block);
        let nodes = Arc::make_mut(&mut self.nodes);
        if nodes.len() <= node {
            nodes.resize(node + 1, None);
        }
        let node = nodes[node].get_or_insert_with(|| Arc::new(Node::EMPTY));
        let leaf = Arc::make_mut(node).leaves[leaf].get_or_insert_with(|| Arc::new(Leaf::EMPTY));
        let leaf = Arc::make_mut(leaf);
        if !leaf.entries[slot].is_some() {
            leaf.mapped += 1;
            self.mapped += 1;
        }
        leaf.entries[slot] = entry;
    }

    /// Unmaps the blocks from `first` to before `end`.
    pub(crate) fn clear(&mut self, first: u64, end: u64) {
        let mut block = first;
        while block < end {
            let (node, leaf, slot) = leaf_of(block);
            let until = end.min(block - slot as u64 + FANOUT as u64);
            let Some(found) = self.nodes.get(node) else {
                return;
            };
            let Some(found) = found else {
                block = (node as u64 + 1) * NODE_BLOCKS;
                continue;
            };
            if found.leaves[leaf].is_some() {
                self.clear_leaf((node, leaf), slot, slot + (until - block) as usize);
            }
            block = until;
        }
    }

    fn clear_leaf(&mut self, (node, leaf): (usize, usize), first: usize, end: usize) {
        let nodes = Arc::make_mut(&mut self.nodes);
        let Some(node) = &mut nodes[node] else { return };
        let place = &mut Arc::make_mut(node).leaves[leaf];
        let Some(found) = place else { return };
        let gone = found.entries[first..end]
            .iter()
            .filter(|entry| entry.is_some())
            .count();
        self.mapped -= gone as u64;
        if gone == found.mapped as usize {
            *place = None;
        } else if gone > 0 {
            let found = Arc::make_mut(found);
            found.entries[first..end].fill(Entry::NONE);
            found.mapped -= gone as u32;
        }
    }

    /// Whether a block from `first` to before `end` is mapped.
    pub(crate) fn any(&self, first: u64, end: u64) -> bool {
        self.next_mapped(first, end).is_some()
    }

    /// The first mapped block from `first` to before `end`.
    pub(crate) fn next_mapped(&self, first: u64, end: u64) -> Option<u64> {
        let mut block = first;
        while block < end {
            let (node, leaf, slot) = leaf_of(block);
            let Some(node_found) = self.nodes.get(node)? else {
                block = (node as u64 + 1) * NODE_BLOCKS;
                continue;
            };
            let base = block - slot as u64;
            if let Some(leaf) = &node_found.leaves[leaf] {
                let some = leaf.entries[slot..]
                    .iter()
                    .position(|entry| entry.is_some());
                if let Some(i) = some {
                    let found = block + i as u64;
                    return (found < end).then_some(found);
                }
            }
            block = base + FANOUT as u64;
        }
        None
    }

    fn leaf(&self, node: usize, leaf: usize) -> Option<&Arc<Leaf>> {
        self.nodes.get(node)?.as_ref()?.leaves[leaf].as_ref()
    }

    fn node(&self, node: usize) -> Option<&Arc<Node>> {
        self.nodes.get(node)?.as_ref()
    }
}

/// A block that differs between two maps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Changed {
    /// The block.
    pub block: u64,
    /// Where it lies in the newer map; `None` where it is unmapped there.
    pub entry: Option<Entry>,
}

/// The map of an image or a snapshot at one position; later writes do not change it.
#[derive(Clone)]
pub struct MapView {
    pub(crate) map: BlockMap,
    pub(crate) blocks: u64,
}

impl MapView {
    /// The size in blocks.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The blocks that are mapped.
    pub const fn mapped(&self) -> u64 {
        self.map.mapped
    }

    /// The blocks from `from_block` on that differ from `older` (nothing, where there is none), in
    /// their order, at most `at_most`. Takes time in proportion to the difference.
    pub fn changed_since(
        &self,
        older: Option<&Self>,
        from_block: u64,
        at_most: usize,
    ) -> Vec<Changed> {
        let empty = BlockMap::default();
        let older = older.map_or(&empty, |view| &view.map);
        let mut changed = Vec::new();
        let end = (self.map.nodes.len().max(older.nodes.len()) * FANOUT * FANOUT) as u64;
        let mut block = from_block;
        while block < end && changed.len() < at_most {
            let (node, leaf, slot) = leaf_of(block);
            if same(self.map.node(node), older.node(node)) {
                block = (node as u64 + 1) * NODE_BLOCKS;
                continue;
            }
            let (new, old) = (self.map.leaf(node, leaf), older.leaf(node, leaf));
            let base = block - slot as u64;
            if !same(new, old) {
                let entry = |leaf: Option<&Arc<Leaf>>, i: usize| {
                    leaf.map_or(Entry::NONE, |leaf| leaf.entries[i])
                };
                for i in slot..FANOUT {
                    if entry(new, i) != entry(old, i) && changed.len() < at_most {
                        changed.push(Changed {
                            block: base + i as u64,
                            entry: entry(new, i).some(),
                        });
                    }
                }
            }
            block = base + FANOUT as u64;
        }
        changed
    }
}

fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests;

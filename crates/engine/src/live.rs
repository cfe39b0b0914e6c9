//! Which segments of the log still hold something that an image or a snapshot shows.

use std::collections::{BTreeSet, HashSet};

use crate::map::{BlockMap, Leaf, Node};
use crate::state::State;

/// The numbers of the segments with at least one block that is mapped somewhere.
pub(crate) fn segments(state: &State) -> BTreeSet<u32> {
    let mut seen = Seen::default();
    for cell in state.images.values() {
        let image = cell.read();
        seen.map(&image.map);
        for snapshot in &image.snapshots {
            seen.map(&snapshot.map);
        }
    }
    seen.segments
}

#[derive(Default)]
struct Seen {
    segments: BTreeSet<u32>,
    /// Maps share most of what they have.
    nodes: HashSet<*const Node>,
    leaves: HashSet<*const Leaf>,
}

impl Seen {
    fn map(&mut self, map: &BlockMap) {
        for node in map.nodes.iter().flatten() {
            if !self.nodes.insert(std::sync::Arc::as_ptr(node)) {
                continue;
            }
            for leaf in node.leaves.iter().flatten() {
                if self.leaves.insert(std::sync::Arc::as_ptr(leaf)) {
                    self.leaf(leaf);
                }
            }
        }
    }

    fn leaf(&mut self, leaf: &Leaf) {
        let mut last = None;
        for entry in leaf.entries.iter().filter(|entry| entry.is_some()) {
            // Neighbours mostly lie together.
            if last != Some(entry.at.segment) {
                last = Some(entry.at.segment);
                self.segments.insert(entry.at.segment);
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firebrick_edge::{Disk, RealDisk, SystemClock};
    use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, Sequence, SnapshotName, StoreId};

    use crate::{NewImage, Store, StoreOptions, Write};

    #[test]
    fn a_segment_lives_as_long_as_an_image_or_a_snapshot_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()).unwrap());
        let options = StoreOptions {
            segment_bytes: MIB,
            checkpoint_bytes: 64 * MIB,
        };
        Store::create(&disk, StoreId::random(), &options).unwrap();
        let store = Store::open(disk, Arc::new(SystemClock::new()), options).unwrap();
        let new = NewImage {
            id: ImageId::random(),
            name: ImageName::new("one").unwrap(),
            size: Bytes(8 * MIB),
            origin: None,
            mirrored: false,
        };
        let image = store.create_image(new).unwrap();
        let fill = |byte: u8| {
            let data = vec![byte; 256 << 10];
            for chunk in 0..16 {
                let (offset, data) = (chunk * MIB / 4, &data[..]);
                image.write(&[Write { offset, data }]).unwrap();
            }
        };
        let has_first = || super::segments(&store.core.lock()).contains(&1);
        fill(1);
        assert!(has_first());
        let name = SnapshotName::new("kept").unwrap();
        store.create_snapshot(image.id(), name.clone()).unwrap();
        fill(2);
        assert!(has_first(), "the snapshot shows it");
        store.remove_snapshot(image.id(), &name).unwrap();
        assert!(!has_first());

        // What is forgotten is only the cache's: the whole log is still there.
        store.checkpoint().unwrap();
        let mut block = [0; 4096];
        image.read(3 * MIB, &mut block).unwrap();
        assert_eq!(block, [2; 4096]);
        let mut reader = store.reader(Sequence(1)).unwrap();
        let mut frames = 0;
        while reader.next_frame().unwrap().is_some() {
            frames += 1;
        }
        assert!(frames > 32, "{frames}");
    }
}

//! What images were at every record of their primaries, to compare with.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_engine::{Error, ErrorKind, MapView, MirrorPoint, Store};
use firebrick_log::Checksum;
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, Sequence, SnapshotId, SnapshotName};

const BLOCK: usize = BLOCK_SIZE as usize;

/// What every site that has the image shows of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) blocks: Arc<Vec<u64>>,
    /// By id: the name and what it holds, those left out that one site alone has.
    pub(crate) snapshots: BTreeMap<SnapshotId, (String, Arc<Vec<u64>>)>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// The numbers that are written all over blocks.
fn numbers(bytes: &[u8]) -> Result<Vec<u64>, Error> {
    bytes
        .chunks_exact(BLOCK)
        .map(|block| {
            let number = u64::from_le_bytes([
                block[0], block[1], block[2], block[3], block[4], block[5], block[6], block[7],
            ]);
            let last = &block[BLOCK - 8..];
            if last == number.to_le_bytes() {
                Ok(number)
            } else {
                Err(Error {
                    kind: ErrorKind::Damaged,
                    doing: "look at a block",
                    why: "it is not what anybody wrote".to_owned(),
                })
            }
        })
        .collect()
}

fn read_map(store: &Store, map: &MapView, len: usize) -> Result<Vec<u64>, Error> {
    let mut content = vec![0; len / BLOCK];
    for changed in map.changed_since(None, 0, usize::MAX)? {
        if let Some(entry) = changed.entry {
            let mut block = vec![0; BLOCK];
            store.read_log(entry.at, &mut block)?;
            assert_eq!(Checksum::of(&block), entry.checksum);
            content[changed.block as usize] = numbers(&block)?[0];
        }
    }
    Ok(content)
}

/// The blocks of an image as it is here.
pub(crate) fn blocks(store: &Store, id: ImageId) -> Result<Vec<u64>, Error> {
    let image = store.image(id)?;
    let mut bytes = vec![0xee; image.size().0 as usize];
    image.read(0, &mut bytes)?;
    numbers(&bytes)
}

/// The snapshots that this site alone has of an image: what they hold.
pub(crate) fn divergent(store: &Store, id: ImageId) -> Result<Vec<Vec<u64>>, Error> {
    let own = store.snapshots(id)?.into_iter();
    own.filter(|snapshot| snapshot.divergent)
        .map(|snapshot| {
            let map = store.snapshot_map(id, &snapshot.name)?;
            read_map(store, &map, snapshot.size.0 as usize)
        })
        .collect()
}

const BEYOND: &str = ".mirror.beyond.";

impl View {
    /// What it was at its mirror snapshots, oldest first; nothing where it is not mirrored by those.
    fn mirror_snapshots(&self) -> Vec<(MirrorPoint, &Arc<Vec<u64>>)> {
        let by_snapshots = self.metadata.get("mirror.mode").map(String::as_str) == Some("snapshot");
        let taken = self.snapshots.values().filter(|_| by_snapshots);
        let point = |name: &str| MirrorPoint::of(&SnapshotName::new(name).ok()?);
        taken
            .filter_map(|(name, held)| Some((point(name)?, held)))
            .collect()
    }

    /// What a promotion should have made of it, as far as `found` says which snapshots are new. The
    /// promotion may have had to return to a mirror snapshot.
    pub(crate) fn promoted(
        &self,
        found: &Self,
        returns: Option<MirrorPoint>,
    ) -> Result<Self, String> {
        let mut expected = self.clone();
        let taken = self.mirror_snapshots();
        if taken.is_empty() {
            return Ok(expected);
        }
        if let Some(point) = returns {
            let target = taken.iter().find(|(taken, _)| *taken == point);
            let (_, target) =
                target.ok_or("a promotion returned to what the primary had not taken")?;
            expected.blocks = Arc::clone(target);
        }
        let (mut mirror, mut beyond) = (0, 0);
        for (id, (name, _)) in &found.snapshots {
            if self.snapshots.contains_key(id) {
                continue;
            }
            let held = if name.starts_with(BEYOND) {
                beyond += 1;
                &self.blocks
            } else {
                mirror += 1;
                &expected.blocks
            };
            let taken = (name.clone(), Arc::clone(held));
            expected.snapshots.insert(*id, taken);
        }
        let lost = self.blocks != expected.blocks && beyond == 0;
        if mirror == 1 && beyond <= usize::from(returns.is_some()) && !lost {
            return Ok(expected);
        }
        Err(format!(
            "a promotion took {mirror} mirror snapshots, and {beyond} of what was there"
        ))
    }

    /// What is here. What `known` snapshots hold is not looked at again.
    pub(crate) fn of(store: &Store, id: ImageId, known: Option<&Self>) -> Result<Self, Error> {
        let info = store.image(id)?.info();
        let mut snapshots = BTreeMap::new();
        for snapshot in store.snapshots(id)? {
            if snapshot.divergent {
                continue;
            }
            let before = known.and_then(|known| known.snapshots.get(&snapshot.id));
            // Two sites may have given that id to snapshots of their own.
            let before = before.filter(|(name, _)| name == snapshot.name.as_str());
            let held = if let Some((_, held)) = before {
                Arc::clone(held)
            } else {
                let map = store.snapshot_map(id, &snapshot.name)?;
                Arc::new(read_map(store, &map, snapshot.size.0 as usize)?)
            };
            let name = snapshot.name.as_str().to_owned();
            snapshots.insert(snapshot.id, (name, held));
        }
        let mut metadata = info.metadata;
        metadata.retain(|key, _| !key.starts_with("local."));
        Ok(Self {
            name: info.name.as_str().to_owned(),
            blocks: Arc::new(blocks(store, id)?),
            snapshots,
            metadata,
        })
    }

    /// How it differs from what it should be, in words.
    pub(crate) fn difference(&self, expected: &Self) -> String {
        if self.name != expected.name {
            return format!("it is called {}, not {}", self.name, expected.name);
        }
        if self.blocks.len() != expected.blocks.len() {
            let (found, wanted) = (self.blocks.len(), expected.blocks.len());
            return format!("it has {found} blocks, not {wanted}");
        }
        let pairs = self.blocks.iter().zip(expected.blocks.iter());
        if let Some((block, (found, wanted))) = pairs.enumerate().find(|(_, (a, b))| a != b) {
            return format!("block {block} is {found}, not {wanted}");
        }
        if self.snapshots.keys().ne(expected.snapshots.keys()) {
            let found: Vec<_> = self.snapshots.keys().collect();
            let wanted: Vec<_> = expected.snapshots.keys().collect();
            return format!("it has snapshots {found:?}, not {wanted:?}");
        }
        if self.snapshots != expected.snapshots {
            return format!(
                "snapshots {:?}, not {:?}",
                self.snapshots, expected.snapshots
            );
        }
        format!("metadata {:?}, not {:?}", self.metadata, expected.metadata)
    }
}

/// What an image was at a site that made changes of its own, by the last record of each; nothing where
/// it was not mirrored, or gone.
#[derive(Debug, Default)]
pub(crate) struct Line {
    states: Vec<(Sequence, Option<Arc<View>>)>,
    /// It is primary there now.
    pub(crate) open: bool,
    /// The first record behind the promotion that followed on its falling back: of what was written before, peers
    /// may have got anything.
    pub(crate) certain_from: Sequence,
}

impl Line {
    pub(crate) fn push(&mut self, at: Sequence, view: View) {
        self.states.push((at, Some(Arc::new(view))));
        self.open = true;
    }

    pub(crate) fn end(&mut self, at: Sequence) {
        self.states.push((at, None));
        self.open = false;
    }

    pub(crate) fn at(&self, at: Sequence) -> Option<&Option<Arc<View>>> {
        let behind = self.states.partition_point(|(of, _)| *of <= at);
        self.states
            .get(behind.checked_sub(1)?)
            .map(|(_, view)| view)
    }

    pub(crate) fn newest_state(&self) -> Option<&Option<Arc<View>>> {
        self.states.last().map(|(_, view)| view)
    }

    pub(crate) fn newest(&self) -> Option<&Arc<View>> {
        self.newest_state()?.as_ref()
    }

    /// Whether it ever was that.
    pub(crate) fn has(&self, view: &View) -> bool {
        let states = self.states.iter().rev();
        let mut states = states.filter_map(|(_, state)| state.as_deref());
        states.any(|state| state == view)
    }

    /// All that it ever was.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<View>> {
        self.states.iter().filter_map(|(_, state)| state.as_ref())
    }

    /// What was there behind a record is there no more.
    pub(crate) fn truncate(&mut self, head: Sequence) {
        self.states.retain(|(at, _)| *at <= head);
    }
}

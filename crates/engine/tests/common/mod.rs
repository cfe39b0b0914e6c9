//! What a store should hold, and random operations that change both alike.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebrick_engine::{
    Error, ErrorKind, Image, MapView, NewImage, NewOrigin, PeerRecord, Store, Write,
};
use firebrick_log::{Applied, Change, Checksum, Promotion};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, ImageId, ImageName, Role, Sequence, SnapshotName, StoreId,
};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

/// The store of the peer that takes over now and then.
const PEER: StoreId = StoreId(uuid::Uuid::from_u128(8));
const BLOCK: usize = BLOCK_SIZE as usize;
const IMAGES_MAX: usize = 5;
const BLOCKS_MAX: usize = 40;
/// The size of the few images whose blocks are in more than one leaf of the index.
const BLOCKS_MANY: usize = 300;
/// The most blocks of one write.
const WRITE_MAX: usize = 24;

/// All images; clones share what they have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model(BTreeMap<ImageId, Modelled>);

#[derive(Clone, Debug, PartialEq)]
struct Modelled {
    name: String,
    content: Arc<Vec<u8>>,
    snapshots: BTreeMap<String, Arc<Vec<u8>>>,
    /// Those of them that another site never had.
    divergent: BTreeSet<String>,
}

impl Modelled {
    fn snapshot(&mut self, name: &str) {
        let content = Arc::clone(&self.content);
        self.snapshots.insert(name.to_owned(), content);
    }
}

/// One operation, with everything that was left to chance.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create(NewImage),
    Remove(ImageId),
    Resize(ImageId, usize),
    /// Writes of whole blocks, which happen together; or a single one of any alignment.
    Write(ImageId, Vec<(usize, Vec<u8>)>),
    Discard(ImageId, usize, usize),
    Zero(ImageId, usize, usize),
    Snapshot(ImageId, String),
    /// Snapshots of some images at one position.
    Snapshots(Vec<(ImageId, String)>),
    Unsnapshot(ImageId, String),
    RollBack(ImageId, String),
    /// A clone of what an image was at the record that it names, which is the content.
    ClonePast(NewImage, Arc<Vec<u8>>),
    /// The image becomes what it was at a record.
    Restore(ImageId, Sequence, Arc<Vec<u8>>),
    /// A peer that had everything up to a record has been promoted without being asked: the image
    /// becomes what it was then, and what it is goes under a snapshot.
    FallBack(Box<Fallen>),
}

/// An image of a former primary that returns to what the new one had.
#[derive(Clone, Debug)]
pub(crate) struct Fallen {
    image: ImageId,
    to: Sequence,
    then: Modelled,
    kept: String,
}

fn snapshot_name(name: &str) -> SnapshotName {
    SnapshotName::new(name).unwrap()
}

fn fresh(random: &mut StdRng) -> String {
    format!("n{:016x}", random.random::<u64>())
}

/// The size of an image.
fn blocks(random: &mut StdRng) -> usize {
    let most = if random.random_bool(0.05) {
        BLOCKS_MANY
    } else {
        BLOCKS_MAX
    };
    random.random_range(1..=most)
}

fn bytes(random: &mut StdRng, len: usize) -> Vec<u8> {
    let number: u64 = random.random();
    let mut bytes = number.to_le_bytes().repeat(len.div_ceil(8));
    bytes.truncate(len);
    bytes
}

impl Step {
    /// An operation that makes sense now.
    pub(crate) fn random(model: &Model, random: &mut StdRng) -> Self {
        let Some((id, image)) = model.0.iter().choose(random) else {
            return Self::create(None, random);
        };
        let (id, len) = (*id, image.content.len());
        // What is divergent stays: whether a snapshot that is gone was that, no model knows.
        let known = image.snapshots.keys();
        let known = known.filter(|name| !image.divergent.contains(*name));
        let snapshot = known.choose(random).cloned();
        match (random.random_range(0..20), snapshot) {
            (0, _) if model.0.len() < IMAGES_MAX => Self::create(None, random),
            (1 | 2, snapshot) if model.0.len() < IMAGES_MAX => {
                Self::create(Some((id, image, snapshot)), random)
            }
            (3, None) => Self::Remove(id),
            (4, _) => Self::Resize(id, blocks(random) * BLOCK),
            (5, _) => Self::Snapshot(id, fresh(random)),
            (6, _) => {
                let all = model.0.keys().filter(|_| random.random());
                let some: BTreeSet<ImageId> = all.copied().chain([id]).collect();
                let named = some.into_iter().map(|id| (id, fresh(random)));
                Self::Snapshots(named.collect())
            }
            (7, Some(name)) => Self::Unsnapshot(id, name),
            (8 | 9, Some(name)) => Self::RollBack(id, name),
            (10 | 11, _) => {
                let offset = random.random_range(0..len);
                Self::Discard(id, offset, random.random_range(1..=len - offset))
            }
            (12, _) => {
                let offset = random.random_range(0..len);
                Self::Zero(id, offset, random.random_range(1..=len - offset))
            }
            (13..15, _) => {
                let offset = random.random_range(0..len);
                let most = (len - offset).min(3 * BLOCK);
                let count = random.random_range(1..=most);
                Self::Write(id, vec![(offset, bytes(random, count))])
            }
            _ => Self::write_whole(id, len / BLOCK, random),
        }
    }

    fn create(origin: Option<(ImageId, &Modelled, Option<String>)>, random: &mut StdRng) -> Self {
        Self::Create(NewImage {
            id: ImageId(uuid::Builder::from_random_bytes(random.random()).into_uuid()),
            name: ImageName::new(fresh(random)).unwrap(),
            size: Bytes((blocks(random) * BLOCK) as u64),
            origin: origin.map(|(image, _, snapshot)| NewOrigin {
                image,
                snapshot: snapshot.as_deref().map(snapshot_name),
                at: None,
            }),
            mirrored: false,
        })
    }

    /// A return to what an image was earlier, or a clone of that; `None` where nothing is known of an
    /// earlier state that is retained. `past` is what was there at some records, oldest first.
    #[allow(dead_code, reason = "not every test that shares this looks back")]
    pub(crate) fn back(
        store: &Store,
        model: &Model,
        past: &[(Sequence, Model)],
        random: &mut StdRng,
    ) -> Option<Self> {
        let id = *model.0.keys().choose(random)?;
        let (oldest, newest) = store.window(id).ok()??;
        let within = past.iter().filter(|(at, model)| {
            (oldest.sequence..=newest.sequence).contains(at) && model.0.contains_key(&id)
        });
        let (at, then) = within.choose(random)?;
        let content = Arc::clone(&then.0[&id].content);
        let is_mirrored = store.image(id).ok()?.info().mirrored;
        if random.random() && !is_mirrored {
            return Some(Self::Restore(id, *at, content));
        }
        let Self::Create(mut new) = Self::create(None, random) else {
            return None;
        };
        new.origin = Some(NewOrigin {
            image: id,
            snapshot: None,
            at: Some(*at),
        });
        if random.random() {
            new.size = Bytes(content.len() as u64);
        }
        (model.0.len() < IMAGES_MAX).then_some(Self::ClonePast(new, content))
    }

    /// The return of a former primary of an image; `None` where that has not changed since any record
    /// that the peer may have had. It has all up to `from` for sure.
    #[allow(dead_code, reason = "not every test that shares this has a peer")]
    pub(crate) fn fall_back(
        store: &Store,
        id: ImageId,
        past: &[(Sequence, Model)],
        from: Sequence,
        random: &mut StdRng,
    ) -> Option<Self> {
        let now = store.image(id).ok()?.info();
        let sent = from..=store.durable().sequence;
        let possible = past.iter().filter(|(at, model)| {
            sent.contains(at) && *at < now.last_change && model.0.contains_key(&id)
        });
        let (to, then) = possible.choose(random)?;
        let at = store.head().sequence.next();
        Some(Self::FallBack(Box::new(Fallen {
            image: id,
            to: *to,
            then: then.0[&id].clone(),
            kept: format!("divergent-epoch-{}-from-{to}-at-{at}", now.epoch),
        })))
    }

    /// A snapshot of an image, and writes over all of the image.
    #[allow(dead_code, reason = "not every test that shares this has two at once")]
    pub(crate) fn snapshot_and_write(model: &Model, id: ImageId, random: &mut StdRng) -> [Self; 2] {
        let len = model.0[&id].content.len();
        [
            Self::Snapshot(id, fresh(random)),
            Self::Write(id, vec![(0, bytes(random, len))]),
        ]
    }

    /// Whether it wins room, so that it must be possible where there is none.
    #[allow(dead_code, reason = "not every test that shares this fills the store")]
    pub(crate) fn frees(&self) -> bool {
        let whole = |at: &usize| at.is_multiple_of(BLOCK);
        match self {
            Self::Remove(_) | Self::Unsnapshot(..) => true,
            Self::Discard(_, offset, len) | Self::Zero(_, offset, len) => {
                whole(offset) && whole(len)
            }
            _ => false,
        }
    }

    fn write_whole(id: ImageId, blocks: usize, random: &mut StdRng) -> Self {
        let count = random.random_range(1..4);
        let one = |_| {
            let first = random.random_range(0..blocks);
            let blocks = random.random_range(1..=(blocks - first).min(WRITE_MAX));
            (first * BLOCK, bytes(random, blocks * BLOCK))
        };
        Self::Write(id, (0..count).map(one).collect())
    }

    /// Carries it out.
    pub(crate) fn run(&self, store: &Store) -> Result<(), Error> {
        match self {
            Self::Create(new) | Self::ClonePast(new, _) => {
                store.create_image(new.clone()).map(drop)
            }
            Self::Restore(id, at, _) => store.roll_back_to(*id, *at),
            Self::Remove(id) => store.remove_image(*id),
            Self::Resize(id, len) => store.resize_image(*id, Bytes(*len as u64)),
            Self::Write(id, writes) => {
                let writes: Vec<Write<'_>> = writes
                    .iter()
                    .map(|(offset, data)| Write {
                        offset: *offset as u64,
                        data,
                    })
                    .collect();
                store.image(*id)?.write(&writes)
            }
            Self::Discard(id, offset, len) => {
                store.image(*id)?.discard(*offset as u64, *len as u64)
            }
            Self::Zero(id, offset, len) => {
                store.image(*id)?.write_zeroes(*offset as u64, *len as u64)
            }
            Self::Snapshot(id, name) => {
                let taken = store.create_snapshot(*id, snapshot_name(name));
                taken.map(drop)
            }
            Self::Snapshots(wanted) => {
                let wanted = wanted.iter().map(|(id, name)| (*id, snapshot_name(name)));
                store
                    .create_snapshots(&wanted.collect::<Vec<_>>())
                    .map(drop)
            }
            Self::Unsnapshot(id, name) => store.remove_snapshot(*id, &snapshot_name(name)),
            Self::RollBack(id, name) => store.roll_back(*id, &snapshot_name(name)),
            Self::FallBack(fallen) => fallen.run(store),
        }
    }

    /// The states that the store goes through: mostly one, more where the operation is several
    /// records.
    pub(crate) fn states(&self, before: &Model) -> Vec<Model> {
        let mut model = before.clone();
        match self {
            Self::Create(new) => model.create(new),
            Self::ClonePast(new, content) => model.make(new, Arc::clone(content)),
            Self::Restore(id, _, content) => model.image(*id).content = Arc::clone(content),
            Self::Remove(id) => drop(model.0.remove(id)),
            Self::Resize(id, len) => Arc::make_mut(&mut model.image(*id).content).resize(*len, 0),
            Self::Write(id, writes) => {
                for (offset, data) in writes {
                    model.content(*id)[*offset..*offset + data.len()].copy_from_slice(data);
                }
            }
            Self::Discard(id, offset, len) | Self::Zero(id, offset, len) => {
                return model.zero(*id, *offset, *offset + *len);
            }
            Self::Snapshot(id, name) => model.image(*id).snapshot(name),
            Self::Snapshots(wanted) => {
                for (id, name) in wanted {
                    model.image(*id).snapshot(name);
                }
            }
            Self::Unsnapshot(id, name) => drop(model.image(*id).snapshots.remove(name)),
            Self::RollBack(id, name) => {
                let image = model.image(*id);
                image.content = Arc::clone(&image.snapshots[name]);
            }
            Self::FallBack(fallen) => fallen.change(model.image(fallen.image)),
        }
        vec![model]
    }
}

impl Fallen {
    fn run(&self, store: &Store) -> Result<(), Error> {
        let promotion = Promotion {
            image: self.image,
            epoch: store.image(self.image)?.info().epoch.next(),
            origin: Some(Applied {
                peer: store.id(),
                sequence: self.to,
            }),
            forced: true,
            after: None,
        };
        let images = vec![promotion];
        let records = [PeerRecord::Change(Change::Promote { images })];
        let upto = store.applied(PEER).next();
        store.apply(PEER, upto, &records).map(drop)
    }

    fn change(&self, image: &mut Modelled) {
        let now = std::mem::replace(image, self.then.clone());
        image
            .snapshots
            .retain(|name, _| !now.divergent.contains(name));
        image.divergent.clear();
        for (name, content) in now.snapshots {
            if !image.snapshots.contains_key(&name) {
                image.divergent.insert(name.clone());
                image.snapshots.insert(name, content);
            }
        }
        image.divergent.insert(self.kept.clone());
        image.snapshots.insert(self.kept.clone(), now.content);
    }
}

/// Makes the images primary here that follow the peer.
#[allow(dead_code, reason = "not every test that shares this has a peer")]
pub(crate) fn take_over(store: &Store) -> Result<(), Error> {
    let images = store.images();
    let following = images
        .iter()
        .filter(|image| image.info().role == Role::Secondary);
    let ids: Vec<ImageId> = following.map(|image| image.id()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    store.promote(&ids, true).map(drop)
}

impl Model {
    fn image(&mut self, id: ImageId) -> &mut Modelled {
        self.0.get_mut(&id).unwrap()
    }

    fn content(&mut self, id: ImageId) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.image(id).content)
    }

    fn create(&mut self, new: &NewImage) {
        let content = new.origin.as_ref().map_or_else(Arc::default, |origin| {
            let image = &self.0[&origin.image];
            let snapshot = origin.snapshot.as_ref();
            let from = snapshot.map(|name| &image.snapshots[name.as_str()]);
            Arc::clone(from.unwrap_or(&image.content))
        });
        self.make(new, content);
    }

    fn make(&mut self, new: &NewImage, mut content: Arc<Vec<u8>>) {
        Arc::make_mut(&mut content).resize(new.size.0 as usize, 0);
        let image = Modelled {
            name: new.name.as_str().to_owned(),
            content,
            snapshots: BTreeMap::new(),
            divergent: BTreeSet::new(),
        };
        self.0.insert(new.id, image);
    }

    /// Zeroes a range: first the parts of blocks at its ends, then the whole blocks.
    fn zero(mut self, id: ImageId, offset: usize, end: usize) -> Vec<Self> {
        let (first, last) = (offset.next_multiple_of(BLOCK), end / BLOCK * BLOCK);
        let parts = if first > last {
            [offset..end, end..end, end..end]
        } else {
            [offset..first, last..end, first..last]
        };
        let mut states = Vec::new();
        for part in parts {
            self.content(id)[part].fill(0);
            states.push(self.clone());
        }
        states
    }

    /// The images and what they hold.
    #[allow(dead_code, reason = "not every test that shares this asks")]
    pub(crate) fn contents(&self) -> impl Iterator<Item = (ImageId, Arc<Vec<u8>>)> {
        let contents = self.0.iter();
        contents.map(|(id, image)| (*id, Arc::clone(&image.content)))
    }

    /// Snapshots of an image that a peer gets, with what they hold, by name.
    #[allow(dead_code, reason = "not every test that shares this asks")]
    pub(crate) fn snapshots(&self, id: ImageId) -> impl Iterator<Item = (&str, &Arc<Vec<u8>>)> {
        let image = &self.0[&id];
        let shared = image.snapshots.iter();
        let shared = shared.filter(|(name, _)| !image.divergent.contains(*name));
        shared.map(|(name, content)| (name.as_str(), content))
    }

    /// What the store holds.
    pub(crate) fn of(store: &Store) -> Result<Self, Error> {
        let mut model = Self::default();
        for image in store.images() {
            let read = read(store, &image)?;
            model.0.insert(image.id(), read);
        }
        Ok(model)
    }
}

fn read(store: &Store, image: &Image) -> Result<Modelled, Error> {
    let info = image.info();
    let mut content = vec![0xee; info.size.0 as usize];
    image.read(0, &mut content)?;
    let mut snapshots = BTreeMap::new();
    let known = store.snapshots(image.id())?;
    for snapshot in &known {
        let map = store.snapshot_map(image.id(), &snapshot.name)?;
        let content = read_map(store, &map, snapshot.size.0 as usize)?;
        snapshots.insert(snapshot.name.as_str().to_owned(), Arc::new(content));
    }
    let divergent = known.iter().filter(|snapshot| snapshot.divergent);
    Ok(Modelled {
        divergent: divergent.map(|it| it.name.as_str().to_owned()).collect(),
        name: info.name.as_str().to_owned(),
        content: Arc::new(content),
        snapshots,
    })
}

/// The first `len` bytes of what a view shows, checked.
pub(crate) fn read_map(store: &Store, map: &MapView, len: usize) -> Result<Vec<u8>, Error> {
    let mut content = vec![0; len];
    for changed in map.changed_since(None, 0, usize::MAX)? {
        let from = changed.block as usize * BLOCK;
        if let Some(entry) = changed.entry {
            let block = &mut content[from..from + BLOCK];
            store.read_log(entry.at, block)?;
            if Checksum::of(block) != entry.checksum {
                return Err(Error {
                    kind: ErrorKind::Damaged,
                    doing: "read a view",
                    why: format!("block {} fails its checksum", changed.block),
                });
            }
        }
    }
    Ok(content)
}

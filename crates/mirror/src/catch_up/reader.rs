//! The reading side of a difference.

use std::collections::BTreeMap;

use firebrick_engine::{CopyImage, EndedImage, HeldImage, ImageOrigin, Store, Target, staged};
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, ImageId, Sequence, StoreId};

use super::PART;
use super::digest::{self, Digest};
use super::image::{LEAF, digests_of};
use crate::error::Error;
use crate::message::ToServer;

const DOING: &str = "catch up by a difference";
/// The most blocks about which one question is.
const ASKED_MAX: u64 = 1 << 16;

/// What all images that follow a peer are to be.
pub(crate) struct Catching {
    peer: StoreId,
    targets: Vec<Target>,
    others: Vec<ImageId>,
    ended: Vec<EndedImage>,
    /// In which epochs those were here when the peer was told what there is of them; none of those that were not.
    told: BTreeMap<ImageId, Option<Epoch>>,
    /// The same of the one image that the peer asked for last.
    asked: Option<(ImageId, Option<Epoch>)>,
}

impl Catching {
    pub(crate) const fn new(peer: StoreId) -> Self {
        Self {
            peer,
            targets: Vec::new(),
            others: Vec::new(),
            ended: Vec::new(),
            told: BTreeMap::new(),
            asked: None,
        }
    }

    /// Notes what is here of the one image that the peer asks for, as that is told of it. It asks for one at a time.
    pub(crate) fn note(&mut self, store: &Store, image: ImageId) {
        self.asked = Some((image, epoch_of(store, image)));
    }

    /// Learns what images are to be; once all is said, the answers say what is here.
    pub(crate) fn learn(
        &mut self,
        store: &Store,
        (targets, others, ended): (Vec<Target>, Vec<ImageId>, Vec<EndedImage>),
        last: bool,
    ) -> Result<Vec<ToServer>, Error> {
        self.targets.extend(targets);
        self.others.extend(others);
        self.ended.extend(ended);
        if !last {
            return Ok(Vec::new());
        }
        store.give_way(self.peer, &self.targets, &self.ended)?;
        for image in self.targets.iter().map(|target| target.image.image) {
            self.told.insert(image, epoch_of(store, image));
        }
        let mut held: Vec<HeldImage> = store.held(self.peer)?;
        held.extend(store.held_elsewhere(self.peer, &self.targets));
        let mut answers = Vec::new();
        loop {
            let images: Vec<HeldImage> = held.drain(..held.len().min(PART)).collect();
            let last = held.is_empty();
            answers.push(ToServer::Held { images, last });
            if last {
                return Ok(answers);
            }
        }
    }

    /// Begins to stage an image; under which id.
    pub(crate) fn stage(
        &mut self,
        store: &Store,
        image: &CopyImage,
        parent: Option<ImageOrigin>,
    ) -> Result<ImageId, Error> {
        let id = image.image;
        // It turned to another peer and back, or ended: what is sent was chosen by what it was.
        let asked = self.asked.take_if(|(image, _)| *image == id);
        let told = self.told.remove(&id);
        if asked.map(|(_, epoch)| epoch).or(told) != Some(epoch_of(store, id)) {
            let why = "an image is another one than the one that was told of";
            return Err(Error::protocol(DOING, why));
        }
        store.stage(self.peer, image, parent)?;
        Ok(staged(image.image))
    }

    /// The images that are to be there with it.
    pub(crate) fn images(&self) -> impl Iterator<Item = ImageId> {
        self.targets.iter().map(|target| target.image.image)
    }

    /// All of it is here: images become what was staged.
    pub(crate) fn adopt(&self, store: &Store, to: Sequence) -> Result<(), Error> {
        let ended = (&self.others[..], &self.ended[..]);
        Ok(store.adopt(self.peer, to, &self.targets, ended)?)
    }
}

fn epoch_of(store: &Store, image: ImageId) -> Option<Epoch> {
    Some(store.image(image).ok()?.info().epoch)
}

/// Which of the blocks in `runs` are not what their digests say.
pub(crate) fn lacks(
    store: &Store,
    image: ImageId,
    runs: &[(u64, u64)],
    digests: &str,
) -> Result<ToServer, Error> {
    let view = store.staged_map(image)?;
    let mut theirs = understand(digests)?.into_iter();
    let mut lacking: Vec<(u64, u64)> = Vec::new();
    for (first, count) in runs.iter().copied() {
        if count > ASKED_MAX {
            return Err(Error::protocol(DOING, "a question about too many blocks"));
        }
        for (block, ours) in (first..).zip(digests_of(&view, first, count)?) {
            let Some(wanted) = theirs.next() else {
                return Err(Error::protocol(DOING, "fewer digests than blocks"));
            };
            if wanted == ours {
                continue;
            }
            match lacking.last_mut() {
                Some((first, count)) if *first + *count == block => *count += 1,
                Some(_) | None => lacking.push((block, 1)),
            }
        }
    }
    Ok(ToServer::Lacks { runs: lacking })
}

/// Which of the leaves are not what their digests say, and what they are.
pub(crate) fn leaves(
    store: &Store,
    image: ImageId,
    leaves: &[u64],
    digests: &str,
) -> Result<ToServer, Error> {
    let view = store.staged_map(image)?;
    let theirs = understand(digests)?;
    if theirs.len() != leaves.len() {
        return Err(Error::protocol(DOING, "not as many digests as leaves"));
    }
    let mut data = vec![0; (LEAF * BLOCK_SIZE) as usize];
    let mut differing = Vec::new();
    for (leaf, wanted) in leaves.iter().copied().zip(theirs) {
        let first = leaf.saturating_mul(LEAF);
        view.read_blocks(first, &mut data)?;
        if Digest::of(&data) != wanted {
            let blocks = data.chunks_exact(BLOCK_SIZE as usize);
            let blocks: Vec<Digest> = blocks.map(Digest::of).collect();
            differing.push((leaf, digest::encode(&blocks)));
        }
    }
    Ok(ToServer::Leaves { differing })
}

fn understand(digests: &str) -> Result<Vec<Digest>, Error> {
    let digests = digest::decode(digests);
    digests.ok_or_else(|| Error::protocol(DOING, "digests that make no sense"))
}

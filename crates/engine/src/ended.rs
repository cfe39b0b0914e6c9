//! Images that ended here, for those who will not read of that in the log: it is not kept for them any more, or they
//! begin at the end of it. Such a site may have taken an image for its own all the time.

use firebrick_log::Reign;
use firebrick_vocabulary::{Epoch, ImageId, Sequence, StoreId};
use serde::{Deserialize, Serialize};

use crate::state::{ImageMeta, State};
use crate::store::Store;

/// Of how many ends is remembered that somebody who is a peer has not heard of.
const UNHEARD_MAX: usize = 1 << 16;
/// Of how many others, for those who were peers and may be again.
const HEARD_MAX: usize = 256;

/// An image that ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EndedImage {
    /// The image.
    pub image: ImageId,
    /// Whose it was then. Whoever has it in an earlier reign has what was taken over, and ended.
    pub reign: Reign,
}

/// How an image ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    /// The record that ended it.
    at: Sequence,
    epoch: Epoch,
    /// Its primary; none for this store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leader: Option<StoreId>,
}

impl End {
    /// Of an image that ends with record `at`; `None` where it is no business of peers.
    pub(crate) fn of(meta: &ImageMeta, at: Sequence) -> Option<Self> {
        let (epoch, leader) = (meta.epoch, meta.leader.or(meta.upstream));
        (meta.mirrored || meta.window.is_some()).then_some(Self { at, epoch, leader })
    }

    /// Whose it was then, as the store `own` says it.
    fn reign(self, own: StoreId) -> Reign {
        Reign {
            epoch: self.epoch,
            leader: self.leader.unwrap_or(own),
        }
    }

    /// Of an image that is here, and not mirrored any more.
    fn of_mirroring(meta: &ImageMeta) -> Option<Self> {
        let at = meta.window.filter(|_| !meta.mirrored)?.until?;
        Self::of(meta, at)
    }
}

impl State {
    /// The ends behind record `has`, as the store `own` tells of them.
    pub(crate) fn ended_behind(&self, own: StoreId, has: Sequence) -> Vec<EndedImage> {
        let gone = self.ended.iter().map(|(id, end)| (*id, *end));
        let here = self.images.range(..).filter_map(|(id, cell)| {
            let end = End::of_mirroring(&cell.read().meta)?;
            Some((*id, end))
        });
        let unheard = gone.chain(here).filter(|(_, end)| end.at > has);
        let ended = unheard.map(|(image, end)| EndedImage {
            image,
            reign: end.reign(own),
        });
        ended.collect()
    }

    /// How an image ended that is gone, or not mirrored any more, as far as that is remembered.
    fn end_of(&self, own: StoreId, image: ImageId) -> Option<EndedImage> {
        let here = || End::of_mirroring(&self.cell(image)?.read().meta);
        let end = self.ended.get(&image).copied().or_else(here)?;
        let reign = end.reign(own);
        Some(EndedImage { image, reign })
    }

    /// Whether an image that `peer` leads in that reign has ended here in a later one: it has what was taken over, and
    /// will hear so, if it hears anything. In the same reign it may be mirrored again.
    pub(crate) fn has_ended_behind(
        &self,
        (own, peer): (StoreId, StoreId),
        image: ImageId,
        reign: Reign,
    ) -> bool {
        let end = self.ended.get(&image);
        !self.deaf.contains(&peer) && end.is_some_and(|end| end.reign(own) > reign)
    }

    /// Forgets ends: those that every peer has heard of, which has everything up to record `heard`, but for the
    /// newest; and the oldest where there are too many.
    pub(crate) fn forget_ends(&mut self, heard: Option<Sequence>) {
        let mut ends: Vec<Sequence> = self.ended.values().map(|end| end.at).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let unheard = ends.partition_point(|at| heard.is_some_and(|heard| *at > heard));
        let keep = unheard.clamp(HEARD_MAX, UNHEARD_MAX);
        if let Some(newest) = ends.get(keep) {
            self.ended.retain(|_, end| end.at > *newest);
            self.changed.ended = true;
        }
    }
}

impl Store {
    /// Notes whether a peer reads this log: one that does not goes on with images that were taken over and ended here,
    /// and may bring them again.
    pub fn set_hearing(&self, peer: StoreId, hears: bool) {
        let deaf = &mut self.core.lock().deaf;
        if hears {
            deaf.remove(&peer);
        } else {
            deaf.insert(peer);
        }
    }

    /// How an image ended that is gone, or not mirrored any more, as far as that is remembered.
    pub fn end_of(&self, image: ImageId) -> Option<EndedImage> {
        self.core.glance().end_of(self.id(), image)
    }

    /// The images that ended behind record `has` of this log, as far as that is remembered.
    pub fn ended_behind(&self, has: Sequence) -> Vec<EndedImage> {
        self.core.glance().ended_behind(self.id(), has)
    }
}

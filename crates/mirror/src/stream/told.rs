//! What a peer gets here of another site's log, which this one follows.

use std::collections::BTreeSet;

use firebrick_engine::{Handover, Reign, Turn};
use firebrick_log::{Change, Frame, FrameRecord};
use firebrick_vocabulary::{ImageId, Sequence, StoreId};

use super::{Said, Stream, own_change};
use crate::message;
use crate::relay::Relay;

/// Whether a frame made images what nothing in this log says that they are: a difference that came whole. One of a
/// single image is part of a copy, and the end of that is told.
pub(super) fn jumps(relay: &Relay, frame: &Frame) -> bool {
    let Some(applied) = frame.applied.filter(|it| relay.tells_any(it.peer)) else {
        return false;
    };
    let changes = || {
        frame.records.iter().filter_map(|record| match record {
            FrameRecord::Change(change) => Some(change),
            FrameRecord::Data { .. } | FrameRecord::Discard { .. } => None,
        })
    };
    let copied: BTreeSet<ImageId> = changes()
        .filter_map(|change| match change {
            Change::Sync { image, .. } => Some(*image),
            _ => None,
        })
        .collect();
    let mut adopted = changes().filter_map(|change| match change {
        Change::Adopt { images } => Some(images),
        _ => None,
    });
    adopted.any(|images| {
        let mut images = images.iter().filter(|image| !copied.contains(image));
        images.any(|image| relay.tells(applied.peer, *image))
    })
}

/// Whether the frame begins an image anew behind the record that ends it: a copy begins.
fn begins_anew(place: Place<'_>, image: ImageId) -> bool {
    let behind = place.sequence.0.saturating_sub(place.frame.first.0) as usize;
    let mut records = place.frame.records.iter().skip(behind);
    records.any(|record| {
        matches!(record, FrameRecord::Change(Change::Create { image: begun, .. }) if *begun == image)
    })
}

/// Where a change stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) frame: &'a Frame,
    pub(super) sequence: Sequence,
    /// From whose log the frame came.
    pub(super) of: StoreId,
}

impl Stream {
    /// Tells the peer of images that it takes for this site's own, and that follow another one here, where nothing told
    /// it so.
    pub(super) fn turn(
        &mut self,
        batch: &mut Vec<u8>,
        frame: &Frame,
        of: StoreId,
        said: &mut Said,
    ) {
        for (i, record) in frame.records.iter().enumerate() {
            let sequence = frame.first.plus(i as u64);
            let (turned, written) = match record {
                FrameRecord::Data { image, .. } | FrameRecord::Discard { image, .. } => {
                    (Vec::new(), vec![*image])
                }
                FrameRecord::Change(change) => match change {
                    Change::Follow { image, .. }
                    | Change::Yield { image, .. }
                    | Change::Create { image, .. }
                    | Change::Remove { image } => (vec![*image], Vec::new()),
                    Change::FallBack { images } => {
                        (images.iter().map(|step| step.image).collect(), Vec::new())
                    }
                    Change::Demote { images } => (Vec::new(), images.clone()),
                    Change::Rename { image, .. }
                    | Change::Resize { image, .. }
                    | Change::SnapshotCreate { image, .. }
                    | Change::SnapshotRemove { image, .. }
                    | Change::Rollback { image, .. }
                    | Change::Metadata { image, .. } => (Vec::new(), vec![*image]),
                    _ => (Vec::new(), Vec::new()),
                },
            };
            for image in turned {
                if self.relay.tells(of, image) {
                    self.as_own.remove(&image);
                    self.by_way.insert(image);
                }
            }
            let place = Place {
                frame,
                sequence,
                of,
            };
            for image in written {
                if self.as_own.contains(&image) && self.is_told(image, place) {
                    self.as_own.remove(&image);
                    self.by_way.insert(image);
                    said.jumped.push(image);
                    self.now(batch, image);
                }
            }
        }
    }

    /// Puts what such a change is for the peer.
    pub(super) fn told_change(
        &self,
        batch: &mut Vec<u8>,
        place: Place<'_>,
        change: &Change,
        said: &mut Said,
    ) {
        match change {
            Change::Create { image, epoch, .. } => {
                if self.is_told(*image, place) {
                    said.created.push((*image, place.sequence));
                    message::put_change(batch, &self.created(change, place.sequence));
                    // The peer takes it for this site's own.
                    let reign = |leader| Reign {
                        epoch: *epoch,
                        leader,
                    };
                    let after = Some(reign(self.store.id()));
                    self.hand_over(batch, *image, (reign(place.of), after, Turn::Taken));
                }
            }
            Change::Remove { image } => {
                let gone = self.store.image(*image).is_err();
                let told = self.relay.tells(place.of, *image) && !begins_anew(place, *image);
                if told || gone {
                    said.ended.push(*image);
                    self.put_end(batch, *image);
                    message::put_change(batch, change);
                }
            }
            Change::Demote { .. }
            | Change::Rename { .. }
            | Change::Resize { .. }
            | Change::SnapshotCreate { .. }
            | Change::SnapshotRemove { .. }
            | Change::Rollback { .. }
            | Change::Metadata { .. } => {
                if let Some(change) = own_change(change, |image| self.is_told(image, place)) {
                    message::put_change(batch, &change);
                }
            }
            Change::Sync { .. }
            | Change::Follow { .. }
            | Change::Yield { .. }
            | Change::FallBack { .. } => self.told_turn(batch, place, change, said),
            // These concern this store alone.
            Change::Promote { .. }
            | Change::Mirroring { .. }
            | Change::Adopt { .. }
            | Change::Base { .. }
            | Change::Restore { .. } => {}
        }
    }

    /// Whether the record is one of those that say without a gap what happened to the image.
    fn is_told(&self, image: ImageId, place: Place<'_>) -> bool {
        let gets = self.relay.tells(place.of, image) && !self.deferred.contains(&image);
        gets && self.store.told(image).has(place.sequence)
    }

    /// Puts how this site turned to another primary, or to another state.
    fn told_turn(&self, batch: &mut Vec<u8>, place: Place<'_>, change: &Change, said: &mut Said) {
        let gets = |image: ImageId| self.relay.tells(place.of, image);
        match change {
            Change::Sync { image, .. } => {
                let completes = self.store.steady(*image) == Some(place.sequence);
                if gets(*image) && completes {
                    said.jumped.push(*image);
                    self.now(batch, *image);
                }
            }
            Change::Follow {
                image,
                epoch,
                peer,
                leader,
                after,
                planned,
            } if gets(*image) && self.store.told(*image).has(place.sequence) => {
                if after.is_none() {
                    said.jumped.push(*image);
                }
                let reign = Reign {
                    epoch: *epoch,
                    leader: leader.unwrap_or(*peer),
                };
                // What is being copied does not go on with what the peer has of it from elsewhere.
                let goes_on = *planned && !self.deferred.contains(image);
                let turn = if goes_on { Turn::Planned } else { Turn::Taken };
                self.hand_over(batch, *image, (reign, *after, turn));
            }
            Change::Yield {
                image,
                epoch,
                peer,
                leader,
                ..
            } if gets(*image) => {
                said.jumped.push(*image);
                let reign = Reign {
                    epoch: *epoch,
                    leader: leader.unwrap_or(*peer),
                };
                self.hand_over(batch, *image, (reign, None, Turn::Taken));
            }
            Change::FallBack { images } => {
                for step in images.iter().filter(|step| gets(step.image)) {
                    said.jumped.push(step.image);
                    let reign = Reign {
                        epoch: step.epoch,
                        leader: step.peer,
                    };
                    self.hand_over(batch, step.image, (reign, None, Turn::Taken));
                }
            }
            _ => {}
        }
    }

    /// The image is what it is here now, whatever the peer has of it.
    fn now(&self, batch: &mut Vec<u8>, image: ImageId) {
        if let Ok(described) = self.store.describe(image) {
            let reign = Reign {
                epoch: described.epoch,
                leader: described.leader.unwrap_or_else(|| self.store.id()),
            };
            self.hand_over(batch, image, (reign, None, Turn::Complete));
        }
    }

    fn hand_over(
        &self,
        batch: &mut Vec<u8>,
        image: ImageId,
        (reign, after, turn): (Reign, Option<Reign>, Turn),
    ) {
        let handover = Handover {
            image,
            described: self.store.describe(image).ok(),
            reign,
            after,
            turn,
        };
        message::put_handover(batch, &handover);
    }
}

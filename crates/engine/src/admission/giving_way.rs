//! How images of a former primary give way to a new one: back to what both had, or from where they are.

use firebrick_log::{Applied, Change, FallBack, Promotion, Reign};
use firebrick_vocabulary::{ImageId, Sequence, SnapshotId, SnapshotName, SyncState};
use tracing::warn;

use super::Admission;
use crate::copy::follow;
use crate::ended::EndedImage;
use crate::stage::{common_of, give_way};

impl Admission<'_, '_> {
    /// The peer was made primary before it heard that this store had been: there is no position that
    /// both know and from which the peer's records were not passed over. Or there is one, and what was
    /// there cannot be had any more. What is here is kept under a snapshot, and the difference to the
    /// peer's is fetched.
    pub(super) fn yield_to(&mut self, promotion: &Promotion) {
        let reign = Reign {
            epoch: promotion.epoch,
            leader: self.peer,
        };
        self.yield_in(promotion.image, reign, promotion.origin);
    }

    pub(super) fn yield_in(&mut self, image: ImageId, reign: Reign, origin: Option<Applied>) {
        let Some(cell) = self.state.cell(image) else {
            // It began with this very batch: there is nothing of it to keep.
            self.push(follow(image, self.peer, reign));
            self.copy_anew(image);
            return;
        };
        let image = cell.read();
        let at = self.next.plus(self.admitted.len() as u64);
        let origin = origin.filter(|origin| origin.peer == self.own);
        let common = common_of(self.state, &image, origin, at);
        warn!(
            image = %image.meta.name,
            "another site took over, and there is no common state to return to: what is here is kept under a snapshot"
        );
        self.push(give_way(&image, at, common, (reign, self.peer)));
        self.known(image.meta.id).copying = true;
    }

    /// All of the image has to come from the peer.
    pub(super) fn copy_anew(&mut self, image: ImageId) {
        self.push(Change::Sync {
            image,
            state: SyncState::NOTHING_COPIED,
        });
        self.known(image).copying = true;
    }

    /// An image ended at the peer in a later reign than what is here: it was taken over, and has ended.
    pub(super) fn end(&mut self, ended: &EndedImage) {
        let image = ended.image;
        let cell = self.state.cell(image);
        // What is not mirrored any more has ended here already.
        if !cell.is_some_and(|cell| cell.read().meta.mirrored) {
            return;
        }
        let known = self.known(image);
        if known.exists && known.reign() < Some(ended.reign) {
            self.bury(image);
            // First it is that one's: those who read of the end here must hear whose it was.
            self.yield_in(image, ended.reign, None);
            self.known(image).exists = false;
            self.push(Change::Remove { image });
        }
    }

    /// Returns to what both had at record `to`, and keeps what came behind it.
    pub(super) fn fall_back(&mut self, promotion: &Promotion, to: Sequence) -> FallBack {
        let epoch = self.known(promotion.image).epoch;
        let at = self.next.0 + self.admitted.len() as u64;
        let name = format!("divergent-epoch-{epoch}-from-{to}-at-{at}");
        FallBack {
            image: promotion.image,
            to,
            keep_id: SnapshotId(at).apart(),
            // Letters, digits and dashes, far below the limit.
            keep_name: SnapshotName::new(name).unwrap_or_else(|_| unreachable!()),
            epoch: promotion.epoch,
            peer: self.peer,
            size: None,
            name: None,
            metadata: None,
        }
    }
}

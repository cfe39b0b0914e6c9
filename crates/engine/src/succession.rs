//! A peer that was promoted in the place of another site which images follow here.
//!
//! The promotion names up to where the new primary held the log of the former one. Whoever holds that log up to the same
//! place goes on with the new primary and copies nothing, so it is worth it to wait for the rest of that log
//! where it can still be read.

use firebrick_log::{Applied, Change, Promotion};
use firebrick_vocabulary::{Role, StoreId};

use crate::peer::PeerRecord;
use crate::store::Store;

impl Store {
    /// Up to where of other stores' logs `peer` held the images that it was promoted to lead, as far as these follow
    /// those stores here and have not come to that place yet.
    pub fn awaits(&self, peer: StoreId, records: &[PeerRecord<'_>]) -> Vec<Applied> {
        let promotions = records.iter().filter_map(|record| match record {
            PeerRecord::Change(Change::Promote { images }) => Some(images),
            PeerRecord::Change(_)
            | PeerRecord::Data { .. }
            | PeerRecord::Discard { .. }
            | PeerRecord::Describe(_)
            | PeerRecord::Handover(_)
            | PeerRecord::Ended(_) => None,
        });
        let promotions = promotions.flatten();
        promotions
            .filter_map(|promotion| self.awaited(peer, promotion))
            .collect()
    }

    fn awaited(&self, peer: StoreId, promotion: &Promotion) -> Option<Applied> {
        let origin = promotion.origin.filter(|origin| origin.peer != peer)?;
        let state = self.core.glance();
        let meta = &state.cell(promotion.image)?.read().meta;
        let follows = meta.role == Role::Secondary && meta.upstream == Some(origin.peer);
        // Behind a demotion there is nothing more.
        let has_all = meta.primary_demoted && !promotion.forced;
        let lacks = state.applied(origin.peer) < origin.sequence && !has_all;
        (follows && lacks && promotion.epoch > meta.epoch).then_some(origin)
    }
}

//! Images that come by way of a peer which follows them itself.

use firebrick_log::{Change, Promotion, Reign};
use firebrick_vocabulary::{ImageId, Role};

use super::Admission;
use crate::peer::{Handover, Stream, Turn};

impl<'a> Admission<'_, 'a> {
    /// The peer follows another primary with the image, or has another state of it.
    pub(super) fn handover(&mut self, handover: &'a Handover) {
        let (image, reign) = (handover.image, handover.reign);
        if self.stream != Stream::Main {
            return;
        }
        let known = self.known(image);
        if !known.exists {
            if let Some(described) = &handover.described {
                self.described.insert(image, described);
                self.begin(image, None, true);
            }
            return;
        }
        if handover.turn == Turn::There {
            return;
        }
        let planned = handover.turn == Turn::Planned;
        let (before, follows, copying) = (known.reign(), known.follows, known.copying);
        let newer = before.is_none_or(|before| reign > before);
        let told = follows && handover.after.is_some() && handover.after == before;
        let ended = newer && planned && self.ended(image, handover.after);
        if told || ended {
            let (leader, peer) = (reign.leader, self.peer);
            self.push(Change::Follow {
                image,
                epoch: reign.epoch,
                peer,
                leader: Some(leader).filter(|leader| *leader != peer),
                after: before,
                planned,
            });
        } else if newer || (follows && (handover.turn == Turn::Complete) && before != Some(reign)) {
            self.yield_in(image, reign, None);
        } else if follows && before == Some(reign) && handover.after.is_none() {
            if !copying {
                self.copy_anew(image);
            }
            return;
        } else {
            // Of an earlier reign, or whoever is followed here tells it.
            return;
        }
        let known = self.known(image);
        known.follows = true;
        known.epoch = reign.epoch;
        known.leader = Some(reign.leader);
        known.blocks = None;
    }

    /// The image goes on with the peer's records.
    pub(super) fn follow(&mut self, promotion: &Promotion) {
        let after = self.known(promotion.image).reign();
        self.push(Change::Follow {
            image: promotion.image,
            epoch: promotion.epoch,
            peer: self.peer,
            leader: None,
            after,
            planned: !promotion.forced && promotion.after == after,
        });
    }

    /// Whether this store has all that was written in the reign: it ended with a demotion that has arrived.
    pub(super) fn ended(&self, image: ImageId, reign: Option<Reign>) -> bool {
        let Some((cell, reign)) = self.state.cell(image).zip(reign) else {
            return false;
        };
        let meta = &cell.read().meta;
        let whole = meta.role == Role::Secondary && meta.sync.is_consistent();
        whole && meta.primary_demoted && meta.reign(self.own) == reign
    }
}

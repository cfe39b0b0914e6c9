//! What the reading side asks its peer for: copies of images.

use firebrick_vocabulary::{Epoch, ImageId, SyncState};

use super::Applier;
use crate::message::{Request, ToServer};

/// A copy that has been asked for on this connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requested {
    /// That of the image then: one that turned to another site meanwhile, and to this one again, has a later one, and
    /// what was asked for before came to nothing.
    epoch: Epoch,
    /// The last request.
    ticket: u64,
}

impl Applier {
    /// Whether a copy that answers a request is the last one that comes: the log does not bring what another one
    /// will, which was asked for before this one had ended.
    pub(super) fn is_last(&self, image: ImageId, answers: Option<u64>) -> bool {
        let asked = self.requested.get(&image);
        answers.is_none_or(|ticket| asked.is_none_or(|asked| ticket >= asked.ticket))
    }

    /// Asks for the copies that are needed and not asked for yet.
    pub(super) async fn request(&mut self, images: &[ImageId]) {
        for image in images {
            let Ok(known) = self.shared.store.image(*image) else {
                continue;
            };
            let epoch = known.info().epoch;
            let before = self.requested.get(image).map(|it| it.epoch);
            let reached = self.reached(*image);
            if before.is_some_and(|before| before != epoch)
                && self.copied == Some(*image)
                && reached == Some(SyncState::NOTHING_COPIED)
            {
                // It turned away and back in between, and what came of it meanwhile was passed over.
                self.copied = None;
            }
            if before != Some(epoch) && (before.is_none() || self.copied != Some(*image)) {
                self.tickets += 1;
                let ticket = self.tickets;
                let request = ToServer::CopyRequest(Request {
                    image: *image,
                    reached,
                    compare: self.is_comparable(*image),
                    ticket,
                });
                self.requested.insert(*image, Requested { epoch, ticket });
                self.answer(&request).await;
            } else if let Some(known) = self.requested.get_mut(image) {
                known.epoch = epoch;
            }
        }
    }

    /// Whether there is something to compare with what the peer has: what a former primary wrote, what was
    /// here before an operator asked for it anew, what has arrived of a copy that cannot go on.
    fn is_comparable(&self, image: ImageId) -> bool {
        let image = self.shared.store.image(image).ok();
        let blank = image.and_then(|image| image.is_blank().ok());
        blank == Some(false)
    }

    fn reached(&self, image: ImageId) -> Option<SyncState> {
        let image = self.shared.store.image(image).ok()?;
        Some(image.info().sync)
    }
}

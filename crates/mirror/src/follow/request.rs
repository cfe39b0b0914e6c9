//! What the reading side asks its peer for: copies of images.

use firebrick_vocabulary::{ImageId, SyncState};

use super::Applier;
use crate::message::ToServer;

impl Applier {
    /// Asks for the copies that are needed and not asked for yet.
    pub(super) async fn request(&mut self, images: &[ImageId]) {
        for image in images {
            let Ok(known) = self.shared.store.image(*image) else {
                continue;
            };
            let epoch = known.info().epoch;
            let before = self.requested.insert(*image, epoch);
            if before != Some(epoch) && (before.is_none() || self.copied != Some(*image)) {
                let reached = self.reached(*image);
                let request = ToServer::CopyRequest {
                    image: *image,
                    reached,
                    compare: self.is_comparable(*image),
                };
                self.answer(&request).await;
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

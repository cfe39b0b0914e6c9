//! Copies of images, as they come.

use firebrick_engine::{CopyImage, Reign};
use firebrick_vocabulary::ImageId;

use super::{Applier, DOING};
use crate::error::Error;
use crate::message;

impl Applier {
    pub(super) async fn copy_begin(
        &mut self,
        image: &CopyImage,
        resumed: bool,
    ) -> Result<bool, Error> {
        if self.stages {
            // What is passed over of the one would be missing in the other.
            return Err(Error::protocol(DOING, "a copy begins within a comparison"));
        }
        let (store, id) = (&self.shared.store, image.image);
        if store.turn(self.store, id, image.reign(self.store))? {
            // It was to be another copy.
            self.copied = None;
            self.ask_again(id).await;
            return Ok(true);
        }
        let mut waits = store.copying(self.store).contains(&id);
        // Asked for twice, and the first is complete: the log does not bring its records any more, but
        // this one does, also where it goes on with what that had come to.
        if !waits {
            waits = store.copy_again(self.store, id)?;
        }
        if waits && !resumed {
            store.copy_begin(self.store, image)?;
        }
        self.copied = waits.then_some(id);
        Ok(waits)
    }

    pub(super) fn copy_part(&mut self, payload: &[u8]) -> Result<bool, Error> {
        let Some(part) = message::copy_part(payload) else {
            return Err(Error::protocol(
                DOING,
                "a part of a copy that makes no sense",
            ));
        };
        self.verify(&part.records)?;
        // Without an active copy the image is gone, and so is the use of the part.
        if self.copied != Some(part.image) || self.shared.store.image(part.image).is_err() {
            return Ok(false);
        }
        self.shared
            .store
            .copy_apply(self.store, part.image, &part.records, part.progress)?;
        Ok(true)
    }

    pub(super) async fn copy_end(
        &mut self,
        image: ImageId,
        (reign, demoted): (Reign, Option<bool>),
        ticket: Option<u64>,
    ) -> Result<bool, Error> {
        let store = &self.shared.store;
        if self.copied.take() != Some(image) || store.image(image).is_err() {
            return Ok(false);
        }
        if !self.is_last(image, ticket) {
            return Ok(false);
        }
        if store.turn(self.store, image, reign)? {
            self.ask_again(image).await;
            return Ok(true);
        }
        store.copy_end(self.store, image, (reign, demoted))?;
        self.requested.remove(&image);
        self.synced.push(image);
        Ok(true)
    }

    /// Asks for a copy of an image once more: what was asked for before is of no use.
    pub(super) async fn ask_again(&mut self, image: ImageId) {
        self.requested.remove(&image);
        let waiting = self.shared.store.copying(self.store);
        self.request(&waiting).await;
    }
}

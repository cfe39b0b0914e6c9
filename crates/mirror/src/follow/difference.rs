//! What comes of a difference.

use firebrick_engine::{CopyImage, ImageOrigin, Target};
use firebrick_vocabulary::{ImageId, Sequence};

use super::{Applier, DOING};
use crate::catch_up::{self, Catching};
use crate::error::Error;
use crate::message::{ToReader, ToServer};

impl Applier {
    /// Takes what is said of a difference.
    pub(super) async fn difference(&mut self, message: ToReader) -> Result<bool, Error> {
        match message {
            ToReader::CatchUp {
                targets,
                others,
                ended,
                last,
            } => {
                self.peer.set_gets_difference(true);
                let (store, said) = (&self.shared.store, (targets, others, ended));
                for answer in self.catching.learn(store, said, last)? {
                    self.answer(&answer).await;
                }
                Ok(false)
            }
            ToReader::Inquire { image } => {
                let held = self.shared.store.held_of(self.store, image)?;
                self.catching.note(&self.shared.store, image);
                let images = held.into_iter().collect();
                self.answer(&ToServer::Held { images, last: true }).await;
                Ok(false)
            }
            ToReader::AdoptOne { target, at } => self.adopt_one(&target, at).await,
            ToReader::Stage { image, parent } => self.stage(&image, parent),
            ToReader::Compare {
                image,
                runs,
                digests,
            } => {
                let answer = catch_up::lacks(&self.shared.store, image, &runs, &digests)?;
                self.answer(&answer).await;
                Ok(false)
            }
            ToReader::CompareLeaves {
                image,
                leaves,
                digests,
            } => {
                let answer = catch_up::leaves(&self.shared.store, image, &leaves, &digests)?;
                self.answer(&answer).await;
                Ok(false)
            }
            ToReader::Adopt { to } => self.adopt(to).await,
            other => Err(Error::protocol(
                DOING,
                format!("{other:?} is no difference"),
            )),
        }
    }

    fn stage(&mut self, image: &CopyImage, parent: Option<ImageOrigin>) -> Result<bool, Error> {
        let (store, reign) = (&self.shared.store, image.reign(self.store));
        if store.turn(self.store, image.image, reign)? {
            let why = "an image turned back to the peer while that compared it";
            return Err(Error::protocol(DOING, why));
        }
        let staged = self.catching.stage(store, image, parent)?;
        self.copied = Some(staged);
        self.stages = true;
        Ok(false)
    }

    /// What was staged of one image is complete.
    async fn adopt_one(&mut self, target: &Target, at: Sequence) -> Result<bool, Error> {
        let image = target.image.image;
        let adopted = self.shared.store.adopt_one(self.store, target, at)?;
        self.stages = false;
        self.copied = adopted.then_some(image);
        if !adopted {
            self.ask_again(image).await;
        }
        Ok(true)
    }

    /// The difference is complete.
    async fn adopt(&mut self, to: Sequence) -> Result<bool, Error> {
        self.catching.adopt(&self.shared.store, to)?;
        // Those that have become primary here keep what they have.
        let lacking = self.catching.images().filter(|image| !self.has(*image));
        let lacking: Vec<ImageId> = lacking.collect();
        self.passed_over.extend(lacking);
        self.peer.set_gets_difference(false);
        self.catching = Catching::new(self.store);
        self.copied = None;
        self.stages = false;
        self.requested.clear();
        // Before it asks for anything: until then the peer takes all for asked that the difference brings.
        self.confirm().await?;
        Ok(false)
    }
}

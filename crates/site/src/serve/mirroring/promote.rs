//! Promotions by hand: all images at one position, or none.

use firebrick_backend::{Fault, FaultKind, Reason};
use firebrick_vocabulary::{ImageId, Position, Role};

use super::Mirroring;
use crate::admin::{Loss, PromotedImage};
use crate::serve::fault::{fault, reason};

const DOING: &str = "promote images";

impl Mirroring {
    /// Promotes images, or says with `dry_run` what would become of them. Where one is refused, none is
    /// promoted; where more would be lost than `accept_loss` seconds, that is a fault.
    pub(super) fn promote(
        &self,
        ids: &[ImageId],
        force: bool,
        dry_run: bool,
        accept_loss: Option<f64>,
    ) -> Result<Vec<PromotedImage>, Fault> {
        let mut before: Vec<PromotedImage> = self
            .store
            .examine_promotion(ids, force)
            .into_iter()
            .map(|(id, outcome)| self.promotion(id, outcome.map_err(reason)))
            .collect();
        if !force {
            self.refuse_led(&mut before);
        }
        if let Some(accepted) = accept_loss {
            before
                .iter()
                .try_for_each(|image| check_loss(image, accepted))?;
        }
        if dry_run || before.iter().any(|image| image.outcome.is_err()) {
            return Ok(before);
        }
        let outcomes = self.store.promote_together(ids, force);
        let outcomes = outcomes.map_err(|error| fault(&error))?;
        let promoted = outcomes.iter().filter(|(_, outcome)| outcome.is_ok());
        tracing::info!(images = promoted.count(), force, "images were promoted");
        // What was lost is what was missing before.
        let with_loss = before.into_iter().zip(outcomes);
        Ok(with_loss
            .map(|(before, (_, outcome))| PromotedImage {
                outcome: outcome.map_err(reason),
                ..before
            })
            .collect())
    }

    /// Refuses images of which a peer says at this moment that it is primary: it was promoted behind the last
    /// demotion that was heard of here. Who does not answer, for example as it was shut down behind that
    /// demotion, keeps nobody from it.
    fn refuse_led(&self, images: &mut [PromotedImage]) {
        let follows = |id: ImageId| {
            let image = self.store.image(id);
            image.is_ok_and(|image| image.info().role == Role::Secondary)
        };
        let allowed = images.iter().filter(|image| image.outcome.is_ok());
        let mut wanted: Vec<ImageId> = allowed.map(|image| image.id).collect();
        wanted.retain(|id| follows(*id));
        if wanted.is_empty() {
            return;
        }
        let peers = self.mirror.peers().into_iter();
        for store in peers.filter_map(|peer| peer.store.filter(|_| peer.following)) {
            let led = self.mirror.leads(store, &wanted).unwrap_or_default();
            for image in images.iter_mut().filter(|image| led.contains(&image.id)) {
                image.outcome = Err(Reason::NotDemoted);
            }
        }
    }

    fn promotion(
        &self,
        id: ImageId,
        outcome: Result<firebrick_vocabulary::Epoch, Reason>,
    ) -> PromotedImage {
        let report = self.report(Some(&[id]));
        let image = report.images.into_iter().next();
        let (name, position, loss): (_, Option<Position>, Option<Loss>) = match image {
            Some(image) => (Some(image.name), image.position, image.loss),
            None => (None, None, None),
        };
        PromotedImage {
            id,
            name,
            outcome,
            position,
            loss,
        }
    }
}

fn check_loss(image: &PromotedImage, accepted: f64) -> Result<(), Fault> {
    let name = image
        .name
        .as_ref()
        .map_or_else(|| image.id.to_string(), ToString::to_string);
    let why = match image.loss {
        Some(loss) if loss.seconds <= accepted => return Ok(()),
        Some(loss) => format!(
            "up to {:.3} s of the writes to {name} would be lost, more than the {accepted} s that are accepted",
            loss.seconds
        ),
        None => format!(
            "how much of the writes to {name} would be lost is not known, and only {accepted} s are accepted"
        ),
    };
    Err(Fault::new(FaultKind::Busy, DOING, why))
}

//! What a site has of images that another one is primary of.

use firebrick_backend::{Backend, Loss, PromoteOutcome, Reason};
use firebrick_vocabulary::{Epoch, ImageId, Position, Role};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::warn;

use crate::control::Inner;

/// What a site has of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Holding {
    pub(super) image: ImageId,
    /// Whether it has a whole state of it.
    pub(super) complete: bool,
    /// Up to which record of its primary's log; `None` where it is primary itself.
    pub(super) position: Option<Position>,
    /// What promoting it there loses at most; `None` where that is not known.
    pub(super) loss: Option<Loss>,
}

/// What the site has of these images; nothing is known where it does not say so soon.
pub(super) async fn holdings(
    inner: &Inner,
    site: &dyn Backend,
    images: &[ImageId],
) -> Option<Vec<Holding>> {
    let asked = timeout(inner.options.failover.probe, site.mirror_status());
    let status = match asked.await {
        Ok(Ok(status)) => status,
        Ok(Err(fault)) => {
            warn!(site = site.name(), %fault, "what it has of each image is not known");
            return None;
        }
        Err(_) => {
            warn!(
                site = site.name(),
                "what it has of each image is not known: no answer"
            );
            return None;
        }
    };
    let mut wanted = images.to_vec();
    wanted.sort_unstable();
    let found = status.images.into_iter();
    let found = found.filter(|image| wanted.binary_search(&image.id).is_ok());
    let holdings = found.map(|image| Holding {
        image: image.id,
        complete: image.sync.is_consistent(),
        position: image.replay.map(|replay| replay.position),
        loss: match image.role {
            Role::Primary => Some(Loss::NONE),
            Role::Secondary => image.replay.and_then(|replay| replay.loss),
        },
    });
    Some(holdings.collect())
}

/// What a promotion of these images would say there.
pub(super) fn foreseen(images: &[ImageId], holdings: &[Holding]) -> Vec<PromoteOutcome> {
    let all = images.iter().map(|image| {
        let holding = holdings.iter().find(|it| it.image == *image);
        let result = match holding {
            None => Err(Reason::NotFound),
            Some(holding) if !holding.complete => Err(Reason::Inconsistent),
            Some(_) => Ok(Epoch(0)),
        };
        PromoteOutcome {
            image: *image,
            result,
        }
    });
    all.collect()
}

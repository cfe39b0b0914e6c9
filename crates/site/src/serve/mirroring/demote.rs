//! Demotions by hand: at once, or only where the peers have all of it within a time.

use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::{ImageId, Position, Sequence};
use tokio::time::{Instant, sleep, timeout_at};

use super::Mirroring;
use crate::admin::wait_within;
use crate::serve::exports::Exports;
use crate::serve::fault::blocking;
use crate::serve::local::LocalSite;

const DOING: &str = "demote images";
/// How often it is looked whether the peers have the demotion.
const POLL: Duration = Duration::from_millis(20);

impl LocalSite {
    /// Demotes images, all at one position. With a time, in seconds, it is undone where a peer does not have it by
    /// then, and not begun where the peers do not have what is there before: either way nothing has changed.
    pub(super) async fn demote_all(
        &self,
        images: Vec<ImageId>,
        within: Option<f64>,
    ) -> Result<Position, Fault> {
        self.unfenced(DOING).await?;
        let exports = Arc::clone(&self.exports);
        let Some(within) = within else {
            return demote(exports, images).await;
        };
        let deadline = Instant::now() + wait_within(within);
        // While guests go on: they are to stand still for as short as may be.
        let drained = self.mirroring.wait(Some(images.clone()), None, within);
        drained.await.map_err(|error| unchanged(&error))?;
        let position = demote(exports, images.clone()).await?;
        let arrived = self.mirroring.arrives(&images, position.sequence);
        if timeout_at(deadline, arrived).await.is_ok() {
            return Ok(position);
        }
        let mirroring = Arc::clone(&self.mirroring);
        blocking(move || mirroring.undo_demotion(&images, position)).await
    }
}

async fn demote(exports: Arc<Exports>, images: Vec<ImageId>) -> Result<Position, Fault> {
    let count = images.len();
    let position = blocking(move || exports.demote(&images)).await?;
    tracing::info!(images = count, %position, "images were demoted");
    Ok(position)
}

fn unchanged(error: &Fault) -> Fault {
    let why = format!("{}; nothing has changed", error.why);
    Fault::new(error.kind, DOING, why)
}

impl Mirroring {
    /// Waits until all peers that read images have confirmed the log up to a record.
    async fn arrives(&self, images: &[ImageId], upto: Sequence) {
        let has = |image: &ImageId| {
            let readers = self.mirror.readers(*image);
            readers
                .iter()
                .all(|reader| reader.peer.confirmed.sequence >= upto)
        };
        while !images.iter().all(has) {
            sleep(POLL).await;
        }
    }

    /// Makes images primary again that were demoted in vain. Where a peer has been promoted behind the demotion, that
    /// has arrived, and stays.
    fn undo_demotion(&self, images: &[ImageId], position: Position) -> Result<Position, Fault> {
        let outcomes = self.promote(images, false, false, None)?;
        if outcomes.iter().any(|image| image.outcome.is_err()) {
            return Ok(position);
        }
        tracing::warn!(%position, "a demotion did not arrive in time, and was undone");
        let why = "the demotion did not reach all peers in time, and was undone: nothing has changed; `mirror explain` \
                   says what to do";
        Err(Fault::new(FaultKind::TimedOut, DOING, why))
    }
}

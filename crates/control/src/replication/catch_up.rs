//! Before a failback stops guests, the site to go to gets (nearly) everything: what the other one wrote while
//! it was away, and first copies that are not complete.

use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_state::MessageDetail;
use firebrick_vocabulary::{ImageId, Role};
use tokio::time::{Instant, sleep};

use super::switch::Switch;
use crate::story::{Step, Stop};
use crate::why::Why;

/// How long one question waits.
const SLICE: Duration = Duration::from_secs(1);
/// The pause before the next one.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits for all of it, as long as a failback may wait, and says how far it is.
pub(super) async fn catch_up(step: &Switch<'_>) -> Step {
    let deadline = Instant::now() + step.inner.options.failover.resync;
    let images = led_there(step).await.map_err(|fault| behind(step, fault))?;
    let mut whole = 0;
    loop {
        // Only of those that somebody else is primary of: it may give up what it has. Again and again, as a
        // site may find only meanwhile that an image does not follow.
        step.new.rejoin(&images).await?;
        let slice = SLICE.min(deadline.saturating_duration_since(Instant::now()));
        let why = match lacking(step, &images, slice).await {
            Ok(None) => return Ok(()),
            Ok(Some(why)) => why,
            Err(fault) if fault.kind == FaultKind::TimedOut => fault.to_string(),
            Err(fault) => return Err(behind(step, fault)),
        };
        if Instant::now() >= deadline {
            return Err(behind(step, why));
        }
        let missing = missing(step).await;
        whole = whole.max(missing);
        let done = whole - missing;
        let phase = "catching up";
        step.inner
            .progress(step.activity, phase, done, whole)
            .await?;
        sleep(PAUSE).await;
    }
}

/// The images to switch of which the site that is left is primary.
async fn led_there(step: &Switch<'_>) -> Result<Vec<ImageId>, Fault> {
    let serving = step.old.images().await?.into_iter();
    let serving = serving.filter(|image| image.mirrored && image.role == Role::Primary);
    let serving: Vec<ImageId> = serving.map(|image| image.id).collect();
    let mut images = step.images.clone();
    images.retain(|id| serving.contains(id));
    Ok(images)
}

/// What is not there yet of what the other site has now; it is waited for as long as `within`.
async fn lacking(
    step: &Switch<'_>,
    images: &[ImageId],
    within: Duration,
) -> Result<Option<String>, Fault> {
    let status = step.old.status().await?;
    step.new
        .wait_applied(status.store, status.head, images, within)
        .await?;
    let there = step.new.images().await?;
    let mut copying = there
        .iter()
        .filter(|image| !image.sync.is_consistent() && step.images.contains(&image.id));
    Ok(copying
        .next()
        .map(|image| format!("the first copy of {} is not complete", image.name)))
}

/// Bytes that the other site has still to send.
async fn missing(step: &Switch<'_>) -> u64 {
    let Ok(status) = step.old.status().await else {
        return 0;
    };
    let mut peers = status.peers.iter();
    let peer = peers.find(|peer| peer.name == step.new.name());
    peer.map_or(0, |peer| peer.lag.bytes.0)
}

fn behind(step: &Switch<'_>, why: impl std::fmt::Display) -> Stop {
    let text = format!("{} has not caught up: {why}", step.new.name());
    Stop::never(Why::from(text).detail(MessageDetail::NotCaughtUp))
}

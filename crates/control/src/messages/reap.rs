//! Messages that have expired, and activities that ended long ago, are forgotten.

use std::sync::Arc;
use std::time::Duration;

use firebrick_db::{activities, messages, now};
use tracing::{info, warn};

use crate::control::Inner;
use crate::error::Result;

/// How often.
const PAUSE: Duration = Duration::from_secs(3600);

/// How long an activity can be looked at after its end.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// Forgets again and again.
pub(crate) async fn run(inner: Arc<Inner>) {
    loop {
        if let Err(error) = forget(&inner).await {
            warn!(%error, "what has expired could not be forgotten");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn forget(inner: &Inner) -> Result<()> {
    let present = now();
    let mut tx = inner.db.begin().await?;
    let told = messages::forget(&mut tx, present).await?;
    let ended = activities::forget(&mut tx, present - REMEMBERED).await?;
    tx.commit().await?;
    if told + ended > 0 {
        info!(
            messages = told,
            activities = ended,
            "what has expired was forgotten"
        );
    }
    Ok(())
}

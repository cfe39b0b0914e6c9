//! What a site says about its mirror.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firebrick_backend::{Backend as _, PeerStatus, SiteStatus};
use firebrick_site::SiteClient;
use firebrick_vocabulary::{Role, Sequence};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::history::{BLOCK, Tally};
use crate::exit::Failure;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Follows the primary's view of the other site while the guest writes.
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    task: AbortHandle,
}

#[derive(Default)]
struct Seen {
    line: String,
    confirmed: u64,
    /// How many writes had been answered when the log's head was at least there.
    heads: VecDeque<(u64, Sequence)>,
}

impl Watch {
    /// Begins to look.
    pub(super) fn start(site: SiteClient, tally: Arc<Tally>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                // Counted before the look: these writes are in the log that is looked at.
                let answered = tally.answered();
                if let Ok(status) = site.status().await {
                    shared.lock().note(answered, &status);
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self {
            seen,
            task: task.abort_handle(),
        }
    }

    /// The last look, in words.
    pub(super) fn line(&self) -> String {
        self.seen.lock().line.clone()
    }

    /// How many of the guest's writes the other site has confirmed for certain.
    pub(super) fn confirmed(&self) -> u64 {
        self.seen.lock().confirmed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn note(&mut self, answered: u64, status: &SiteStatus) {
        let Some(peer) = status.peers.first() else {
            return;
        };
        self.heads.push_back((answered, status.head.sequence));
        while let Some((answered, head)) = self.heads.front()
            && *head <= peer.confirmed.sequence
        {
            self.confirmed = *answered;
            self.heads.pop_front();
        }
        self.line = format!("{} written, {}", mebibytes(answered * BLOCK), behind(peer));
    }
}

fn behind(peer: &PeerStatus) -> String {
    format!(
        "{} is {:.2} s and {} behind",
        peer.name,
        peer.lag.seconds,
        mebibytes(peer.lag.bytes.get())
    )
}

/// Bytes in words.
pub(super) fn mebibytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1} MiB")
}

/// Waits until `back`, which was lost, is a complete secondary of `other` for the image of `volume`.
pub(super) async fn caught_up(
    back: &SiteClient,
    other: &SiteClient,
    volume: &str,
    within: Duration,
    say: impl Fn(&str),
) -> Result<(), Failure> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let (Ok(here), Ok(there)) = (back.mirror_status().await, other.status().await)
            && let Some(peer) = there.peers.first()
        {
            let image = here
                .images
                .iter()
                .find(|image| image.id.to_string() == volume);
            let follows = image.is_some_and(|image| image.role == Role::Secondary);
            say(&behind(peer));
            if follows && peer.reading && peer.lag.records == 0 {
                return Ok(());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    let doing = "wait for the site that came back";
    Err(Failure::new(doing, format!("not within {within:?}")))
}

/// Bytes of data that `site` has received from its peer since it started.
pub(super) async fn received(site: &SiteClient) -> Result<u64, Failure> {
    let status = site.status().await;
    let status = status.map_err(|error| Failure::new("ask the site that came back", error))?;
    Ok(status.peers.iter().map(|peer| peer.received.get()).sum())
}

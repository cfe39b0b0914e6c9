//! The data of an image, as they come.

use std::io::Read as _;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::digest::Digest;
use super::error::GlanceError;

/// So many bytes come at once.
const CHUNK: usize = 1 << 20;
/// So many chunks wait to be taken.
const AHEAD: usize = 4;

/// The data of an image, as they come. Whoever has taken [`None`] has had all of them, and as their
/// digest says.
#[derive(Debug)]
pub struct Download {
    chunks: mpsc::Receiver<Result<Vec<u8>, GlanceError>>,
    digest: Digest,
    patience: Duration,
}

impl Download {
    /// The chunks that `body` sends, each within `patience`.
    pub(super) fn of(body: ureq::Body, digest: Digest, patience: Duration) -> Self {
        let (sender, chunks) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || pump(body, &sender));
        Self {
            chunks,
            digest,
            patience,
        }
    }

    /// The next bytes, at most 1 MiB; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`GlanceError::Unreachable`] where they do not come, [`GlanceError::Damaged`] where those that
    /// came are not the image. There is nothing more to take then.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, GlanceError> {
        let Ok(next) = timeout(self.patience, self.chunks.recv()).await else {
            self.chunks.close();
            return Err(GlanceError::unreachable("the data stopped coming"));
        };
        let Some(chunk) = next else {
            self.digest.finish()?;
            return Ok(None);
        };
        let chunk = chunk?;
        self.digest.update(&chunk)?;
        Ok(Some(chunk))
    }
}

/// Reads until the end, a failure, or until nobody listens.
fn pump(body: ureq::Body, sender: &mpsc::Sender<Result<Vec<u8>, GlanceError>>) {
    let mut reader = body.into_reader();
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
        match read {
            Ok(0) => return,
            Ok(_) => {
                if sender.blocking_send(Ok(chunk)).is_err() {
                    return;
                }
            }
            Err(error) => {
                // Nobody may listen any more.
                let _ = sender.blocking_send(Err(GlanceError::unreachable(error)));
                return;
            }
        }
    }
}

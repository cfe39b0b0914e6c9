//! The data of an image, as they go.

use std::io::{self, Read};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::GlanceError;

/// So many chunks wait to be sent.
const AHEAD: usize = 4;

/// What is sent next: data, or that it was all.
enum Piece {
    Data(Vec<u8>),
    End,
}

/// The data of an image, as they go. One that is dropped before [`Self::finish`] breaks the request off,
/// and Glance keeps none of it.
#[derive(Debug)]
pub struct Upload {
    pieces: mpsc::Sender<Piece>,
    sent: JoinHandle<Result<u16, GlanceError>>,
    patience: Duration,
}

impl Upload {
    /// Sends what comes with `send`, which makes the request and returns the status of its answer.
    pub(super) fn of(
        send: impl FnOnce(Body) -> Result<u16, GlanceError> + Send + 'static,
        patience: Duration,
    ) -> Self {
        let (pieces, receiver) = mpsc::channel(AHEAD);
        let body = Body {
            pieces: receiver,
            rest: Vec::new(),
            at: 0,
            ended: false,
        };
        let sent = tokio::task::spawn_blocking(move || send(body));
        Self {
            pieces,
            sent,
            patience,
        }
    }

    /// Sends the next bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`], where Glance has answered before the end, or takes nothing any more.
    pub async fn write(&mut self, data: Vec<u8>) -> Result<(), GlanceError> {
        let sending = timeout(self.patience, self.pieces.send(Piece::Data(data)));
        match sending.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.answer().await.err().unwrap_or_else(early)),
            Err(_) => Err(GlanceError::unreachable("it takes no more data")),
        }
    }

    /// Says that this was all, and waits until Glance has it.
    ///
    /// # Errors
    ///
    /// Where Glance does not take it.
    pub async fn finish(mut self) -> Result<(), GlanceError> {
        // Where nobody takes it any more, the answer says why.
        let _ = self.pieces.send(Piece::End).await;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<(), GlanceError> {
        let Ok(answer) = timeout(self.patience, &mut self.sent).await else {
            return Err(GlanceError::unreachable("it did not answer in time"));
        };
        match answer.map_err(GlanceError::unreachable)?? {
            204 | 200 => Ok(()),
            404 => Err(GlanceError::NotFound),
            status => Err(GlanceError::of_status(status)),
        }
    }
}

fn early() -> GlanceError {
    GlanceError::unreachable("it answered before it had all")
}

/// What is being sent, as a reader.
pub(super) struct Body {
    pieces: mpsc::Receiver<Piece>,
    rest: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.rest.len() {
            if self.ended {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Data(data)) => (self.rest, self.at) = (data, 0),
                Some(Piece::End) => self.ended = true,
                // Not an end: what was sent must not count.
                None => return Err(io::Error::other("the upload was given up")),
            }
        }
        let rest = self.rest.get(self.at..).unwrap_or_default();
        let len = rest.len().min(into.len());
        let (Some(from), Some(to)) = (rest.get(..len), into.get_mut(..len)) else {
            return Ok(0);
        };
        to.copy_from_slice(from);
        self.at += len;
        Ok(len)
    }
}

//! What goes to a peer that reads: the log, and the copies that it asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebrick_vocabulary::{ImageId, Sequence};

use super::{DOING, GATHER, IDLE, Requests};
use crate::catch_up::{Ended, Line};
use crate::copies::{Copies, Pending};
use crate::copy::{Copy, PART_BLOCKS, Step};
use crate::error::Error;
use crate::message::Request;
use crate::mirror::Shared;
use crate::newcomer;
use crate::outlet::Outlet;
use crate::peers::Peer;
use crate::relay::Relay;
use crate::stream::{BATCH_BYTES, Next, Said, Stream};

/// Sends the stream and the copies that the peer asks for, as a worker.
pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Arc<Peer>,
    pub(super) requests: Requests,
    pub(super) relay: Arc<Relay>,
    /// Images that the peer followed as this site's own when it came.
    pub(super) as_own: BTreeSet<ImageId>,
    pub(super) outlet: Outlet,
    /// For differences; gone while one is on its way.
    pub(super) line: Option<Line>,
    pub(super) copies: Copies,
}

impl Sender {
    pub(super) async fn run(mut self, mut from: Sequence, newcomer: bool) -> Result<(), Error> {
        while !self.shared.store.log_serves(from) {
            // A difference that waited for hours would be one to a state of hours ago.
            if self.outlet.opens().await.is_err() {
                return Ok(());
            }
            match self.catch_up(Sequence(from.0.saturating_sub(1))).await? {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
        let store = Arc::clone(&self.shared.store);
        let mut stream = self.stream(from)?;
        if let Some(inventory) = newcomer::inventory(&store, from, &self.relay, newcomer)?
            && !self.send(inventory).await
        {
            return Ok(());
        }
        while !self.outlet.is_closed() {
            if self.relay.knows_better() {
                let why = "a site has been met whose images the peer gets from here";
                return Err(Error::protocol(DOING, why));
            }
            let requests = std::mem::take(&mut *self.requests.lock());
            for request in requests {
                self.take(request, &mut stream);
            }
            let most = self.outlet.frame_bytes(BATCH_BYTES);
            let (mut idle, next) = (false, stream.next(most).await?);
            match next {
                Next::Nothing => idle = true,
                Next::Batch(frame, said) => {
                    self.heed(&said, &mut stream)?;
                    self.peer.told(said);
                    if !self.send(frame).await {
                        return Ok(());
                    }
                }
                Next::Jump(has) => match self.catch_up(has).await? {
                    Some(next) => stream = self.stream(next)?,
                    None => return Ok(()),
                },
            }
            let copied = self.copy(&mut stream).await?;
            if idle && !copied {
                self.rest(stream.seen()).await;
            }
        }
        Ok(())
    }

    fn stream(&self, from: Sequence) -> Result<Stream, Error> {
        let Shared { store, runtime, .. } = &*self.shared;
        let told = (Arc::clone(&self.relay), self.as_own.clone());
        Stream::new(Arc::clone(store), Arc::clone(runtime), told, from)
    }

    /// Sends the difference to what the peer has; from where on the log follows, or `None` where it is gone.
    async fn catch_up(&mut self, has: Sequence) -> Result<Option<Sequence>, Error> {
        // The difference brings all of them.
        self.copies.pending.clear();
        self.requests.lock().clear();
        let Some(line) = &mut self.line else {
            return Err(Error::protocol(DOING, "a comparison was overtaken"));
        };
        match line.catch_up(has).await {
            Ok(to) => Ok(Some(to.next())),
            Err(Ended::Gone) => Ok(None),
            Err(Ended::Failed(error)) => Err(error),
        }
    }

    fn take(&mut self, request: Request, stream: &mut Stream) {
        let image = request.image;
        // From here on the copy brings the image's records.
        stream.deferred.insert(image);
        self.copies.forget(image);
        self.copies.pending.push(Pending::Waiting(request));
    }

    /// Ends copies that are of no use behind a batch.
    fn heed(&mut self, said: &Said, stream: &mut Stream) -> Result<(), Error> {
        for image in &said.jumped {
            let mut copies = self
                .copies
                .pending
                .iter()
                .filter(|copy| copy.image() == *image);
            if copies.any(|copy| !matches!(copy, Pending::Waiting(_))) {
                // With the connection the peer asks anew.
                let why = "an image that is copied is another one by now";
                return Err(Error::protocol(DOING, why));
            }
        }
        // What waits goes on to: it begins behind this.
        for image in &said.ended {
            if self.copies.is_compared(*image) {
                // Beside the log it would come back behind its end, and nobody would tell of it any more.
                let why = "an image that is compared has ended";
                return Err(Error::protocol(DOING, why));
            }
            self.copies.forget(*image);
            stream.deferred.remove(image);
        }
        Ok(())
    }

    /// Whether a copy can begin: what this site follows itself must be complete, and the log have come to where it is.
    fn is_ready(&self, pending: &Pending, at: Sequence) -> bool {
        let Pending::Waiting(Request { image, .. }) = pending else {
            return true;
        };
        let store = &self.shared.store;
        let upstream = store.image(*image).ok();
        let upstream = upstream.and_then(|image| image.info().upstream);
        match upstream.filter(|of| self.relay.tells(*of, *image)) {
            Some(_) => store.steady(*image).is_some_and(|steady| steady <= at),
            None => true,
        }
    }

    /// Waits for records behind `seen`, but not for long: there may be requests.
    async fn rest(&self, seen: Sequence) {
        let Shared { store, runtime, .. } = &*self.shared;
        let beyond = |most| store.wait_beyond(seen, most);
        if runtime.block(IDLE, &beyond).await {
            runtime.pause(GATHER).await;
        }
    }

    /// Whether the connection is still there.
    async fn send(&self, frame: Vec<u8>) -> bool {
        self.outlet.send(frame).await.is_ok()
    }

    /// One step of the first copy; whether there was something to do.
    async fn copy(&mut self, stream: &mut Stream) -> Result<bool, Error> {
        self.line = self.line.take().or_else(|| self.copies.regained());
        if self.copies.is_busy() {
            return Ok(false);
        }
        let at = stream.cursor();
        let ready = |pending: &Pending| self.is_ready(pending, at);
        let Some(next) = self.copies.pending.iter().position(ready) else {
            return Ok(false);
        };
        self.copies.pending[..=next].rotate_right(1);
        let Some(first) = self.copies.pending.first_mut() else {
            return Ok(false);
        };
        let copy = match first {
            Pending::Running(copy) => copy,
            Pending::Comparing(request, outcome) => {
                let Request { image, ticket, .. } = *request;
                let Ok((line, compared)) = outcome.try_recv() else {
                    return Ok(false);
                };
                self.line = Some(line);
                match compared {
                    Ok(Some(copy)) => *first = Pending::Running(Box::new(copy.answering(ticket))),
                    Ok(None) => {
                        self.copies.pending.remove(0);
                        stream.deferred.remove(&image);
                    }
                    // It is noticed soon.
                    Err(Ended::Gone) => return Ok(false),
                    Err(Ended::Failed(error)) => return Err(error),
                }
                return Ok(true);
            }
            Pending::Waiting(request) => {
                let request = *request;
                let Request { image, reached, .. } = request;
                let Shared { store, runtime, .. } = &*self.shared;
                let Some(copy) = Copy::new(store, runtime, &self.relay, (image, reached))? else {
                    self.copies.pending.remove(0);
                    stream.deferred.remove(&image);
                    return Ok(true);
                };
                if request.compare && !copy.is_resumed() {
                    // Nothing but a comparison leaves there what is kept aside: it waits for the line.
                    let Some(mut line) = self.line.take() else {
                        return Ok(false);
                    };
                    let comparing = async move {
                        let compared = line.compare(image).await;
                        (line, compared)
                    };
                    *first = Pending::Comparing(request, self.shared.work(comparing));
                } else {
                    *first = Pending::Running(Box::new(copy.answering(request.ticket)));
                }
                return Ok(true);
            }
        };
        let blocks = self.outlet.part_blocks(PART_BLOCKS);
        match copy.step(stream.cursor(), blocks).await? {
            Step::Frame(frame) => Ok(self.send(frame).await),
            Step::Wait => Ok(false),
            Step::Done(frame) => {
                stream.deferred.remove(&copy.image());
                self.copies.pending.remove(0);
                Ok(self.send(frame).await)
            }
        }
    }
}

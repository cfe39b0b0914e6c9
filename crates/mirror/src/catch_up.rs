//! A peer that was away for longer than the log was kept: it gets the difference.
//!
//! The serving side tells what there is (`ToReader::CatchUp`), and the reader what it has of it. Then, image
//! by image, it gets what differs: the serving side knows from its index which blocks may, and says
//! digests of them; the reader answers which of these it lacks. All of it is staged beside the images of
//! the reader, which become it at once at the end (`ToReader::Adopt`), so that it holds one position of
//! this log at every moment (INV-2).

mod digest;
mod image;
mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::{
    Difference, EndedImage, HeldImage, Reign, Served, ServedSnapshot, SnapshotKey, Target,
};
use firebrick_vocabulary::{ImageId, Sequence};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::copy::Copy;
use crate::error::Error;
use crate::message::ToReader;
use crate::mirror::Shared;
use crate::outlet::{Closed, Outlet};
use crate::peers::Peer;
use crate::relay::Relay;
use crate::wire;

pub(crate) use digest::Digest;
pub(crate) use reader::{Catching, lacks, leaves};

const DOING: &str = "send a difference";
/// Images in one message.
const PART: usize = 256;
/// Answers that may wait.
pub(crate) const ANSWERS: usize = 16;
/// How often it is looked whether the reader has confirmed all of it.
const LOOK: Duration = Duration::from_millis(10);

/// What a reader answers while it catches up.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What it has; whether that is all.
    Held(Vec<HeldImage>, bool),
    /// Which of the blocks that it was asked about it lacks, as runs: first block and count.
    Lacks(Vec<(u64, u64)>),
    /// Which leaves differ, with a digest of each of their blocks.
    Leaves(Vec<(u64, Vec<Digest>)>),
}

impl Answer {
    /// Understands which leaves differ.
    pub(crate) fn leaves(differing: &[(u64, String)]) -> Result<Self, Error> {
        let leaves = differing.iter().map(|(leaf, text)| {
            let digests = digest::decode(text);
            let digests = digests
                .ok_or_else(|| Error::protocol(DOING, "the peer sent digests that make no sense"));
            Ok((*leaf, digests?))
        });
        leaves.collect::<Result<_, Error>>().map(Self::Leaves)
    }
}

/// The connection has ended: whoever notices ends too.
#[derive(Debug)]
pub(crate) enum Ended {
    Gone,
    Failed(Error),
}

impl From<Closed> for Ended {
    fn from(_: Closed) -> Self {
        Self::Gone
    }
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A connection to a reader that catches up.
pub(crate) struct Line {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) relay: Arc<Relay>,
    pub(crate) outlet: Outlet,
    pub(crate) answers: mpsc::Receiver<Answer>,
    /// Until when the reader reads on it.
    pub(crate) until: CancellationToken,
}

impl Line {
    /// Sends what a reader lacks that has everything up to record `has`, and waits until it is durable
    /// there; up to which record it has everything then.
    pub(crate) async fn catch_up(&mut self, has: Sequence) -> Result<Sequence, Ended> {
        let (store, name) = (&self.shared.store, &self.peer.name);
        let relay = Arc::clone(&self.relay);
        let tells = relay.as_of_now(store);
        let difference = store.difference_of(name, has, None, &tells)?;
        let to = difference.position;
        self.peer.catches_up_to(to, &self.until);
        info!(peer = %self.peer.name, %has, %to, "a peer gets the difference");
        let held = self.introduce(&difference).await?;
        for served in &difference.images {
            image::Sending::new(self, &difference, served, &held)
                .run()
                .await?;
        }
        // Before it can be confirmed: what that says it passed over must not be forgotten.
        let images = difference.images.iter().map(|it| it.image.image);
        self.peer.catches_up_with(images.collect(), &self.until);
        self.say(&ToReader::Adopt { to }).await?;
        while self.peer.is_catching_up() {
            if self.outlet.is_closed() {
                return Err(Ended::Gone);
            }
            self.shared.runtime.pause(LOOK).await;
        }
        // Who has left catches up no more, whatever it has.
        if self.peer.known_confirmed() < to {
            return Err(Ended::Gone);
        }
        difference.complete();
        info!(peer = %self.peer.name, %to, "a peer has caught up by the difference");
        Ok(to)
    }

    /// Sends what differs of one image of which the reader has something, beside the log; where what the
    /// log says of it follows on. `None` where it is not to be had from here.
    pub(crate) async fn compare(&mut self, image: ImageId) -> Result<Option<Copy>, Ended> {
        let (store, name) = (&self.shared.store, &self.peer.name);
        let has = self.peer.known_confirmed();
        let relay = Arc::clone(&self.relay);
        let tells = relay.as_of_now(store);
        let difference = store.difference_of(name, has, Some(image), &tells)?;
        let mut all = difference.images.iter();
        let Some(served) = all.find(|it| it.image.image == image) else {
            return Ok(None);
        };
        info!(peer = %name, image = %served.image.name, "a peer gets what differs of an image");
        self.say(&ToReader::Inquire { image }).await?;
        let held = self.held().await?;
        if !held.contains_key(&image) {
            return Ok(None);
        }
        image::Sending::new(self, &difference, served, &held)
            .run()
            .await?;
        let target = Box::new(target(served));
        let (at, demoted) = (difference.position, served.demoted);
        let reign = Reign {
            epoch: served.image.epoch,
            leader: served.image.leader.unwrap_or(self.shared.store.id()),
        };
        self.say(&ToReader::AdoptOne { target, at }).await?;
        let Shared { store, runtime, .. } = &*self.shared;
        let relay = &self.relay;
        Ok(Copy::behind(
            store,
            runtime,
            relay,
            (image, reign, demoted),
            difference,
        )?)
    }

    /// Says what there is, and hears what the reader has of it.
    async fn introduce(
        &mut self,
        difference: &Difference,
    ) -> Result<BTreeMap<ImageId, HeldImage>, Ended> {
        let mut targets: Vec<Target> = difference.images.iter().map(target).collect();
        let mut others = difference.others.clone();
        let mut ended = difference.ended.clone();
        loop {
            let part: Vec<Target> = targets.drain(..targets.len().min(PART)).collect();
            let some: Vec<ImageId> = others.drain(..others.len().min(PART)).collect();
            let gone: Vec<EndedImage> = ended.drain(..ended.len().min(PART)).collect();
            let last = targets.is_empty() && others.is_empty() && ended.is_empty();
            self.say(&ToReader::CatchUp {
                targets: part,
                others: some,
                ended: gone,
                last,
            })
            .await?;
            if last {
                break;
            }
        }
        self.held().await
    }

    /// Hears what the reader has.
    async fn held(&mut self) -> Result<BTreeMap<ImageId, HeldImage>, Ended> {
        let mut held = BTreeMap::new();
        loop {
            match self.answer().await? {
                Answer::Held(images, last) => {
                    held.extend(images.into_iter().map(|it| (it.image, it)));
                    if last {
                        return Ok(held);
                    }
                }
                Answer::Lacks(_) | Answer::Leaves(_) => return Err(strange()),
            }
        }
    }

    async fn say(&self, message: &ToReader) -> Result<(), Ended> {
        self.send(wire::message(message)).await
    }

    async fn send(&self, frame: Vec<u8>) -> Result<(), Ended> {
        Ok(self.outlet.send(frame).await?)
    }

    async fn answer(&mut self) -> Result<Answer, Ended> {
        tokio::select! {
            biased;
            answer = self.answers.recv() => answer.ok_or(Ended::Gone),
            () = self.outlet.closed() => Err(Ended::Gone),
        }
    }
}

fn target(served: &Served) -> Target {
    let snapshots = served.snapshots.iter();
    let key = |it: &ServedSnapshot| SnapshotKey {
        id: it.id,
        taken: it.taken,
    };
    Target {
        image: served.image.clone(),
        demoted: served.demoted,
        origin: served.origin,
        snapshots: snapshots.map(|it| (key(it), it.name.clone())).collect(),
    }
}

fn strange() -> Ended {
    Error::protocol(DOING, "the peer answered what it was not asked").into()
}

//! The reading side: one connection to each peer, whose log is applied here.

mod copied;
mod difference;
mod request;
mod turned;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::{PeerRecord, Reign, Store};
use firebrick_vocabulary::{ImageId, Position, Role, Sequence, StoreId};
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use crate::catch_up::Catching;
use crate::error::{Error, ErrorKind};
use crate::message::{self, ToReader, ToServer, VERSION};
use crate::mirror::Shared;
use crate::network::Wire;
use crate::packed;
use crate::peers::Peer;
use crate::relay::Sources;
use crate::runtime::within;
use crate::session;
use crate::succession;
use crate::wire::{self, Kind};
use request::Requested;

const DOING: &str = "follow a peer";
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// Frames that are applied before what they say is flushed and confirmed.
const GROUP: usize = 16;

/// A peer to follow.
pub(crate) struct Follower {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Arc<Peer>,
}

impl Follower {
    /// Connects again and again, until the mirror ends.
    pub(crate) async fn run(self) {
        let mut pause = FIRST_RETRY;
        let mut said = String::new();
        loop {
            let attempt = tokio::select! {
                biased;
                () = self.peer.ending.cancelled() => return,
                attempt = self.connect() => attempt,
            };
            let error = match attempt {
                Ok(connection) => {
                    pause = FIRST_RETRY;
                    said.clear();
                    self.peer.set_following(true);
                    let ended = connection.run().await;
                    self.peer.set_following(false);
                    match ended {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            // The same reason again and again is said once.
            if said == error.why {
                debug!(peer = %self.peer.name, %error, "the peer is still not there");
            } else {
                warn!(peer = %self.peer.name, %error, "the peer is not followed");
                said.clone_from(&error.why);
            }
            tokio::select! {
                biased;
                () = self.peer.ending.cancelled() => return,
                () = self.shared.runtime.sleep(pause) => {}
            }
            pause = (pause * 2).min(self.shared.retry.max(FIRST_RETRY));
        }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let patience = session::patience(self.shared.heartbeat);
        match within(&*self.shared.runtime, patience, self.introduce()).await {
            Some(connection) => connection,
            None => Err(Error::new(
                ErrorKind::Connection,
                DOING,
                "the peer did not answer in time",
            )),
        }
    }

    async fn introduce(&self) -> Result<Connection, Error> {
        let io = Error::io;
        let stream = self.shared.network.connect(&self.peer.options).await?;
        let (mut input, mut output) = tokio::io::split(stream);
        let own = self.shared.store.id();
        let hello = ToServer::Hello {
            version: VERSION,
            name: self.shared.name.clone(),
            store: own,
            accepts: vec![packed::LZ4.to_owned()],
        };
        send(&mut output, &hello).await?;
        let (kind, payload) = wire::read(&mut input).await.map_err(io(DOING))?;
        let (store, head) = match understand(kind, &payload)? {
            ToReader::Welcome {
                version: VERSION,
                store,
                head,
                ..
            } => (store, head),
            ToReader::Refused { why } => {
                return Err(Error::new(ErrorKind::WentBackwards, DOING, why));
            }
            ToReader::Welcome { .. }
            | ToReader::Joined { .. }
            | ToReader::CopyBegin { .. }
            | ToReader::CopyEnd { .. }
            | ToReader::CatchUp { .. }
            | ToReader::Stage { .. }
            | ToReader::Inquire { .. }
            | ToReader::AdoptOne { .. }
            | ToReader::Compare { .. }
            | ToReader::CompareLeaves { .. }
            | ToReader::Adopt { .. }
            | ToReader::Alive { .. }
            | ToReader::Digests { .. }
            | ToReader::Leads { .. }
            | ToReader::Behind { .. } => {
                return Err(Error::protocol(DOING, "the peer did not say who it is"));
            }
        };
        let from = self.held_durably(store).await?.next();
        let images = held(&self.shared.store, store);
        let sources = Some(Sources::of(&self.shared, &self.peer, store));
        let subscribe = ToServer::Subscribe {
            from,
            images,
            sources,
        };
        send(&mut output, &subscribe).await?;
        info!(peer = %self.peer.name, %from, %head, "following the peer");
        self.peer.saw_store(store);
        let (shared, peer) = (Arc::clone(&self.shared), Arc::clone(&self.peer));
        Ok(Connection {
            shared,
            peer,
            store,
            head,
            input,
            output,
        })
    }
}

impl Follower {
    /// Up to where the log of `store` is held here, whatever happens to this machine. Whoever serves it
    /// keeps nothing of what is before that: an applied record that no flush has reached yet, as of a
    /// connection that broke, must not count.
    async fn held_durably(&self, store: StoreId) -> Result<Sequence, Error> {
        let own = Arc::clone(&self.shared.store);
        let hears = self.peer.options.direction.sends();
        let flushed = self.shared.work(async move {
            own.set_hearing(store, hears);
            own.follow_directly(store)?;
            // Taken before the flush: what is named is what the flush covers.
            let applied = own.applied(store);
            own.flush().map(|_| applied)
        });
        match flushed.await {
            Ok(applied) => Ok(applied?),
            Err(_) => Err(Error::new(ErrorKind::Connection, DOING, "the mirror ends")),
        }
    }
}

/// The images that follow the store, and whether they are complete.
fn held(store: &Store, peer: StoreId) -> Vec<(ImageId, bool)> {
    let infos = store.images().into_iter().map(|image| image.info());
    let held = infos.filter(|info| info.upstream == Some(peer));
    held.map(|info| (info.id, info.sync.is_consistent()))
        .collect()
}

async fn send(output: &mut WriteHalf<Wire>, message: &ToServer) -> Result<(), Error> {
    output
        .write_all(&wire::message(message))
        .await
        .map_err(Error::io(DOING))?;
    output.flush().await.map_err(Error::io(DOING))
}

fn understand(kind: Kind, payload: &[u8]) -> Result<ToReader, Error> {
    match kind {
        Kind::Message => wire::parse(payload).map_err(|error| Error::protocol(DOING, error)),
        Kind::Batch | Kind::Copy | Kind::Block | Kind::Packed => Err(Error::protocol(
            DOING,
            "the peer sent records before it was asked",
        )),
    }
}

/// A connection whose peer has welcomed this site.
struct Connection {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    store: StoreId,
    head: Position,
    input: ReadHalf<Wire>,
    output: WriteHalf<Wire>,
}

impl Connection {
    /// Applies what comes, until the connection breaks (an error) or the mirror ends.
    async fn run(self) -> Result<(), Error> {
        let Self {
            shared,
            peer,
            store,
            head,
            mut input,
            output,
        } = self;
        let (frames, queue) = mpsc::channel(session::QUEUE);
        let (answers, to_write) = mpsc::channel(session::QUEUE);
        peer.desk.open(&answers);
        let applier = Applier {
            shared: Arc::clone(&shared),
            peer: Arc::clone(&peer),
            store,
            head: head.sequence,
            answers,
            requested: BTreeMap::new(),
            tickets: 0,
            copied: None,
            stages: false,
            catching: Catching::new(store),
            streams: false,
            synced: Vec::new(),
            passed_over: BTreeSet::new(),
            untold: BTreeSet::new(),
        };
        let applier = shared.work(applier.run(queue));
        let runtime = &*shared.runtime;
        let patience = session::patience(shared.heartbeat);
        let reading = async {
            loop {
                let frame = session::read(&mut input, (runtime, patience))
                    .await
                    .map_err(Error::io(DOING))?;
                peer.heard(frame.1.len());
                // Whoever waits for it must not wait for the log too.
                if frame.0 == Kind::Block {
                    peer.desk.answered(&frame.1);
                    continue;
                }
                // The applier says itself why it has ended.
                if frames.send(frame).await.is_err() {
                    return Ok(());
                }
            }
        };
        let alive = || wire::message(&ToServer::Alive);
        let beat = (runtime, shared.heartbeat);
        let writing = session::write_all(&peer, output, to_write, beat, alive);
        let result: Result<(), Error> = tokio::select! {
            biased;
            () = peer.ending.cancelled() => Ok(()),
            read = reading => read,
            written = writing => written.map_err(Error::io(DOING)),
        };
        peer.desk.close();
        drop(frames);
        let applied = applier.await.unwrap_or(Ok(()));
        if peer.ending.is_cancelled() {
            return Ok(());
        }
        applied?;
        result?;
        Err(Error::new(
            ErrorKind::Connection,
            DOING,
            "the connection ended",
        ))
    }
}

/// Applies frames in their order, as a worker.
struct Applier {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    store: StoreId,
    /// Where the peer's log ended when it welcomed this site.
    head: Sequence,
    answers: mpsc::Sender<Vec<u8>>,
    requested: BTreeMap<ImageId, Requested>,
    /// That of the last request.
    tickets: u64,
    /// The image that is being copied.
    copied: Option<ImageId>,
    /// Whether what differs of an image is being staged.
    stages: bool,
    /// A difference that comes instead of the log.
    catching: Catching,
    /// Whether the log comes.
    streams: bool,
    /// Copies that are complete, but not flushed yet.
    synced: Vec<ImageId>,
    /// Images of which something was passed over that is not confirmed yet.
    passed_over: BTreeSet<ImageId>,
    /// Images that the peer may take for lacking here: it has been told so, or they turned to it since they were named.
    untold: BTreeSet<ImageId>,
}

impl Applier {
    async fn run(mut self, mut queue: mpsc::Receiver<(Kind, Vec<u8>)>) -> Result<(), Error> {
        let waiting = self.shared.store.copying(self.store);
        self.request(&waiting).await;
        self.confirm().await?;
        while let Some((kind, payload)) = queue.recv().await {
            let mut news = self.take(kind, &payload).await?;
            for _ in 1..GROUP {
                let Ok((kind, payload)) = queue.try_recv() else {
                    break;
                };
                news |= self.take(kind, &payload).await?;
            }
            if news {
                self.confirm().await?;
            }
        }
        Ok(())
    }

    /// Applies a frame, plain or packed; whether there is something to flush and confirm.
    async fn take(&mut self, kind: Kind, payload: &[u8]) -> Result<bool, Error> {
        if kind != Kind::Packed {
            return self.take_plain(kind, payload).await;
        }
        let Some((kind, plain)) = packed::unpack(payload) else {
            let why = "a packed frame that makes no sense";
            return Err(Error::protocol(DOING, why));
        };
        self.take_plain(kind, &plain).await
    }

    async fn take_plain(&mut self, kind: Kind, payload: &[u8]) -> Result<bool, Error> {
        match kind {
            Kind::Batch => self.batch(payload).await,
            Kind::Copy => self.copy_part(payload),
            // Blocks were taken as they came, and nothing is packed twice.
            Kind::Block | Kind::Packed => Ok(false),
            Kind::Message => {
                let message =
                    wire::parse(payload).map_err(|error| Error::protocol(DOING, error))?;
                self.message(message).await
            }
        }
    }

    async fn batch(&mut self, payload: &[u8]) -> Result<bool, Error> {
        let Some(batch) = message::batch(payload) else {
            return Err(Error::protocol(DOING, "a batch that makes no sense"));
        };
        self.verify(&batch.records)?;
        if !std::mem::replace(&mut self.streams, true) {
            // Of a difference that will not be completed.
            self.shared.store.abandon_staged(self.store)?;
        }
        succession::settle(&self.shared, &self.peer, self.store, &batch.records).await;
        let followed = self
            .shared
            .store
            .apply(self.store, batch.upto, &batch.records)?;
        self.request(&followed.needs_copy).await;
        self.passed_over.extend(followed.passed_over);
        self.untold.extend(turned::turned(&batch.records));
        Ok(true)
    }

    async fn message(&mut self, message: ToReader) -> Result<bool, Error> {
        match message {
            ToReader::CopyBegin { image, resumed } => self.copy_begin(&image, resumed).await,
            ToReader::CopyEnd {
                image,
                epoch,
                leader,
                demoted,
                ticket,
            } => {
                let leader = leader.unwrap_or(self.store);
                let reign = Reign { epoch, leader };
                self.copy_end(image, (reign, demoted), ticket).await
            }
            ToReader::Alive { .. } => Ok(false),
            ToReader::Digests { ticket, digests } => {
                self.peer.desk.digested(ticket, digests);
                Ok(false)
            }
            ToReader::Leads { ticket, images } => {
                self.peer.desk.led(ticket, images);
                Ok(false)
            }
            ToReader::Behind { images, unknown } => {
                self.peer.told_lags(images, unknown);
                // An operator may have asked for a new copy meanwhile.
                let waiting = self.shared.store.copying(self.store);
                self.request(&waiting).await;
                Ok(false)
            }
            ToReader::Refused { why } => Err(Error::protocol(DOING, why)),
            ToReader::Welcome { .. } | ToReader::Joined { .. } => {
                Err(Error::protocol(DOING, "the peer introduced itself twice"))
            }
            ToReader::CatchUp { .. }
            | ToReader::Stage { .. }
            | ToReader::Inquire { .. }
            | ToReader::AdoptOne { .. }
            | ToReader::Compare { .. }
            | ToReader::CompareLeaves { .. }
            | ToReader::Adopt { .. } => self.difference(message).await,
        }
    }

    fn verify(&self, records: &[PeerRecord<'_>]) -> Result<(), Error> {
        if message::is_whole(records) {
            return Ok(());
        }
        warn!(peer = %self.peer.name, "a block from the peer does not fit its checksum");
        Err(Error::protocol(
            DOING,
            "a block that does not fit its checksum",
        ))
    }

    /// Makes durable what has been applied, and only then says so.
    async fn confirm(&mut self) -> Result<(), Error> {
        // Taken before the flush: what is confirmed is what the flush covers.
        let applied = self.shared.store.applied(self.store);
        self.shared.store.flush()?;
        for image in std::mem::take(&mut self.synced) {
            if self.has(image) {
                self.answer(&ToServer::Synced { image }).await;
            } else {
                self.passed_over.insert(image);
            }
        }
        // With the very confirmation: else a flush that this site has not got would count as being here.
        // What an image passed over before it turned to the peer, as a whole, it does not lack.
        let passed_over = std::mem::take(&mut self.passed_over).into_iter();
        let passed_over: Vec<ImageId> = passed_over.filter(|image| !self.has(*image)).collect();
        // One that has turned to the peer is whole here now, and no copy ends that would say so.
        let untold = self.untold.iter().copied();
        let whole: Vec<ImageId> = untold.filter(|image| self.has(*image)).collect();
        for image in whole {
            self.untold.remove(&image);
            self.answer(&ToServer::Synced { image }).await;
        }
        self.untold.extend(&passed_over);
        let confirm = ToServer::Confirm {
            sequence: applied,
            passed_over,
        };
        self.answer(&confirm).await;
        if applied >= self.head {
            self.peer.set_caught_up();
        }
        self.peer.changed.notify_waiters();
        Ok(())
    }

    /// Whether the image follows the peer here, and is whole.
    fn has(&self, image: ImageId) -> bool {
        let info = self.shared.store.image(image).map(|image| image.info());
        info.is_ok_and(|info| {
            let follows = info.role == Role::Secondary && info.upstream == Some(self.store);
            follows && info.sync.is_consistent()
        })
    }

    async fn answer(&self, message: &ToServer) {
        // Where the connection is gone, the next one says it all again.
        drop(self.answers.send(wire::message(message)).await);
    }
}

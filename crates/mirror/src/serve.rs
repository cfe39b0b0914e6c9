//! The serving side: peers that read this store's log.

mod sender;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use firebrick_edge::Task;
use firebrick_engine::Checksum;
use firebrick_vocabulary::{ImageId, Sequence, StoreId};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::catch_up::{self, Answer, Line};
use crate::copies::Copies;
use crate::door;
use crate::error::Error;
use crate::identity::Fingerprint;
use crate::lend::{self, Question};
use crate::message::{Request, ToReader, ToServer, VERSION};
use crate::mirror::Shared;
use crate::network::{Arrival, Listener, Wire};
use crate::newcomer;
use crate::outlet::Outlet;
use crate::packed;
use crate::peers::Peer;
use crate::relay::{self, Relay};
use crate::runtime::within;
use crate::session;
use crate::wire::{self, Kind};
use sender::Sender;

const DOING: &str = "serve the log";
/// How long a sender without work waits for some, at most.
const IDLE: std::time::Duration = std::time::Duration::from_millis(50);
/// How long a sender that was woken lets more writes come: to be woken for each would cost as much
/// as the write.
const GATHER: std::time::Duration = std::time::Duration::from_millis(1);
/// Connections that have not said who they are yet; more than these are closed at once.
const STRANGERS_MAX: usize = 64;
/// How often a reader is told how far it is behind.
const TELL: std::time::Duration = std::time::Duration::from_millis(500);

/// Takes connections until the mirror ends.
pub(crate) async fn listen(shared: Arc<Shared>, mut listener: Box<dyn Listener>) {
    let strangers = Arc::new(tokio::sync::Semaphore::new(STRANGERS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.ending.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(Arrival { from, greeting }) => {
                let Ok(permit) = Arc::clone(&strangers).try_acquire_owned() else {
                    continue;
                };
                let shared_too = Arc::clone(&shared);
                shared.spawn(async move {
                    if let Err(error) = connection(&shared_too, &from, greeting, permit).await {
                        debug!(%from, %error, "a connection of a peer ended");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "a connection could not be taken");
                shared.runtime.sleep(IDLE).await;
            }
        }
    }
}

async fn connection(
    shared: &Arc<Shared>,
    from: &str,
    greeting: Task<'static, Result<(Fingerprint, Wire), Error>>,
    permit: tokio::sync::OwnedSemaphorePermit,
) -> Result<(), Error> {
    let patience = session::patience(shared.heartbeat);
    let late = || Error::protocol(DOING, "the peer did not introduce itself in time");
    let greeted = tokio::select! {
        biased;
        () = shared.ending.cancelled() => return Ok(()),
        greeted = within(&*shared.runtime, patience, greet(greeting)) => greeted.ok_or_else(late)?,
    };
    let (shown, first, input, output) = greeted?;
    if let ToServer::Join(join) = first {
        return door::answer(shared, (shown, from), join, output).await;
    }
    let peer = shared
        .known
        .with(shown)
        .ok_or_else(|| Error::protocol(DOING, "a certificate of no peer"))?;
    let talk = async {
        let begin = Reading::begin(shared, Arc::clone(&peer), first, (input, output));
        let reading = tokio::select! {
            biased;
            () = peer.ending.cancelled() => return Ok(()),
            reading = within(&*shared.runtime, patience, begin) => reading.ok_or_else(late)?,
        };
        drop(permit);
        reading?.run().await
    };
    peer.tasks.track_future(talk).await
}

/// Finds out who connects, and the first thing that it says.
async fn greet(
    greeting: Task<'static, Result<(Fingerprint, Wire), Error>>,
) -> Result<(Fingerprint, ToServer, ReadHalf<Wire>, WriteHalf<Wire>), Error> {
    let (shown, stream) = greeting.await?;
    let (mut input, output) = tokio::io::split(stream);
    let first = expect(&mut input).await?;
    Ok((shown, first, input, output))
}

/// A peer that reads.
struct Reading {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    from: Sequence,
    /// What it gets of what this site follows.
    relay: Arc<Relay>,
    /// Images that it follows as this site's own.
    as_own: BTreeSet<ImageId>,
    /// Whether it has to be told what there is.
    newcomer: bool,
    /// Until when it reads on this connection.
    until: CancellationToken,
    /// Whether it understands what is packed.
    packs: bool,
    input: ReadHalf<Wire>,
    output: WriteHalf<Wire>,
}

/// What the peer asked for and the sender has not seen yet.
type Requests = Arc<Mutex<Vec<Request>>>;

impl Reading {
    async fn begin(
        shared: &Arc<Shared>,
        peer: Arc<Peer>,
        hello: ToServer,
        (mut input, mut output): (ReadHalf<Wire>, WriteHalf<Wire>),
    ) -> Result<Self, Error> {
        let ToServer::Hello {
            version,
            name,
            store,
            accepts,
        } = hello
        else {
            return Err(Error::protocol(DOING, "the peer did not say who it is"));
        };
        if let Some(why) = refusal(shared, &peer, version, store) {
            return Err(refuse(&mut output, why).await);
        }
        debug!(peer = %peer.name, %name, "a peer connected");
        let welcome = ToReader::Welcome {
            version: VERSION,
            name: shared.name.clone(),
            store: shared.store.id(),
            head: shared.store.head(),
        };
        send(&mut output, &welcome).await?;
        let ToServer::Subscribe {
            from,
            images,
            sources,
        } = expect(&mut input).await?
        else {
            return Err(Error::protocol(DOING, "the peer did not subscribe"));
        };
        if let Some(why) = gone_backwards(shared, &peer, from) {
            warn!(peer = %peer.name, "{why}");
            return Err(refuse(&mut output, why).await);
        }
        if peer.ending.is_cancelled() {
            // What was kept for it is let go of; nothing may be kept again.
            return Err(Error::protocol(DOING, "the peer left"));
        }
        let begin = newcomer::begin(&shared.store, from);
        let newcomer = begin.is_some();
        let from = begin.unwrap_or(from);
        info!(peer = %peer.name, %from, newcomer, "a peer reads this log");
        peer.saw_store(store);
        let relay = Arc::new(Relay::new(&shared.known, store, sources));
        let as_own = relay.as_own(&images);
        let until = peer.reader_came(from, images, &relay);
        let held = Sequence(from.0.saturating_sub(1));
        shared.store.keep_from(&peer.name, held);
        if !shared.store.log_serves(from) {
            // To be known before it says anything.
            peer.catches_up_to(shared.store.head().sequence, &until);
        }
        // What it lacks of a log that is gone was counted, or cannot be.
        if shared.store.log_serves(from) {
            shared.backlog.count_from(held);
        }
        Ok(Self {
            shared: Arc::clone(shared),
            peer,
            from,
            relay,
            as_own,
            newcomer,
            until,
            packs: accepts.iter().any(|form| form == packed::LZ4),
            input,
            output,
        })
    }

    async fn run(self) -> Result<(), Error> {
        let Self {
            shared,
            peer,
            from,
            relay,
            as_own,
            newcomer,
            until,
            packs,
            input,
            output,
        } = self;
        let requests = Requests::default();
        let (frames, queue) = mpsc::channel(session::QUEUE);
        let (to_lend, frames_to_tell) = (frames.downgrade(), frames.downgrade());
        let (answer, answers) = mpsc::channel(catch_up::ANSWERS);
        let outlet = Outlet::new(Arc::clone(&shared), Arc::clone(&peer), frames, packs);
        let line = Line {
            shared: Arc::clone(&shared),
            peer: Arc::clone(&peer),
            relay: Arc::clone(&relay),
            outlet: outlet.clone(),
            answers,
            until: until.clone(),
        };
        let sender = Sender {
            shared: Arc::clone(&shared),
            peer: Arc::clone(&peer),
            requests: Arc::clone(&requests),
            relay: Arc::clone(&relay),
            as_own,
            outlet,
            line: Some(line),
            copies: Copies::default(),
        };
        let sender = shared.work(sender.run(from, newcomer));
        let (ask, questions) = mpsc::channel(lend::QUESTIONS_MAX);
        let telling = tell(&shared, &peer, &relay, frames_to_tell);
        let lending = lend::answer_all(&shared, questions, to_lend);
        let store = Arc::clone(&shared.store);
        let alive = move || wire::message(&ToReader::Alive { head: store.head() });
        let beat = (&*shared.runtime, shared.heartbeat);
        let writing = session::write_all(&peer, output, queue, beat, alive);
        let result = tokio::select! {
            biased;
            () = until.cancelled() => Ok(()),
            read = listen_to(&shared, &peer, input, &requests, (ask, answer)) => read,
            () = lending => Ok(()),
            () = telling => Ok(()),
            written = writing => written.map_err(Error::io(DOING)),
        };
        // Both halves are gone by now, and with them the queue: the sender notices and ends.
        peer.reader_went(shared.store.head().sequence);
        let sent = sender.await.unwrap_or(Ok(()));
        match (result, sent) {
            (_, Err(error)) => {
                warn!(peer = %peer.name, %error, "the log could not be sent");
                Err(error)
            }
            (result, Ok(())) => {
                info!(peer = %peer.name, "a peer reads this log no more");
                result
            }
        }
    }
}

/// Tells the peer now and then how far it is behind, so that it knows what a promotion would lose also
/// when this site is gone.
async fn tell(shared: &Shared, peer: &Peer, relay: &Relay, frames: mpsc::WeakSender<Vec<u8>>) {
    loop {
        let Some(frames) = frames.upgrade() else {
            return;
        };
        let (images, unknown) = relay::behind(shared, peer, relay);
        let behind = wire::message(&ToReader::Behind { images, unknown });
        if frames.send(behind).await.is_err() {
            return;
        }
        // Until then the connection may end.
        drop(frames);
        shared.runtime.sleep(TELL).await;
    }
}

/// The peer has all up to there, durably.
fn confirmed(
    shared: &Shared,
    peer: &Peer,
    sequence: Sequence,
    passed_over: &[ImageId],
) -> Result<(), Error> {
    if sequence > shared.store.head().sequence {
        let why = "the peer confirmed what it never got";
        return Err(Error::protocol(DOING, why));
    }
    peer.confirmed(sequence, passed_over);
    shared.flushes.ring();
    shared.store.keep_from(&peer.name, sequence);
    Ok(())
}

/// Understands what the peer says while it reads.
async fn listen_to(
    shared: &Shared,
    peer: &Peer,
    mut input: ReadHalf<Wire>,
    requests: &Requests,
    (ask, answer): (mpsc::Sender<Question>, mpsc::Sender<Answer>),
) -> Result<(), Error> {
    let patience = session::patience(shared.heartbeat);
    loop {
        let (kind, payload) = session::read(&mut input, (&*shared.runtime, patience))
            .await
            .map_err(Error::io(DOING))?;
        peer.heard(payload.len());
        match parse(kind, &payload)? {
            ToServer::Confirm {
                sequence,
                passed_over,
            } => confirmed(shared, peer, sequence, &passed_over)?,
            // The difference brings all of it.
            ToServer::CopyRequest(_) if peer.is_catching_up() => {}
            ToServer::CopyRequest(request) => {
                peer.set_consistent(request.image, false);
                requests.lock().push(request);
            }
            ToServer::Held { images, last } => tell_sender(&answer, Answer::Held(images, last))?,
            ToServer::Lacks { runs } => tell_sender(&answer, Answer::Lacks(runs))?,
            ToServer::Leaves { differing } => {
                tell_sender(&answer, Answer::leaves(&differing)?)?;
            }
            ToServer::Synced { image } => {
                info!(peer = %peer.name, %image, "the peer has the whole image");
                peer.set_consistent(image, true);
            }
            ToServer::Fetch {
                ticket,
                image,
                block,
                checksum,
            } => {
                let checksum = Checksum(checksum);
                let question = Question::Block {
                    ticket,
                    image,
                    block,
                    checksum,
                };
                put(&ask, question)?;
            }
            ToServer::Digests {
                ticket,
                image,
                snapshot,
                from,
                to,
            } => {
                let question = Question::Digests {
                    ticket,
                    image,
                    snapshot,
                    range: (from, to),
                };
                put(&ask, question)?;
            }
            ToServer::Leads { ticket, images } => put(&ask, Question::Leads { ticket, images })?,
            ToServer::Alive => {}
            ToServer::Hello { .. } | ToServer::Join(_) | ToServer::Subscribe { .. } => {
                return Err(Error::protocol(DOING, "the peer introduced itself twice"));
            }
        }
    }
}

fn tell_sender(answers: &mpsc::Sender<Answer>, answer: Answer) -> Result<(), Error> {
    let why = "the peer answers more than it is asked";
    answers
        .try_send(answer)
        .map_err(|_| Error::protocol(DOING, why))
}

/// Takes a question, unless the peer asks too much.
fn put(ask: &mpsc::Sender<Question>, question: Question) -> Result<(), Error> {
    ask.try_send(question)
        .map_err(|_| Error::protocol(DOING, "the peer asks for too much at once"))
}

fn refusal(shared: &Shared, peer: &Peer, version: u32, store: StoreId) -> Option<String> {
    if version != VERSION {
        return Some(format!("version {VERSION} is spoken here, not {version}"));
    }
    if !peer.options.direction.sends() {
        let (here, there) = (&shared.name, &peer.name);
        return Some(format!(
            "{here} only reads from {there}, and serves it no log"
        ));
    }
    (store == shared.store.id())
        .then(|| "the peer has this very store; a copied folder cannot be a second site".to_owned())
}

/// Why a peer cannot read from record `from` on, where it holds more than there is.
fn gone_backwards(shared: &Shared, peer: &Peer, from: Sequence) -> Option<String> {
    let next = shared.store.head().sequence.next();
    (from > next).then(|| {
        format!(
            "the log of {} has gone backwards: it ends before record {next}, and {} holds it up to before {from}; \
             this store was replaced or restored from an old copy",
            shared.name, peer.name
        )
    })
}

async fn refuse(output: &mut WriteHalf<Wire>, why: String) -> Error {
    let error = Error::protocol(DOING, &why);
    match send(output, &ToReader::Refused { why }).await {
        Ok(()) => error,
        Err(unsent) => unsent,
    }
}

async fn send(output: &mut WriteHalf<Wire>, message: &ToReader) -> Result<(), Error> {
    write(output, &wire::message(message)).await
}

/// Sends a frame at once.
pub(crate) async fn write(output: &mut WriteHalf<Wire>, frame: &[u8]) -> Result<(), Error> {
    use tokio::io::AsyncWriteExt as _;
    output.write_all(frame).await.map_err(Error::io(DOING))?;
    output.flush().await.map_err(Error::io(DOING))
}

async fn expect(input: &mut (impl AsyncRead + Unpin)) -> Result<ToServer, Error> {
    let (kind, payload) = wire::read(input).await.map_err(Error::io(DOING))?;
    parse(kind, &payload)
}

fn parse(kind: Kind, payload: &[u8]) -> Result<ToServer, Error> {
    match kind {
        Kind::Message => wire::parse(payload).map_err(|error| Error::protocol(DOING, error)),
        Kind::Batch | Kind::Copy | Kind::Block | Kind::Packed => {
            let why = io::Error::new(io::ErrorKind::InvalidData, "a reader sends no records");
            Err(Error::protocol(DOING, why))
        }
    }
}

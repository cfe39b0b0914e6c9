//! What the side that reads asks the side that serves: for good copies of damaged blocks, for checksums, and
//! which images it is primary of.
//!
//! A scrub asks for blocks, one block at a time, from a thread that may wait. Who serves answers at a bounded rate
//! beside the log; a peer that asks for more at once than the protocol allows loses the connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use firebrick_engine::{Checksum, Store};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, Role, SnapshotName, StoreId};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::digests::{Digests, digests};
use crate::message::{self, ToReader, ToServer};
use crate::mirror::{Mirror, Shared};
use crate::wire;

/// Questions that a connection may carry at one time.
pub(crate) const QUESTIONS_MAX: usize = 16;
/// The pause behind each answer: a peer that scrubs must not slow guests down.
const PAUSE: Duration = Duration::from_millis(1);
/// Comparisons that a connection may carry at one time, and how long each answer is waited for.
const COMPARISONS_MAX: usize = 4;
const DIGESTS_PATIENCE: Duration = Duration::from_secs(60);
/// Images that one question is about at most.
const LED_MAX: usize = 1000;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// A good copy of a block.
    Block {
        ticket: u64,
        image: ImageId,
        block: u64,
        checksum: Checksum,
    },
    /// Checksums of an image at a snapshot, from a block on up to another one.
    Digests {
        ticket: u64,
        image: ImageId,
        snapshot: SnapshotName,
        range: (u64, u64),
    },
    /// Which of these images are primary here.
    Leads { ticket: u64, images: Vec<ImageId> },
}

/// Where the reading side asks its peer.
#[derive(Default)]
pub(crate) struct Desk(Mutex<Open>);

#[derive(Default)]
struct Open {
    /// What is written to the peer; none while it is not connected. Weak, so that a connection ends when
    /// those end who keep it going.
    line: Option<mpsc::WeakSender<Vec<u8>>>,
    waiting: BTreeMap<u64, SyncSender<Option<Vec<u8>>>>,
    comparing: BTreeMap<u64, SyncSender<Option<Digests>>>,
    leading: BTreeMap<u64, SyncSender<Vec<ImageId>>>,
    next: u64,
}

impl Desk {
    /// The peer can be asked over `line` from here on.
    pub(crate) fn open(&self, line: &mpsc::Sender<Vec<u8>>) {
        self.0.lock().line = Some(line.downgrade());
    }

    /// Nobody answers any more.
    pub(crate) fn close(&self) {
        let mut open = self.0.lock();
        open.line = None;
        open.waiting.clear();
        open.comparing.clear();
        open.leading.clear();
    }

    /// Takes an answer; one that nobody waits for any more is dropped.
    pub(crate) fn answered(&self, payload: &[u8]) {
        let Some((ticket, data)) = message::block(payload) else {
            return warn!("an answer of a peer makes no sense");
        };
        if let Some(waiting) = self.0.lock().waiting.remove(&ticket) {
            // Who asked may have gone meanwhile.
            drop(waiting.try_send(data.map(<[u8]>::to_vec)));
        }
    }

    /// Takes checksums that were asked for; what nobody waits for any more is dropped.
    pub(crate) fn digested(&self, ticket: u64, digests: Option<Digests>) {
        if let Some(waiting) = self.0.lock().comparing.remove(&ticket) {
            // Who asked may have gone meanwhile.
            drop(waiting.try_send(digests));
        }
    }

    /// Takes which images the peer is primary of.
    pub(crate) fn led(&self, ticket: u64, images: Vec<ImageId>) {
        if let Some(waiting) = self.0.lock().leading.remove(&ticket) {
            // Who asked may have gone meanwhile.
            drop(waiting.try_send(images));
        }
    }

    /// Asks which of these images the peer is primary of, and waits for the answer. Blocks.
    fn ask_leads(&self, images: &[ImageId]) -> Option<Vec<ImageId>> {
        let (answer, answered) = sync_channel(1);
        let (line, ticket) = {
            let mut open = self.0.lock();
            let line = open.line.as_ref()?.upgrade()?;
            if open.leading.len() >= COMPARISONS_MAX {
                return None;
            }
            open.next += 1;
            let ticket = open.next;
            open.leading.insert(ticket, answer);
            (line, ticket)
        };
        let images = images.to_vec();
        let sent = line.blocking_send(wire::message(&ToServer::Leads { ticket, images }));
        drop(line);
        let led = sent
            .ok()
            .and_then(|()| answered.recv_timeout(PATIENCE).ok());
        self.0.lock().leading.remove(&ticket);
        led
    }

    /// Asks for checksums and waits for the answer. Blocks.
    fn ask_digests(
        &self,
        image: ImageId,
        snapshot: &SnapshotName,
        (from, to): (u64, u64),
    ) -> Option<Digests> {
        let (answer, answered) = sync_channel(1);
        let (line, ticket) = {
            let mut open = self.0.lock();
            let line = open.line.as_ref()?.upgrade()?;
            if open.comparing.len() >= COMPARISONS_MAX {
                return None;
            }
            open.next += 1;
            let ticket = open.next;
            open.comparing.insert(ticket, answer);
            (line, ticket)
        };
        let question = ToServer::Digests {
            ticket,
            image,
            snapshot: snapshot.clone(),
            from,
            to,
        };
        let sent = line.blocking_send(wire::message(&question));
        drop(line);
        let digests = sent
            .ok()
            .and_then(|()| answered.recv_timeout(DIGESTS_PATIENCE).ok());
        self.0.lock().comparing.remove(&ticket);
        digests.flatten()
    }

    /// Asks and waits for the answer. Blocks.
    fn ask(&self, image: ImageId, block: u64, checksum: Checksum) -> Option<Vec<u8>> {
        let (answer, answered) = sync_channel(1);
        let (line, ticket) = {
            let mut open = self.0.lock();
            let line = open.line.as_ref()?.upgrade()?;
            if open.waiting.len() >= QUESTIONS_MAX {
                return None;
            }
            open.next += 1;
            let ticket = open.next;
            open.waiting.insert(ticket, answer);
            (line, ticket)
        };
        let question = ToServer::Fetch {
            ticket,
            image,
            block,
            checksum: checksum.0,
        };
        let sent = line.blocking_send(wire::message(&question));
        drop(line);
        let data = sent
            .ok()
            .and_then(|()| answered.recv_timeout(PATIENCE).ok());
        self.0.lock().waiting.remove(&ticket);
        let data = data.flatten()?;
        let whole = data.len() as u64 == BLOCK_SIZE && Checksum::of(&data) == checksum;
        whole.then_some(data)
    }
}

impl Mirror {
    /// What `peer` says of an image at a snapshot, from a block on up to another one; `None` where it does not
    /// answer, or has no such snapshot. Blocks, at most a minute.
    pub fn digests(
        &self,
        peer: &str,
        image: ImageId,
        snapshot: &SnapshotName,
        from: u64,
        to: u64,
    ) -> Option<Digests> {
        let mut peers = self.shared().peers();
        let peer = peers.find(|known| known.name == peer)?;
        peer.desk.ask_digests(image, snapshot, (from, to))
    }
}

impl Mirror {
    /// Which of these images the peer with the store `of` is primary of, as it says itself at this moment; `None`
    /// where it does not answer. Blocks, at most a few seconds for each thousand.
    pub fn leads(&self, of: StoreId, images: &[ImageId]) -> Option<Vec<ImageId>> {
        let mut peers = self.shared().peers();
        let peer = peers.find(|peer| peer.store() == Some(of))?;
        let mut led = Vec::new();
        for part in images.chunks(LED_MAX) {
            led.extend(peer.desk.ask_leads(part)?);
        }
        Some(led)
    }
}

impl firebrick_engine::Source for Mirror {
    /// Asks the peers, one after the other. Blocks, at most a few seconds for each.
    fn fetch(&self, image: ImageId, block: u64, checksum: Checksum) -> Option<Vec<u8>> {
        self.shared()
            .peers()
            .find_map(|peer| peer.desk.ask(image, block, checksum))
    }
}

/// Answers one peer's questions, until there will be no more.
pub(crate) async fn answer_all(
    shared: &Shared,
    mut questions: mpsc::Receiver<Question>,
    frames: mpsc::WeakSender<Vec<u8>>,
) {
    while let Some(question) = questions.recv().await {
        let frame = answer(shared, question).await;
        let Some(frames) = frames.upgrade() else {
            return;
        };
        if frames.send(frame).await.is_err() {
            return;
        }
        drop(frames);
        shared.runtime.sleep(PAUSE).await;
    }
}

/// What is answered to a question.
async fn answer(shared: &Shared, question: Question) -> Vec<u8> {
    let store = Arc::clone(&shared.store);
    match question {
        Question::Block {
            ticket,
            image,
            block,
            checksum,
        } => {
            let looking = move || store.lend(image, block, checksum);
            let data = match shared.work(async move { looking() }).await {
                Ok(Ok(data)) => data,
                Ok(Err(error)) => {
                    warn!(%image, block, %error, "a block that a peer asked for cannot be read");
                    None
                }
                Err(_) => None,
            };
            info!(%image, block, lent = data.is_some(), "a peer asked for a good copy of a block");
            message::lent(ticket, data.as_deref())
        }
        Question::Digests {
            ticket,
            image,
            snapshot,
            range: (from, to),
        } => {
            let looking = move || digests(&store, image, &snapshot, from, to);
            let digests = match shared.work(async move { looking() }).await {
                Ok(Ok(digests)) => Some(digests),
                Ok(Err(error)) => {
                    warn!(%image, %error, "what a peer compares cannot be read");
                    None
                }
                Err(_) => None,
            };
            wire::message(&ToReader::Digests { ticket, digests })
        }
        Question::Leads { ticket, mut images } => {
            images.retain(|image| is_led(&store, *image));
            wire::message(&ToReader::Leads { ticket, images })
        }
    }
}

/// Whether an image is primary here, and no peer is still to be heard that may have taken it over.
fn is_led(store: &Store, image: ImageId) -> bool {
    let info = store.image(image).ok().map(|image| image.info());
    let leads = info.is_some_and(|info| info.mirrored && info.role == Role::Primary);
    leads && !store.is_fenced()
}

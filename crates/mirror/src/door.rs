//! How a site that is no peer yet becomes one: it knocks with a secret that an operator carried over.
//!
//! Who knocks is known by its certificate, of which it has proved to have the key; who is knocked at is
//! known by the one that the token names. What the secret is worth is not decided here: whoever opened
//! the door is asked.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use firebrick_vocabulary::StoreId;
use serde::{Deserialize, Serialize};
use tokio::io::WriteHalf;
use tokio::sync::{mpsc, oneshot};

use crate::direction::Direction;
use crate::error::{Error, ErrorKind};
use crate::identity::Fingerprint;
use crate::message::{ToReader, ToServer};
use crate::mirror::{Mirror, PeerOptions, Shared};
use crate::network::Wire;
use crate::runtime::within;
use crate::serve;
use crate::traffic::Traffic;
use crate::wire::{self, Kind};

const DOING: &str = "become a peer";
/// Who waits to be let in; more than these are sent away.
const WAITING_MAX: usize = 8;
/// How long somebody who is refused waits for it: who tries many secrets needs long.
const REFUSED: Duration = Duration::from_secs(1);
/// How long the other site may take to remember its new peer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A text that is shown to nobody but the site that it is meant for.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a site says of itself that wants to be a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Join {
    /// What proves that it may.
    pub secret: Secret,
    /// Its name.
    pub name: String,
    /// Its store.
    pub store: StoreId,
    /// Where it serves its log, as `host:port`; without a host where it does not know by which it is reached.
    pub address: String,
    /// Which way logs go, as it sees it.
    pub direction: Direction,
}

/// Somebody who wants to be a peer, and who that is.
#[derive(Debug)]
pub struct Knock {
    /// The certificate that it has shown.
    pub fingerprint: Fingerprint,
    /// From where it comes, where that is known.
    pub from: Option<SocketAddr>,
    /// What it says.
    pub join: Join,
    /// Takes the name of this site, once it is a peer, or why it is none.
    pub answer: oneshot::Sender<Result<String, String>>,
}

/// A site that took this one as its peer.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Its name.
    pub name: String,
    /// Its store.
    pub store: StoreId,
}

impl Mirror {
    /// Those who want to be peers, from here on. They get as far as that only while [`Self::expect_strangers`]
    /// says so.
    pub fn door(&self) -> mpsc::Receiver<Knock> {
        let (knocks, queue) = mpsc::channel(WAITING_MAX);
        *self.shared().door.lock() = Some(knocks);
        queue
    }

    /// Whether sites that are no peers are listened to at all.
    pub fn expect_strangers(&self, expected: bool) {
        self.shared()
            .known
            .strangers
            .store(expected, Ordering::Release);
    }

    /// Asks the site with that certificate to take this one as its peer.
    pub async fn knock(
        &self,
        address: &str,
        fingerprint: Fingerprint,
        join: Join,
    ) -> Result<Joined, Error> {
        let asking = async {
            let other = PeerOptions {
                name: address.to_owned(),
                address: address.to_owned(),
                fingerprint,
                direction: Direction::RxTx,
                traffic: Traffic::default(),
            };
            let stream = self.shared().network.connect(&other).await?;
            let (mut input, mut output) = tokio::io::split(stream);
            let message = wire::message(&ToServer::Join(join));
            serve::write(&mut output, &message).await?;
            let (kind, payload) = wire::read(&mut input).await.map_err(Error::io(DOING))?;
            match (kind, wire::parse(&payload)) {
                (Kind::Message, Ok(ToReader::Joined { name, store })) => Ok(Joined { name, store }),
                (Kind::Message, Ok(ToReader::Refused { why })) => {
                    Err(Error::new(ErrorKind::Refused, DOING, why))
                }
                _ => Err(Error::protocol(DOING, "the site answered something else")),
            }
        };
        let answer = within(&*self.shared().runtime, PATIENCE, asking).await;
        answer.unwrap_or_else(|| {
            let why = "the site did not answer in time";
            Err(Error::new(ErrorKind::Connection, DOING, why))
        })
    }
}

/// Answers somebody who knocks.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    (fingerprint, from): (Fingerprint, &str),
    join: Join,
    mut output: WriteHalf<Wire>,
) -> Result<(), Error> {
    let (answer, answered) = oneshot::channel();
    let knock = Knock {
        fingerprint,
        from: from.parse().ok(),
        join,
        answer,
    };
    let door = shared.door.lock().clone();
    let taken = door.is_some_and(|door| door.try_send(knock).is_ok());
    let said = match answered.await {
        Ok(said) if taken => said,
        Ok(_) | Err(_) => Err("nobody is let in at the moment; try again".to_owned()),
    };
    let message = match said {
        Ok(name) => ToReader::Joined {
            name,
            store: shared.store.id(),
        },
        Err(why) => {
            tracing::warn!(%from, why, "a site that wanted to be a peer was refused");
            shared.runtime.sleep(REFUSED).await;
            ToReader::Refused { why }
        }
    };
    serve::write(&mut output, &wire::message(&message)).await
}

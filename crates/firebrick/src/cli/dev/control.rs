//! How a running `dev` is asked to start and stop sites: one JSON line there, one back.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::supervisor::Event;
use crate::exit::Failure;

/// The longest line, in bytes.
const LINE_MAX: u64 = 64 << 10;
/// How long a `dev` may take to answer: a site that stops writes its checkpoint first.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub(super) enum Order {
    /// Start a site that is down.
    Start {
        /// The site.
        site: String,
    },
    /// Stop a site cleanly.
    Stop {
        /// The site.
        site: String,
    },
    /// End a site with SIGKILL.
    Kill {
        /// The site.
        site: String,
    },
    /// Say how all sites are.
    Status,
}

/// How a site's process is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SiteState {
    /// The site.
    pub(crate) name: String,
    /// Whether its process runs.
    pub(crate) running: bool,
    /// Its process.
    pub(crate) pid: Option<u32>,
    /// How the process ended, where it does not run.
    pub(crate) ended: Option<String>,
}

/// The answer: the states of the sites that were meant, or why not.
pub(super) type OrderAnswer = Result<Vec<SiteState>, String>;

/// Takes orders until the listener fails.
pub(super) async fn listen(listener: UnixListener, events: mpsc::UnboundedSender<Event>) {
    while let Ok((stream, _)) = listener.accept().await {
        let events = events.clone();
        tokio::spawn(async move {
            // A client that goes away early needs no answer.
            drop(take_order(stream, events).await);
        });
    }
}

async fn take_order(
    stream: UnixStream,
    events: mpsc::UnboundedSender<Event>,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LINE_MAX))
        .read_line(&mut line)
        .await?;
    let answer: OrderAnswer = match serde_json::from_str::<Order>(&line) {
        Ok(order) => {
            let (reply, answer) = oneshot::channel();
            drop(events.send(Event::Order(order, reply)));
            answer
                .await
                .unwrap_or_else(|_| Err("the dev is ending".to_owned()))
        }
        Err(error) => Err(format!("not an order: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await
}

/// Gives the `dev` behind `socket` an order and waits for what it says.
pub(super) async fn order(socket: &Path, order: &Order) -> Result<Vec<SiteState>, Failure> {
    let doing = "ask the running dev";
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        BufReader::new(stream.take(LINE_MAX))
            .read_line(&mut answer)
            .await?;
        Ok::<OrderAnswer, std::io::Error>(serde_json::from_str(&answer)?)
    };
    match tokio::time::timeout(ANSWER_WITHIN, exchange).await {
        Ok(Ok(Ok(states))) => Ok(states),
        Ok(Ok(Err(why))) => Err(Failure::Failed(why)),
        Ok(Err(error)) => Err(Failure::new(
            doing,
            format!(
                "{error} on {}; does `firebrick dev` run there?",
                socket.display()
            ),
        )),
        Err(_) => Err(Failure::new(doing, "no answer within 60 seconds")),
    }
}

//! Whether a process that was started has come up.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use firebrick_backend::Backend as _;
use firebrick_site::SiteClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::Event;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a site may take to answer after its start: it reads its log first.
const SITE_WITHIN: Duration = Duration::from_secs(60);
/// What of the end of a log is looked at, in bytes.
const TAIL: u64 = 4096;

/// Says once that the API answers.
pub(super) async fn report(
    listen: SocketAddr,
    begun: Instant,
    events: mpsc::UnboundedSender<Event>,
) {
    while !answers(listen).await {
        if events.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    drop(events.send(Event::Ready(begun.elapsed())));
}

async fn answers(listen: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(listen).await?;
        let request =
            format!("GET /healthcheck HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        Ok::<bool, std::io::Error>(head.ends_with(b" 200"))
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(2), ask).await,
        Ok(Ok(true))
    )
}

/// Says once whether `site`, the one at `index`, answers calls. That it takes a connection is not
/// enough: a process that is being killed does so until its last thread is gone.
pub(super) async fn watch_site(
    index: usize,
    site: SiteClient,
    events: mpsc::UnboundedSender<Event>,
) {
    let answered = async {
        while site.status().await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    let answers = tokio::time::timeout(SITE_WITHIN, answered).await.is_ok();
    drop(events.send(Event::SiteAnswers(index, answers)));
}

/// The last line of a log: why its process ended.
pub(super) fn last_line(log: &Path) -> String {
    let read = || {
        let mut file = std::fs::File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok::<Vec<u8>, std::io::Error>(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let line = text
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing");
    line.trim_start_matches("firebrick: ").to_owned()
}

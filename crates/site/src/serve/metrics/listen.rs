//! HTTP for who asks for figures: bounded, whatever they do. Who connects is not known, and file descriptors are shared
//! with guests.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// How long the header of a question may take, from the moment that one may begin.
pub(super) const HEADER: Duration = Duration::from_secs(30);
/// How long a connection is kept.
const LIFE: Duration = Duration::from_secs(300);
/// How long those who ask already have when the site, or their connection's time, ends.
const GRACE: Duration = Duration::from_secs(1);
/// Connections at once; others wait until one of them ends.
const CONNECTIONS_MAX: usize = 64;
/// How long after a failure the next connection is taken.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers on the listener until `ending`. A header that takes longer than `header` ends its connection.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    header: Duration,
    ending: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = ending.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, from, permit)) = accepted else {
            break;
        };
        let (router, ending) = (router.clone(), ending.clone());
        connections.spawn(async move {
            if let Err(error) = answer(stream, router, header, ending).await {
                debug!(%from, %error, "a connection for figures ended");
            }
            drop(permit);
        });
    }
    connections.close();
    connections.wait().await;
}

/// The next connection, once there may be one more.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => return Some((stream, from, permit)),
            Err(error) => {
                warn!(%error, "a connection for figures could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers on one connection.
async fn answer(
    stream: TcpStream,
    router: Router,
    header: Duration,
    ending: CancellationToken,
) -> Result<(), hyper::Error> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = ending.cancelled() => {}
        () = tokio::time::sleep(LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Who neither asks nor reads to the end must not keep the site from ending, nor others from asking.
    let last = tokio::time::timeout(GRACE, connection).await;
    last.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_header_that_does_not_end_ends_its_connection() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/metrics", get(async || "figures"));
        let ending = CancellationToken::new();
        let header = Duration::from_millis(300);
        let serving = tokio::spawn(serve(listener, router, header, ending.clone()));

        let mut whole = TcpStream::connect(address).await.unwrap();
        let question = b"GET /metrics HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n";
        whole.write_all(question).await.unwrap();
        let mut page = String::new();
        whole.read_to_string(&mut page).await.unwrap();
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");

        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /metrics HTTP/1.1\r\nX: ")
            .await
            .unwrap();
        let (mut input, mut output) = half.into_split();
        // Always a little more of it: it is the whole of the header that is bounded.
        let trickle = tokio::spawn(async move {
            while output.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let mut rest = Vec::new();
        let ends = tokio::time::timeout(Duration::from_secs(60), input.read_to_end(&mut rest));
        // Its end, or that it was reset.
        drop(ends.await.expect("the connection ends"));
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
        trickle.await.unwrap();
        ending.cancel();
        serving.await.unwrap();
    }
}

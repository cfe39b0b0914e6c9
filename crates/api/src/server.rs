//! The API on a socket.

use std::future::Future;
use std::io;

use axum::Router;
use tokio::net::TcpListener;

/// Answers requests that come in on `listener` until `shutdown` is ready, then those that are under
/// way. [`crate::ApiOptions::check`] says beforehand whether that address may be served at all.
///
/// # Errors
///
/// Where the socket cannot be listened on any more.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown)
        .await
}

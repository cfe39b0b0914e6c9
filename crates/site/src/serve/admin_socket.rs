//! The Unix socket of the admin protocol.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::Error;
use super::local::LocalSite;
use crate::admin::serve_connection;

/// Clients at one time; more wait.
const CONNECTIONS_MAX: usize = 256;
/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 128;
/// How long a socket's owner has to take a connection before it counts as alive anyway.
const PROBE_WITHIN: Duration = Duration::from_secs(1);
/// The pause after a failed accept, for example without file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The file of a bound socket, which goes with this; a next start replaces one that stays.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, socket = %self.0.display(), "the socket was not removed");
        }
    }
}

/// Binds `path`, for the site's user alone. What a dead site left there is replaced; the socket of a
/// live one, and what is no socket, stays and is an error.
pub(super) async fn bind(path: &Path) -> Result<(UnixListener, SocketFile), Error> {
    clear(path)
        .await
        .map_err(|error| Error::io("replace the socket", path, error))?;
    let listener = listen(path).map_err(|error| Error::io("listen on", path, error))?;
    Ok((listener, SocketFile(path.to_owned())))
}

async fn clear(path: &Path) -> io::Result<()> {
    let kind = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "it is no socket",
        ));
    }
    match timeout(PROBE_WITHIN, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process answers there",
        )),
    }
}

/// The mode is set before the name exists, so there is no moment in which others may connect.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(0o600))?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}

/// Serves everybody who connects until `ending`; a call that runs then ends without an answer.
pub(super) async fn accept(
    listener: UnixListener,
    site: Arc<LocalSite>,
    ending: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let clients = TaskTracker::new();
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let Some((permit, accepted)) = ending.run_until_cancelled(accepted).await else {
            break;
        };
        match accepted {
            Ok((stream, _)) => {
                let (site, ending) = (Arc::clone(&site), ending.clone());
                clients.spawn(async move {
                    let serving = ending.run_until_cancelled(serve_connection(stream, site));
                    if let Some(Err(error)) = serving.await {
                        tracing::debug!(%error, "an admin connection broke");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an admin connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    clients.close();
    clients.wait().await;
}

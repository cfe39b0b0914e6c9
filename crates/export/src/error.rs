//! Why an export server did not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why [`ExportServer::start`](crate::ExportServer::start) did not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process listens on the Unix socket.
    #[error("another process serves {}", .0.display())]
    InUse(PathBuf),
    /// Something that is not a socket stands where the Unix socket would be.
    #[error("{} is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The address for TCP can be reached from other machines, and clients need not encrypt.
    #[error("{0} is not a loopback address, and TLS is not required")]
    NotLoopback(SocketAddr),
    /// A TLS mode without a certificate.
    #[error("TLS is on, and there is no certificate")]
    NoCertificate,
    /// The system refused a socket or a thread.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted, as "listen on 127.0.0.1:10809".
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            doing: doing.into(),
            source,
        }
    }
}

//! Why a site does not start.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// What kind of thing went wrong, for exit codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// Another process has the store, a socket or a port.
    InUse,
    /// A file, folder or socket: the system refused.
    Io,
    /// The store is damaged, or was made by a newer release.
    Store,
    /// The identity or a peer's description is not usable.
    Mirror,
}

/// Why a site did not start.
#[derive(Debug)]
pub struct Error {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
    doing: String,
    source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.doing, self.source)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

impl Error {
    pub(super) fn new(
        kind: ErrorKind,
        doing: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            doing: doing.into(),
            source: source.into(),
        }
    }

    pub(super) fn io(verb: &str, path: &Path, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::AddrInUse => ErrorKind::InUse,
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("{verb} {}", path.display()), source)
    }

    pub(super) fn listen(option: &str, address: SocketAddr, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::AddrInUse => ErrorKind::InUse,
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("listen on {option} = {address}"), source)
    }

    pub(super) fn store(path: &Path, source: firebrick_engine::Error) -> Self {
        let kind = if source.kind == firebrick_engine::ErrorKind::Locked {
            ErrorKind::InUse
        } else {
            ErrorKind::Store
        };
        Self::new(kind, format!("open the store {}", path.display()), source)
    }

    pub(super) fn exports(source: firebrick_export::Error) -> Self {
        use firebrick_export::Error as Export;
        let kind = match &source {
            Export::InUse(_) => ErrorKind::InUse,
            Export::Io { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                ErrorKind::InUse
            }
            Export::NotASocket(_)
            | Export::NotLoopback(_)
            | Export::NoCertificate
            | Export::Io { .. } => ErrorKind::Io,
        };
        Self::new(kind, "open the exports", source)
    }

    pub(super) fn tls(source: &firebrick_export::TlsError) -> Self {
        let option = crate::conf::option_of(source.file);
        let doing = format!("use {option} = {}", source.path.display());
        Self::new(ErrorKind::Io, doing, source.reason.clone())
    }

    pub(super) fn mirror(doing: &str, source: firebrick_mirror::Error) -> Self {
        Self::new(ErrorKind::Mirror, doing, source)
    }

    pub(super) fn task(source: tokio::task::JoinError) -> Self {
        Self::new(ErrorKind::Io, "wait for a thread", source)
    }
}

//! The interface of [`crate::serve`] for as long as the engine is being written.

use std::net::SocketAddr;
use std::path::Path;

use firebrick_vocabulary::StoreId;

use crate::conf::SiteConf;

/// A running site.
pub struct SiteServer;

/// Why a site did not start.
#[derive(Debug, thiserror::Error)]
#[error("the engine is being written")]
pub struct Error {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
}

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

#[allow(clippy::unused_async, clippy::todo, missing_docs)]
impl SiteServer {
    pub async fn start(_conf: SiteConf) -> Result<Self, Error> {
        todo!()
    }
    pub fn store(&self) -> StoreId {
        todo!()
    }
    pub fn mirror_address(&self) -> Option<SocketAddr> {
        todo!()
    }
    pub async fn stop(self) {
        todo!()
    }
}

/// The fingerprint by which peers know the site that `conf` describes.
pub fn fingerprint(conf: &SiteConf) -> Result<String, Error> {
    fingerprint_in(&conf.dir)
}

/// As [`fingerprint`], for the folder of a site whose configuration is not written yet.
pub fn fingerprint_in(_dir: &Path) -> Result<String, Error> {
    todo!()
}

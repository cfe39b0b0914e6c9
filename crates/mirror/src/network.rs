//! The way to other sites.

use std::io;

use firebrick_edge::Task;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::Error;
use crate::identity::Fingerprint;
use crate::mirror::PeerOptions;

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection whose both ends know who the other is.
pub type Wire = Box<dyn Duplex>;

/// Somebody who connects, and who that is has to show yet.
pub struct Arrival {
    /// From where, for messages.
    pub from: String,
    /// Finds out who it is. Fails for strangers.
    pub greeting: Task<'static, Result<(Fingerprint, Wire), Error>>,
}

/// How a site reaches others.
pub trait Network: Send + Sync + 'static {
    /// Connects to a peer, and makes sure that it is the one.
    fn connect<'a>(&'a self, peer: &'a PeerOptions) -> Task<'a, Result<Wire, Error>>;
}

/// Where others reach a site, for as long as it lives.
pub trait Listener: Send + 'static {
    /// Waits for the next who connects.
    fn accept(&mut self) -> Task<'_, io::Result<Arrival>>;
}

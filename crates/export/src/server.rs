//! The server: what it publishes, where it listens, and how it ends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::device::Device;
use crate::error::Error;

/// Where a server listens and what its clients may cost.
#[derive(Clone, Debug)]
pub struct ExportServerOptions {
    /// The Unix socket; a stale file is replaced, the new one has mode 0600.
    pub unix: PathBuf,
    /// A loopback address to listen on as well; port 0 picks one.
    pub tcp: Option<SocketAddr>,
    /// Threads that perform reads which wait for the disk.
    pub workers: usize,
    /// Clients at one time; more are turned away.
    pub max_connections: usize,
    /// What the requests in flight of one connection may take, in bytes; the server reads no further
    /// requests of a connection beyond it. A single request is always let through.
    pub max_request_memory: usize,
}

impl ExportServerOptions {
    /// The defaults, on the Unix socket `unix` alone.
    pub fn new(unix: impl Into<PathBuf>) -> Self {
        Self {
            unix: unix.into(),
            tcp: None,
            workers: 4,
            max_connections: 256,
            max_request_memory: 64 << 20,
        }
    }
}

/// An NBD server; stops when dropped.
#[derive(Debug)]
pub struct ExportServer {}

impl ExportServer {
    /// Starts to listen; nothing is exported yet.
    pub fn start(options: ExportServerOptions) -> Result<Self, Error> {
        todo!("{options:?}")
    }

    /// Exports `device` as `name`. An export of that name is replaced as if by [`Self::remove`].
    pub fn add(&self, name: &str, device: Arc<dyn Device>, read_only: bool) {
        let _ = (name, device, read_only);
        todo!()
    }

    /// Ends the export `name` and drops its connections; returns once no request of theirs is running.
    pub fn remove(&self, name: &str) {
        todo!("{name}")
    }

    /// How many clients the export `name` has.
    pub fn clients(&self, name: &str) -> u32 {
        todo!("{name}")
    }

    /// Where TCP clients are heard, with the port that was picked.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        todo!()
    }

    /// Stops listening and drops all connections, without an answer, so that clients reconnect.
    pub fn stop(&self) {
        todo!()
    }
}

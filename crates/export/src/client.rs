//! The thread that serves one client, from the handshake to the end.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};
use socket2::Socket;

use crate::connection::{Connection, Shared};
use crate::link::Link;
use crate::listen::prepare;
use crate::negotiate::{Agreed, Refusal, Stream, negotiate};
use crate::registry::Registry;
use crate::session::{End, Session};
use crate::tls::TlsMode;

/// How long whoever leaves in order waits for others to take what it flushed.
const HELD_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether it is there at all.
const HELD_POLL: Duration = Duration::from_millis(100);

/// What a client's thread needs.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) socket: Arc<Socket>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) shared: Arc<Shared>,
    /// What its requests in flight may take, in bytes.
    pub(crate) memory: usize,
    /// How long it may take to choose an export.
    pub(crate) patience: Duration,
    /// Whether it may or must encrypt.
    pub(crate) mode: TlsMode,
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Client {
    /// Serves the client until it is gone; `agreed` hears of it once it has chosen an export.
    pub(crate) fn serve(self, agreed: impl FnOnce()) {
        let (Agreed { export, terms }, tls) = match self.agree() {
            Ok(agreed) => agreed,
            Err(refusal) => {
                tracing::debug!(client = self.id, %refusal, "a client chose no export");
                return;
            }
        };
        agreed();
        let link = Arc::new(Link::new(self.socket, tls));
        let chosen = Arc::clone(&export);
        let connection = Connection::new(link, export, terms, self.memory, self.shared);
        if !chosen.join(self.id, &connection) {
            return;
        }
        let guard = Guard {
            id: self.id,
            connection: Arc::clone(&connection),
        };
        let end = Session::new(Arc::clone(&connection)).run();
        tracing::debug!(client = self.id, %end, "a client's session ended");
        if matches!(end, End::Left) {
            // Whoever leaves in order still gets its answers, but others may never take what it flushed.
            let until = Instant::now() + HELD_MAX;
            while !connection.budget.is_idle_within(HELD_POLL) {
                if connection.is_gone() || Instant::now() >= until {
                    chosen.gate.forget(&connection);
                    connection.budget.wait_until_idle();
                }
            }
            connection.link.finish();
        }
        drop(guard);
    }

    /// Prepares the socket and haggles with the client.
    fn agree(&self) -> Result<(Agreed, Option<ServerConnection>), Refusal> {
        prepare(&self.socket)?;
        let mut haggling = Haggling {
            stream: Timed {
                socket: &self.socket,
                until: Instant::now() + self.patience,
            },
            config: self.tls.as_ref(),
            tls: None,
        };
        let agreed = negotiate(&mut haggling, &self.registry, self.mode);
        if matches!(agreed, Err(Refusal::Left)) {
            haggling.finish();
        }
        let agreed = agreed?;
        let tls = haggling.tls;
        self.socket.set_read_timeout(None)?;
        self.socket.set_write_timeout(None)?;
        Ok((agreed, tls))
    }
}

/// Counts the client out, however its thread ends.
struct Guard {
    id: u64,
    connection: Arc<Connection>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.connection.outbox.close();
        self.connection.export.gate.forget(&self.connection);
        self.connection.budget.wait_until_idle();
        self.connection.export.leave(self.id);
    }
}

/// A socket on which nothing may take longer than until some instant.
struct Timed<'a> {
    socket: &'a Socket,
    until: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        (&mut &*self.socket).read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        (&mut &*self.socket).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection during the handshake, which may turn to TLS.
struct Haggling<'a> {
    stream: Timed<'a>,
    config: Option<&'a Arc<ServerConfig>>,
    tls: Option<ServerConnection>,
}

impl Haggling<'_> {
    /// Ends TLS in order, where there is any.
    fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // The client may be gone already.
            let _ = tls.write_tls(&mut self.stream);
        }
    }
}

impl Stream for Haggling<'_> {
    fn start_tls(&mut self) -> io::Result<()> {
        let Some(config) = self.config else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream)?;
        }
        self.tls = Some(tls);
        Ok(())
    }
}

impl Read for Haggling<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.read(buffer),
            Some(tls) => rustls::Stream::new(tls, &mut self.stream).read(buffer),
        }
    }
}

impl Write for Haggling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.write(bytes),
            Some(tls) => rustls::Stream::new(tls, &mut self.stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

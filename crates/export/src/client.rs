//! The thread that serves one client, from the handshake to the end.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::connection::{Connection, Shared};
use crate::listen::prepare;
use crate::negotiate::{Agreed, Refusal, negotiate};
use crate::registry::Registry;
use crate::session::{End, Session};

/// How long a client may take to choose an export.
const HANDSHAKE_MAX: Duration = Duration::from_secs(30);

/// What a client's thread needs.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) socket: Arc<Socket>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) shared: Arc<Shared>,
    /// What its requests in flight may take, in bytes.
    pub(crate) memory: usize,
}

impl Client {
    /// Serves the client until it is gone.
    pub(crate) fn serve(self) {
        let agreed = match self.agree() {
            Ok(agreed) => agreed,
            Err(refusal) => {
                tracing::debug!(client = self.id, %refusal, "a client chose no export");
                return;
            }
        };
        let export = Arc::clone(&agreed.export);
        let connection = Connection::new(
            self.socket,
            agreed.export,
            agreed.terms,
            self.memory,
            self.shared,
        );
        if !export.join(self.id, &connection) {
            return;
        }
        let guard = Guard {
            id: self.id,
            connection: Arc::clone(&connection),
        };
        let end = Session::new(Arc::clone(&connection)).run();
        tracing::debug!(client = self.id, %end, "a client's session ended");
        if matches!(end, End::Left) {
            // Whoever leaves in order still gets its answers.
            connection.budget.wait_until_idle();
        }
        drop(guard);
    }

    /// Prepares the socket and haggles with the client.
    fn agree(&self) -> Result<Agreed, Refusal> {
        prepare(&self.socket)?;
        let mut stream = Timed {
            socket: &self.socket,
            until: Instant::now() + HANDSHAKE_MAX,
        };
        let agreed = negotiate(&mut stream, &self.registry)?;
        self.socket.set_read_timeout(None)?;
        self.socket.set_write_timeout(None)?;
        Ok(agreed)
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

//! A client's connection, with TLS or without.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use rustls::ServerConnection;
use socket2::Socket;

/// How many bytes of what was encrypted one call to the system takes.
const CIPHERTEXT: usize = 64 << 10;
/// How long a client may take to receive the last words.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// A client's socket, and what stands between it and the bytes that are meant. One thread receives at
/// a time, and one sends.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Arc<Socket>,
    tls: Option<Tls>,
}

#[derive(Debug)]
struct Tls {
    // Never held while the system is waited for: who sends must not keep the other from receiving.
    connection: Mutex<ServerConnection>,
    incoming: Mutex<Incoming>,
    outgoing: Mutex<Outgoing>,
}

/// What was received and not decrypted yet.
#[derive(Debug)]
struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// What was encrypted and not sent yet.
#[derive(Debug, Default)]
struct Outgoing {
    bytes: Vec<u8>,
    start: usize,
}

impl Link {
    /// A socket, and TLS where it was agreed on.
    pub(crate) fn new(socket: Arc<Socket>, tls: Option<ServerConnection>) -> Self {
        let tls = tls.map(|connection| Tls {
            connection: Mutex::new(connection),
            incoming: Mutex::new(Incoming {
                bytes: vec![0; CIPHERTEXT],
                start: 0,
                end: 0,
            }),
            outgoing: Mutex::default(),
        });
        Self { socket, tls }
    }

    /// The socket itself, to ask how it is.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Who is at the other end: an address and a port, or a process on this machine.
    pub(crate) fn peer(&self) -> String {
        let address = self
            .socket
            .peer_addr()
            .ok()
            .and_then(|address| address.as_socket());
        if let Some(address) = address {
            return address.to_string();
        }
        match rustix::net::sockopt::socket_peercred(&*self.socket) {
            Ok(credentials) => format!("pid:{}", credentials.pid.as_raw_nonzero()),
            Err(_) => "unix".to_owned(),
        }
    }

    /// Receives into `buffer`, which is not empty; 0 at the end.
    pub(crate) fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        match &self.tls {
            None => receive(&self.socket, buffer, flags),
            Some(tls) => tls.receive(&self.socket, buffer, flags),
        }
    }

    /// Fills `buffer`.
    pub(crate) fn read_exact(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.receive(buffer, RecvFlags::empty())? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                received => buffer = &mut buffer[received..],
            }
        }
        Ok(())
    }

    /// Takes some of `slices`; how many bytes. What was taken may have to be [flushed](Self::flush).
    pub(crate) fn send(&self, slices: &[IoSlice<'_>], flags: SendFlags) -> io::Result<usize> {
        match &self.tls {
            None => transmit(&self.socket, slices, flags),
            Some(tls) => tls.send(&self.socket, slices, flags),
        }
    }

    /// Sends what was taken before.
    pub(crate) fn flush(&self, flags: SendFlags) -> io::Result<()> {
        match &self.tls {
            None => Ok(()),
            Some(tls) => tls.outgoing.lock().flush(&self.socket, flags),
        }
    }

    /// Says that nothing more will come. For when nobody sends any more.
    pub(crate) fn finish(&self) {
        let Some(tls) = &self.tls else {
            return;
        };
        // A client that is gone, or that does not listen, needs no good-bye.
        let _ = self.socket.set_write_timeout(Some(GOODBYE_MAX));
        let mut outgoing = tls.outgoing.lock();
        let mut connection = tls.connection.lock();
        connection.send_close_notify();
        if outgoing.take(&mut connection).is_ok() {
            drop(connection);
            let _ = outgoing.flush(&self.socket, SendFlags::NOSIGNAL);
        }
    }

    /// Ends the connection; whoever receives or sends comes back.
    pub(crate) fn shut(&self) {
        // Fails where the client was quicker.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Tls {
    fn receive(&self, socket: &Socket, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        let mut incoming = self.incoming.lock();
        loop {
            let decrypted = incoming.decrypt(&mut self.connection.lock(), buffer)?;
            if let Some(len) = decrypted {
                return Ok(len);
            }
            let received = receive(socket, &mut incoming.bytes, flags)?;
            if received == 0 {
                return Ok(0);
            }
            (incoming.start, incoming.end) = (0, received);
        }
    }

    fn send(&self, socket: &Socket, slices: &[IoSlice<'_>], flags: SendFlags) -> io::Result<usize> {
        let mut outgoing = self.outgoing.lock();
        outgoing.flush(socket, flags)?;
        let taken = {
            let mut connection = self.connection.lock();
            let taken = io::Write::write_vectored(&mut connection.writer(), slices)?;
            outgoing.take(&mut connection)?;
            taken
        };
        match outgoing.flush(socket, flags) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            // What is left goes first the next time.
            Ok(()) | Err(_) => Ok(taken),
        }
    }
}

impl Incoming {
    /// Decrypts into `buffer` what is there; `None` where more must be received first.
    fn decrypt(
        &mut self,
        connection: &mut ServerConnection,
        buffer: &mut [u8],
    ) -> io::Result<Option<usize>> {
        let mut filled = 0;
        loop {
            match io::Read::read(&mut connection.reader(), &mut buffer[filled..]) {
                // The client has said that nothing more will come.
                Ok(0) => return Ok(Some(filled)),
                Ok(len) => {
                    filled += len;
                    if filled == buffer.len() {
                        return Ok(Some(filled));
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Some(filled));
                }
                Err(error) => return Err(error),
            }
            if self.start == self.end {
                return Ok((filled > 0).then_some(filled));
            }
            self.start += connection.read_tls(&mut &self.bytes[self.start..self.end])?;
            connection
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }
}

impl Outgoing {
    fn take(&mut self, connection: &mut ServerConnection) -> io::Result<()> {
        while connection.wants_write() {
            connection.write_tls(&mut self.bytes)?;
        }
        Ok(())
    }

    fn flush(&mut self, socket: &Socket, flags: SendFlags) -> io::Result<()> {
        while self.start < self.bytes.len() {
            let slice = IoSlice::new(&self.bytes[self.start..]);
            self.start += transmit(socket, &[slice], flags)?;
        }
        self.bytes.clear();
        self.start = 0;
        Ok(())
    }
}

fn receive(socket: &Socket, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    loop {
        match recv(socket, &mut *buffer, flags) {
            Ok((_, received)) => return Ok(received),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn transmit(socket: &Socket, slices: &[IoSlice<'_>], flags: SendFlags) -> io::Result<usize> {
    loop {
        let sent = match slices {
            [only] => send(socket, only, flags),
            _ => sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags),
        };
        match sent {
            Ok(sent) => return Ok(sent),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

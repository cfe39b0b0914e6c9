//! The other end: a guest that reads and writes one export, one request at a time.
//!
//! For programs that must know exactly which write was answered and which flush, such as a check
//! after a failover. The protocol is <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>.

mod connect;

use std::fmt;
use std::io::{self, BufReader, Read, Write};

use crate::wire::{REQUEST_MAGIC, SIMPLE_MAGIC};
use connect::Stream;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The address is none of `nbd+unix:///NAME?socket=PATH`, `nbd://HOST:PORT/NAME` and
    /// `nbds://HOST:PORT/NAME?tls-certificates=FOLDER`.
    #[error("{0:?} is not an NBD address")]
    Address(String),
    /// The connection broke: whether the server did it is not known.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server said no, with this error number of the protocol.
    #[error("the server refused with NBD error {0}")]
    Refused(u32),
    /// The server does not speak the protocol.
    #[error("the server's answer is not NBD: {0}")]
    Protocol(&'static str),
}

/// One connection to an export.
pub struct Guest {
    stream: BufReader<Box<dyn Stream>>,
    next: u64,
    size: u64,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Guest");
        shown.field("size", &self.size).finish_non_exhaustive()
    }
}

impl Guest {
    /// Connects to the export that `uri` names, as in an attachment's `connection_info`. An address
    /// with `nbds` also names the folder with `ca-cert.pem` and, for servers that ask for them,
    /// `client-cert.pem` and `client-key.pem`.
    pub fn open(uri: &str) -> Result<Self, GuestError> {
        let (stream, size) = connect::connect(uri)?;
        Ok(Self {
            stream: BufReader::new(stream),
            next: 1,
            size,
        })
    }

    /// The size of the export in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Writes `data` from byte `offset` on; returns once the server has taken it.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), GuestError> {
        self.request(WRITE, offset, length(data)?, data)?;
        self.answer()
    }

    /// Reads `len` bytes from byte `offset` on.
    pub fn read(&mut self, offset: u64, len: u32) -> Result<Vec<u8>, GuestError> {
        self.request(READ, offset, len, &[])?;
        self.answer()?;
        let mut data = vec![0; len as usize];
        self.stream.read_exact(&mut data)?;
        Ok(data)
    }

    /// Returns once all that was answered before is durable.
    pub fn flush(&mut self) -> Result<(), GuestError> {
        self.request(FLUSH, 0, 0, &[])?;
        self.answer()
    }

    /// Says good-bye.
    pub fn close(mut self) {
        // The server ends the connection without an answer; one that is gone needs no good-bye.
        let _ = self.request(DISCONNECT, 0, 0, &[]);
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], GuestError> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn take_u32(&mut self) -> Result<u32, GuestError> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    fn request(
        &mut self,
        command: u16,
        offset: u64,
        len: u32,
        data: &[u8],
    ) -> Result<(), GuestError> {
        let mut bytes = Vec::with_capacity(28 + data.len());
        bytes.extend(REQUEST_MAGIC.to_be_bytes());
        bytes.extend(0u16.to_be_bytes());
        bytes.extend(command.to_be_bytes());
        bytes.extend(self.next.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(data);
        self.next += 1;
        Ok(self.stream.get_mut().write_all(&bytes)?)
    }

    fn answer(&mut self) -> Result<(), GuestError> {
        if self.take_u32()? != SIMPLE_MAGIC {
            return Err(GuestError::Protocol("not a simple reply"));
        }
        let error = self.take_u32()?;
        let _cookie: [u8; 8] = self.take()?;
        match error {
            0 => Ok(()),
            refused => Err(GuestError::Refused(refused)),
        }
    }
}

fn length(data: &[u8]) -> Result<u32, GuestError> {
    u32::try_from(data.len()).map_err(|_| GuestError::Protocol("more than 4 GiB at once"))
}

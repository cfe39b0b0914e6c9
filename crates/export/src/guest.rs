//! The other end: a guest that reads and writes one export, one request at a time.
//!
//! For programs that must know exactly which write was answered and which flush, such as a check
//! after a failover. The protocol is <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::option::{
    CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, GREETING, INFO_EXPORT, OPTION_MAGIC, OPTION_MAX,
};
use crate::wire::{REQUEST_MAGIC, SIMPLE_MAGIC};

const OPTION_GO: u32 = 7;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_ERROR: u32 = 1 << 31;
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
/// How long a server may take for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The address is neither `nbd+unix:///NAME?socket=PATH` nor `nbd://HOST:PORT/NAME`.
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

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

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
    /// Connects to the export that `uri` names, as in an attachment's `connection_info`.
    pub fn open(uri: &str) -> Result<Self, GuestError> {
        let (stream, name) = connect(uri)?;
        let mut guest = Self {
            stream: BufReader::new(stream),
            next: 1,
            size: 0,
        };
        guest.handshake(&name)?;
        Ok(guest)
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

    fn handshake(&mut self, name: &str) -> Result<(), GuestError> {
        if self.take()? != GREETING {
            return Err(GuestError::Protocol("no greeting"));
        }
        let _flags: [u8; 2] = self.take()?;
        let name_len = length(name.as_bytes())?;
        let mut hello = Vec::new();
        hello.extend((CLIENT_FIXED_NEWSTYLE | CLIENT_NO_ZEROES).to_be_bytes());
        hello.extend(OPTION_MAGIC);
        hello.extend(OPTION_GO.to_be_bytes());
        hello.extend((name_len + 6).to_be_bytes());
        hello.extend(name_len.to_be_bytes());
        hello.extend(name.as_bytes());
        hello.extend(0u16.to_be_bytes());
        self.stream.get_mut().write_all(&hello)?;
        while !self.option_reply()? {}
        Ok(())
    }

    /// Reads one answer to the option; `true` where it is the last.
    fn option_reply(&mut self) -> Result<bool, GuestError> {
        let _magic: [u8; 8] = self.take()?;
        let _option = self.take_u32()?;
        let kind = self.take_u32()?;
        let len = self.take_u32()?;
        if len > OPTION_MAX {
            return Err(GuestError::Protocol("an option's reply is too long"));
        }
        let mut data = vec![0; len as usize];
        self.stream.read_exact(&mut data)?;
        match (kind, data.split_first_chunk::<2>()) {
            (REPLY_ACK, _) => return Ok(true),
            (refused, _) if refused & REPLY_ERROR != 0 => return Err(GuestError::Refused(refused)),
            (REPLY_INFO, Some((info, rest))) if u16::from_be_bytes(*info) == INFO_EXPORT => {
                let (size, _) = rest
                    .split_first_chunk()
                    .ok_or(GuestError::Protocol("an export without a size"))?;
                self.size = u64::from_be_bytes(*size);
            }
            // Other information is not needed here.
            (_, _) => {}
        }
        Ok(false)
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

fn connect(uri: &str) -> Result<(Box<dyn Stream>, String), GuestError> {
    let wrong = || GuestError::Address(uri.to_owned());
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8().map_err(|_| wrong());
        decoded.map(std::borrow::Cow::into_owned)
    };
    if let Some(rest) = uri.strip_prefix("nbd+unix:///") {
        let (name, path) = rest.split_once("?socket=").ok_or_else(wrong)?;
        let stream = UnixStream::connect(decode(path)?)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        return Ok((Box::new(stream), decode(name)?));
    }
    let rest = uri.strip_prefix("nbd://").ok_or_else(wrong)?;
    let (address, name) = rest.split_once('/').ok_or_else(wrong)?;
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    Ok((Box::new(stream), decode(name)?))
}

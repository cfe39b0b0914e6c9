//! A small NBD client: enough to know which write was answered and which flush.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const OPTION_GO: u32 = 7;
const REPLY_ACK: u32 = 1;
const REPLY_ERROR: u32 = 1 << 31;

/// Why the server did not do it.
#[derive(Debug)]
pub enum NbdError {
    /// The connection broke: nothing is known.
    Broken(io::Error),
    /// The server said no, with this NBD error number.
    Refused(u32),
}

impl From<io::Error> for NbdError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection to an export.
pub struct Nbd {
    stream: BufReader<Box<dyn Stream>>,
    next: u64,
    size: u64,
}

impl std::fmt::Debug for Nbd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nbd")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// The two kinds of address: `nbd+unix:///NAME?socket=PATH` and `nbd://HOST:PORT/NAME`.
fn connect(uri: &str) -> Result<(Box<dyn Stream>, String), NbdError> {
    let wait = Some(Duration::from_secs(60));
    if let Some(rest) = uri.strip_prefix("nbd+unix:///") {
        let (name, path) = rest.split_once("?socket=").expect("a socket in the URI");
        let stream = UnixStream::connect(path.replace("%2F", "/"))?;
        stream.set_read_timeout(wait)?;
        Ok((Box::new(stream), name.to_owned()))
    } else {
        let rest = uri.strip_prefix("nbd://").expect("an NBD URI");
        let (address, name) = rest.split_once('/').expect("a name in the URI");
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(wait)?;
        Ok((Box::new(stream), name.to_owned()))
    }
}

impl Nbd {
    /// Connects to the export that the URI names.
    pub fn open(uri: &str) -> Result<Self, NbdError> {
        let (stream, name) = connect(uri)?;
        let mut nbd = Self {
            stream: BufReader::new(stream),
            next: 1,
            size: 0,
        };
        nbd.handshake(&name)?;
        Ok(nbd)
    }

    /// The size of the export in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), NbdError> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], NbdError> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn take_u32(&mut self) -> Result<u32, NbdError> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    fn handshake(&mut self, name: &str) -> Result<(), NbdError> {
        let greeting: [u8; 16] = self.take()?;
        assert_eq!(&greeting, b"NBDMAGICIHAVEOPT");
        let _flags: [u8; 2] = self.take()?;
        let mut hello = Vec::new();
        hello.extend(3u32.to_be_bytes());
        hello.extend(b"IHAVEOPT");
        hello.extend(OPTION_GO.to_be_bytes());
        hello.extend((name.len() as u32 + 6).to_be_bytes());
        hello.extend((name.len() as u32).to_be_bytes());
        hello.extend(name.as_bytes());
        hello.extend(0u16.to_be_bytes());
        self.send(&hello)?;
        loop {
            let _magic: [u8; 8] = self.take()?;
            let _option = self.take_u32()?;
            let kind = self.take_u32()?;
            let len = self.take_u32()? as usize;
            let mut data = vec![0; len];
            self.stream.read_exact(&mut data)?;
            if kind == REPLY_ACK {
                return Ok(());
            }
            if kind & REPLY_ERROR != 0 {
                return Err(NbdError::Refused(kind));
            }
            if data.len() >= 10 && data[..2] == [0, 0] {
                self.size = u64::from_be_bytes(data[2..10].try_into().unwrap());
            }
        }
    }

    fn request(&mut self, kind: u16, offset: u64, len: u32, data: &[u8]) -> Result<(), NbdError> {
        let mut bytes = Vec::with_capacity(28 + data.len());
        bytes.extend(0x2560_9513u32.to_be_bytes());
        bytes.extend(0u16.to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(self.next.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(data);
        self.next += 1;
        self.send(&bytes)
    }

    fn answer(&mut self) -> Result<(), NbdError> {
        let magic = self.take_u32()?;
        assert_eq!(magic, 0x6744_6698, "not a simple reply");
        let error = self.take_u32()?;
        let _cookie: [u8; 8] = self.take()?;
        if error == 0 {
            Ok(())
        } else {
            Err(NbdError::Refused(error))
        }
    }

    /// Writes and waits for the answer.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), NbdError> {
        self.request(1, offset, data.len() as u32, data)?;
        self.answer()
    }

    /// Reads.
    pub fn read(&mut self, offset: u64, len: u32) -> Result<Vec<u8>, NbdError> {
        self.request(0, offset, len, &[])?;
        self.answer()?;
        let mut data = vec![0; len as usize];
        self.stream.read_exact(&mut data)?;
        Ok(data)
    }

    /// Flushes and waits for the answer.
    pub fn flush(&mut self) -> Result<(), NbdError> {
        self.request(3, 0, 0, &[])?;
        self.answer()
    }

    /// Says good-bye.
    pub fn close(mut self) {
        let _ = self.request(2, 0, 0, &[]);
    }
}

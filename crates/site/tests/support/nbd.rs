//! As much of an NBD client as the tests need: fixed newstyle, simple replies.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;
const OPT_GO: u32 = 7;
const REP_ACK: u32 = 1;
const REP_INFO: u32 = 3;
const FLAG_READ_ONLY: u16 = 1 << 1;

/// What the server answers a write to what is not writable.
pub const EPERM: i32 = 1;
/// The connection has ended.
pub const EPIPE: i32 = 32;
/// The other side has ended the connection.
pub const ECONNRESET: i32 = 104;

/// A connection to one export.
pub struct Nbd {
    stream: UnixStream,
    pub size: u64,
    pub read_only: bool,
}

impl Nbd {
    /// Connects; `NotFound` where the server has no such export.
    pub fn connect(socket: &Path, export: &str) -> io::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting)?;
        assert_eq!(&greeting[..16], b"NBDMAGICIHAVEOPT");
        stream.write_all(&3_u32.to_be_bytes())?;
        let mut option = OPTION_MAGIC.to_vec();
        option.extend(OPT_GO.to_be_bytes());
        option.extend((export.len() as u32 + 6).to_be_bytes());
        option.extend((export.len() as u32).to_be_bytes());
        option.extend(export.as_bytes());
        option.extend(0_u16.to_be_bytes());
        stream.write_all(&option)?;
        let mut nbd = Self {
            stream,
            size: 0,
            read_only: false,
        };
        nbd.enter()?;
        Ok(nbd)
    }

    fn enter(&mut self) -> io::Result<()> {
        loop {
            let mut head = [0; 20];
            self.stream.read_exact(&mut head)?;
            assert_eq!(
                u64::from_be_bytes(head[..8].try_into().unwrap()),
                OPTION_REPLY_MAGIC
            );
            let kind = u32::from_be_bytes(head[12..16].try_into().unwrap());
            let mut body = vec![0; u32::from_be_bytes(head[16..].try_into().unwrap()) as usize];
            self.stream.read_exact(&mut body)?;
            match kind {
                REP_ACK => return Ok(()),
                REP_INFO if body[..2] == [0, 0] => {
                    self.size = u64::from_be_bytes(body[2..10].try_into().unwrap());
                    let flags = u16::from_be_bytes(body[10..12].try_into().unwrap());
                    self.read_only = flags & FLAG_READ_ONLY != 0;
                }
                REP_INFO => {}
                kind => {
                    return Err(io::Error::new(
                        io::ErrorKind::NotFound,
                        format!("{kind:#x}"),
                    ));
                }
            }
        }
    }

    fn request(&mut self, command: u16, offset: u64, len: u32, data: &[u8]) -> io::Result<()> {
        let mut request = REQUEST_MAGIC.to_be_bytes().to_vec();
        request.extend(0_u16.to_be_bytes());
        request.extend(command.to_be_bytes());
        request.extend(7_u64.to_be_bytes());
        request.extend(offset.to_be_bytes());
        request.extend(len.to_be_bytes());
        request.extend(data);
        self.stream.write_all(&request)?;
        let mut reply = [0; 16];
        self.stream.read_exact(&mut reply)?;
        assert_eq!(
            u32::from_be_bytes(reply[..4].try_into().unwrap()),
            REPLY_MAGIC
        );
        match i32::from_be_bytes(reply[4..8].try_into().unwrap()) {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    pub fn read(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.request(0, offset, len as u32, &[])?;
        let mut data = vec![0; len];
        self.stream.read_exact(&mut data)?;
        Ok(data)
    }

    /// Writes and flushes.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.request(1, offset, data.len() as u32, data)?;
        self.request(3, 0, 0, &[])
    }
}

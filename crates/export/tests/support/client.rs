//! A client that speaks the protocol by hand.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub const READ: u16 = 0;
pub const WRITE: u16 = 1;
pub const DISCONNECT: u16 = 2;
pub const FLUSH: u16 = 3;
pub const TRIM: u16 = 4;
pub const CACHE: u16 = 5;
pub const WRITE_ZEROES: u16 = 6;
pub const BLOCK_STATUS: u16 = 7;

pub const FUA: u16 = 1;
pub const DF: u16 = 4;
pub const REQ_ONE: u16 = 8;

pub const OPT_GO: u32 = 7;
pub const OPT_STRUCTURED_REPLY: u32 = 8;
pub const OPT_SET_META_CONTEXT: u32 = 10;
pub const REP_ACK: u32 = 1;

pub struct Client {
    pub stream: UnixStream,
    pub size: u64,
    pub flags: u16,
}

/// A chunk of a structured reply.
#[derive(Debug, Eq, PartialEq)]
pub struct Chunk {
    pub kind: u16,
    pub cookie: u64,
    pub payload: Vec<u8>,
}

impl Client {
    /// Connects and sends the client's flags.
    pub fn greet(socket: &Path) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"NBDMAGICIHAVEOPT\x00\x03");
        stream.write_all(&3_u32.to_be_bytes()).unwrap();
        Self {
            stream,
            size: 0,
            flags: 0,
        }
    }

    /// A client of the export "disk" that wants simple replies.
    pub fn simple(socket: &Path) -> Self {
        let mut client = Self::greet(socket);
        client.go("disk");
        client
    }

    /// A client of the export "disk" that wants structured replies and the state of extents.
    pub fn structured(socket: &Path) -> Self {
        let mut client = Self::greet(socket);
        assert_eq!(
            client.option(OPT_STRUCTURED_REPLY, &[]),
            [(REP_ACK, vec![])]
        );
        let mut query = text("disk");
        query.extend(1_u32.to_be_bytes());
        query.extend(text("base:allocation"));
        assert_eq!(client.option(OPT_SET_META_CONTEXT, &query).len(), 2);
        client.go("disk");
        client
    }

    pub fn go(&mut self, name: &str) {
        let mut data = text(name);
        data.extend([0, 0]);
        let answers = self.option(OPT_GO, &data);
        assert_eq!(answers.last().unwrap().0, REP_ACK, "{answers:?}");
        let info = &answers[0].1;
        self.size = u64::from_be_bytes(info[2..10].try_into().unwrap());
        self.flags = u16::from_be_bytes(info[10..12].try_into().unwrap());
    }

    pub fn send_option(&mut self, number: u32, data: &[u8]) {
        let mut bytes = b"IHAVEOPT".to_vec();
        bytes.extend(number.to_be_bytes());
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(data);
        self.stream.write_all(&bytes).unwrap();
    }

    /// Sends an option; the answers up to the one that concludes it.
    pub fn option(&mut self, number: u32, data: &[u8]) -> Vec<(u32, Vec<u8>)> {
        self.send_option(number, data);
        let mut answers = Vec::new();
        loop {
            let header = self.receive(20);
            assert_eq!(header[..8], 0x0003_e889_0455_65a9_u64.to_be_bytes());
            assert_eq!(header[8..12], number.to_be_bytes());
            let kind = u32::from_be_bytes(header[12..16].try_into().unwrap());
            let len = u32::from_be_bytes(header[16..20].try_into().unwrap());
            answers.push((kind, self.receive(len as usize)));
            if kind == REP_ACK || kind >= 1 << 31 {
                return answers;
            }
        }
    }

    pub fn receive(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Sends a request.
    pub fn request(&mut self, kind: u16, flags: u16, cookie: u64, offset: u64, len: u32) {
        self.stream
            .write_all(&request(kind, flags, cookie, offset, len))
            .unwrap();
    }

    /// Sends a write.
    pub fn write(&mut self, flags: u16, cookie: u64, offset: u64, data: &[u8]) {
        let mut bytes = request(WRITE, flags, cookie, offset, data.len() as u32);
        bytes.extend(data);
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next simple reply: cookie and error.
    pub fn simple_reply(&mut self) -> (u64, u32) {
        let header = self.receive(16);
        assert_eq!(header[..4], 0x6744_6698_u32.to_be_bytes());
        let error = u32::from_be_bytes(header[4..8].try_into().unwrap());
        (u64::from_be_bytes(header[8..].try_into().unwrap()), error)
    }

    /// The next structured reply, which has but one chunk.
    pub fn chunk(&mut self) -> Chunk {
        let header = self.receive(20);
        assert_eq!(header[..4], 0x668e_33ef_u32.to_be_bytes());
        assert_eq!(
            header[4..6],
            1_u16.to_be_bytes(),
            "there is one chunk to each reply"
        );
        let kind = u16::from_be_bytes(header[6..8].try_into().unwrap());
        let cookie = u64::from_be_bytes(header[8..16].try_into().unwrap());
        let len = u32::from_be_bytes(header[16..20].try_into().unwrap());
        Chunk {
            kind,
            cookie,
            payload: self.receive(len as usize),
        }
    }

    /// Whether the server has closed the connection without another word.
    #[track_caller]
    pub fn expect_end(&mut self) {
        match self.stream.read(&mut [0; 64]) {
            Ok(0) => {}
            Ok(len) => panic!("{len} bytes instead of the end"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
}

/// A request's header.
pub fn request(kind: u16, flags: u16, cookie: u64, offset: u64, len: u32) -> Vec<u8> {
    let mut bytes = 0x2560_9513_u32.to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    bytes.extend(offset.to_be_bytes());
    bytes.extend(len.to_be_bytes());
    bytes
}

/// An extended request's header.
pub fn extended_request(kind: u16, flags: u16, cookie: u64, offset: u64, len: u64) -> Vec<u8> {
    let mut bytes = 0x21e4_1c71_u32.to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    bytes.extend(offset.to_be_bytes());
    bytes.extend(len.to_be_bytes());
    bytes
}

/// A text with its length before it.
pub fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

//! What goes over the wire once a client has chosen an export: requests in, replies out.

/// How many bytes a request's header has.
pub(crate) const REQUEST_LEN: usize = 28;
/// How many bytes a simple reply's header has.
pub(crate) const SIMPLE_LEN: usize = 16;
/// The most data that one request may carry or ask for, in bytes.
pub(crate) const DATA_MAX: u32 = 32 << 20;
/// The number by which replies name the context `base:allocation`.
pub(crate) const ALLOCATION_ID: u32 = 1;

/// What a request begins with.
pub(crate) const REQUEST_MAGIC: u32 = 0x2560_9513;
/// What a simple reply begins with.
pub(crate) const SIMPLE_MAGIC: u32 = 0x6744_6698;
const CHUNK_MAGIC: u32 = 0x668e_33ef;
const CHUNK_DONE: u16 = 1;

/// What a command's flags say, as bits.
pub(crate) mod command_flag {
    /// Durable before the reply.
    pub(crate) const FUA: u16 = 1 << 0;
    /// Zeroes must be allocated.
    pub(crate) const NO_HOLE: u16 = 1 << 1;
    /// A read in one chunk.
    pub(crate) const DF: u16 = 1 << 2;
    /// One extent is enough.
    pub(crate) const REQ_ONE: u16 = 1 << 3;
    /// Zeroes, but only if that is quicker than writing them.
    pub(crate) const FAST_ZERO: u16 = 1 << 4;
}

/// What a client is told about an export, as bits.
pub(crate) mod export_flag {
    /// The others mean something.
    pub(crate) const HAS_FLAGS: u16 = 1 << 0;
    /// Writes are refused.
    pub(crate) const READ_ONLY: u16 = 1 << 1;
    /// Flushes are understood.
    pub(crate) const SEND_FLUSH: u16 = 1 << 2;
    /// The flag FUA is understood.
    pub(crate) const SEND_FUA: u16 = 1 << 3;
    /// Trims are understood.
    pub(crate) const SEND_TRIM: u16 = 1 << 5;
    /// Writing zeroes is understood.
    pub(crate) const SEND_WRITE_ZEROES: u16 = 1 << 6;
    /// The flag DF is understood.
    pub(crate) const SEND_DF: u16 = 1 << 7;
    /// A flush covers the writes of all connections.
    pub(crate) const CAN_MULTI_CONN: u16 = 1 << 8;
    /// The flag FAST_ZERO is understood.
    pub(crate) const SEND_FAST_ZERO: u16 = 1 << 11;
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    Read,
    Write,
    Disconnect,
    Flush,
    Trim,
    WriteZeroes,
    BlockStatus,
    /// A command that this server does not offer.
    Other,
}

impl Command {
    fn of(number: u16) -> Self {
        match number {
            0 => Self::Read,
            1 => Self::Write,
            2 => Self::Disconnect,
            3 => Self::Flush,
            4 => Self::Trim,
            6 => Self::WriteZeroes,
            7 => Self::BlockStatus,
            _ => Self::Other,
        }
    }

    /// Whether `flags` has none but those that this command may have.
    pub(crate) fn allows(self, flags: u16) -> bool {
        use command_flag::{DF, FAST_ZERO, FUA, NO_HOLE, REQ_ONE};
        let allowed = match self {
            Self::Read => FUA | DF,
            Self::Write | Self::Disconnect | Self::Flush | Self::Trim => FUA,
            Self::WriteZeroes => FUA | NO_HOLE | FAST_ZERO,
            Self::BlockStatus => FUA | REQ_ONE,
            Self::Other => u16::MAX,
        };
        flags & !allowed == 0
    }
}

/// A request's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Request {
    pub(crate) flags: u16,
    pub(crate) command: Command,
    /// What the client knows the request by; repeated in the reply.
    pub(crate) cookie: u64,
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

impl Request {
    /// Reads a header; `None` where the magic is wrong.
    pub(crate) fn decode(bytes: &[u8; REQUEST_LEN]) -> Option<Self> {
        let [m0, m1, m2, m3, f0, f1, t0, t1, rest @ ..] = *bytes;
        if u32::from_be_bytes([m0, m1, m2, m3]) != REQUEST_MAGIC {
            return None;
        }
        let [
            c0,
            c1,
            c2,
            c3,
            c4,
            c5,
            c6,
            c7,
            o0,
            o1,
            o2,
            o3,
            o4,
            o5,
            o6,
            o7,
            l0,
            l1,
            l2,
            l3,
        ] = rest;
        Some(Self {
            flags: u16::from_be_bytes([f0, f1]),
            command: Command::of(u16::from_be_bytes([t0, t1])),
            cookie: u64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
            offset: u64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
            len: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }

    /// Whether a flag of [`command_flag`] is set.
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Whether the range lies within `size` bytes.
    pub(crate) fn fits(&self, size: u64) -> bool {
        self.offset
            .checked_add(u64::from(self.len))
            .is_some_and(|end| end <= size)
    }
}

/// Why a request failed, in the numbers of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub(crate) enum Errno {
    /// `NBD_EPERM`.
    NotPermitted = 1,
    /// `NBD_EIO`.
    Io = 5,
    /// `NBD_EINVAL`.
    Invalid = 22,
    /// `NBD_ENOSPC`.
    NoSpace = 28,
}

/// Which replies the client understands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReplyStyle {
    /// Only simple ones.
    Simple,
    /// Structured ones too; reads must be answered so.
    Structured,
}

/// A reply's header and, where it has one, the short payload behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    bytes: [u8; 40],
    len: usize,
}

impl Head {
    const EMPTY: Self = Self {
        bytes: [0; 40],
        len: 0,
    };

    fn with(mut self, bytes: &[u8]) -> Self {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
        self
    }

    fn chunk(kind: u16, cookie: u64, len: u32) -> Self {
        Self::EMPTY
            .with(&CHUNK_MAGIC.to_be_bytes())
            .with(&CHUNK_DONE.to_be_bytes())
            .with(&kind.to_be_bytes())
            .with(&cookie.to_be_bytes())
            .with(&len.to_be_bytes())
    }

    /// What is to be sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// A simple reply: done.
    pub(crate) fn done(cookie: u64) -> Self {
        Self::simple(cookie, 0)
    }

    fn simple(cookie: u64, error: u32) -> Self {
        Self::EMPTY
            .with(&SIMPLE_MAGIC.to_be_bytes())
            .with(&error.to_be_bytes())
            .with(&cookie.to_be_bytes())
    }

    /// The reply to a request that failed.
    pub(crate) fn failed(style: ReplyStyle, command: Command, cookie: u64, error: Errno) -> Self {
        match (style, command) {
            (ReplyStyle::Structured, Command::Read | Command::BlockStatus) => {
                Self::chunk(0x8001, cookie, 6)
                    .with(&(error as u32).to_be_bytes())
                    .with(&[0, 0])
            }
            (ReplyStyle::Simple | ReplyStyle::Structured, _) => Self::simple(cookie, error as u32),
        }
    }

    /// What stands before the data of a read.
    pub(crate) fn read(style: ReplyStyle, cookie: u64, offset: u64, len: u32) -> Self {
        match style {
            ReplyStyle::Simple => Self::done(cookie),
            // A chunk of data may not be empty.
            ReplyStyle::Structured if len == 0 => Self::chunk(0, cookie, 0),
            ReplyStyle::Structured => Self::chunk(1, cookie, len + 8).with(&offset.to_be_bytes()),
        }
    }

    /// A structured reply to a read: nothing but zeroes.
    pub(crate) fn hole(cookie: u64, offset: u64, len: u32) -> Self {
        Self::chunk(2, cookie, 12)
            .with(&offset.to_be_bytes())
            .with(&len.to_be_bytes())
    }

    /// What stands before `extents` extents of `base:allocation`.
    pub(crate) fn allocation(cookie: u64, extents: usize) -> Self {
        Self::chunk(5, cookie, 4 + 8 * extents as u32).with(&ALLOCATION_ID.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_the_protocol_writes_them() {
        let mut bytes = [0; REQUEST_LEN];
        bytes[..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
        bytes[5] = 1;
        bytes[7] = 6;
        bytes[15] = 9;
        bytes[23] = 16;
        bytes[27] = 32;
        let request = Request::decode(&bytes).unwrap();
        assert_eq!(
            request,
            Request {
                flags: 1,
                command: Command::WriteZeroes,
                cookie: 9,
                offset: 16,
                len: 32
            }
        );
        assert!(request.fits(48) && !request.fits(47));
        bytes[0] = 0;
        assert_eq!(Request::decode(&bytes), None);
    }

    #[test]
    fn a_range_that_wraps_does_not_fit() {
        let request = Request {
            flags: 0,
            command: Command::Read,
            cookie: 0,
            offset: u64::MAX,
            len: 1,
        };
        assert!(!request.fits(u64::MAX));
    }

    #[test]
    fn replies_have_the_lengths_they_claim() {
        assert_eq!(Head::done(1).bytes().len(), SIMPLE_LEN);
        let read = Head::read(ReplyStyle::Structured, 1, 2, 3);
        assert_eq!(read.bytes().len(), 28);
        assert_eq!(read.bytes()[16..20], 11_u32.to_be_bytes());
        let failed = Head::failed(ReplyStyle::Structured, Command::Read, 1, Errno::Io);
        assert_eq!(failed.bytes().len(), 20 + 6);
        let failed = Head::failed(ReplyStyle::Structured, Command::Write, 1, Errno::NoSpace);
        assert_eq!(failed.bytes()[4..8], 28_u32.to_be_bytes());
        assert_eq!(Head::allocation(1, 2).bytes()[16..20], 20_u32.to_be_bytes());
        assert_eq!(Head::hole(1, 2, 3).bytes().len(), 20 + 12);
    }
}

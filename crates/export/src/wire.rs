//! What goes over the wire once a client has chosen an export: requests in, replies out.

use crate::fields::{BadField, Fields};

/// The most data that one request may carry or ask for, in bytes.
pub(crate) const DATA_MAX: u32 = 64 << 20;
/// How much of its range a cache request reads at most, in bytes.
pub(crate) const CACHE_MAX: u64 = DATA_MAX as u64;
/// The number by which requests and replies name the context `base:allocation`.
pub(crate) const ALLOCATION_ID: u32 = 1;
/// How many bytes the longest [`Head`] has.
pub(crate) const HEAD_MAX: usize = 48;

/// What a compact request begins with.
pub(crate) const REQUEST_MAGIC: u32 = 0x2560_9513;
/// What a simple reply begins with.
pub(crate) const SIMPLE_MAGIC: u32 = 0x6744_6698;
const EXTENDED_REQUEST_MAGIC: u32 = 0x21e4_1c71;
const CHUNK_MAGIC: u32 = 0x668e_33ef;
const EXTENDED_CHUNK_MAGIC: u32 = 0x6e8a_278c;
const CHUNK_DONE: u16 = 1;

const TYPE_NONE: u16 = 0;
const TYPE_DATA: u16 = 1;
const TYPE_HOLE: u16 = 2;
const TYPE_STATUS: u16 = 5;
const TYPE_EXTENDED_STATUS: u16 = 6;
const TYPE_ERROR: u16 = 0x8001;

/// What a command's flags say, as bits.
pub(crate) mod command_flag {
    /// Durable before the reply.
    pub(crate) const FUA: u16 = 1 << 0;
    /// Zeroes must be allocated. In a log every write takes new room, whatever stood there before, so
    /// that allocated zeroes would keep a later write neither from scattering nor from failing: taken,
    /// and without an effect.
    pub(crate) const NO_HOLE: u16 = 1 << 1;
    /// A read in one chunk.
    pub(crate) const DF: u16 = 1 << 2;
    /// One extent is enough.
    pub(crate) const REQ_ONE: u16 = 1 << 3;
    /// Zeroes, but only if that is quicker than writing them.
    pub(crate) const FAST_ZERO: u16 = 1 << 4;
    /// The length is that of a payload behind the header; only with extended headers.
    pub(crate) const PAYLOAD: u16 = 1 << 5;
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
    /// Cache requests are understood.
    pub(crate) const SEND_CACHE: u16 = 1 << 10;
    /// The flag FAST_ZERO is understood.
    pub(crate) const SEND_FAST_ZERO: u16 = 1 << 11;
    /// A request for the state of extents may say which contexts it means.
    pub(crate) const STATUS_PAYLOAD: u16 = 1 << 12;
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    Read,
    Write,
    Disconnect,
    Flush,
    Trim,
    Cache,
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
            5 => Self::Cache,
            6 => Self::WriteZeroes,
            7 => Self::BlockStatus,
            _ => Self::Other,
        }
    }
}

/// Which headers client and server use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReplyStyle {
    /// Compact requests and simple replies.
    Simple,
    /// Compact requests; replies in chunks are understood, and reads must be answered so.
    Structured,
    /// Extended requests, and nothing but extended replies.
    Extended,
}

impl ReplyStyle {
    /// How many bytes a request's header has.
    pub(crate) const fn request_len(self) -> usize {
        match self {
            Self::Simple | Self::Structured => 28,
            Self::Extended => 32,
        }
    }

    /// Whether replies may come in chunks.
    pub(crate) fn has_chunks(self) -> bool {
        self != Self::Simple
    }

    const fn request_magic(self) -> u32 {
        match self {
            Self::Simple | Self::Structured => REQUEST_MAGIC,
            Self::Extended => EXTENDED_REQUEST_MAGIC,
        }
    }
}

/// What a reply repeats of its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tag {
    /// What the client knows the request by.
    pub(crate) cookie: u64,
    /// Where its range begins.
    pub(crate) offset: u64,
}

/// A request's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Request {
    pub(crate) flags: u16,
    pub(crate) command: Command,
    /// What the client knows the request by; repeated in the reply.
    pub(crate) cookie: u64,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Request {
    /// Reads the header in `bytes`; `None` where the magic is wrong.
    pub(crate) fn decode(style: ReplyStyle, bytes: &[u8]) -> Option<Self> {
        Self::fields(style, Fields(bytes)).ok().flatten()
    }

    fn fields(style: ReplyStyle, mut fields: Fields<'_>) -> Result<Option<Self>, BadField> {
        let magic = fields.u32()?;
        let request = Self {
            flags: fields.u16()?,
            command: Command::of(fields.u16()?),
            cookie: fields.u64()?,
            offset: fields.u64()?,
            len: match style {
                ReplyStyle::Simple | ReplyStyle::Structured => u64::from(fields.u32()?),
                ReplyStyle::Extended => fields.u64()?,
            },
        };
        Ok((magic == style.request_magic()).then_some(request))
    }

    /// Whether a flag of [`command_flag`] is set.
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// What the reply repeats.
    pub(crate) fn tag(&self) -> Tag {
        Tag {
            cookie: self.cookie,
            offset: self.offset,
        }
    }

    /// How many bytes follow the header.
    pub(crate) fn payload(&self, style: ReplyStyle) -> u64 {
        let follows = match (style, self.command) {
            // With extended headers, the flag must be set here too; QEMU up to 10.0 leaves it out. No
            // client means anything else by that, so it is understood.
            (_, Command::Write) => true,
            (ReplyStyle::Extended, _) => self.has(command_flag::PAYLOAD),
            (ReplyStyle::Simple | ReplyStyle::Structured, _) => false,
        };
        if follows { self.len } else { 0 }
    }

    /// Whether there are no flags but those that the command may have.
    pub(crate) fn has_fit_flags(&self, style: ReplyStyle) -> bool {
        use command_flag::{DF, FAST_ZERO, FUA, NO_HOLE, PAYLOAD, REQ_ONE};
        let extended = style == ReplyStyle::Extended;
        let allowed = match self.command {
            Command::Read if style.has_chunks() => FUA | DF,
            Command::Write if extended => FUA | PAYLOAD,
            Command::BlockStatus if extended => FUA | REQ_ONE | PAYLOAD,
            Command::Read
            | Command::Write
            | Command::Disconnect
            | Command::Flush
            | Command::Trim
            | Command::Cache => FUA,
            Command::WriteZeroes => FUA | NO_HOLE | FAST_ZERO,
            Command::BlockStatus => FUA | REQ_ONE,
            Command::Other => u16::MAX,
        };
        self.flags & !allowed == 0
    }

    /// Whether the range lies within `size` bytes.
    pub(crate) fn fits(&self, size: u64) -> bool {
        self.offset
            .checked_add(self.len)
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
    /// `NBD_EOVERFLOW`.
    TooLarge = 75,
    /// `NBD_ENOTSUP`.
    NotQuicker = 95,
}

/// A reply's header and, where it has one, the short payload behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    bytes: [u8; HEAD_MAX],
    len: usize,
}

impl Head {
    const EMPTY: Self = Self {
        bytes: [0; HEAD_MAX],
        len: 0,
    };

    fn with(mut self, bytes: &[u8]) -> Self {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
        self
    }

    /// The only chunk of a reply. Whoever has simple replies gets none.
    fn chunk(style: ReplyStyle, kind: u16, tag: Tag, len: u32) -> Self {
        let extended = style == ReplyStyle::Extended;
        let magic = if extended {
            EXTENDED_CHUNK_MAGIC
        } else {
            CHUNK_MAGIC
        };
        let head = Self::EMPTY
            .with(&magic.to_be_bytes())
            .with(&CHUNK_DONE.to_be_bytes())
            .with(&kind.to_be_bytes())
            .with(&tag.cookie.to_be_bytes());
        if extended {
            head.with(&tag.offset.to_be_bytes())
                .with(&u64::from(len).to_be_bytes())
        } else {
            head.with(&len.to_be_bytes())
        }
    }

    fn simple(tag: Tag, error: u32) -> Self {
        Self::EMPTY
            .with(&SIMPLE_MAGIC.to_be_bytes())
            .with(&error.to_be_bytes())
            .with(&tag.cookie.to_be_bytes())
    }

    /// What is to be sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The reply to a request that is done and has no data to be told.
    pub(crate) fn done(style: ReplyStyle, tag: Tag) -> Self {
        match style {
            ReplyStyle::Simple | ReplyStyle::Structured => Self::simple(tag, 0),
            ReplyStyle::Extended => Self::chunk(style, TYPE_NONE, tag, 0),
        }
    }

    /// The reply to a request that failed.
    pub(crate) fn failed(style: ReplyStyle, tag: Tag, error: Errno) -> Self {
        match style {
            ReplyStyle::Simple => Self::simple(tag, error as u32),
            ReplyStyle::Structured | ReplyStyle::Extended => Self::chunk(style, TYPE_ERROR, tag, 6)
                .with(&(error as u32).to_be_bytes())
                .with(&[0, 0]),
        }
    }

    /// What stands before the data of a read.
    pub(crate) fn read(style: ReplyStyle, tag: Tag, len: u32) -> Self {
        match style {
            ReplyStyle::Simple => Self::done(style, tag),
            // A chunk of data may not be empty.
            _ if len == 0 => Self::chunk(style, TYPE_NONE, tag, 0),
            ReplyStyle::Structured | ReplyStyle::Extended => {
                Self::chunk(style, TYPE_DATA, tag, len + 8).with(&tag.offset.to_be_bytes())
            }
        }
    }

    /// A reply in chunks to a read: nothing but zeroes.
    pub(crate) fn hole(style: ReplyStyle, tag: Tag, len: u32) -> Self {
        Self::chunk(style, TYPE_HOLE, tag, 12)
            .with(&tag.offset.to_be_bytes())
            .with(&len.to_be_bytes())
    }

    /// What stands before `extents` extents of `base:allocation`; see [`extent_len`].
    pub(crate) fn status(style: ReplyStyle, tag: Tag, extents: usize) -> Self {
        let (extents, each) = (extents as u32, extent_len(style) as u32);
        match style {
            ReplyStyle::Simple | ReplyStyle::Structured => {
                Self::chunk(style, TYPE_STATUS, tag, 4 + each * extents)
                    .with(&ALLOCATION_ID.to_be_bytes())
            }
            ReplyStyle::Extended => {
                Self::chunk(style, TYPE_EXTENDED_STATUS, tag, 8 + each * extents)
                    .with(&ALLOCATION_ID.to_be_bytes())
                    .with(&extents.to_be_bytes())
            }
        }
    }
}

/// How many bytes an extent has in a reply.
pub(crate) const fn extent_len(style: ReplyStyle) -> usize {
    match style {
        ReplyStyle::Simple | ReplyStyle::Structured => 8,
        ReplyStyle::Extended => 16,
    }
}

#[cfg(test)]
mod tests;

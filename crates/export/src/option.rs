//! What goes over the wire until a client has chosen an export: options in, answers out.

use std::io::{self, Read, Write};

/// How many bytes the data of an option may have.
pub(crate) const OPTION_MAX: u32 = 64 << 10;

/// What the server says first, before its flags.
pub(crate) const GREETING: [u8; 16] = *b"NBDMAGICIHAVEOPT";
/// The flags behind [`GREETING`]: the fixed newstyle handshake, and no zeroes if the client likes.
pub(crate) const SERVER_FLAGS: u16 = 0b11;
/// The client understands the fixed newstyle handshake.
pub(crate) const CLIENT_FIXED_NEWSTYLE: u32 = 1 << 0;
/// The client wants no zeroes behind the answer to `NBD_OPT_EXPORT_NAME`.
pub(crate) const CLIENT_NO_ZEROES: u32 = 1 << 1;

/// `NBD_INFO_EXPORT`.
pub(crate) const INFO_EXPORT: u16 = 0;
/// `NBD_INFO_NAME`.
pub(crate) const INFO_NAME: u16 = 1;
/// `NBD_INFO_DESCRIPTION`.
pub(crate) const INFO_DESCRIPTION: u16 = 2;
/// `NBD_INFO_BLOCK_SIZE`.
pub(crate) const INFO_BLOCK_SIZE: u16 = 3;

/// What an option begins with.
pub(crate) const OPTION_MAGIC: [u8; 8] = *b"IHAVEOPT";
const ANSWER_MAGIC: u64 = 0x0003_e889_0455_65a9;

/// What a client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OptionKind {
    ExportName,
    Abort,
    List,
    Info,
    Go,
    StartTls,
    StructuredReply,
    ListMetaContext,
    SetMetaContext,
    ExtendedHeaders,
    /// An option that this server does not offer.
    Other,
}

impl OptionKind {
    fn of(number: u32) -> Self {
        match number {
            1 => Self::ExportName,
            2 => Self::Abort,
            3 => Self::List,
            5 => Self::StartTls,
            6 => Self::Info,
            7 => Self::Go,
            8 => Self::StructuredReply,
            9 => Self::ListMetaContext,
            10 => Self::SetMetaContext,
            11 => Self::ExtendedHeaders,
            _ => Self::Other,
        }
    }
}

/// An option's header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionHeader {
    /// As the client wrote it; repeated in the answers.
    pub(crate) number: u32,
    pub(crate) kind: OptionKind,
    /// How many bytes of data follow.
    pub(crate) len: u32,
}

impl OptionHeader {
    /// Reads a header; `None` where the magic is wrong.
    pub(crate) fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = [0; 16];
        stream.read_exact(&mut bytes)?;
        let [magic @ .., n0, n1, n2, n3, l0, l1, l2, l3] = bytes;
        let number = u32::from_be_bytes([n0, n1, n2, n3]);
        let len = u32::from_be_bytes([l0, l1, l2, l3]);
        Ok((magic == OPTION_MAGIC).then(|| Self {
            number,
            kind: OptionKind::of(number),
            len,
        }))
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub(crate) enum Answer {
    /// Done.
    Ack = 1,
    /// The name of an export.
    Server = 2,
    /// Something about an export.
    Info = 3,
    /// A metadata context.
    MetaContext = 4,
    /// The option is not offered.
    Unsupported = 0x8000_0001,
    /// The option is offered elsewhere, but not here.
    Policy = 0x8000_0002,
    /// The option's data makes no sense, or it comes at the wrong time.
    Invalid = 0x8000_0003,
    /// Nothing is said before there is TLS.
    TlsRequired = 0x8000_0005,
    /// There is no such export.
    Unknown = 0x8000_0006,
    /// The option's data is too long.
    TooBig = 0x8000_0009,
    /// There is no way back from extended headers.
    ExtendedHeaders = 0x8000_000a,
}

/// Writes one answer to the option `number`.
pub(crate) fn answer(
    stream: &mut impl Write,
    number: u32,
    answer: Answer,
    data: &[u8],
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(20 + data.len());
    bytes.extend(ANSWER_MAGIC.to_be_bytes());
    bytes.extend(number.to_be_bytes());
    bytes.extend((answer as u32).to_be_bytes());
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(data);
    stream.write_all(&bytes)
}

//! The handshake: what client and server agree on before the first request.

use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::connection::Terms;
use crate::option::{
    Answer, BadField, CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, Fields, GREETING, INFO_BLOCK_SIZE,
    INFO_EXPORT, INFO_NAME, OPTION_MAX, OptionHeader, OptionKind, SERVER_FLAGS, answer, name,
};
use crate::registry::{Export, Registry};
use crate::wire::{ALLOCATION_ID, DATA_MAX, ReplyStyle, export_flag};

/// How many options a client may try.
const OPTIONS_MAX: usize = 1000;
/// Up to this length, data that is too long is read and refused; beyond it the client is dropped.
const SKIP_MAX: u32 = 1 << 20;
/// The size of the requests that clients should prefer, in bytes.
const PREFERRED_BLOCK: u32 = 4 << 10;
/// The one metadata context there is.
const ALLOCATION: &str = "base:allocation";

/// Why there will be no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The client has said that it leaves.
    #[error("the client left")]
    Left,
    /// The connection broke, or the client took too long.
    #[error("the connection broke: {0}")]
    Lost(#[from] io::Error),
    /// The client sent what the protocol does not allow.
    #[error("the client sent {0}")]
    Misbehaved(&'static str),
    /// There is no such export, and the client's way of asking allows no answer.
    #[error("no such export")]
    Unknown,
}

/// What was agreed.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) export: Arc<Export>,
    pub(crate) terms: Terms,
}

/// Haggles with a client until it has chosen an export.
pub(crate) fn negotiate<S: Read + Write>(
    stream: &mut S,
    registry: &Registry,
) -> Result<Agreed, Refusal> {
    let mut greeting = [0; 18];
    greeting[..16].copy_from_slice(&GREETING);
    greeting[16..].copy_from_slice(&SERVER_FLAGS.to_be_bytes());
    stream.write_all(&greeting)?;
    let mut flags = [0; 4];
    stream.read_exact(&mut flags)?;
    let flags = u32::from_be_bytes(flags);
    if flags & !(CLIENT_FIXED_NEWSTYLE | CLIENT_NO_ZEROES) != 0 {
        return Err(Refusal::Misbehaved("flags that mean nothing"));
    }
    let no_zeroes = flags & CLIENT_NO_ZEROES != 0;
    let mut haggler = Haggler {
        stream,
        registry,
        no_zeroes,
        style: ReplyStyle::Simple,
        allocation: None,
    };
    for _ in 0..OPTIONS_MAX {
        if let Some(agreed) = haggler.option()? {
            return Ok(agreed);
        }
    }
    Err(Refusal::Misbehaved("too many options"))
}

struct Haggler<'a, S> {
    stream: &'a mut S,
    registry: &'a Registry,
    no_zeroes: bool,
    style: ReplyStyle,
    /// The export for which the client has chosen `base:allocation`.
    allocation: Option<Arc<Export>>,
}

/// What an option led to, short of a broken connection.
enum Outcome {
    Answered,
    Agreed(Agreed),
    Error(Answer),
}

impl From<BadField> for Outcome {
    fn from(bad: BadField) -> Self {
        Self::Error(match bad {
            BadField::Invalid => Answer::Invalid,
            BadField::TooBig => Answer::TooBig,
        })
    }
}

impl<S: Read + Write> Haggler<'_, S> {
    fn option(&mut self) -> Result<Option<Agreed>, Refusal> {
        let Some(header) = OptionHeader::read(self.stream)? else {
            return Err(Refusal::Misbehaved("something that is not an option"));
        };
        if header.len > OPTION_MAX {
            self.skip(header)?;
            return Ok(None);
        }
        let mut data = vec![0; header.len as usize];
        self.stream.read_exact(&mut data)?;
        let outcome = match header.kind {
            OptionKind::ExportName => return self.export_name(&data).map(Some),
            OptionKind::Abort => {
                // The client may be gone already.
                let _ = answer(self.stream, header.number, Answer::Ack, &[]);
                return Err(Refusal::Left);
            }
            OptionKind::List => self.list(header, &data)?,
            OptionKind::Info | OptionKind::Go => self.describe(header, &data)?,
            OptionKind::StructuredReply if data.is_empty() => {
                self.style = ReplyStyle::Structured;
                self.acknowledge(header)?
            }
            OptionKind::StructuredReply => Outcome::Error(Answer::Invalid),
            OptionKind::ListMetaContext | OptionKind::SetMetaContext => {
                self.meta_context(header, &data)?
            }
            OptionKind::Other => Outcome::Error(Answer::Unsupported),
        };
        match outcome {
            Outcome::Answered => Ok(None),
            Outcome::Agreed(agreed) => Ok(Some(agreed)),
            Outcome::Error(error) => {
                answer(self.stream, header.number, error, &[])?;
                Ok(None)
            }
        }
    }

    fn skip(&mut self, header: OptionHeader) -> Result<(), Refusal> {
        if header.len > SKIP_MAX || header.kind == OptionKind::ExportName {
            return Err(Refusal::Misbehaved("an option that is too long"));
        }
        let len = u64::from(header.len);
        let skipped = io::copy(&mut Read::take(&mut *self.stream, len), &mut io::sink())?;
        if skipped < len {
            return Err(Refusal::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(answer(self.stream, header.number, Answer::TooBig, &[])?)
    }

    fn acknowledge(&mut self, header: OptionHeader) -> Result<Outcome, Refusal> {
        answer(self.stream, header.number, Answer::Ack, &[])?;
        Ok(Outcome::Answered)
    }

    /// The old way to choose: no answer but the export, or the end.
    fn export_name(&mut self, data: &[u8]) -> Result<Agreed, Refusal> {
        let name = name(data).map_err(|_| Refusal::Misbehaved("a name that is none"))?;
        let (_, export) = self.registry.find(name).ok_or(Refusal::Unknown)?;
        let (size, flags) = self.terms_of(&export);
        let mut bytes = Vec::with_capacity(134);
        bytes.extend(size.to_be_bytes());
        bytes.extend(flags.to_be_bytes());
        if !self.no_zeroes {
            bytes.resize(bytes.len() + 124, 0);
        }
        self.stream.write_all(&bytes)?;
        Ok(self.agree(export, flags))
    }

    fn terms_of(&self, export: &Export) -> (u64, u16) {
        export.describe(self.style == ReplyStyle::Structured)
    }

    fn agree(&self, export: Arc<Export>, flags: u16) -> Agreed {
        let chosen = self.allocation.as_ref();
        let terms = Terms {
            style: self.style,
            read_only: flags & export_flag::READ_ONLY != 0,
            // It counts for the export that it was chosen for.
            allocation: chosen.is_some_and(|chosen| Arc::ptr_eq(chosen, &export)),
        };
        Agreed { export, terms }
    }

    fn list(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        if !data.is_empty() {
            return Ok(Outcome::Error(Answer::Invalid));
        }
        for name in self.registry.names() {
            let mut bytes = Vec::with_capacity(4 + name.len());
            push_text(&mut bytes, &name);
            answer(self.stream, header.number, Answer::Server, &bytes)?;
        }
        self.acknowledge(header)
    }

    fn describe(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        let (name, wanted) = match parse_describe(data) {
            Ok(parsed) => parsed,
            Err(bad) => return Ok(bad.into()),
        };
        let Some((full_name, export)) = self.registry.find(name) else {
            return Ok(Outcome::Error(Answer::Unknown));
        };
        let (size, flags) = self.terms_of(&export);
        let mut info = Vec::with_capacity(12);
        info.extend(INFO_EXPORT.to_be_bytes());
        info.extend(size.to_be_bytes());
        info.extend(flags.to_be_bytes());
        answer(self.stream, header.number, Answer::Info, &info)?;
        if wanted.contains(&INFO_NAME) {
            info.clear();
            info.extend(INFO_NAME.to_be_bytes());
            info.extend(full_name.as_bytes());
            answer(self.stream, header.number, Answer::Info, &info)?;
        }
        if wanted.contains(&INFO_BLOCK_SIZE) {
            info.clear();
            info.extend(INFO_BLOCK_SIZE.to_be_bytes());
            for size in [1, PREFERRED_BLOCK, DATA_MAX] {
                info.extend(u32::to_be_bytes(size));
            }
            answer(self.stream, header.number, Answer::Info, &info)?;
        }
        let answered = self.acknowledge(header)?;
        if header.kind == OptionKind::Go {
            return Ok(Outcome::Agreed(self.agree(export, flags)));
        }
        Ok(answered)
    }

    fn meta_context(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        let set = header.kind == OptionKind::SetMetaContext;
        if set {
            self.allocation = None;
        }
        if self.style == ReplyStyle::Simple {
            return Ok(Outcome::Error(Answer::Invalid));
        }
        let (name, offered) = match parse_meta_context(data, set) {
            Ok(parsed) => parsed,
            Err(bad) => return Ok(bad.into()),
        };
        let Some((_, export)) = self.registry.find(name) else {
            return Ok(Outcome::Error(Answer::Unknown));
        };
        if offered {
            let mut bytes = ALLOCATION_ID.to_be_bytes().to_vec();
            bytes.extend(ALLOCATION.as_bytes());
            answer(self.stream, header.number, Answer::MetaContext, &bytes)?;
            if set {
                self.allocation = Some(export);
            }
        }
        self.acknowledge(header)
    }
}

/// The name of an export, and what the client wants to know of it.
fn parse_describe(data: &[u8]) -> Result<(&str, Vec<u16>), BadField> {
    let mut fields = Fields(data);
    let name = fields.text()?;
    let count = fields.u16()?;
    let wanted = (0..count).map(|_| fields.u16()).collect::<Result<_, _>>()?;
    fields.end()?;
    Ok((name, wanted))
}

/// The name of an export, and whether the queries ask for `base:allocation`.
fn parse_meta_context(data: &[u8], set: bool) -> Result<(&str, bool), BadField> {
    let mut fields = Fields(data);
    let name = fields.text()?;
    let count = fields.u32()?;
    // To ask for nothing lists everything, and chooses nothing.
    let mut asked = count == 0 && !set;
    for _ in 0..count {
        let query = fields.text()?;
        asked |= query == ALLOCATION || (query == "base:" && !set);
    }
    fields.end()?;
    Ok((name, asked))
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests;

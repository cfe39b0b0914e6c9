//! The handshake: what client and server agree on before the first request.

use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::connection::Terms;
use crate::fields::{BadField, Fields, name};
use crate::option::{
    Answer, CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, GREETING, INFO_BLOCK_SIZE, INFO_DESCRIPTION,
    INFO_EXPORT, INFO_NAME, OPTION_MAX, OptionHeader, OptionKind, SERVER_FLAGS, answer,
};
use crate::registry::{Export, Registry};
use crate::tls::TlsMode;
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
    /// The client wants no TLS, and its way of asking allows no answer.
    #[error("the client wants no TLS")]
    Plain,
}

/// What was agreed.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) export: Arc<Export>,
    pub(crate) terms: Terms,
}

/// A connection that can turn to TLS.
pub(crate) trait Stream: Read + Write {
    /// Does the TLS handshake; everything goes through TLS from then on.
    fn start_tls(&mut self) -> io::Result<()>;
}

/// Haggles with a client until it has chosen an export.
pub(crate) fn negotiate<S: Stream>(
    stream: &mut S,
    registry: &Registry,
    mode: TlsMode,
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
    let mut haggler = Haggler {
        stream,
        registry,
        mode,
        encrypted: false,
        fixed: flags & CLIENT_FIXED_NEWSTYLE != 0,
        no_zeroes: flags & CLIENT_NO_ZEROES != 0,
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
    mode: TlsMode,
    encrypted: bool,
    /// The client understands answers to options.
    fixed: bool,
    no_zeroes: bool,
    style: ReplyStyle,
    /// The export for which the client has chosen `base:allocation`.
    allocation: Option<Arc<Export>>,
}

/// What an option led to, short of a broken connection.
enum Outcome {
    Answered,
    Agreed(Agreed),
    /// An error, and what people are told about it.
    Error(Answer, &'static str),
}

impl From<BadField> for Outcome {
    fn from(bad: BadField) -> Self {
        match bad {
            BadField::Invalid => Self::Error(Answer::Invalid, "the option's data makes no sense"),
            BadField::TooBig => Self::Error(Answer::TooBig, "a name is too long"),
        }
    }
}

impl<S: Stream> Haggler<'_, S> {
    fn option(&mut self) -> Result<Option<Agreed>, Refusal> {
        let Some(header) = OptionHeader::read(self.stream)? else {
            return Err(Refusal::Misbehaved("something that is not an option"));
        };
        if !self.fixed && header.kind != OptionKind::ExportName {
            return Err(Refusal::Misbehaved(
                "an option whose answer it does not know",
            ));
        }
        if header.kind == OptionKind::SetMetaContext {
            // What was chosen before is gone, even where this fails.
            self.allocation = None;
        }
        let outcome = if header.len > OPTION_MAX {
            self.skip(header)?
        } else {
            let mut data = vec![0; header.len as usize];
            self.stream.read_exact(&mut data)?;
            self.perform(header, &data)?
        };
        match outcome {
            Outcome::Answered => Ok(None),
            Outcome::Agreed(agreed) => Ok(Some(agreed)),
            Outcome::Error(error, why) => {
                let error = if self.lacks_tls(header.kind) {
                    Answer::TlsRequired
                } else {
                    error
                };
                answer(self.stream, header.number, error, why.as_bytes())?;
                Ok(None)
            }
        }
    }

    /// Whether nothing is said about an option before there is TLS.
    fn lacks_tls(&self, kind: OptionKind) -> bool {
        self.mode == TlsMode::Required
            && !self.encrypted
            && !matches!(kind, OptionKind::StartTls | OptionKind::Abort)
    }

    fn perform(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        if self.lacks_tls(header.kind) && header.kind != OptionKind::ExportName {
            return Ok(Outcome::Error(
                Answer::TlsRequired,
                "this server asks for TLS first",
            ));
        }
        match header.kind {
            OptionKind::ExportName => self.export_name(data).map(Outcome::Agreed),
            OptionKind::Abort => {
                // The client may be gone already.
                let _ = answer(self.stream, header.number, Answer::Ack, &[]);
                Err(Refusal::Left)
            }
            OptionKind::List => self.list(header, data),
            OptionKind::StartTls => self.start_tls(header, data),
            OptionKind::Info | OptionKind::Go => self.describe(header, data),
            OptionKind::StructuredReply | OptionKind::ExtendedHeaders => {
                self.choose_style(header, data)
            }
            OptionKind::ListMetaContext | OptionKind::SetMetaContext => {
                self.meta_context(header, data)
            }
            OptionKind::Other => Ok(Outcome::Error(
                Answer::Unsupported,
                "this option is not offered",
            )),
        }
    }

    fn skip(&mut self, header: OptionHeader) -> Result<Outcome, Refusal> {
        if header.len > SKIP_MAX || header.kind == OptionKind::ExportName {
            return Err(Refusal::Misbehaved("an option that is too long"));
        }
        let len = u64::from(header.len);
        let skipped = io::copy(&mut Read::take(&mut *self.stream, len), &mut io::sink())?;
        if skipped < len {
            return Err(Refusal::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Outcome::Error(
            Answer::TooBig,
            "the option's data is too long",
        ))
    }

    fn acknowledge(&mut self, header: OptionHeader) -> Result<Outcome, Refusal> {
        answer(self.stream, header.number, Answer::Ack, &[])?;
        Ok(Outcome::Answered)
    }

    fn start_tls(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        if self.mode == TlsMode::Off {
            return Ok(Outcome::Error(Answer::Policy, "TLS is not configured here"));
        }
        if self.encrypted || !data.is_empty() {
            return Ok(Outcome::Error(
                Answer::Invalid,
                "TLS starts once, and without data",
            ));
        }
        self.acknowledge(header)?;
        self.stream.start_tls()?;
        self.encrypted = true;
        // Whoever stood between both may have chosen these.
        self.style = ReplyStyle::Simple;
        self.allocation = None;
        Ok(Outcome::Answered)
    }

    fn choose_style(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        let extended = self.style == ReplyStyle::Extended;
        if !data.is_empty() {
            return Ok(BadField::Invalid.into());
        }
        if header.kind == OptionKind::ExtendedHeaders {
            if extended {
                return Ok(Outcome::Error(
                    Answer::Invalid,
                    "the headers are extended already",
                ));
            }
            self.style = ReplyStyle::Extended;
        } else {
            if extended {
                return Ok(Outcome::Error(
                    Answer::ExtendedHeaders,
                    "there is no way back from extended headers",
                ));
            }
            self.style = ReplyStyle::Structured;
        }
        self.acknowledge(header)
    }

    /// The old way to choose: no answer but the export, or the end.
    fn export_name(&mut self, data: &[u8]) -> Result<Agreed, Refusal> {
        if self.lacks_tls(OptionKind::ExportName) {
            return Err(Refusal::Plain);
        }
        if self.style == ReplyStyle::Extended {
            return Err(Refusal::Misbehaved("the old option with the new headers"));
        }
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

    fn terms_of(&self, export: &Arc<Export>) -> (u64, u16) {
        export.describe(self.style, self.has_context(export))
    }

    /// Whether `base:allocation` was chosen; that counts for the export that it was chosen for.
    fn has_context(&self, export: &Arc<Export>) -> bool {
        let chosen = self.allocation.as_ref();
        chosen.is_some_and(|chosen| Arc::ptr_eq(chosen, export))
    }

    fn agree(&self, export: Arc<Export>, flags: u16) -> Agreed {
        let terms = Terms {
            style: self.style,
            read_only: flags & export_flag::READ_ONLY != 0,
            allocation: self.has_context(&export),
        };
        Agreed { export, terms }
    }

    fn list(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        if !data.is_empty() {
            return Ok(BadField::Invalid.into());
        }
        for (name, export) in self.registry.all() {
            let mut bytes = Vec::new();
            push_text(&mut bytes, &name);
            bytes.extend(export.description().as_bytes());
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
            return Ok(Outcome::Error(Answer::Unknown, "there is no such export"));
        };
        let (size, flags) = self.terms_of(&export);
        let mut about = Vec::with_capacity(10);
        about.extend(size.to_be_bytes());
        about.extend(flags.to_be_bytes());
        self.inform(header, INFO_EXPORT, &about)?;
        if wanted.contains(&INFO_NAME) {
            self.inform(header, INFO_NAME, full_name.as_bytes())?;
        }
        if wanted.contains(&INFO_DESCRIPTION) {
            let description = export.description();
            if !description.is_empty() {
                self.inform(header, INFO_DESCRIPTION, description.as_bytes())?;
            }
        }
        if wanted.contains(&INFO_BLOCK_SIZE) {
            let sizes = [1, PREFERRED_BLOCK, DATA_MAX].map(u32::to_be_bytes);
            self.inform(header, INFO_BLOCK_SIZE, sizes.as_flattened())?;
        }
        let answered = self.acknowledge(header)?;
        if header.kind == OptionKind::Go {
            return Ok(Outcome::Agreed(self.agree(export, flags)));
        }
        Ok(answered)
    }

    fn inform(&mut self, header: OptionHeader, kind: u16, about: &[u8]) -> Result<(), Refusal> {
        let info = [&kind.to_be_bytes()[..], about].concat();
        Ok(answer(self.stream, header.number, Answer::Info, &info)?)
    }

    fn meta_context(&mut self, header: OptionHeader, data: &[u8]) -> Result<Outcome, Refusal> {
        let set = header.kind == OptionKind::SetMetaContext;
        if !self.style.has_chunks() {
            return Ok(Outcome::Error(
                Answer::Invalid,
                "contexts need structured replies or extended headers",
            ));
        }
        let (name, offered) = match parse_meta_context(data, set) {
            Ok(parsed) => parsed,
            Err(bad) => return Ok(bad.into()),
        };
        let Some((_, export)) = self.registry.find(name) else {
            return Ok(Outcome::Error(Answer::Unknown, "there is no such export"));
        };
        if offered {
            // Only what was chosen has a number.
            let id = if set { ALLOCATION_ID } else { 0 };
            let context = [&id.to_be_bytes()[..], ALLOCATION.as_bytes()].concat();
            answer(self.stream, header.number, Answer::MetaContext, &context)?;
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

//! What can go wrong with a log.

use std::io;

use firebrick_vocabulary::Sequence;

/// What kind of thing went wrong; callers decide by this.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// The file system or the store is full. Nothing was appended, and the log remains usable.
    NoSpace,
    /// A write or sync failed before: nothing is acknowledged any more until a restart has read what
    /// is really there.
    Poisoned,
    /// The log was closed.
    Closed,
    /// Another process has the store open.
    Locked,
    /// The folder holds no store.
    NotFound,
    /// The folder holds a store already.
    Exists,
    /// The superblock is that of something else.
    Foreign,
    /// The store was written by a newer release.
    NewerVersion {
        /// The version of its format.
        found: u32,
    },
    /// The store was written by an older release, whose format this one does not read.
    OlderVersion {
        /// The version of its format.
        found: u32,
    },
    /// That part of the log has been freed.
    Trimmed {
        /// The first record from which on everything is there.
        oldest: Sequence,
    },
    /// What was durable once is not what is there now.
    Damaged {
        /// The segment; 0 for the superblock.
        segment: u32,
        /// The offset in its file, in bytes.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
    /// What was to be appended breaks a limit of the format (a bug of the caller).
    Invalid(&'static str),
    /// The system refused.
    Io,
}

/// Why something could not be done with a log.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {}", self.reason())]
pub struct Error {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// What the system said, where it was asked.
    pub source: Option<io::Error>,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, doing: &'static str) -> Self {
        Self {
            kind,
            doing,
            source: None,
        }
    }

    /// An error of the system, sorted into its kind.
    pub(crate) fn io(doing: &'static str, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
            _ => ErrorKind::Io,
        };
        Self {
            kind,
            doing,
            source: Some(source),
        }
    }

    /// An error of the system that is [`ErrorKind::Io`] whatever the system says.
    pub(crate) fn refused(doing: &'static str, source: io::Error) -> Self {
        Self {
            source: Some(source),
            ..Self::new(ErrorKind::Io, doing)
        }
    }

    pub(crate) fn damaged(
        doing: &'static str,
        segment: u32,
        offset: u64,
        why: impl Into<String>,
    ) -> Self {
        Self::new(
            ErrorKind::Damaged {
                segment,
                offset,
                why: why.into(),
            },
            doing,
        )
    }

    fn reason(&self) -> String {
        let said = |what: &str| match &self.source {
            Some(source) => format!("{what}: {source}"),
            None => what.to_owned(),
        };
        match &self.kind {
            ErrorKind::NoSpace => said("there is no space left"),
            ErrorKind::Poisoned => said("an earlier write or sync failed; restart the site"),
            ErrorKind::Closed => "the log is closed".to_owned(),
            ErrorKind::Locked => "another process has the store open; stop it first".to_owned(),
            ErrorKind::NotFound => "there is no store here".to_owned(),
            ErrorKind::Exists => "there is a store here already".to_owned(),
            ErrorKind::Foreign => {
                "the superblock is not one of Firebrick's: is this the right folder?".to_owned()
            }
            ErrorKind::NewerVersion { found } => {
                format!(
                    "the store has format {found}, made by a newer release than this one: open it \
                     with that"
                )
            }
            ErrorKind::OlderVersion { found } => format!(
                "the store has format {found}, which this release does not read: make a new store \
                 and copy the images, or open it with the release that made it"
            ),
            ErrorKind::Trimmed { oldest } => {
                format!("the log has been freed up to record {oldest}")
            }
            ErrorKind::Damaged {
                segment: 0, why, ..
            } => {
                format!("the superblock is damaged: {why}")
            }
            ErrorKind::Damaged {
                segment,
                offset,
                why,
            } => {
                format!("segment {segment} is damaged at offset {offset}: {why}")
            }
            ErrorKind::Invalid(why) => (*why).to_owned(),
            ErrorKind::Io => said("the system refused"),
        }
    }
}

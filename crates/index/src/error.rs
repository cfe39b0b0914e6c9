//! What can go wrong with an index.

use std::fmt;
use std::io;

use crate::view::BranchId;

/// What is damaged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Damage {
    /// The file, below everything that can be named.
    File,
    /// One leaf.
    Leaf {
        /// Of which branch.
        branch: BranchId,
        /// Its number: its first block divided by [`crate::LEAF_BLOCKS`].
        leaf: u64,
    },
    /// Where the moved blocks of a segment are.
    Places {
        /// The segment of their names.
        segment: u32,
    },
    /// Work that an earlier commit left to do.
    Job,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file of the index"),
            Self::Leaf { branch, leaf } => write!(f, "leaf {leaf} of branch {branch}"),
            Self::Places { segment } => write!(f, "the list of what moved from segment {segment}"),
            Self::Job => f.write_str("the list of unfinished work"),
        }
    }
}

/// What kind of thing went wrong; callers decide by this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// The folder holds no index.
    NotFound,
    /// The folder holds an index already.
    Exists,
    /// The index was written by a newer release.
    NewerVersion {
        /// The version of its format.
        found: u8,
    },
    /// The index was written by an older release, in a format that is not read any more.
    OlderVersion {
        /// The version of its format.
        found: u8,
    },
    /// What is there is not what was written.
    Damaged(Damage),
    /// The file system is full. Nothing was lost.
    NoSpace,
    /// The system refused.
    Io,
}

/// Why something could not be done with an index.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {}", self.reason())]
pub struct Error {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// What the system or the database said, where it was asked.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, doing: &'static str) -> Self {
        Self {
            kind,
            doing,
            source: None,
        }
    }

    pub(crate) const fn damaged(damage: Damage, doing: &'static str) -> Self {
        Self::new(ErrorKind::Damaged(damage), doing)
    }

    /// An error of the system, sorted into its kind.
    pub(crate) fn io(doing: &'static str, source: io::Error) -> Self {
        Self {
            kind: kind_of(&source),
            doing,
            source: Some(Box::new(source)),
        }
    }

    /// An error of the database, sorted into its kind.
    pub(crate) fn redb(doing: &'static str, source: impl Into<redb::Error>) -> Self {
        let source = source.into();
        let kind = match &source {
            redb::Error::Io(error) => kind_of(error),
            redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_)
            | redb::Error::RepairAborted => ErrorKind::Damaged(Damage::File),
            // The enum is open. What is left are refusals of a database that failed before.
            _ => ErrorKind::Io,
        };
        Self {
            kind,
            doing,
            source: Some(Box::new(source)),
        }
    }

    fn reason(&self) -> String {
        let said = |what: String| match &self.source {
            Some(source) => format!("{what}: {source}"),
            None => what,
        };
        match &self.kind {
            ErrorKind::NotFound => "there is no index here".to_owned(),
            ErrorKind::Exists => "there is an index here already".to_owned(),
            ErrorKind::NewerVersion { found } => {
                format!("the index has format {found}, made by a newer release than this one")
            }
            ErrorKind::OlderVersion { found } => {
                format!("the index has format {found}, which this release does not read")
            }
            ErrorKind::Damaged(what) => said(format!("{what} is damaged")),
            ErrorKind::NoSpace => said("the file system is full".to_owned()),
            ErrorKind::Io => said("the system refused".to_owned()),
        }
    }
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            ErrorKind::Damaged(Damage::File)
        }
        _ => ErrorKind::Io,
    }
}

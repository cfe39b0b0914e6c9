//! Why a site did not do what it was asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, for decisions. Small and stable: the mapping to statuses has no catch-all.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// There is no such image, snapshot or export.
    NotFound,
    /// There is one already, and not as asked.
    Exists,
    /// It is in use: snapshots, exports, connections.
    Busy,
    /// The image is not primary at this site.
    NotPrimary,
    /// The image is a secondary that is not a prefix of its primary (yet).
    Inconsistent,
    /// There are as many as there may be.
    Limit,
    /// The store is full.
    NoSpace,
    /// The request makes no sense (a smaller size, an empty name).
    Invalid,
    /// This kind of site cannot do that.
    Unsupported,
    /// The site does not answer: nothing is known about whether it did it.
    Unreachable,
    /// What was waited for did not happen in time.
    TimedOut,
    /// A disk error or a damaged store.
    Io,
    /// The site's own mistake.
    Internal,
}

/// A failed call: what kind, while doing what, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("{doing}: {why}")]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// The operation and its object, for example `create image volume-…`.
    pub doing: String,
    /// The reason, in words for an operator.
    pub why: String,
}

impl Fault {
    /// A fault of `kind` while `doing`, because `why`.
    pub fn new(kind: FaultKind, doing: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self {
            kind,
            doing: doing.to_string(),
            why: why.to_string(),
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_transient(&self) -> bool {
        match self.kind {
            FaultKind::Unreachable | FaultKind::TimedOut => true,
            FaultKind::NotFound
            | FaultKind::Exists
            | FaultKind::Busy
            | FaultKind::NotPrimary
            | FaultKind::Inconsistent
            | FaultKind::Limit
            | FaultKind::NoSpace
            | FaultKind::Invalid
            | FaultKind::Unsupported
            | FaultKind::Io
            | FaultKind::Internal => false,
        }
    }
}

//! What can go wrong between two sites.

use std::io;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorKind {
    /// The identity cannot be read or made.
    Identity,
    /// The address cannot be listened on or connected to, or the connection broke.
    Connection,
    /// The other side is not who it should be, or speaks something else.
    Protocol,
    /// The other side does not take this site as its peer.
    Refused,
    /// The other store has gone backwards: it lacks what this one has read from it.
    WentBackwards,
    /// This store failed.
    Store,
}

/// Why something did not work between two sites.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Error {
    /// What kind.
    pub kind: ErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// The reason, in words for an operator.
    pub why: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, doing: &'static str, why: impl std::fmt::Display) -> Self {
        Self {
            kind,
            doing,
            why: why.to_string(),
        }
    }

    pub(crate) fn protocol(doing: &'static str, why: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::Protocol, doing, why)
    }

    /// For `map_err`: the connection broke while `doing`.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(ErrorKind::Connection, doing, error)
    }
}

impl From<firebrick_engine::Error> for Error {
    fn from(error: firebrick_engine::Error) -> Self {
        Self::new(ErrorKind::Store, error.doing, error.why)
    }
}

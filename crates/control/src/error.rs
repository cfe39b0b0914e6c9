//! Why a request was refused or failed, in the words that the client shows.

use std::fmt;

use firebrick_backend::{Fault, FaultKind};

/// What went wrong, for decisions; `api` maps each kind to one HTTP status.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorKind {
    /// The named thing does not exist, or not for this project: 404.
    NotFound,
    /// The request makes no sense, or not in this state (Cinder's `InvalidVolume`): 400.
    Invalid,
    /// Somebody else was first, or a name is taken: 409.
    Conflict,
    /// A quota would be exceeded: 413.
    OverQuota,
    /// The project may not do this: 403.
    Forbidden,
    /// A part that is needed does not answer now; the same request may succeed later: 503.
    Unavailable,
    /// Our own mistake, or a broken store: 500. The message is not for the client.
    Internal,
}

/// A refused or failed request.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind.
    pub kind: ErrorKind,
    /// The words for the client, Cinder's own where Cinder has the case.
    pub message: String,
    /// What caused it, for the log.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What this crate's operations return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that tells the client `message`.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            source: None,
        }
    }

    /// The same with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// `Invalid input received: …`, Cinder's `InvalidInput`.
    pub fn invalid_input(reason: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Invalid,
            format_args!("Invalid input received: {reason}"),
        )
    }

    /// `Invalid volume: …`, Cinder's `InvalidVolume`: the volume is not in a state for this.
    pub fn invalid_volume(reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Invalid, format_args!("Invalid volume: {reason}"))
    }

    /// `Invalid snapshot: …`, Cinder's `InvalidSnapshot`.
    pub fn invalid_snapshot(reason: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Invalid,
            format_args!("Invalid snapshot: {reason}"),
        )
    }

    /// `Volume … could not be found.`
    pub fn no_volume(id: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("Volume {id} could not be found."),
        )
    }

    /// `Snapshot … could not be found.`
    pub fn no_snapshot(id: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("Snapshot {id} could not be found."),
        )
    }

    /// `Volume attachment could not be found with filter: attachment_id = ….`
    pub fn no_attachment(id: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("Volume attachment could not be found with filter: attachment_id = {id}."),
        )
    }

    /// `Volume type … could not be found.`
    pub fn no_type(id: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("Volume type {id} could not be found."),
        )
    }

    /// `No such QoS spec ….`
    pub fn no_qos(id: impl fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format_args!("No such QoS spec {id}."))
    }

    /// `Activity … could not be found.`
    pub fn no_activity(id: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("Activity {id} could not be found."),
        )
    }

    /// `Message … could not be found.`
    pub fn no_message(id: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("Message {id} could not be found."),
        )
    }

    /// `Service … could not be found on host ….`
    pub fn no_service(binary: impl fmt::Display, host: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("Service {binary} could not be found on host {host}."),
        )
    }

    /// `… changed while this request was looking at it.`: a compare-and-set was lost, and nothing has
    /// happened. 409, as the same request may fit the new state.
    pub fn lost(what: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Conflict,
            format_args!("{what} changed while this request was looking at it."),
        )
    }

    /// Our own mistake while `doing`.
    pub fn internal(
        doing: impl fmt::Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(ErrorKind::Internal, doing).because(source)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Unreachable
            | FaultKind::TimedOut
            | FaultKind::Inconsistent
            | FaultKind::Limit
            | FaultKind::NoSpace => ErrorKind::Unavailable,
            FaultKind::NotFound | FaultKind::Invalid | FaultKind::Unsupported => ErrorKind::Invalid,
            FaultKind::Exists | FaultKind::Busy | FaultKind::NotPrimary => ErrorKind::Conflict,
            FaultKind::Io | FaultKind::Internal => ErrorKind::Internal,
        };
        Self::new(
            kind,
            format_args!("Bad or unexpected response from the storage volume backend API: {fault}"),
        )
        .because(fault)
    }
}

impl From<firebrick_db::Error> for Error {
    fn from(error: firebrick_db::Error) -> Self {
        let kind = match error.kind {
            firebrick_db::ErrorKind::Unavailable => ErrorKind::Unavailable,
            firebrick_db::ErrorKind::Exists => ErrorKind::Conflict,
            firebrick_db::ErrorKind::Text => ErrorKind::Invalid,
            firebrick_db::ErrorKind::Address
            | firebrick_db::ErrorKind::Damaged
            | firebrick_db::ErrorKind::NewerSchema
            | firebrick_db::ErrorKind::Failed => ErrorKind::Internal,
        };
        let message = if error.kind == firebrick_db::ErrorKind::Text {
            "Invalid input received: a text contains a NUL."
        } else {
            "The database did not do what it was asked."
        };
        Self::new(kind, message).because(error)
    }
}

//! Why something failed: for the operator, and for the user.

use std::fmt;

use firebrick_backend::{Fault, FaultKind};
use firebrick_state::MessageDetail;

/// Why something failed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Why {
    /// For the log and the activity: may name hosts.
    text: String,
    /// For the user; `None` is what usually is wrong with the kind of activity.
    detail: Option<MessageDetail>,
    /// What the user is told besides. Names no host.
    note: Option<String>,
}

impl Why {
    /// A user wanted it to end.
    pub(crate) fn cancelled() -> Self {
        Self::from("it was cancelled").detail(MessageDetail::Cancelled)
    }

    /// The same, with what the user is told.
    pub(crate) fn detail(self, detail: MessageDetail) -> Self {
        Self {
            detail: Some(detail),
            ..self
        }
    }

    /// Whether the user is told just that.
    pub(crate) fn is(&self, detail: MessageDetail) -> bool {
        self.detail == Some(detail)
    }

    /// What the user is told, where that is not what `usually` is wrong.
    pub(crate) fn detail_or(&self, usually: MessageDetail) -> MessageDetail {
        self.detail.unwrap_or(usually)
    }

    /// The same, with what the user is told besides: `note` names no host.
    pub(crate) fn noting(self, note: impl Into<String>) -> Self {
        Self {
            note: Some(note.into()),
            ..self
        }
    }

    /// What the user is told besides.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<String> for Why {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

impl From<&str> for Why {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Self {
        Self::from(&fault)
    }
}

impl From<&Fault> for Why {
    fn from(fault: &Fault) -> Self {
        let why = Self::from(fault.to_string());
        match fault.kind {
            FaultKind::Unreachable | FaultKind::TimedOut => {
                why.detail(MessageDetail::SiteUnreachable)
            }
            FaultKind::NoSpace => why.detail(MessageDetail::NoSpace),
            FaultKind::Inconsistent => why.detail(MessageDetail::NotCaughtUp),
            FaultKind::NotFound
            | FaultKind::Limit
            | FaultKind::Invalid
            | FaultKind::Unsupported
            | FaultKind::Exists
            | FaultKind::Busy
            | FaultKind::NotPrimary
            | FaultKind::Io
            | FaultKind::Internal => why,
        }
    }
}

//! What all stories have in common: how a step fails, and what that means.

use firebrick_backend::Fault;
use firebrick_db::Swapped;
use firebrick_state::MessageDetail;
use tracing::info;

use crate::error::{Error, ErrorKind};
use crate::home::may_pass;
use crate::why::Why;

/// Why a story did not reach its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It may work later; it begins again, as every step may run twice.
    Later(Why),
    /// As [`Self::Later`], however often it takes: giving up would be worse.
    Always(Why),
    /// It will never work: what was done is undone.
    Never(Why),
    /// The activity belongs to somebody else now: hands off.
    Lost,
}

/// What a step returns.
pub(crate) type Step<T = ()> = std::result::Result<T, Stop>;

impl Stop {
    /// It may work later.
    pub(crate) fn later(why: impl Into<Why>) -> Self {
        Self::Later(why.into())
    }

    /// It is tried until it works.
    pub(crate) fn always(why: impl Into<Why>) -> Self {
        Self::Always(why.into())
    }

    /// It will never work.
    pub(crate) fn never(why: impl Into<Why>) -> Self {
        Self::Never(why.into())
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        if may_pass(&fault) {
            Self::later(fault)
        } else {
            Self::never(fault)
        }
    }
}

impl From<firebrick_db::Error> for Stop {
    fn from(error: firebrick_db::Error) -> Self {
        // Nothing is known to have failed but the database: success and undoing need it equally.
        Self::always(error.to_string())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let text = match &error.source {
            Some(source) => format!("{error} ({source})"),
            None => error.to_string(),
        };
        match error.kind {
            ErrorKind::Unavailable => Self::later(text),
            ErrorKind::Internal => Self::always(text),
            ErrorKind::OverQuota => Self::never(Why::from(text).detail(MessageDetail::QuotaExceed)),
            ErrorKind::NotFound
            | ErrorKind::Invalid
            | ErrorKind::Conflict
            | ErrorKind::Forbidden => Self::never(text),
        }
    }
}

/// What a story did to a row counts only where the row still was as the story found it: an operator
/// may have said something else meanwhile, or the row may be gone. The story ends all the same.
pub(crate) fn noted(swapped: Swapped, what: impl std::fmt::Display) {
    match swapped {
        Swapped::Won => {}
        Swapped::Lost => info!(%what, "it changed its status while an activity was at work"),
    }
}

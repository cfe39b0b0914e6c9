//! What the engine's errors mean to the control plane: here and nowhere else.

use firebrick_backend::{Fault, FaultKind, Reason};
use firebrick_engine::{Error, ErrorKind, Refusal};

/// The fault that the control plane is told for an error of the engine.
pub(super) fn fault(error: &Error) -> Fault {
    Fault::new(fault_kind(error.kind), error.doing, &error.why)
}

const fn fault_kind(kind: ErrorKind) -> FaultKind {
    match kind {
        ErrorKind::NotFound => FaultKind::NotFound,
        ErrorKind::Exists => FaultKind::Exists,
        ErrorKind::Busy => FaultKind::Busy,
        ErrorKind::NotPrimary => FaultKind::NotPrimary,
        // The fence is lifted by itself: the same call succeeds a moment later.
        ErrorKind::Fenced => FaultKind::TimedOut,
        ErrorKind::Inconsistent => FaultKind::Inconsistent,
        ErrorKind::OutOfRange | ErrorKind::Invalid => FaultKind::Invalid,
        ErrorKind::Limit => FaultKind::Limit,
        ErrorKind::NoSpace => FaultKind::NoSpace,
        ErrorKind::Poisoned
        | ErrorKind::Damaged
        | ErrorKind::NoIndex
        | ErrorKind::DamagedIndex
        | ErrorKind::Io => FaultKind::Io,
        // The site is on its way down or up.
        ErrorKind::Closed | ErrorKind::Locked => FaultKind::Unreachable,
    }
}

/// Why one image was not promoted, in the words of the trait.
pub(super) const fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::NotFound => Reason::NotFound,
        Refusal::Inconsistent => Reason::Inconsistent,
        Refusal::NotDemoted => Reason::NotDemoted,
        Refusal::NoMirrorSnapshot => Reason::NoMirrorSnapshot,
    }
}

/// Makes a call that removes succeed where there is nothing to remove.
pub(super) fn gone_is_fine(result: Result<(), Fault>) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        result => result,
    }
}

/// Does what may block on a thread of its own.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Fault> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Fault::new(FaultKind::Internal, "wait for a thread", error)),
    }
}

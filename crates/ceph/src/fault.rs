//! What goes wrong at a cluster, in the words of the trait.

use std::fmt::Display;

use firebrick_backend::{Fault, FaultKind};

use crate::ffi::Errno;

/// The fault of a call that failed so.
pub(crate) fn fault(error: Errno, doing: impl Display) -> Fault {
    let kind = match error.0 {
        libc::ENOENT => FaultKind::NotFound,
        libc::EEXIST => FaultKind::Exists,
        libc::EBUSY | libc::ENOTEMPTY => FaultKind::Busy,
        libc::EROFS => FaultKind::NotPrimary,
        libc::ENOSPC | libc::EDQUOT => FaultKind::NoSpace,
        libc::EINVAL | libc::ERANGE | libc::ENAMETOOLONG | libc::EDOM => FaultKind::Invalid,
        libc::EOPNOTSUPP | libc::ENOSYS => FaultKind::Unsupported,
        // The last one is how a cluster says that it has shut this client out.
        libc::ENOTCONN | libc::ECONNREFUSED | libc::ECONNRESET | libc::ESHUTDOWN | libc::EACCES => {
            FaultKind::Unreachable
        }
        libc::ETIMEDOUT | libc::ECANCELED => FaultKind::TimedOut,
        libc::EIO | libc::EILSEQ | libc::EBADMSG => FaultKind::Io,
        libc::E2BIG => FaultKind::Limit,
        _ => FaultKind::Internal,
    };
    Fault::new(kind, doing, error)
}

/// What failed, as a fault.
pub(crate) trait Doing<T> {
    /// The fault that says what was being done.
    fn doing(self, what: impl Display) -> Result<T, Fault>;
}

impl<T> Doing<T> for Result<T, Errno> {
    fn doing(self, what: impl Display) -> Result<T, Fault> {
        self.map_err(|error| fault(error, what))
    }
}

/// What is gone already is as good as removed.
pub(crate) fn gone_is_fine(result: Result<(), Fault>) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        result => result,
    }
}

//! Failures in the words and with the exit status of the `rbd` tool.

use firebrick_backend::{Fault, FaultKind};

use crate::exit::Failure;

pub(super) const EPERM: u8 = 1;
pub(super) const ENOENT: u8 = 2;
pub(super) const EINTR: u8 = 4;
pub(super) const EIO: u8 = 5;
pub(super) const EAGAIN: u8 = 11;
pub(super) const EBUSY: u8 = 16;
pub(super) const EEXIST: u8 = 17;
pub(super) const EINVAL: u8 = 22;
pub(super) const ENOSPC: u8 = 28;
pub(super) const EROFS: u8 = 30;
pub(super) const EMLINK: u8 = 31;
pub(super) const ERANGE: u8 = 34;
pub(super) const ENOTEMPTY: u8 = 39;
pub(super) const EBADMSG: u8 = 74;
pub(super) const EDQUOT: u8 = 122;
pub(super) const EOPNOTSUPP: u8 = 95;
pub(super) const ETIMEDOUT: u8 = 110;
pub(super) const ECONNREFUSED: u8 = 111;

/// The number that the `rbd` tool would end with.
pub(super) const fn errno(kind: FaultKind) -> u8 {
    match kind {
        FaultKind::NotFound => ENOENT,
        FaultKind::Exists => EEXIST,
        FaultKind::Busy => EBUSY,
        FaultKind::NotPrimary => EROFS,
        FaultKind::Inconsistent => EAGAIN,
        FaultKind::Limit => EDQUOT,
        FaultKind::NoSpace => ENOSPC,
        FaultKind::Invalid => EINVAL,
        FaultKind::Unsupported => EOPNOTSUPP,
        FaultKind::Unreachable => ECONNREFUSED,
        FaultKind::TimedOut => ETIMEDOUT,
        FaultKind::Io | FaultKind::Internal => EIO,
    }
}

/// What the C library calls the number.
fn name(errno: u8) -> String {
    let known = match errno {
        ENOENT => "No such file or directory",
        EIO => "Input/output error",
        EAGAIN => "Resource temporarily unavailable",
        EBUSY => "Device or resource busy",
        EEXIST => "File exists",
        EINVAL => "Invalid argument",
        EDQUOT => "Disk quota exceeded",
        ENOSPC => "No space left on device",
        EROFS => "Read-only file system",
        EPERM => "Operation not permitted",
        EMLINK => "Too many links",
        ERANGE => "Numerical result out of range",
        ENOTEMPTY => "Directory not empty",
        EBADMSG => "Bad message",
        EOPNOTSUPP => "Operation not supported",
        ETIMEDOUT => "Connection timed out",
        ECONNREFUSED => "Connection refused",
        _ => return text_of(&std::io::Error::from_raw_os_error(i32::from(errno))),
    };
    known.to_owned()
}

/// A failure with text of its own.
pub(super) fn refuse(errno: u8, text: impl Into<String>) -> Failure {
    Failure::Rbd {
        text: text.into(),
        errno,
    }
}

/// `rbd: DOING: (NUMBER) NAME`
pub(super) fn failed(doing: &str, errno: u8) -> Failure {
    refuse(errno, format!("rbd: {doing}: ({errno}) {}", name(errno)))
}

/// As [`failed`], for what a site answered; what the number does not say comes on a line before.
pub(super) fn fault(doing: &str, fault: &Fault) -> Failure {
    let errno = errno(fault.kind);
    let line = format!("rbd: {doing}: ({errno}) {}", name(errno));
    match fault.kind {
        FaultKind::NotFound | FaultKind::Exists | FaultKind::NotPrimary | FaultKind::Limit => {
            refuse(errno, line)
        }
        FaultKind::Busy
        | FaultKind::Inconsistent
        | FaultKind::NoSpace
        | FaultKind::Invalid
        | FaultKind::Unsupported
        | FaultKind::Unreachable
        | FaultKind::TimedOut
        | FaultKind::Io
        | FaultKind::Internal => refuse(errno, format!("{}\n{line}", fault.why)),
    }
}

/// As [`failed`], for what the system answered.
pub(super) fn io(doing: &str, error: &std::io::Error) -> Failure {
    let errno = error
        .raw_os_error()
        .and_then(|errno| u8::try_from(errno).ok());
    match errno {
        Some(errno) => refuse(errno, format!("rbd: {doing}: ({errno}) {}", text_of(error))),
        None => refuse(EBADMSG, format!("rbd: {doing}: {error}")),
    }
}

/// What the system calls it, without the number.
fn text_of(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

//! What can go wrong with a store.

use firebrick_vocabulary::ImageId;

/// What an operator does about an index that is of no use.
const REBUILD: &str = "run `firebrick rbd rebuild-index --conf FILE` with the site stopped";

/// What kind of thing went wrong; callers decide by this.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorKind {
    /// There is no such store, image or snapshot (any more).
    NotFound,
    /// There is one already, and not as asked.
    Exists,
    /// It has snapshots.
    Busy,
    /// It has as many snapshots as it may.
    Limit,
    /// The image is not primary here.
    NotPrimary,
    /// The store has just started and does not know yet whether the image is still primary here.
    Fenced,
    /// The image is the incomplete first copy of its primary.
    Inconsistent,
    /// Beyond the end of the image.
    OutOfRange,
    /// The request breaks a rule.
    Invalid,
    /// The file system is full; nothing was changed.
    NoSpace,
    /// A write or sync failed before: nothing is acknowledged until a restart.
    Poisoned,
    /// What was read is not what was written.
    Damaged,
    /// The index is missing; it can be rebuilt from the log.
    NoIndex,
    /// The index is not what was written, or of an older release; it can be rebuilt from the log.
    DamagedIndex,
    /// The store is closed.
    Closed,
    /// Another process has the store open.
    Locked,
    /// The system refused.
    Io,
}

/// Why something could not be done with a store.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Error {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
    /// What was being done.
    pub doing: &'static str,
    /// The reason, in words for an operator.
    pub why: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, doing: &'static str, why: impl Into<String>) -> Self {
        Self {
            kind,
            doing,
            why: why.into(),
        }
    }

    pub(crate) fn no_image(doing: &'static str, image: ImageId) -> Self {
        Self::new(
            ErrorKind::NotFound,
            doing,
            format!("there is no image {image}"),
        )
    }

    /// The block that lies there is not what was written.
    pub(crate) fn damaged_block(at: firebrick_log::Location) -> Self {
        let (segment, offset) = (at.segment, at.offset());
        let why = format!("the block at offset {offset} of segment {segment} fails its checksum");
        Self::new(ErrorKind::Damaged, "read a block", why)
    }

    pub(crate) fn io(doing: &'static str, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ErrorKind::NoSpace
            }
            _ => ErrorKind::Io,
        };
        Self::new(kind, doing, error.to_string())
    }
}

impl From<firebrick_log::Error> for Error {
    fn from(error: firebrick_log::Error) -> Self {
        use firebrick_log::ErrorKind as Log;
        let kind = match &error.kind {
            Log::NoSpace => ErrorKind::NoSpace,
            Log::Poisoned => ErrorKind::Poisoned,
            Log::Closed => ErrorKind::Closed,
            Log::Locked => ErrorKind::Locked,
            Log::NotFound => ErrorKind::NotFound,
            Log::Exists => ErrorKind::Exists,
            Log::Foreign
            | Log::NewerVersion { .. }
            | Log::OlderVersion { .. }
            | Log::Trimmed { .. }
            | Log::Invalid(_) => ErrorKind::Invalid,
            Log::Damaged { .. } => ErrorKind::Damaged,
            Log::Io => ErrorKind::Io,
        };
        let doing = error.doing;
        let text = error.to_string();
        let why = text
            .strip_prefix(doing)
            .and_then(|rest| rest.strip_prefix(": "));
        Self::new(kind, doing, why.unwrap_or(&text))
    }
}

impl From<firebrick_index::Error> for Error {
    fn from(error: firebrick_index::Error) -> Self {
        use firebrick_index::ErrorKind as Index;
        let kind = match &error.kind {
            Index::NotFound => ErrorKind::NoIndex,
            Index::Exists => ErrorKind::Exists,
            Index::NewerVersion { .. } => ErrorKind::Invalid,
            Index::OlderVersion { .. } | Index::Damaged(_) => ErrorKind::DamagedIndex,
            Index::NoSpace => ErrorKind::NoSpace,
            Index::Io => ErrorKind::Io,
        };
        let doing = error.doing;
        let text = error.to_string();
        let why = text
            .strip_prefix(doing)
            .and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or(&text);
        match &error.kind {
            Index::NotFound | Index::OlderVersion { .. } | Index::Damaged(_) => {
                Self::new(kind, doing, format!("{why}; {REBUILD}"))
            }
            Index::Exists | Index::NewerVersion { .. } | Index::NoSpace | Index::Io => {
                Self::new(kind, doing, why)
            }
        }
    }
}

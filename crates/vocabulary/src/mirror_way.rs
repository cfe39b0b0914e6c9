//! The way in which an image is mirrored.

use serde::{Deserialize, Serialize};

use crate::{ImageMirrorMode, Interval, SyncMode};

/// The mode of a mirrored image, and what belongs to that: one that returns to mirror snapshots has no flushes
/// that wait for peers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorWay {
    /// A secondary may be promoted at any record of its primary.
    #[default]
    Journal,
    /// The same, and flushes wait for peers.
    Sync(SyncMode),
    /// A secondary is promoted at the newest mirror snapshot that it has whole. The primary takes one so often;
    /// with `None` only when somebody asks for it, or a schedule of the site does.
    Snapshot(Option<Interval>),
}

impl MirrorWay {
    /// Its mode, in RBD's words.
    pub const fn mode(self) -> ImageMirrorMode {
        match self {
            Self::Journal | Self::Sync(_) => ImageMirrorMode::Journal,
            Self::Snapshot(_) => ImageMirrorMode::Snapshot,
        }
    }

    /// How flushes wait for peers, where they do.
    pub const fn sync_mode(self) -> Option<SyncMode> {
        match self {
            Self::Sync(mode) => Some(mode),
            Self::Journal | Self::Snapshot(_) => None,
        }
    }

    /// How often the primary takes mirror snapshots by itself.
    pub const fn interval(self) -> Option<Interval> {
        match self {
            Self::Snapshot(interval) => interval,
            Self::Journal | Self::Sync(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::SyncPolicy;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let sync = SyncMode::new(SyncPolicy::Block, SyncMode::TIMEOUT).unwrap();
        let ways = [
            (MirrorWay::Journal, r#""journal""#),
            (MirrorWay::Sync(sync), r#"{"sync":"block 5000"}"#),
            (MirrorWay::Snapshot(None), r#"{"snapshot":null}"#),
            (
                MirrorWay::Snapshot("90m".parse().ok()),
                r#"{"snapshot":"90m"}"#,
            ),
        ];
        for (way, text) in ways {
            assert_eq!(serde_json::to_string(&way).unwrap(), text);
            assert_eq!(serde_json::from_str::<MirrorWay>(text).unwrap(), way);
        }
    }
}

//! What of an image's history its secondaries may be promoted at.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How one image is mirrored, in RBD's words.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageMirrorMode {
    /// A secondary may be promoted at any record of its primary.
    #[default]
    Journal,
    /// A secondary is promoted at the newest mirror snapshot that it has whole.
    Snapshot,
}

impl ImageMirrorMode {
    /// As it stands in command lines, results and metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Snapshot => "snapshot",
        }
    }
}

impl fmt::Display for ImageMirrorMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ImageMirrorMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "journal" => Ok(Self::Journal),
            "snapshot" => Ok(Self::Snapshot),
            _ => Err(format!("{text:?} is neither journal nor snapshot")),
        }
    }
}

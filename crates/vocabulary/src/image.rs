//! Names and ids of what a site stores.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id that no other thing has.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}
pub(crate) use uuid_id;

uuid_id!(
    /// The id of an image; the same at every site that holds the image.
    ImageId
);
uuid_id!(
    /// The id of a store, made with it. A peer is known by the id of its store.
    StoreId
);

/// The id of a snapshot within its image: the sequence that its record has in the log of the site
/// where it was taken, or one more than the newest where that one has it. The same at every site that
/// holds the image.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(pub u64);

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImageNameError {
    /// Nothing was given.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// More than 96 bytes, RBD's own limit for image names with an id prefix.
    #[error("{what} has {len} bytes; the most is {most}")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// The bytes given.
        len: usize,
        /// The bytes allowed.
        most: usize,
    },
    /// A character that separates the parts of a spec, or is not printable.
    #[error("{what} must not contain {found:?}")]
    Character {
        /// What was to be named.
        what: &'static str,
        /// The offending character.
        found: char,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` as a name: not empty, not too long, no `/`, no `@`, no control
            /// character.
            pub fn new(text: impl Into<String>) -> Result<Self, ImageNameError> {
                let text = text.into();
                if text.is_empty() {
                    return Err(ImageNameError::Empty($what));
                }
                if text.len() > $most {
                    return Err(ImageNameError::TooLong { what: $what, len: text.len(), most: $most });
                }
                match text.chars().find(|c| matches!(c, '/' | '@') || c.is_control()) {
                    Some(found) => Err(ImageNameError::Character { what: $what, found }),
                    None => Ok(Self(text)),
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ImageNameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl FromStr for $name {
            type Err = ImageNameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }
    };
}

name!(
    /// The name of a pool of images; the embedded engine has one, `volumes`.
    PoolName, "a pool name", 128
);
name!(
    /// The name of an image within its pool, for a volume `volume-<uuid>`.
    ImageName, "an image name", 128
);
name!(
    /// The name of a snapshot within its image, for a volume snapshot `snapshot-<uuid>`.
    SnapshotName, "a snapshot name", 192
);

/// `image[@snapshot]`, as the `rbd` tool writes it.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// The image.
    pub image: ImageName,
    /// The snapshot, where one is meant.
    pub snapshot: Option<SnapshotName>,
}

impl fmt::Display for ImageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.snapshot {
            Some(snapshot) => write!(f, "{}@{snapshot}", self.image),
            None => self.image.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_would_break_a_spec() {
        assert!(ImageName::new("volume-1").is_ok());
        for bad in ["", "a/b", "a@b", "a\nb"] {
            assert!(ImageName::new(bad).is_err(), "{bad:?} was taken");
        }
        assert!(ImageName::new("x".repeat(129)).is_err());
    }
}

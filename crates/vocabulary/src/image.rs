//! Names and ids of what a site stores.

use std::borrow::Borrow;
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

impl ImageId {
    /// The id of an image that a store makes of its own accord with that record of its log; a store whose
    /// records are the same chooses the same.
    pub fn made_by(store: StoreId, record: u64) -> Self {
        Self(Uuid::new_v5(&store.0, &record.to_le_bytes()))
    }
}

/// The id of a snapshot within its image: the sequence that its record has in the log of the site
/// where it was taken, or one more than the newest where that one has it. The same at every site that
/// holds the image.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(pub u64);

impl SnapshotId {
    /// No log has so many records.
    const APART: u64 = 1 << 52;

    /// The id that the snapshot gets where it is one that this site alone has, as what it keeps was written by
    /// a former primary: other sites go on giving out ids, and none of them will be the same.
    #[must_use]
    pub const fn apart(self) -> Self {
        Self(self.0 | Self::APART)
    }

    /// Whether it is such an id. It says nothing to any other site.
    pub const fn is_apart(self) -> bool {
        self.0 & Self::APART != 0
    }
}

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
    /// More bytes than such a name may have.
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

/// Refuses what is no name of at most `parts` parts, each behind a `/`.
fn check(what: &'static str, text: &str, most: usize, parts: usize) -> Result<(), ImageNameError> {
    if text.split('/').any(str::is_empty) {
        return Err(ImageNameError::Empty(what));
    }
    if text.len() > most {
        let len = text.len();
        return Err(ImageNameError::TooLong { what, len, most });
    }
    let found = if text.split('/').count() > parts {
        Some('/')
    } else {
        text.chars().find(|c| *c == '@' || c.is_control())
    };
    found.map_or(Ok(()), |found| {
        Err(ImageNameError::Character { what, found })
    })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $most:literal, $parts:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` as a name: no part empty, not too long, no `/` but between parts, no
            /// `@`, no control character.
            pub fn new(text: impl Into<String>) -> Result<Self, ImageNameError> {
                let text = text.into();
                check($what, &text, $most, $parts).map(|()| Self(text))
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

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
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
    PoolName, "a pool name", 128, 1
);
name!(
    /// The name of an image within its pool, for a volume `volume-<uuid>`; in a namespace it stands
    /// behind that and a `/`. Namespaces that begin with a dot belong to the site itself.
    ImageName, "an image name", 192, 3
);
name!(
    /// The name of a snapshot within its image, for a volume snapshot `snapshot-<uuid>`.
    SnapshotName, "a snapshot name", 192, 1
);

impl ImageName {
    /// The namespace; empty for the one without a name.
    pub fn namespace(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// The name within its namespace.
    pub fn base(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, base)| base)
    }

    /// Whether it is in a namespace that belongs to the site itself.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with('.') && !self.namespace().is_empty()
    }
}

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
        for bad in ["", "/b", "a/", "a//b", "a/b/c/d", "a@b", "a\nb"] {
            assert!(ImageName::new(bad).is_err(), "{bad:?} was taken");
        }
        assert!(ImageName::new("x".repeat(193)).is_err());
        assert!(SnapshotName::new("a/b").is_err());
    }

    #[test]
    fn namespaces_stand_before_the_name() {
        for (text, namespace, base, internal) in [
            ("disk", "", "disk", false),
            (".disk", "", ".disk", false),
            ("tenant/disk", "tenant", "disk", false),
            (".trash/1", ".trash", "1", true),
            (".group/tenant/g", ".group/tenant", "g", true),
        ] {
            let name = ImageName::new(text).unwrap();
            assert_eq!(
                (name.namespace(), name.base(), name.is_internal()),
                (namespace, base, internal)
            );
        }
    }
}

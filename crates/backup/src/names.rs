//! How what belongs to a backup is called.

use std::fmt;
use std::str::FromStr;

use firebrick_vocabulary::BackupId;
use serde::{Deserialize, Serialize};

/// Where in a repository a backup lies: for a folder, the folder within it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Container(String);

/// A text that names no container.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a container is 1 to 255 letters, digits, '.', '_' and '-', and begins with no '.'")]
pub struct InvalidContainer;

impl FromStr for Container {
    type Err = InvalidContainer;

    fn from_str(text: &str) -> Result<Self, InvalidContainer> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let good = (1..=255).contains(&text.len()) && text.bytes().all(plain);
        if good && !text.starts_with('.') {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidContainer)
    }
}

impl TryFrom<String> for Container {
    type Error = InvalidContainer;

    fn try_from(text: String) -> Result<Self, InvalidContainer> {
        text.parse()
    }
}

impl From<Container> for String {
    fn from(container: Container) -> Self {
        container.0
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// The manifest.
    Manifest,
    /// Data, with its number from 0 on.
    Object(u32),
}

/// An object of a backup.
pub(crate) fn name(container: &Container, id: BackupId, part: Part) -> String {
    match part {
        Part::Manifest => format!("{container}/{id}.manifest"),
        Part::Object(number) => format!("{container}/{id}.{number:08}.data"),
    }
}

/// Of which backup the object `name` of a container is, and what of it. Anything else is not ours.
pub(crate) fn parse(name: &str) -> Option<(BackupId, Part)> {
    let (id, rest) = name.split_once('.')?;
    let part = match rest {
        "manifest" => Part::Manifest,
        rest => Part::Object(rest.strip_suffix(".data")?.parse().ok()?),
    };
    Some((id.parse().ok()?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let container: Container = "shelf-1".parse().unwrap();
        let id = BackupId::random();
        for part in [Part::Manifest, Part::Object(0), Part::Object(123_456_789)] {
            let name = name(&container, id, part);
            let within = name.strip_prefix("shelf-1/").unwrap();
            assert_eq!(parse(within), Some((id, part)));
        }
        for other in ["notes.txt", "x.manifest", "", "lost+found"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn no_container_leads_elsewhere() {
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "/",
            "a b",
            "ä",
            &"x".repeat(256),
        ] {
            assert_eq!(bad.parse::<Container>(), Err(InvalidContainer), "{bad}");
        }
    }
}

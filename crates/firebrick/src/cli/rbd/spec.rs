//! Names as the `rbd` tool takes them: `[pool/[namespace/]]image[@snapshot]`, as a word or in options.

use std::slice::Iter;

use firebrick_vocabulary::{ImageName, SnapshotName};

use super::args::{Common, SpecArgs, TwoSpecs};
use super::error::{EINVAL, ENOENT, refuse};
use crate::exit::Failure;

/// The one pool of a site on the embedded engine.
pub(super) const POOL: &str = "volumes";

/// What a command is about; either part may be missing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Spec {
    pub(super) image: Option<ImageName>,
    pub(super) snapshot: Option<SnapshotName>,
}

/// Where an image is that does not say so itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    pub(super) pool: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
}

/// The words of a command line that are not taken yet.
#[derive(Clone, Debug)]
pub(super) struct Words<'a>(Iter<'a, String>);

impl<'a> Words<'a> {
    pub(super) fn new(words: &'a [String]) -> Self {
        Self(words.iter())
    }

    /// The next word, unless an option said the same.
    pub(super) fn or_next(&mut self, option: Option<&'a str>) -> Option<&'a str> {
        option.or_else(|| self.0.next().map(String::as_str))
    }

    /// The next word, which must be there.
    pub(super) fn need(&mut self, option: Option<&'a str>, what: &str) -> Result<&'a str, Failure> {
        let missing = || refuse(EINVAL, format!("rbd: {what} was not specified"));
        self.or_next(option).ok_or_else(missing)
    }

    /// All that are left.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = &'a str> {
        std::mem::take(&mut self.0).map(String::as_str)
    }

    /// Refuses what nobody took.
    pub(super) fn end(self) -> Result<(), Failure> {
        if self.0.len() == 0 {
            return Ok(());
        }
        Err(refuse(1, "rbd: too many arguments"))
    }
}

impl Common {
    /// Where images are that do not say so.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            pool: self.pool.as_deref(),
            namespace: self.namespace.as_deref(),
        }
    }

    /// The pool of a command that is about all of it, and the namespace, which is empty for the one
    /// without a name.
    pub(super) fn pool_word(&self, word: Option<&str>) -> Result<String, Failure> {
        let place = self.place();
        let Some(word) = word else {
            check_pool(place.pool)?;
            return namespace(place.namespace.unwrap_or(""));
        };
        let (pool, within) = match word.trim_end_matches('/').split_once('/') {
            Some((pool, within)) => (pool, Some(within)),
            None => (word.trim_end_matches('/'), place.namespace),
        };
        check_pool(Some(pool))?;
        namespace(within.unwrap_or(""))
    }
}

impl Spec {
    /// Understands a verb that is about one image or snapshot and nothing else.
    pub(super) fn of(common: &Common, args: &SpecArgs) -> Result<Self, Failure> {
        let mut words = Words::new(&args.words);
        let spec = Self::first(common, args, &mut words)?;
        words.end()?;
        Ok(spec)
    }

    /// Understands a verb whose first word may be an image or snapshot.
    pub(super) fn first<'a>(
        common: &Common,
        args: &'a SpecArgs,
        words: &mut Words<'a>,
    ) -> Result<Self, Failure> {
        let image = args.image.as_deref();
        let word = words.or_next(image);
        Self::within(common.place(), word, args.snap.as_deref())
    }

    /// Understands a verb that is about two.
    pub(super) fn two(common: &Common, args: &TwoSpecs) -> Result<(Self, Self), Failure> {
        let mut words = Words::new(&args.words);
        let place = common.place();
        let source = words.or_next(args.image.as_deref());
        let source = Self::within(place, source, args.snap.as_deref())?;
        let there = Place {
            pool: args.dest_pool.as_deref().or(place.pool),
            namespace: args.dest_namespace.as_deref().or(place.namespace),
        };
        let dest = words.or_next(args.dest.as_deref());
        let dest = Self::within(there, dest, args.dest_snap.as_deref())?;
        words.end()?;
        Ok((source, dest))
    }

    /// Understands a word, if there is one, and the name of a snapshot beside it.
    pub(super) fn within(
        place: Place<'_>,
        word: Option<&str>,
        snap: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut spec = if let Some(word) = word {
            Self::parse(place, word)?
        } else {
            check_pool(place.pool)?;
            Self::default()
        };
        if let Some(name) = snap {
            spec.snapshot = Some(snapshot(name)?);
        }
        Ok(spec)
    }

    /// Understands one word.
    pub(super) fn parse(place: Place<'_>, text: &str) -> Result<Self, Failure> {
        let (path, taken) = match text.split_once('@') {
            Some((path, taken)) => (path, Some(taken)),
            None => (text, None),
        };
        Ok(Self {
            image: Some(image(place, path)?),
            snapshot: taken.map(snapshot).transpose()?,
        })
    }

    /// The image, which must be named.
    pub(super) fn image(&self) -> Result<&ImageName, Failure> {
        let missing = || refuse(EINVAL, "rbd: image name was not specified");
        self.image.as_ref().ok_or_else(missing)
    }

    /// The snapshot, which must be named.
    pub(super) fn snapshot(&self) -> Result<&SnapshotName, Failure> {
        let missing = || refuse(EINVAL, "rbd: snap name was not specified");
        self.snapshot.as_ref().ok_or_else(missing)
    }

    /// Nothing but the image, which must be named.
    pub(super) fn only_image(&self) -> Result<&ImageName, Failure> {
        match &self.snapshot {
            None => self.image(),
            Some(_) => Err(refuse(
                EINVAL,
                "rbd: snapshot name specified for a command that doesn't use it",
            )),
        }
    }
}

/// Refuses other pools than the one there is.
pub(super) fn check_pool(pool: Option<&str>) -> Result<(), Failure> {
    match pool {
        None | Some(POOL) => Ok(()),
        Some(other) => {
            let doing = format!("error opening pool '{other}'");
            Err(super::error::failed(&doing, ENOENT))
        }
    }
}

/// `pool/[namespace/]image` for an image, as messages and results say it.
pub(super) fn full_name(name: &ImageName) -> String {
    format!("{POOL}/{name}")
}

/// Takes a text as a namespace.
fn namespace(text: &str) -> Result<String, Failure> {
    let invalid = |why: &str| refuse(EINVAL, format!("rbd: invalid namespace '{text}': {why}"));
    if text.contains(['/', '@']) {
        return Err(invalid("it must not contain '/' or '@'"));
    }
    if text.starts_with('.') {
        return Err(invalid("those that begin with a dot are the site's own"));
    }
    Ok(text.to_owned())
}

/// The full name of `path`, `[pool/[namespace/]]name`.
pub(super) fn image(place: Place<'_>, path: &str) -> Result<ImageName, Failure> {
    let parts: Vec<&str> = path.split('/').collect();
    let (pool, within, name) = match parts.as_slice() {
        [name] => (place.pool, place.namespace, *name),
        [pool, name] => (Some(*pool), place.namespace, *name),
        [pool, within, name] => (Some(*pool), Some(*within), *name),
        _ => return Err(refuse(EINVAL, format!("rbd: invalid spec '{path}'"))),
    };
    check_pool(pool)?;
    if name.is_empty() {
        return Err(refuse(EINVAL, "rbd: image name was not specified"));
    }
    let name = match namespace(within.unwrap_or(""))?.as_str() {
        "" => name.to_owned(),
        within => format!("{within}/{name}"),
    };
    ImageName::new(name)
        .map_err(|error| refuse(EINVAL, format!("rbd: invalid spec '{path}': {error}")))
}

pub(super) fn snapshot(name: &str) -> Result<SnapshotName, Failure> {
    if name.is_empty() {
        return Err(refuse(EINVAL, "rbd: snap name was not specified"));
    }
    SnapshotName::new(name)
        .map_err(|error| refuse(EINVAL, format!("rbd: invalid spec '{name}': {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(place: Place<'_>, word: &str) -> Result<(String, Option<String>), u8> {
        let spec = Spec::parse(place, word).map_err(|failure| match failure {
            Failure::Rbd { errno, .. } => errno,
            Failure::Failed(_) | Failure::Usage(_) => 0,
        })?;
        let image = spec.image.map(|image| image.to_string());
        let snapshot = spec.snapshot.map(|snapshot| snapshot.to_string());
        Ok((image.unwrap_or_default(), snapshot))
    }

    #[test]
    fn specs_name_pool_namespace_image_and_snapshot() {
        let nowhere = Place::default();
        let there = Place {
            pool: Some("volumes"),
            namespace: Some("tenant"),
        };
        for (place, word, image, snapshot) in [
            (nowhere, "disk", "disk", None),
            (nowhere, "disk@monday", "disk", Some("monday")),
            (nowhere, "volumes/disk", "disk", None),
            (
                nowhere,
                "volumes/tenant/disk@a b",
                "tenant/disk",
                Some("a b"),
            ),
            (there, "disk", "tenant/disk", None),
            (there, "volumes/other/disk", "other/disk", None),
        ] {
            let wanted = (image.to_owned(), snapshot.map(str::to_owned));
            assert_eq!(shown(place, word), Ok(wanted), "{word}");
        }
        for (word, errno) in [
            ("", 22),
            ("@monday", 22),
            ("disk@", 22),
            ("disk@a@b", 22),
            ("volumes/", 22),
            ("volumes/.trash/disk", 22),
            ("volumes/a/b/disk", 22),
            ("rbd/disk", 2),
        ] {
            assert_eq!(shown(nowhere, word), Err(errno), "{word}");
        }
    }
}

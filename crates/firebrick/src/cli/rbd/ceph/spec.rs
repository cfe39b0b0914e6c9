//! Names as the `rbd` tool takes them, in any pool of a cluster.

use crate::cli::rbd::args::{Common, PoolArgs, SpecArgs, TwoSpecs};
use crate::cli::rbd::error::{EINVAL, refuse};
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;

/// The pool of a command that names none.
pub(super) const DEFAULT_POOL: &str = "rbd";

/// A pool, or a namespace of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) pool: String,
    /// Empty for the one without a name.
    pub(super) namespace: String,
}

/// What a command is about; image and snapshot may be missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Spec {
    pub(super) place: Place,
    image: Option<String>,
    snapshot: Option<String>,
}

impl Place {
    /// The one that options name.
    pub(super) fn of(common: &Common) -> Self {
        Self {
            pool: common.pool.clone().unwrap_or(DEFAULT_POOL.to_owned()),
            namespace: common.namespace.clone().unwrap_or_default(),
        }
    }

    /// That of a command that is about all of it: `POOL[/NAMESPACE]`.
    pub(super) fn of_pool(common: &Common, args: &PoolArgs) -> Result<Self, Failure> {
        Self::named(common, args.word.as_deref())
    }

    /// The same of a word.
    pub(super) fn named(common: &Common, word: Option<&str>) -> Result<Self, Failure> {
        let mut place = Self::of(common);
        let Some(word) = word else {
            return Ok(place);
        };
        let word = word.strip_suffix('/').unwrap_or(word);
        let mut parts = word.split('/');
        let pool = parts.next().unwrap_or_default();
        pool.clone_into(&mut place.pool);
        if let Some(namespace) = parts.next() {
            namespace.clone_into(&mut place.namespace);
        }
        if place.pool.is_empty() || parts.next().is_some() {
            return Err(invalid(word));
        }
        Ok(place)
    }
}

/// The pool of a command whose first word is that unless an option says it, and the words behind it.
pub(super) fn behind_pool<'a>(
    common: &Common,
    words: &'a [String],
) -> Result<(Place, Words<'a>), Failure> {
    let mut words = Words::new(words);
    let word = match &common.pool {
        Some(_) => None,
        None => words.or_next(None),
    };
    Ok((Place::named(common, word)?, words))
}

fn invalid(text: &str) -> Failure {
    refuse(EINVAL, format!("rbd: invalid spec '{text}'"))
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
        let word = words.or_next(args.image.as_deref());
        Self::within(Place::of(common), word, args.snap.as_deref())
    }

    /// Understands a verb that is about two.
    pub(super) fn two(common: &Common, args: &TwoSpecs) -> Result<(Self, Self), Failure> {
        let mut words = Words::new(&args.words);
        let source = words.or_next(args.image.as_deref());
        let source = Self::within(Place::of(common), source, args.snap.as_deref())?;
        let mut there = Place::of(common);
        if let Some(pool) = &args.dest_pool {
            there.pool.clone_from(pool);
        }
        if let Some(namespace) = &args.dest_namespace {
            there.namespace.clone_from(namespace);
        }
        let dest = words.or_next(args.dest.as_deref());
        let dest = Self::within(there, dest, args.dest_snap.as_deref())?;
        words.end()?;
        Ok((source, dest))
    }

    /// Understands a word, if there is one, and the name of a snapshot beside it.
    pub(super) fn within(
        place: Place,
        word: Option<&str>,
        snapshot: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut spec = Self {
            place,
            image: None,
            snapshot: None,
        };
        if let Some(word) = word {
            spec.take(word)?;
        }
        if let Some(name) = snapshot {
            spec.snapshot = Some(name.to_owned());
        }
        Ok(spec)
    }

    fn take(&mut self, word: &str) -> Result<(), Failure> {
        let (path, snapshot) = match word.split_once('@') {
            Some((path, snapshot)) => (path, Some(snapshot)),
            None => (word, None),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let image = match parts.as_slice() {
            [image] => image,
            [pool, image] => {
                (*pool).clone_into(&mut self.place.pool);
                image
            }
            [pool, namespace, image] => {
                (*pool).clone_into(&mut self.place.pool);
                (*namespace).clone_into(&mut self.place.namespace);
                image
            }
            _ => return Err(invalid(word)),
        };
        let empty = parts.iter().any(|part| part.is_empty());
        let bad = |snapshot: &str| snapshot.is_empty() || snapshot.contains(['/', '@']);
        if empty || snapshot.is_some_and(bad) {
            return Err(invalid(word));
        }
        self.image = Some((*image).to_owned());
        self.snapshot = snapshot.map(str::to_owned);
        Ok(())
    }

    /// The image, which must be named.
    pub(super) fn image(&self) -> Result<&str, Failure> {
        let missing = || refuse(EINVAL, "rbd: image name was not specified");
        self.image.as_deref().ok_or_else(missing)
    }

    /// The image, where it is named.
    pub(super) fn maybe_image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The snapshot, where it is named.
    pub(super) fn maybe_snapshot(&self) -> Option<&str> {
        self.snapshot.as_deref()
    }

    /// The snapshot, which must be named.
    pub(super) fn snapshot(&self) -> Result<&str, Failure> {
        let missing = || refuse(EINVAL, "rbd: snapshot name was not specified");
        self.snapshot.as_deref().ok_or_else(missing)
    }

    /// Nothing but the image, which must be named.
    pub(super) fn only_image(&self) -> Result<&str, Failure> {
        match &self.snapshot {
            None => self.image(),
            Some(_) => Err(refuse(
                EINVAL,
                "rbd: snapshot name specified for a command that doesn't use it",
            )),
        }
    }
}

//! Names as the `rbd` tool takes them: `[pool/]image[@snapshot]`.

use firebrick_vocabulary::{ImageName, SnapshotName};

use super::args::{Common, SpecArgs};
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

impl Spec {
    /// Understands the options of a verb.
    pub(super) fn of(common: &Common, args: &SpecArgs) -> Result<Self, Failure> {
        let mut spec = if let Some(text) = &args.spec {
            Self::parse(common, text)?
        } else {
            check_pool(common.pool.as_deref())?;
            Self::default()
        };
        if let Some(name) = &args.image {
            spec.image = Some(image(name)?);
        }
        if let Some(name) = &args.snap {
            spec.snapshot = Some(snapshot(name)?);
        }
        Ok(spec)
    }

    /// Understands one word.
    pub(super) fn parse(common: &Common, text: &str) -> Result<Self, Failure> {
        let (pool, rest) = match text.split_once('/') {
            Some((pool, rest)) => (Some(pool), rest),
            None => (common.pool.as_deref(), text),
        };
        check_pool(pool)?;
        let (name, taken) = match rest.split_once('@') {
            Some((name, taken)) => (name, Some(taken)),
            None => (rest, None),
        };
        Ok(Self {
            image: Some(image(name)?),
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

fn image(name: &str) -> Result<ImageName, Failure> {
    if name.is_empty() {
        return Err(refuse(EINVAL, "rbd: image name was not specified"));
    }
    ImageName::new(name)
        .map_err(|error| refuse(EINVAL, format!("rbd: invalid spec '{name}': {error}")))
}

fn snapshot(name: &str) -> Result<SnapshotName, Failure> {
    if name.is_empty() {
        return Err(refuse(EINVAL, "rbd: snap name was not specified"));
    }
    SnapshotName::new(name)
        .map_err(|error| refuse(EINVAL, format!("rbd: invalid spec '{name}': {error}")))
}

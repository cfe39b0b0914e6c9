//! `rbd feature enable`, `disable`.

use std::str::FromStr;

use firebrick_backend::{Backend as _, FaultKind};
use firebrick_site::admin::{JournalSettings, ToolRequest};
use firebrick_vocabulary::{Feature, Features, Role};

use super::args::{DisableArgs, EnableArgs, JournalOptions, SpecArgs};
use super::error::{EINVAL, ENOENT, EROFS, fault, refuse};
use super::site::Rbd;
use super::size::bytes;
use super::spec::{POOL, Spec, Words};
use crate::exit::Failure;

const DOING: &str = "failed to update image features";
/// What RBD takes as the size of a journal's objects, as binary logarithms.
const ORDERS: std::ops::RangeInclusive<u32> = 12..=26;

/// The size of a journal's objects: of a number between two powers of two the lower one counts, as in RBD.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ObjectSize {
    order: u8,
}

impl FromStr for ObjectSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || "an object has from 4K to 64M".to_owned();
        let order = bytes(text)?.checked_ilog2().ok_or_else(refuse)?;
        if !ORDERS.contains(&order) || bytes(text)? > 1 << ORDERS.end() {
            return Err(refuse());
        }
        let order = u8::try_from(order).map_err(|_| refuse())?;
        Ok(Self { order })
    }
}

impl JournalOptions {
    /// What is said, if anything is.
    pub(super) fn settings(&self) -> Result<Option<JournalSettings>, Failure> {
        let Self {
            object_size: size,
            splay_width,
            journal_pool: pool,
        } = self;
        if let Some(other) = pool.as_deref().filter(|pool| *pool != POOL) {
            let text = format!("rbd: error opening pool '{other}': (2) No such file or directory");
            return Err(refuse(ENOENT, text));
        }
        if size.is_none() && splay_width.is_none() && pool.is_none() {
            return Ok(None);
        }
        let usual = JournalSettings::default();
        Ok(Some(JournalSettings {
            order: size.map_or(usual.order, |size| size.order),
            splay_width: splay_width.unwrap_or(usual.splay_width),
            pool: pool.clone(),
        }))
    }
}

/// The image, the features, and whether mirroring is named among them.
fn words(rbd: &Rbd, args: &SpecArgs) -> Result<(Spec, Features, bool), Failure> {
    let mut words = Words::new(&args.words);
    let spec = Spec::first(&rbd.common, args, &mut words)?;
    spec.only_image()?;
    let mut features = Features::none();
    let mut mirroring = false;
    let mut none = true;
    for name in words.rest().flat_map(|word| word.split(',')) {
        none = false;
        if name == "mirroring" {
            mirroring = true;
            continue;
        }
        let feature: Feature = name.parse().map_err(|error| {
            refuse(
                1,
                format!("rbd: the argument for option is invalid: {error}"),
            )
        })?;
        features.set(feature, true);
    }
    if none {
        let text = "rbd: at least one feature name must be specified";
        return Err(refuse(EINVAL, text));
    }
    Ok((spec, features, mirroring))
}

/// `rbd feature enable`
pub(super) async fn enable(mut rbd: Rbd, args: &EnableArgs) -> Result<(), Failure> {
    let (spec, features, mirroring) = words(&rbd, &args.spec)?;
    let journal = args.journal.settings()?;
    let image = rbd.open(spec.only_image()?).await?;
    if mirroring && image.mirrored {
        let text = "one or more requested features are already enabled\n\
                    rbd: failed to update image features: (22) Invalid argument";
        return Err(refuse(EINVAL, text));
    }
    if features != Features::none() {
        let request = ToolRequest::Enable {
            image: image.id,
            features,
            journal,
        };
        let done = rbd.order(request).await;
        done.map_err(|error| match error.kind {
            FaultKind::Invalid if error.why.ends_with("enabled already") => refuse(
                EINVAL,
                format!("one or more requested features are already enabled: {}\nrbd: {DOING}: (22) Invalid argument", error.why),
            ),
            _ => fault(DOING, &error),
        })?;
    }
    if mirroring {
        let done = rbd.backend.set_mirroring(image.id, true).await;
        done.map_err(|error| fault(DOING, &error))?;
    }
    Ok(())
}

/// `rbd feature disable`
pub(super) async fn disable(mut rbd: Rbd, args: &DisableArgs) -> Result<(), Failure> {
    let (spec, features, mirroring) = words(&rbd, &args.spec)?;
    let image = rbd.open(spec.only_image()?).await?;
    // Before it is waited for peers: those of a secondary go on reading whatever it does.
    if image.mirrored && image.role != Role::Primary {
        let text = format!("rbd: {DOING}: (30) Read-only file system: it is not primary here");
        return Err(refuse(EROFS, text));
    }
    if mirroring {
        let done = rbd.backend.set_mirroring(image.id, false).await;
        done.map_err(|error| fault(DOING, &error))?;
    }
    if features != Features::none() {
        let request = ToolRequest::Disable {
            image: image.id,
            features,
            within: args.timeout,
        };
        let done = rbd.order(request).await;
        done.map_err(|error| fault(DOING, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_powers_of_two_between_bounds() {
        for (text, order) in [("4K", 12), ("3M", 21), ("16M", 24), ("64M", 26)] {
            assert_eq!(text.parse(), Ok(ObjectSize { order }), "{text}");
        }
        for text in ["1K", "4095B", "65M", "0", "x"] {
            assert!(text.parse::<ObjectSize>().is_err(), "{text}");
        }
    }
}

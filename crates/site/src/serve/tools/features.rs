//! Features, as RBD has them. What RBD does for one of them, this store does for every image; so all but
//! the journal are only noted. A journal is what peers read: without one an image is not mirrored.

use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{Error, ErrorKind, Store};
use firebrick_vocabulary::{Feature, Features, ImageId};

use super::{describe, keys};
use crate::admin::{JournalSettings, MirrorMode};
use crate::serve::local::LocalSite;

/// How often it is asked whether the peers have gone.
const POLL: Duration = Duration::from_millis(100);

/// What comes and goes with features: the map of objects and the differences that it tells.
fn together(features: &Features) -> Features {
    let mut all = features.clone();
    if all.has(Feature::ObjectMap) || all.has(Feature::FastDiff) {
        all.set(Feature::ObjectMap, true);
        all.set(Feature::FastDiff, true);
    }
    all
}

/// Adds features to an image.
fn enable(
    store: &Store,
    image: ImageId,
    wanted: &Features,
    journal: Option<&JournalSettings>,
) -> Result<(), Error> {
    store.alter("enable features", |alteration| {
        let info = alteration.changeable(image)?;
        let mut features = describe::features(&info);
        if let Some(feature) = wanted.iter().find(|feature| features.has(*feature)) {
            let why = format!("{feature} is enabled already");
            return Err(alteration.error(ErrorKind::Invalid, why));
        }
        if wanted.has(Feature::Layering) || wanted.has(Feature::DeepFlatten) {
            let why = "cannot update immutable features";
            return Err(alteration.error(ErrorKind::Invalid, why));
        }
        for feature in together(wanted).iter() {
            features.set(feature, true);
        }
        if let Some((feature, needed)) = features.lacking() {
            let why = format!("{feature} needs {needed}; enable that first");
            return Err(alteration.error(ErrorKind::Invalid, why));
        }
        alteration.set(image, keys::FEATURES, Some(&features.to_string()))?;
        let text = journal.and_then(|journal| serde_json::to_string(journal).ok());
        match text {
            Some(text) => alteration.set(image, keys::JOURNAL, Some(&text)),
            None => Ok(()),
        }
    })
}

/// Takes features from an image; it must not be mirrored where the journal is one of them.
fn disable(store: &Store, image: ImageId, unwanted: &Features, ended: bool) -> Result<(), Error> {
    store.alter("disable features", |alteration| {
        let info = alteration.changeable(image)?;
        let mut features = describe::features(&info);
        for feature in unwanted.iter() {
            let why = match feature {
                // It went with the mirroring.
                Feature::Journaling if ended => {
                    features.set(feature, false);
                    continue;
                }
                _ if !features.has(feature) => format!("{feature} is not enabled"),
                Feature::Layering => format!("{feature} cannot be disabled"),
                Feature::Journaling if describe::by_journal(&info) => {
                    format!("cannot disable {feature}: the image is mirrored")
                }
                _ => {
                    features.set(feature, false);
                    continue;
                }
            };
            return Err(alteration.error(ErrorKind::Invalid, why));
        }
        for feature in together(unwanted).iter() {
            features.set(feature, false);
        }
        if let Some((feature, needed)) = features.lacking() {
            let why = format!("cannot disable {needed}: {feature} must be disabled before");
            return Err(alteration.error(ErrorKind::Invalid, why));
        }
        let text = (features != Features::default()).then(|| features.to_string());
        alteration.set(image, keys::FEATURES, text.as_deref())?;
        if unwanted.has(Feature::Journaling) && info.metadata.contains_key(keys::JOURNAL) {
            alteration.set(image, keys::JOURNAL, None)?;
        }
        Ok(())
    })
}

impl LocalSite {
    /// Adds features to an image. Where the pool is mirrored, one that gets a journal is mirrored with it.
    pub(super) async fn enable_features(
        &self,
        image: ImageId,
        wanted: Features,
        journal: Option<JournalSettings>,
    ) -> Result<(), Fault> {
        let mirrors = self.pool.mode() == MirrorMode::Pool && wanted.has(Feature::Journaling);
        self.change(move |store| {
            enable(store, image, &wanted, journal.as_ref())?;
            if mirrors {
                store.set_mirroring(image, true)?;
            }
            Ok(())
        })
        .await
    }

    /// Takes features from an image. To take its journal waits for the peers that read it: for those to
    /// go, or for the mirroring of the image to end; [`FaultKind::TimedOut`] where neither happens
    /// within `patience`.
    pub(super) async fn disable_features(
        &self,
        image: ImageId,
        unwanted: Features,
        patience: Duration,
    ) -> Result<(), Fault> {
        let ended = unwanted.has(Feature::Journaling) && self.detached(image, patience).await?;
        self.change(move |store| disable(store, image, &unwanted, ended))
            .await
    }

    /// Waits until no peer reads the journal of an image; returns whether its mirroring has ended by that.
    async fn detached(&self, image: ImageId, patience: Duration) -> Result<bool, Fault> {
        let was = self.mirrored(image).await?;
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            if !self.mirrored(image).await? {
                return Ok(was);
            }
            let readers = self.readers();
            if readers.is_empty() {
                self.change(move |store| store.set_mirroring(image, false))
                    .await?;
                return Ok(true);
            }
            if tokio::time::Instant::now() >= deadline {
                let verb = if readers.len() == 1 { "reads" } else { "read" };
                let why = format!(
                    "{} still {verb} the journal after {} s; end the mirroring of the image first",
                    readers.join(", "),
                    patience.as_secs()
                );
                let doing = "disable journaling";
                return Err(Fault::new(FaultKind::TimedOut, doing, why));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn mirrored(&self, image: ImageId) -> Result<bool, Fault> {
        self.read(move |store| Ok(describe::by_journal(&store.image(image)?.info())))
            .await
    }
}

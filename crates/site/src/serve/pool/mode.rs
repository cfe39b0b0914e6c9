//! Which images of the pool are mirrored.

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{ImageInfo, Store};
use firebrick_vocabulary::{Feature, ImageId, ImageName, Role};

use super::Pool;
use crate::admin::MirrorMode;
use crate::conf::fits_name;
use crate::serve::fault::{blocking, fault};
use crate::serve::tools::features_of;

const ENABLING: &str = "mirror the pool";
const DISABLING: &str = "end the mirroring of the pool";

impl Pool {
    /// Which images are mirrored.
    pub(in crate::serve) fn mode(&self) -> MirrorMode {
        self.roster.read().mode()
    }

    /// Whether an image that is made under that name is mirrored without anybody saying so.
    pub(in crate::serve) fn mirrors_new(&self, name: &ImageName) -> bool {
        self.mode() == MirrorMode::Pool && !name.is_internal()
    }

    /// Mirrors the pool. With [`MirrorMode::Pool`] the images that have a journal are mirrored from here on.
    pub(super) async fn enable(
        &self,
        mode: MirrorMode,
        site_name: Option<String>,
    ) -> Result<(), Fault> {
        let _turn = self.changing.lock().await;
        if let Some(name) = site_name.as_deref().filter(|name| !fits_name(name)) {
            let why = format!(
                "{name:?} is no name of a site: from 1 to 64 letters, digits, dashes, dots and underscores"
            );
            return Err(Fault::new(FaultKind::Invalid, ENABLING, why));
        }
        self.remember(ENABLING, move |roster| {
            roster.kept.mode = Some(mode);
            if site_name.is_some() {
                roster.kept.site_name = site_name;
            }
            Ok(())
        })
        .await?;
        tracing::info!(%mode, "the pool is mirrored");
        if mode == MirrorMode::Pool {
            self.set_all(|info| !info.mirrored && has_journal(info), true)
                .await?;
        }
        Ok(())
    }

    /// Mirrors nothing any more.
    pub(super) async fn disable(&self) -> Result<(), Fault> {
        let _turn = self.changing.lock().await;
        let roster = self.roster.read().clone();
        if !roster.peers().is_empty() {
            let why = "mirror peers still registered";
            return Err(Fault::new(FaultKind::Busy, DISABLING, why));
        }
        // Those that somebody chose are somebody's to give up; a secondary is nobody's here.
        let chosen = |info: &ImageInfo| {
            info.mirrored && (roster.mode() == MirrorMode::Image || info.role != Role::Primary)
        };
        let infos = self.store.images().into_iter().map(|image| image.info());
        if infos.into_iter().any(|info| chosen(&info)) {
            let why = "there are still images with mirroring enabled";
            return Err(Fault::new(FaultKind::Invalid, DISABLING, why));
        }
        self.remember(DISABLING, |roster| {
            roster.kept.mode = Some(MirrorMode::Disabled);
            Ok(())
        })
        .await?;
        tracing::info!("the pool is mirrored no more");
        self.set_all(|info| info.mirrored, false).await
    }

    /// Mirrors those images, or no longer, as far as they are primary here.
    async fn set_all(
        &self,
        which: impl Fn(&ImageInfo) -> bool,
        enabled: bool,
    ) -> Result<(), Fault> {
        let infos = self.store.images().into_iter().map(|image| image.info());
        let meant = infos.filter(|info| info.role == Role::Primary && which(info));
        let meant: Vec<ImageId> = meant.map(|info| info.id).collect();
        let store = std::sync::Arc::clone(&self.store);
        blocking(move || set_mirroring(&store, &meant, enabled)).await
    }
}

fn set_mirroring(store: &Store, images: &[ImageId], enabled: bool) -> Result<(), Fault> {
    for image in images {
        store
            .set_mirroring(*image, enabled)
            .map_err(|error| fault(&error))?;
    }
    store.flush().map(drop).map_err(|error| fault(&error))
}

/// Whether an image is one of those that are mirrored where the pool is.
pub(in crate::serve) fn has_journal(info: &ImageInfo) -> bool {
    !info.name.is_internal() && features_of(info).has(Feature::Journaling)
}

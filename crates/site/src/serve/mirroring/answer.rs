//! Answers to tools.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::{ImageId, ImageMirrorMode, MirrorWay, StoreId, SyncMode};

use super::target;
use crate::admin::{MirrorReply, MirrorRequest};
use crate::serve::fault::{blocking, fault};
use crate::serve::local::LocalSite;

/// The longest target: a week, in seconds.
const TARGET_MOST: f64 = 7.0 * 86_400.0;

impl LocalSite {
    /// Answers a call about mirroring.
    pub(in crate::serve) async fn mirror_tool(
        &self,
        request: MirrorRequest,
    ) -> Result<MirrorReply, Fault> {
        match request {
            MirrorRequest::Report { images } => {
                let mirroring = Arc::clone(&self.mirroring);
                let report = blocking(move || Ok(mirroring.report(images.as_deref())));
                report.await.map(MirrorReply::Report)
            }
            MirrorRequest::Promote {
                images,
                force,
                dry_run,
                accept_loss,
            } => {
                let mirroring = Arc::clone(&self.mirroring);
                let promote = move || mirroring.promote(&images, force, dry_run, accept_loss);
                blocking(promote).await.map(MirrorReply::Promoted)
            }
            MirrorRequest::Demote { images, within } => {
                let demoted = self.demote_all(images, within);
                demoted.await.map(MirrorReply::Position)
            }
            MirrorRequest::Resync { images } => {
                let mirroring = Arc::clone(&self.mirroring);
                blocking(move || mirroring.resync(&images)).await?;
                Ok(MirrorReply::Done)
            }
            MirrorRequest::Verify { image } => {
                self.unfenced("verify a mirror").await?;
                let mirroring = Arc::clone(&self.mirroring);
                let verified = blocking(move || mirroring.verify(image));
                verified.await.map(MirrorReply::Verified)
            }
            MirrorRequest::Drill { request } => {
                let (mirroring, exports) = (Arc::clone(&self.mirroring), Arc::clone(&self.exports));
                let drills = blocking(move || mirroring.drill(&exports, &request));
                drills.await.map(MirrorReply::Drills)
            }
            MirrorRequest::Wait {
                images,
                position,
                within,
            } => {
                let waits = self.mirroring.wait(images, position, within);
                waits.await.map(|()| MirrorReply::Done)
            }
            MirrorRequest::Pool { request } => self.pool.answer(request).await,
            MirrorRequest::SetTarget { image, seconds } => {
                self.set_target(image, seconds).await?;
                Ok(MirrorReply::Done)
            }
            MirrorRequest::SetSync { image, mode } => {
                self.set_sync(image, mode).await?;
                Ok(MirrorReply::Done)
            }
            MirrorRequest::Enable { image, mode } => {
                self.mirror_in(image, mode).await?;
                Ok(MirrorReply::Done)
            }
            MirrorRequest::Snapshot { images } => {
                self.unfenced("take mirror snapshots").await?;
                let mirroring = Arc::clone(&self.mirroring);
                let taken = blocking(move || mirroring.take_snapshots(&images));
                taken.await.map(MirrorReply::Snapshots)
            }
            MirrorRequest::Schedule { request } => {
                let schedules = Arc::clone(&self.mirroring.schedules);
                blocking(move || schedules.answer(request)).await
            }
        }
    }

    async fn mirror_in(&self, image: ImageId, mode: ImageMirrorMode) -> Result<(), Fault> {
        const DOING: &str = "mirror an image";
        self.needs_mirroring(DOING)?;
        self.unfenced(DOING).await?;
        let mirroring = Arc::clone(&self.mirroring);
        blocking(move || mirroring.enable(image, mode)).await
    }

    /// Has flushes of an image wait for its peers, or no longer.
    pub(in crate::serve) async fn set_sync(
        &self,
        image: ImageId,
        mode: Option<SyncMode>,
    ) -> Result<(), Fault> {
        const DOING: &str = "set the sync mode of an image";
        if mode.is_some() {
            self.needs_mirroring(DOING)?;
        }
        self.unfenced(DOING).await?;
        self.change(move |store| store.set_sync_mode(image, mode))
            .await?;
        let mode = mode.map_or_else(|| "none".to_owned(), |mode| mode.to_string());
        tracing::info!(%image, mode, "the sync mode of an image was set");
        Ok(())
    }

    /// Mirrors an image that is mirrored in that way from here on.
    pub(in crate::serve) async fn mirror_by(
        &self,
        image: ImageId,
        way: MirrorWay,
    ) -> Result<(), Fault> {
        self.unfenced("set the way in which an image is mirrored")
            .await?;
        self.change(move |store| store.set_mirror_way(image, way))
            .await?;
        tracing::info!(%image, ?way, "the way in which an image is mirrored was set");
        Ok(())
    }

    async fn set_target(&self, image: ImageId, seconds: Option<f64>) -> Result<(), Fault> {
        const DOING: &str = "set a target";
        if seconds.is_some_and(|seconds| !(0.1..=TARGET_MOST).contains(&seconds)) {
            let why = "a target is a time from 0.1 seconds to a week";
            return Err(Fault::new(FaultKind::Invalid, DOING, why));
        }
        self.unfenced(DOING).await?;
        self.change(move |store| target::set(store, image, seconds))
            .await
    }
}

impl super::Mirroring {
    fn resync(&self, images: &[ImageId]) -> Result<(), Fault> {
        const DOING: &str = "copy an image anew";
        let mut sources: BTreeMap<StoreId, Vec<ImageId>> = BTreeMap::new();
        for image in images {
            let known = self.store.image(*image).map_err(|error| fault(&error))?;
            if let Some(upstream) = known.info().upstream {
                sources.entry(upstream).or_default().push(*image);
            }
        }
        for (of, images) in sources {
            let Some(led) = self.mirror.leads(of, &images) else {
                let why = "its primary does not answer; nothing is given up before it does";
                return Err(Fault::new(FaultKind::Busy, DOING, why));
            };
            // What somebody has who follows another one, or may have to, replaces nothing.
            if let Some(image) = images.iter().find(|image| !led.contains(image)) {
                let known = self.store.image(*image).map_err(|error| fault(&error))?;
                let name = known.info().name;
                let why = format!(
                    "the site that {name} follows is not its primary now; nothing is given up before that is known"
                );
                return Err(Fault::new(FaultKind::Busy, DOING, why));
            }
        }
        let kept = self.store.resync(images).map_err(|error| fault(&error))?;
        for (image, kept) in images.iter().zip(kept) {
            tracing::warn!(%image, %kept, "an image is copied anew from its primary");
        }
        Ok(())
    }

    /// Removes what was kept of images that have been copied anew.
    pub(super) fn release_kept(&self) {
        for image in self.store.images() {
            let info = image.info();
            let kept_for = info.metadata.get(firebrick_engine::KEPT_FOR_KEY);
            let of = kept_for.and_then(|id| id.parse::<ImageId>().ok());
            let whole = of.is_some_and(|of| match self.store.image(of) {
                Ok(of) => of.info().sync.is_consistent(),
                Err(_) => false,
            });
            if !whole {
                continue;
            }
            let name = &info.name;
            if let Err(error) = self.store.remove_image(info.id) {
                tracing::error!(image = %name, %error, "what was kept of an image was not removed");
            } else {
                tracing::info!(image = %name, "an image was copied anew; what was kept of it is removed");
            }
        }
    }
}

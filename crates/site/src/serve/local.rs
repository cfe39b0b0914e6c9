//! The site as a [`Backend`]: what the admin socket serves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firebrick_backend::{
    Access, Backend, Capabilities, DrillInfo, ExportAddress, ExportInfo, ExportKey, Fault,
    FaultKind, ImageInfo, MirrorStatus, NewImage, PeerStatus, PromoteMode, PromoteOutcome, Reader,
    SiteStatus, SnapshotInfo, SpaceStats, ViewOf, Writer,
};
use firebrick_edge::Timestamp;
use firebrick_engine::{Error, Image, Store, is_of_mirroring};
use firebrick_mirror::{Mirror, PeerState};
use firebrick_vocabulary::{
    Bytes, ImageId, ImageName, Limits, MirrorWay, Position, Sequence, SnapshotName, StoreId,
};
use tokio::sync::watch;

use super::bytes::{LocalReader, LocalWriter};
use super::exports::Exports;
use super::fault::{blocking, fault, gone_is_fine, reason};
use super::mirroring::{Mirroring, is_mark};
use super::pool::Pool;
use super::rewrite::roll_back_to;
use super::tools::{Desk, namespace_exists};
use super::views::is_hidden;
use crate::admin::{MirrorMode, writable};
use crate::conf::SiteConf;

/// How long a call waits for the fence: less than the client's patience.
const FENCE_PATIENCE: Duration = Duration::from_secs(20);
/// The longest that one call waits for the mirror.
const APPLIED_PATIENCE_MAX: Duration = Duration::from_secs(3600);

/// The embedded engine as a site.
pub(super) struct LocalSite {
    name: String,
    pub(super) pool: Arc<Pool>,
    pub(super) store: Arc<Store>,
    mirror: Arc<Mirror>,
    pub(super) exports: Arc<Exports>,
    /// Whether the exports are open, which they are once the fence is lifted.
    gate: watch::Receiver<bool>,
    pub(super) desk: Desk,
    pub(super) mirroring: Arc<Mirroring>,
}

impl LocalSite {
    pub(super) fn new(
        conf: &SiteConf,
        mirroring: Arc<Mirroring>,
        exports: &Arc<Exports>,
        gate: watch::Receiver<bool>,
        desk: Desk,
    ) -> Self {
        Self {
            name: conf.name.clone(),
            pool: Arc::clone(&mirroring.pool),
            store: Arc::clone(&mirroring.store),
            mirror: Arc::clone(&mirroring.mirror),
            mirroring,
            exports: Arc::clone(exports),
            gate,
            desk,
        }
    }

    /// Reads from the store.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        blocking(move || work(&store).map_err(|error| fault(&error))).await
    }

    /// Changes the store; what it answers is durable.
    pub(super) async fn change<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    {
        self.read(|store| {
            let done = work(store)?;
            store.flush()?;
            Ok(done)
        })
        .await
    }

    /// Waits until mirrored images are known to be primary here (or not).
    pub(super) async fn unfenced(&self, doing: &str) -> Result<(), Fault> {
        let mut gate = self.gate.clone();
        match tokio::time::timeout(FENCE_PATIENCE, gate.wait_for(|open| *open)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Fault::new(
                FaultKind::Unreachable,
                doing,
                "the site is about to stop",
            )),
            Err(_) => {
                let why = "the site still waits for its peer's word";
                Err(Fault::new(FaultKind::TimedOut, doing, why))
            }
        }
    }

    /// Refuses what makes no sense where nothing is mirrored.
    pub(super) fn needs_mirroring(&self, doing: &str) -> Result<(), Fault> {
        if self.pool.mode() != MirrorMode::Disabled {
            return Ok(());
        }
        let why =
            "the site mirrors nothing: it has no peer in its configuration, and nobody enabled it";
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }

    /// The peers that read the log of this site now.
    pub(super) fn readers(&self) -> Vec<String> {
        let peers = self.mirror.peers().into_iter();
        peers
            .filter(|peer| peer.reading)
            .map(|peer| peer.name)
            .collect()
    }

    /// Refuses a name in a namespace that is not there.
    pub(super) async fn in_namespace(&self, name: &ImageName) -> Result<(), Fault> {
        if name.namespace().is_empty() {
            return Ok(());
        }
        let name = name.clone();
        self.read(move |store| namespace_exists(store, name.namespace()))
            .await
    }

    fn peers(&self) -> Vec<PeerStatus> {
        self.mirror.peers().into_iter().map(peer_status).collect()
    }
}

fn peer_status(peer: PeerState) -> PeerStatus {
    PeerStatus {
        name: peer.name,
        store: peer.store,
        reading: peer.reading,
        following: peer.following,
        confirmed: peer.confirmed,
        // Within a peer's log the sequence says all; its epoch is the peer's business.
        applied: Position {
            epoch: Position::ZERO.epoch,
            sequence: peer.applied,
        },
        lag: peer.lag,
        received: peer.received,
    }
}

fn image_info(image: &Image) -> Result<ImageInfo, Error> {
    let info = image.info();
    let used = image.used()?;
    Ok(ImageInfo {
        limits: super::limits::of(&info),
        id: info.id,
        name: info.name,
        size: info.size,
        used,
        role: info.role,
        epoch: info.epoch,
        mirrored: info.mirrored,
        sync: info.sync,
    })
}

fn snapshot_info(info: firebrick_engine::SnapshotInfo) -> SnapshotInfo {
    SnapshotInfo {
        id: info.id,
        name: info.name,
        size: info.size,
    }
}

fn new_image(image: NewImage) -> firebrick_engine::NewImage {
    let origin = image.origin.map(|origin| firebrick_engine::NewOrigin {
        image: origin.image,
        snapshot: origin.snapshot,
        at: None,
    });
    firebrick_engine::NewImage {
        id: image.id,
        name: image.name,
        size: image.size,
        origin,
        mirrored: image.mirrored,
    }
}

#[async_trait]
impl Backend for LocalSite {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        crate::capabilities(self.pool.mode() != MirrorMode::Disabled)
    }

    async fn status(&self) -> Result<SiteStatus, Fault> {
        Ok(SiteStatus {
            name: self.name.clone(),
            store: self.store.id(),
            head: self.store.head(),
            durable: self.store.durable(),
            peers: self.peers(),
        })
    }

    async fn space(&self) -> Result<SpaceStats, Fault> {
        let space = self.read(Store::space).await?;
        Ok(SpaceStats {
            total: space.total,
            free: space.free,
            provisioned: space.provisioned,
            used: space.used,
            reclaimable: space.reclaimable,
        })
    }

    async fn create_image(&self, image: NewImage) -> Result<ImageInfo, Fault> {
        if image.mirrored {
            self.needs_mirroring("create a mirrored image")?;
        }
        let image = NewImage {
            mirrored: image.mirrored || self.pool.mirrors_new(&image.name),
            ..image
        };
        self.in_namespace(&image.name).await?;
        self.change(|store| image_info(&*store.create_image(new_image(image))?))
            .await
    }

    async fn image(&self, image: ImageId) -> Result<ImageInfo, Fault> {
        self.read(move |store| image_info(&*store.image(image)?))
            .await
    }

    async fn images(&self) -> Result<Vec<ImageInfo>, Fault> {
        self.read(|store| {
            let images = store.images().into_iter();
            let images = images.filter(|image| !is_hidden(&image.info().name));
            images.map(|image| image_info(&image)).collect()
        })
        .await
    }

    async fn rename_image(&self, image: ImageId, name: ImageName) -> Result<(), Fault> {
        self.unfenced("rename an image").await?;
        self.in_namespace(&name).await?;
        let exports = Arc::clone(&self.exports);
        blocking(move || exports.rename_image(image, name)).await
    }

    async fn extend_image(&self, image: ImageId, size: Bytes) -> Result<(), Fault> {
        self.unfenced("extend an image").await?;
        let now = self.image(image).await?;
        if now.size == size {
            return Ok(());
        }
        if now.size > size {
            let why = format!(
                "it has {} already, and images never shrink to {size}",
                now.size
            );
            return Err(Fault::new(
                FaultKind::Invalid,
                format!("extend {}", now.name),
                why,
            ));
        }
        self.change(move |store| store.resize_image(image, size))
            .await
    }

    async fn set_limits(&self, image: ImageId, limits: Limits) -> Result<(), Fault> {
        self.unfenced("limit an image").await?;
        let exports = Arc::clone(&self.exports);
        blocking(move || exports.set_limits(image, &limits)).await
    }

    async fn remove_image(&self, image: ImageId) -> Result<(), Fault> {
        self.unfenced("remove an image").await?;
        let (exports, mirroring) = (Arc::clone(&self.exports), Arc::clone(&self.mirroring));
        let removed = blocking(move || {
            mirroring.give_up_comparing(image);
            exports.remove_image(image)
        });
        gone_is_fine(removed.await)
    }

    async fn create_snapshot(
        &self,
        image: ImageId,
        name: SnapshotName,
    ) -> Result<SnapshotInfo, Fault> {
        self.unfenced("create a snapshot").await?;
        self.change(move |store| store.create_snapshot(image, name).map(snapshot_info))
            .await
    }

    async fn create_snapshots(
        &self,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<Vec<SnapshotInfo>, Fault> {
        self.unfenced("create snapshots").await?;
        let wanted = wanted.to_vec();
        self.change(move |store| {
            let taken = store.create_snapshots(&wanted)?;
            Ok(taken.into_iter().map(snapshot_info).collect())
        })
        .await
    }

    async fn snapshots(&self, image: ImageId) -> Result<Vec<SnapshotInfo>, Fault> {
        self.read(move |store| {
            Ok(store
                .snapshots(image)?
                .into_iter()
                .filter(|taken| !is_mark(&taken.name) && !is_of_mirroring(&taken.name))
                .map(snapshot_info)
                .collect())
        })
        .await
    }

    async fn remove_snapshot(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        self.unfenced("remove a snapshot").await?;
        gone_is_fine(
            self.change(move |store| store.remove_snapshot(image, &name))
                .await,
        )
    }

    async fn roll_back(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        self.unfenced("roll an image back").await?;
        let exports = Arc::clone(&self.exports);
        blocking(move || exports.roll_back(image, &name)).await
    }

    async fn reader(
        &self,
        image: ImageId,
        of: ViewOf,
        since: Option<ViewOf>,
        from: u64,
    ) -> Result<Box<dyn Reader>, Fault> {
        let store = Arc::clone(&self.store);
        let open = move || LocalReader::open(&store, image, &of, since.as_ref(), from);
        Ok(Box::new(blocking(open).await?))
    }

    async fn writer(&self, image: ImageId) -> Result<Box<dyn Writer>, Fault> {
        self.unfenced("write an image").await?;
        writable(&self.image(image).await?)?;
        let store = Arc::clone(&self.store);
        Ok(Box::new(LocalWriter { store, image }))
    }

    async fn export(
        &self,
        image: ImageId,
        key: ExportKey,
        access: Access,
    ) -> Result<ExportAddress, Fault> {
        self.unfenced("export an image").await?;
        let exports = Arc::clone(&self.exports);
        blocking(move || exports.export(image, key, access)).await
    }

    async fn unexport(&self, image: ImageId, key: ExportKey) -> Result<(), Fault> {
        let exports = Arc::clone(&self.exports);
        gone_is_fine(blocking(move || exports.unexport(image, &key)).await)
    }

    async fn exports(&self) -> Result<Vec<ExportInfo>, Fault> {
        let exports = Arc::clone(&self.exports);
        blocking(move || Ok(exports.list())).await
    }

    async fn set_mirroring(&self, image: ImageId, enabled: bool) -> Result<(), Fault> {
        if enabled {
            self.needs_mirroring("mirror an image")?;
        }
        self.unfenced("change the mirroring of an image").await?;
        self.change(move |store| store.set_mirroring(image, enabled))
            .await?;
        tracing::info!(%image, enabled, "the mirroring of an image changed");
        Ok(())
    }

    async fn set_mirror_way(&self, image: ImageId, way: MirrorWay) -> Result<(), Fault> {
        self.mirror_by(image, way).await
    }

    async fn mirror_status(&self) -> Result<MirrorStatus, Fault> {
        let mirroring = Arc::clone(&self.mirroring);
        let images = blocking(move || Ok(mirroring.statuses())).await?;
        Ok(MirrorStatus {
            peers: self.peers(),
            images,
        })
    }

    async fn demote(&self, images: &[ImageId]) -> Result<Position, Fault> {
        let (exports, ids) = (Arc::clone(&self.exports), images.to_vec());
        let position = blocking(move || exports.demote(&ids)).await?;
        tracing::info!(images = images.len(), %position, "images were demoted");
        Ok(position)
    }

    async fn wait_applied(
        &self,
        of: StoreId,
        position: Position,
        _images: &[ImageId],
        within: Duration,
    ) -> Result<(), Fault> {
        let within = within.min(APPLIED_PATIENCE_MAX);
        if of == self.store.id()
            || self
                .mirror
                .wait_applied(of, position.sequence, within)
                .await
        {
            return Ok(());
        }
        let held = self.store.applied(of);
        let why = format!("only {held} is here after {:.1} s", within.as_secs_f64());
        let doing = format!("wait for {} of store {of}", position.sequence);
        Err(Fault::new(FaultKind::TimedOut, doing, why))
    }

    async fn promote(
        &self,
        images: &[ImageId],
        mode: PromoteMode,
    ) -> Result<Vec<PromoteOutcome>, Fault> {
        let forced = match mode {
            PromoteMode::Planned => false,
            PromoteMode::Forced => true,
        };
        let ids = images.to_vec();
        let results = self
            .change(move |store| store.promote(&ids, forced))
            .await?;
        let refused = results.iter().filter(|(_, result)| result.is_err()).count();
        let promoted = results.len() - refused;
        tracing::info!(promoted, refused, forced, "images were promoted");
        let outcome = |(image, result): (ImageId, Result<_, _>)| PromoteOutcome {
            image,
            result: result.map_err(reason),
        };
        Ok(results.into_iter().map(outcome).collect())
    }

    async fn begin_drill(&self, image: ImageId, at: Option<Sequence>) -> Result<DrillInfo, Fault> {
        let (mirroring, exports) = (Arc::clone(&self.mirroring), Arc::clone(&self.exports));
        let begun = blocking(move || mirroring.begin_drill(&exports, image, at)).await?;
        Ok(begun.into())
    }

    async fn drills(&self) -> Result<Vec<DrillInfo>, Fault> {
        let (mirroring, exports) = (Arc::clone(&self.mirroring), Arc::clone(&self.exports));
        let drills = blocking(move || Ok(mirroring.drills(&exports))).await?;
        Ok(drills.into_iter().map(DrillInfo::from).collect())
    }

    async fn end_drill(&self, image: ImageId) -> Result<(), Fault> {
        let (mirroring, exports) = (Arc::clone(&self.mirroring), Arc::clone(&self.exports));
        blocking(move || mirroring.end_drill(&exports, image)).await
    }

    async fn record_at(&self, image: ImageId, time: u64) -> Result<Sequence, Fault> {
        self.read(move |store| {
            let record = store.position_at(Timestamp(time))?;
            // It may be older than what the image keeps, or than the image.
            store.size_at(image, record)?;
            Ok(record)
        })
        .await
    }

    async fn roll_back_to(&self, image: ImageId, at: Sequence) -> Result<(), Fault> {
        let (store, exports) = (Arc::clone(&self.store), Arc::clone(&self.exports));
        blocking(move || roll_back_to(&store, &exports, image, at)).await
    }
}

//! The site: what each method of the trait is at a cluster.

mod bytes;
mod clone;
mod drill;
mod exports;
mod images;
mod lag;
mod leftover;
mod limits;
mod mirror;
mod part;
mod purge;
mod remove;
mod report;
mod snapshots;
mod space;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use firebrick_backend::{
    Access, Backend, Capabilities, DrillInfo, ExportAddress, ExportInfo, ExportKey, Fault,
    FaultKind, GlobalId, ImageInfo, MirrorStatus, NewImage, PromoteMode, PromoteOutcome, Reader,
    SiteStatus, SnapshotInfo, SpaceStats, ViewOf, Writer,
};
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageName, Limits, MirrorWay, Position, Sequence, SnapshotName, StoreId,
};
use uuid::Uuid;

use crate::ffi::{Cancel, Missing};
use crate::link::{Line, Link, Pace};
use crate::names::Names;
use crate::options::CephOptions;

/// A pool of a cluster as a site.
pub struct CephSite {
    shared: Arc<Shared>,
    /// Empties the trash from the first call on.
    purging: OnceLock<()>,
}

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) line: Arc<Line>,
    pub(crate) names: Names,
    pub(crate) behind: lag::Behind,
}

impl Shared {
    pub(crate) fn options(&self) -> &CephOptions {
        &self.line.options
    }
}

/// Who a site is: the same for everybody who knows the cluster and the pool.
pub(crate) fn store(link: &Link, options: &CephOptions) -> StoreId {
    StoreId(Uuid::new_v5(&link.fsid, options.pool.as_bytes()))
}

impl CephSite {
    /// A site on the pool that the options name. Nothing is asked of the cluster yet; where it does not
    /// answer, each call says so.
    pub fn new(options: CephOptions) -> Result<Self, Missing> {
        let shared = Arc::new(Shared {
            line: Line::new(options)?,
            names: Names::default(),
            behind: lag::Behind::default(),
        });
        Ok(Self {
            shared,
            purging: OnceLock::new(),
        })
    }

    async fn call<T: Send + 'static>(
        &self,
        pace: Pace,
        doing: String,
        work: impl FnOnce(&Shared, &Link, &Cancel, &str) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.purging.get_or_init(|| {
            tokio::spawn(purge::run(Arc::downgrade(&self.shared)));
        });
        let (shared, what) = (Arc::clone(&self.shared), doing.clone());
        let work = move |link: &Link, cancel: &Cancel| work(&shared, link, cancel, &what);
        self.shared.line.call(pace, doing, work).await
    }
}

#[async_trait]
impl Backend for CephSite {
    fn name(&self) -> &str {
        &self.shared.options().name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            storage_protocol: "ceph".to_owned(),
            thin_provisioning: true,
            multiattach: true,
            online_extend: true,
            mirroring: self.shared.options().has_target,
            mirror_modes: vec![self.shared.options().mirroring.way().mode()],
            snapshot_schedules: false,
            synchronous: false,
            consistent_groups: false,
            active_active: true,
            earlier_states: false,
            drills_of_snapshots: true,
            leaves_copies: true,
        }
    }

    async fn status(&self) -> Result<SiteStatus, Fault> {
        let doing = "look at the cluster".to_owned();
        self.call(Pace::Quick, doing, |shared, link, _, doing| {
            report::status(shared, link, doing)
        })
        .await
    }

    async fn space(&self) -> Result<SpaceStats, Fault> {
        let doing = "ask for the room in the pool".to_owned();
        self.call(Pace::Quick, doing, |shared, link, _, doing| {
            space::space(shared, link, doing)
        })
        .await
    }

    async fn create_image(&self, image: NewImage) -> Result<ImageInfo, Fault> {
        let doing = format!("create image {}", image.name);
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            images::create(shared, link, &image, cancel, doing)
        })
        .await
    }

    async fn image(&self, image: ImageId) -> Result<ImageInfo, Fault> {
        let doing = format!("look at image {image}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            images::one(shared, link, image, doing)
        })
        .await
    }

    async fn images(&self) -> Result<Vec<ImageInfo>, Fault> {
        images::all(&self.shared).await
    }

    async fn rename_image(&self, image: ImageId, name: ImageName) -> Result<(), Fault> {
        let doing = format!("rename image {image} to {name}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            images::rename(shared, link, image, &name, doing)
        })
        .await
    }

    async fn extend_image(&self, image: ImageId, size: Bytes) -> Result<(), Fault> {
        let doing = format!("extend image {image}");
        self.call(Pace::Quick, doing, move |shared, link, cancel, doing| {
            images::extend(shared, link, image, size, cancel, doing)
        })
        .await
    }

    async fn set_limits(&self, image: ImageId, limits: Limits) -> Result<(), Fault> {
        let doing = format!("limit image {image}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            limits::set(shared, link, image, &limits, doing)
        })
        .await
    }

    async fn remove_image(&self, image: ImageId) -> Result<(), Fault> {
        let doing = format!("remove image {image}");
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            remove::image(shared, link, image, cancel, doing)
        })
        .await
    }

    async fn create_snapshot(
        &self,
        image: ImageId,
        name: SnapshotName,
    ) -> Result<SnapshotInfo, Fault> {
        let doing = format!("create snapshot {name} of image {image}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            snapshots::create(shared, link, image, &name, doing)
        })
        .await
    }

    async fn create_snapshots(
        &self,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<Vec<SnapshotInfo>, Fault> {
        snapshots::together(wanted)
    }

    async fn snapshots(&self, image: ImageId) -> Result<Vec<SnapshotInfo>, Fault> {
        let doing = format!("list the snapshots of image {image}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            snapshots::list(shared, link, image, doing)
        })
        .await
    }

    async fn remove_snapshot(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        let doing = format!("remove snapshot {name} of image {image}");
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            remove::snapshot(shared, link, (image, &name), cancel, doing)
        })
        .await
    }

    async fn roll_back(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        let doing = format!("return image {image} to {name}");
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            snapshots::roll_back(shared, link, (image, &name), cancel, doing)
        })
        .await
    }

    async fn reader(
        &self,
        image: ImageId,
        of: ViewOf,
        since: Option<ViewOf>,
        from: u64,
    ) -> Result<Box<dyn Reader>, Fault> {
        Ok(Box::new(
            bytes::read(&self.shared, image, of, since, from).await?,
        ))
    }

    async fn writer(&self, image: ImageId) -> Result<Box<dyn Writer>, Fault> {
        Ok(Box::new(bytes::write(&self.shared, image).await?))
    }

    async fn export(
        &self,
        image: ImageId,
        key: ExportKey,
        access: Access,
    ) -> Result<ExportAddress, Fault> {
        let doing = format!("export image {image}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            exports::export(shared, link, image, (&key, access), doing)
        })
        .await
    }

    async fn unexport(&self, image: ImageId, key: ExportKey) -> Result<(), Fault> {
        let doing = format!("end an export of image {image}");
        self.call(Pace::Quick, doing, move |_, link, _, doing| {
            exports::unexport(link, image, &key, doing)
        })
        .await
    }

    async fn exports(&self) -> Result<Vec<ExportInfo>, Fault> {
        let doing = "list the exports".to_owned();
        self.call(Pace::Quick, doing, |shared, link, _, doing| {
            exports::all(shared, link, doing)
        })
        .await
    }

    async fn set_mirroring(&self, image: ImageId, enabled: bool) -> Result<(), Fault> {
        let doing = format!("change the mirroring of image {image}");
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            mirror::set(shared, link, image, enabled, cancel, doing)
        })
        .await
    }

    async fn set_mirror_way(&self, image: ImageId, way: MirrorWay) -> Result<(), Fault> {
        let held = self.shared.options().mirroring.way();
        // Who asks for nothing gets what the backend does.
        if way == held || way == MirrorWay::Journal {
            return Ok(());
        }
        let doing = format!("set the way in which {image} is mirrored");
        let why = format!(
            "the images of {} are mirrored in the {} mode alone, and schedules are the cluster's own",
            self.name(),
            held.mode()
        );
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }

    async fn mirror_status(&self) -> Result<MirrorStatus, Fault> {
        let status = self.status().await?;
        let images = self.images().await?;
        let way = self.shared.options().mirroring.way();
        Ok(report::mirroring(status, images, way))
    }

    async fn demote(&self, images: &[ImageId]) -> Result<Position, Fault> {
        mirror::demote(&self.shared, images).await
    }

    async fn wait_applied(
        &self,
        of: StoreId,
        position: Position,
        images: &[ImageId],
        within: Duration,
    ) -> Result<(), Fault> {
        mirror::arrival(&self.shared, of, position, images, within).await
    }

    async fn wait_ready(&self, images: &[(ImageId, Epoch)], within: Duration) -> Result<(), Fault> {
        mirror::ready(&self.shared, images, within).await
    }

    async fn rejoin(&self, images: &[ImageId]) -> Result<(), Fault> {
        mirror::rejoin(&self.shared, images).await
    }

    async fn global_id(&self, image: ImageId) -> Result<Option<GlobalId>, Fault> {
        let doing = format!("ask for the global id of image {image}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            match leftover::global_id(shared, link, image, doing) {
                // That is something of it, which nobody else finds any more.
                Err(fault)
                    if fault.kind == FaultKind::NotFound
                        && drill::is_there(link, image, doing)? =>
                {
                    Ok(None)
                }
                found => found,
            }
        })
        .await
    }

    async fn remove_leftover(&self, image: ImageId, known: Option<GlobalId>) -> Result<(), Fault> {
        let doing = format!("remove what is left of image {image}");
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            drill::end(link, image, cancel, doing)?;
            leftover::remove(shared, link, (image, known), cancel, doing)
        })
        .await
    }

    async fn promote(
        &self,
        images: &[ImageId],
        mode: PromoteMode,
    ) -> Result<Vec<PromoteOutcome>, Fault> {
        mirror::promote(&self.shared, images, mode).await
    }

    async fn begin_drill(&self, image: ImageId, at: Option<Sequence>) -> Result<DrillInfo, Fault> {
        let doing = format!("begin a drill of image {image}");
        if at.is_some() {
            let why = format!("{} has no states between snapshots", self.name());
            return Err(Fault::new(FaultKind::Unsupported, doing, why));
        }
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            drill::begin(shared, link, image, cancel, doing)
        })
        .await
    }

    async fn begin_drill_of(
        &self,
        image: ImageId,
        snapshot: &SnapshotName,
    ) -> Result<Option<DrillInfo>, Fault> {
        let (doing, name) = (format!("begin a drill of {image}"), snapshot.clone());
        self.call(Pace::Slow, doing, move |shared, link, cancel, doing| {
            drill::begin_of(shared, link, (image, &name), cancel, doing)
        })
        .await
    }

    async fn send(&self, image: ImageId) -> Result<(), Fault> {
        let doing = format!("send what was done to image {image}");
        self.call(Pace::Quick, doing, move |shared, link, _, doing| {
            mirror::send(shared, link, image, doing)
        })
        .await
    }

    async fn drills(&self) -> Result<Vec<DrillInfo>, Fault> {
        let doing = "list the drills".to_owned();
        self.call(Pace::Quick, doing, |shared, link, _, doing| {
            drill::all(shared, link, doing)
        })
        .await
    }

    async fn end_drill(&self, image: ImageId) -> Result<(), Fault> {
        let doing = format!("end the drill of image {image}");
        self.call(Pace::Slow, doing, move |_, link, cancel, doing| {
            drill::end(link, image, cancel, doing)
        })
        .await
    }
}

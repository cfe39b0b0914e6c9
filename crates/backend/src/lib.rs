//! What a site can do: the one trait that every kind of site satisfies.
//!
//! What it is for: the control plane drives sites through [`Backend`] and never asks which kind one
//! is. What it promises: every call is idempotent, because an activity may run a step twice: making
//! what is already there as asked succeeds, removing what is not there succeeds. What it leans on:
//! `vocabulary` alone.

mod bytes;
mod capability;
mod fault;
mod types;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageName, Limits, MirrorWay, Position, Sequence, SnapshotName, StoreId,
};

pub use bytes::{Content, Extent, Reader, TRANSFER_MAX, ViewOf, Writer};
pub use capability::Capabilities;
pub use fault::{Fault, FaultKind};
pub use types::{
    Access, DRILL_SNAPSHOT, DrillInfo, ExportAddress, ExportInfo, ExportKey, GlobalId, ImageInfo,
    ImageStatus, Loss, MirrorStatus, NewImage, Origin, PeerStatus, PromoteMode, PromoteOutcome,
    ReaderStatus, Reason, Replay, SiteStatus, SnapshotInfo, SpaceStats,
};

/// A site, whatever keeps its images.
pub type SharedBackend = Arc<dyn Backend>;

/// What a site can do. See the crate's promise: every call may be repeated.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The name of the site in the configuration, for example `site-a`.
    fn name(&self) -> &str;

    /// What this site can and cannot do.
    fn capabilities(&self) -> Capabilities;

    /// Who the site is and how it is: the cheapest call, also used to see whether it lives.
    async fn status(&self) -> Result<SiteStatus, Fault>;

    /// The room in the pool of volumes.
    async fn space(&self) -> Result<SpaceStats, Fault>;

    /// Makes an image; the same id with the same name and size again is no error.
    async fn create_image(&self, image: NewImage) -> Result<ImageInfo, Fault>;
    /// One image; `NotFound` where there is none.
    async fn image(&self, image: ImageId) -> Result<ImageInfo, Fault>;
    /// All images.
    async fn images(&self) -> Result<Vec<ImageInfo>, Fault>;
    /// Gives the image another name.
    async fn rename_image(&self, image: ImageId, name: ImageName) -> Result<(), Fault>;
    /// Makes the image larger (or, where it is as large already, does nothing). Never smaller.
    async fn extend_image(&self, image: ImageId, size: Bytes) -> Result<(), Fault>;
    /// Makes these the limits of the image's exports, now and for as long as it exists, wherever it is
    /// primary. `NotPrimary` where it is not primary here.
    async fn set_limits(&self, image: ImageId, limits: Limits) -> Result<(), Fault>;
    /// Removes the image; `Busy` where it has snapshots, is exported, or somebody has it open.
    async fn remove_image(&self, image: ImageId) -> Result<(), Fault>;

    /// Takes a snapshot; the same name again is no error and takes no second one.
    async fn create_snapshot(
        &self,
        image: ImageId,
        name: SnapshotName,
    ) -> Result<SnapshotInfo, Fault>;
    /// Takes snapshots of several images, all at one position: no write to any of them lies between
    /// two, and a crash leaves all or none. The answers are in the order of `wanted`. The same again
    /// is no error; `Exists` where only some of them are there, as no others could be of that position;
    /// `Invalid` where an image is named twice.
    async fn create_snapshots(
        &self,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<Vec<SnapshotInfo>, Fault>;
    /// The snapshots of an image, oldest first.
    async fn snapshots(&self, image: ImageId) -> Result<Vec<SnapshotInfo>, Fault>;
    /// Removes a snapshot.
    async fn remove_snapshot(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault>;
    /// Returns the image to a snapshot of its own. `Busy` where it is exported writable.
    async fn roll_back(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault>;

    /// Reads a state of an image from byte `from` on (a multiple of 4096): all data that it has, or
    /// with `since` what differs from that older state of it. The states are held until the reader
    /// goes. Needs no export, and no limit slows it.
    async fn reader(
        &self,
        image: ImageId,
        of: ViewOf,
        since: Option<ViewOf>,
        from: u64,
    ) -> Result<Box<dyn Reader>, Fault>;
    /// Writes an image. Needs no export, and no limit slows it; whoever asks sees to it that no guest
    /// writes meanwhile. `NotPrimary` where the image is not primary here.
    async fn writer(&self, image: ImageId) -> Result<Box<dyn Writer>, Fault>;

    /// Exports the image under `key`; the export lives until [`Self::unexport`] and survives a restart
    /// of the site. Several keys may export one image.
    async fn export(
        &self,
        image: ImageId,
        key: ExportKey,
        access: Access,
    ) -> Result<ExportAddress, Fault>;
    /// Ends the export of `key` and its connections where no other key holds them.
    async fn unexport(&self, image: ImageId, key: ExportKey) -> Result<(), Fault>;
    /// All exports.
    async fn exports(&self) -> Result<Vec<ExportInfo>, Fault>;

    /// Mirrors the image to the peer from here on, or ends that (the peer's copy is removed).
    async fn set_mirroring(&self, image: ImageId, enabled: bool) -> Result<(), Fault>;
    /// Mirrors an image that is mirrored in that way from here on. `NotPrimary` where it is not primary here,
    /// `Invalid` where it is not mirrored, `Unsupported` for what [`Capabilities`] do not name.
    async fn set_mirror_way(&self, image: ImageId, way: MirrorWay) -> Result<(), Fault> {
        if way == MirrorWay::Journal {
            return Ok(());
        }
        let why = format!("{} mirrors in the journal mode alone", self.name());
        let doing = format!("set the way in which {image} is mirrored");
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }
    /// How the mirroring of each image goes, as this site sees it.
    async fn mirror_status(&self) -> Result<MirrorStatus, Fault>;
    /// Makes the images secondary at one position and returns it; guests' writes are refused from
    /// then on. Images that are secondary already are no error.
    async fn demote(&self, images: &[ImageId]) -> Result<Position, Fault>;
    /// Waits until this site holds everything of store `of` up to `position` that belongs to `images`;
    /// `TimedOut` otherwise. A site whose store has one log waits for all of that.
    async fn wait_applied(
        &self,
        of: StoreId,
        position: Position,
        images: &[ImageId],
        within: Duration,
    ) -> Result<(), Fault>;
    /// Waits until these copies can change places with their primary at another site, which has these epochs
    /// and would follow them then; `TimedOut` otherwise. It is asked before a demotion that is to be answered
    /// here. A site whose peer follows it whenever it is promoted has nothing to wait for.
    async fn wait_ready(
        &self,
        _images: &[(ImageId, Epoch)],
        _within: Duration,
    ) -> Result<(), Fault> {
        Ok(())
    }
    /// Sees to it that the images follow their primary at another site, also where they were primary here
    /// when it was promoted by force. What they have and it does not is given up. A site that finds that
    /// out by itself, from what it reads, has nothing to do.
    async fn rejoin(&self, _images: &[ImageId]) -> Result<(), Fault> {
        Ok(())
    }
    /// Makes the images primary at one position. The outcome says for each image what became of it;
    /// images that are primary already are no error. A planned promotion refuses images whose former
    /// primary's demotion has not arrived.
    async fn promote(
        &self,
        images: &[ImageId],
        mode: PromoteMode,
    ) -> Result<Vec<PromoteOutcome>, Fault>;

    /// By what all sites that mirror the image know it; `None` where it is not mirrored here. `NotFound` where
    /// there is nothing of it. Only kinds of sites that [leave copies](Capabilities::leaves_copies) are ever asked.
    async fn global_id(&self, image: ImageId) -> Result<Option<GlobalId>, Fault> {
        let why = format!("{} removes its copies itself", self.name());
        let doing = format!("ask for the global id of {image}");
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }
    /// Removes what the site has of an image that does not live here: a copy of which nobody tells it any more
    /// that its primary was removed, or is not mirrored any more, or a former primary that was lost when another one
    /// was promoted. What has become another one than was `known` stays, and so does the image where nothing of
    /// it is here. Only of kinds of sites that [leave copies](Capabilities::leaves_copies) it is ever asked;
    /// others read of removals.
    async fn remove_leftover(
        &self,
        _image: ImageId,
        _known: Option<GlobalId>,
    ) -> Result<(), Fault> {
        Ok(())
    }

    /// Makes a clone of a secondary, exported and not mirrored, for guests that try what a failover would
    /// give, or what the image was at a record of this site's log ([`Backend::record_at`]); the mirror goes on.
    /// One that is there is no error and stays as it is, but `Exists` where a record was named. `Invalid` where
    /// the image is primary here, `Inconsistent` where its first copy is not complete. Kinds of sites whose drills
    /// [are of snapshots](Capabilities::drills_of_snapshots) copy all that the image has then, which takes as long as
    /// that; it is for when its primary does not answer.
    async fn begin_drill(&self, image: ImageId, _at: Option<Sequence>) -> Result<DrillInfo, Fault> {
        let why = format!("{} has no drills", self.name());
        let doing = format!("begin a drill of {image}");
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }
    /// The same of a snapshot, which was [taken](Backend::create_snapshot) and [sent](Backend::send) at the primary
    /// and may be removed there afterwards. `None` where this site does not have all of it yet. Only of kinds of
    /// sites whose drills [are of snapshots](Capabilities::drills_of_snapshots) it is ever asked.
    async fn begin_drill_of(
        &self,
        image: ImageId,
        _snapshot: &SnapshotName,
    ) -> Result<Option<DrillInfo>, Fault> {
        let why = format!("{} has drills of the present alone", self.name());
        let doing = format!("begin a drill of {image}");
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }
    /// Has the copies of a primary get what was done to it until now, its snapshots included, and does not wait for
    /// that. A site whose peers read on by themselves has nothing to do.
    async fn send(&self, _image: ImageId) -> Result<(), Fault> {
        Ok(())
    }
    /// The drills that there are.
    async fn drills(&self) -> Result<Vec<DrillInfo>, Fault> {
        Ok(Vec::new())
    }
    /// Takes the drill of an image from its guests, and removes it, also one that was never whole. Nobody finds
    /// it any more then; where guests are not the site's own, those that have it open keep what is left of it until
    /// they close it.
    async fn end_drill(&self, _image: ImageId) -> Result<(), Fault> {
        Ok(())
    }

    /// The last record of this site's log that was there at `time`, in nanoseconds since the Unix epoch.
    /// `Invalid` where the image cannot be had as it was then.
    async fn record_at(&self, image: ImageId, _time: u64) -> Result<Sequence, Fault> {
        let why = format!("{} has no states between snapshots", self.name());
        let doing = format!("look for an earlier state of {image}");
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }
    /// Makes the image what it was at that record of this site's log; a mirrored one by writing what differs,
    /// so where that ends early, it has to be done again. `NotPrimary` where it is not primary here, `Busy`
    /// where it is exported writable.
    async fn roll_back_to(&self, image: ImageId, _at: Sequence) -> Result<(), Fault> {
        let why = format!("{} has no states between snapshots", self.name());
        let doing = format!("return {image} to an earlier state");
        Err(Fault::new(FaultKind::Unsupported, doing, why))
    }
}

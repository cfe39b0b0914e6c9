//! What goes to a site and comes back.

use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageName, Lag, Limits, MirrorWay, Position, Role, SnapshotId,
    SnapshotName, StoreId, SyncState,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An image to be made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NewImage {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Its size; what of an origin lies beyond it is not part of a clone.
    pub size: Bytes,
    /// What it starts as; empty without.
    pub origin: Option<Origin>,
    /// Whether it is mirrored from its first record on.
    pub mirrored: bool,
}

/// What a clone starts as.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The image.
    pub image: ImageId,
    /// The snapshot of it; `None` for its state now.
    pub snapshot: Option<SnapshotName>,
}

/// An image as a site has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Its size.
    pub size: Bytes,
    /// Data that it maps (shared with clones and snapshots or not).
    pub used: Bytes,
    /// Its role here.
    pub role: Role,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether it is mirrored.
    pub mirrored: bool,
    /// Whether it is usable.
    pub sync: SyncState,
    /// What guests are held to.
    #[serde(default)]
    pub limits: Limits,
}

/// A snapshot as a site has it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SnapshotInfo {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: SnapshotName,
    /// The size of the image then.
    pub size: Bytes,
}

/// The room in a pool, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SpaceStats {
    /// Size of what the pool lies on.
    pub total: Bytes,
    /// What can still be written.
    pub free: Bytes,
    /// Sum of the sizes of all images.
    pub provisioned: Bytes,
    /// What the log takes.
    pub used: Bytes,
    /// What of that cleaning can win back, as far as is known.
    #[serde(default)]
    pub reclaimable: Bytes,
}

/// What a guest may do through an export.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum Access {
    /// Read and write.
    #[serde(rename = "rw")]
    ReadWrite,
    /// Read.
    #[serde(rename = "ro")]
    ReadOnly,
}

/// Who holds an export: for a volume the id of its attachment, or `legacy` for the older actions.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExportKey(pub String);

/// How a guest reaches an export.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ExportAddress {
    /// The protocol, as in `driver_volume_type`: `nbd` or `rbd`.
    pub protocol: String,
    /// The whole address: `nbd+unix:///NAME?socket=PATH`, `nbd://ADDRESS:PORT/NAME` or `rbd:POOL/IMAGE`.
    pub uri: String,
    /// The export's name within it.
    pub export: String,
    /// Where clients must know more than an address: all of what `data` of `connection_info` says of it, in
    /// place of the address.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// An export as a site has it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ExportInfo {
    /// The image.
    pub image: ImageId,
    /// Who holds it.
    pub key: ExportKey,
    /// What it allows.
    pub access: Access,
    /// How it is reached.
    pub address: ExportAddress,
    /// Clients connected now.
    pub clients: u32,
}

/// How a site is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// Its name.
    pub name: String,
    /// The id of its store.
    pub store: StoreId,
    /// The newest record of its log.
    pub head: Position,
    /// Up to where its log is durable.
    pub durable: Position,
    /// Its peers.
    pub peers: Vec<PeerStatus>,
}

/// How a peer of a site is, seen from the site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its name.
    pub name: String,
    /// The id of its store, once it has been seen.
    pub store: Option<StoreId>,
    /// Whether it reads this site's log now.
    pub reading: bool,
    /// Whether this site reads its log now.
    pub following: bool,
    /// Up to which record of this site's log it has confirmed.
    pub confirmed: Position,
    /// Up to which record of its log this site holds everything.
    pub applied: Position,
    /// How far it is behind this site.
    pub lag: Lag,
    /// Bytes of data received from it since this site started.
    pub received: Bytes,
}

/// How the mirroring of a site's images goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MirrorStatus {
    /// The peers, as in [`SiteStatus`].
    pub peers: Vec<PeerStatus>,
    /// The mirrored images.
    pub images: Vec<ImageStatus>,
}

/// With what the names of the snapshots begin that are taken for drills ([`crate::Backend::begin_drill_of`]). They go
/// with their images, and sites whose drills are of snapshots do not list them.
pub const DRILL_SNAPSHOT: &str = "firebrick-drill-";

/// A clone of a secondary for guests that try what a failover would give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrillInfo {
    /// Of which image.
    pub of: ImageId,
    /// Up to where of its primary's log the image was here; `None` of an earlier state, and where sites have no
    /// logs.
    pub position: Option<Position>,
    /// When it began, in nanoseconds since the Unix epoch.
    pub began: u64,
    /// Where guests reach it; `None` while it begins or ends.
    pub address: Option<ExportAddress>,
    /// How many do.
    pub clients: u32,
}

/// By what all sites that mirror an image know it: another one each time that mirroring begins, and never one
/// that was there before. A copy with another one than the image has is no copy of it any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GlobalId(pub String);

/// How the mirroring of one image goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageStatus {
    /// The image.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Its role here.
    pub role: Role,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether it is usable.
    pub sync: SyncState,
    /// Whether the peer's copy is complete, where this site is primary and the peer has said.
    pub peer_consistent: Option<bool>,
    /// The way in which it is mirrored.
    #[serde(default)]
    pub way: MirrorWay,
    /// What it has of its primary, where it follows one.
    #[serde(default)]
    pub replay: Option<Replay>,
    /// How each peer follows it, where this site is primary.
    #[serde(default)]
    pub readers: Vec<ReaderStatus>,
}

/// What an image has of the primary that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// Up to which record of the primary's log it is here.
    pub position: Position,
    /// The most that promoting it here loses; `None` where that is not known.
    pub loss: Option<Loss>,
}

/// What a promotion gives up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// What was written in so many seconds, at most.
    pub seconds: f64,
    /// So many bytes, as the primary last said.
    pub bytes: Bytes,
    /// How long ago it said so, in seconds.
    pub as_of: f64,
}

impl Loss {
    /// Nothing.
    pub const NONE: Self = Self {
        seconds: 0.0,
        bytes: Bytes::ZERO,
        as_of: 0.0,
    };
}

/// How a peer follows an image that is primary here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReaderStatus {
    /// The peer's name.
    pub peer: String,
    /// Up to which record of this site's log it has confirmed; `None` before it was met.
    pub position: Option<Position>,
    /// How far it is behind; `None` before it was met.
    pub lag: Option<Lag>,
    /// Whether its copy is complete, once it has said so.
    pub consistent: Option<bool>,
    /// Whether flushes of an image in sync mode wait for it, as they should.
    #[serde(default)]
    pub synchronous: bool,
}

/// How to promote.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromoteMode {
    /// The former primary has been demoted, and that has arrived here.
    Planned,
    /// The former primary is lost: what it did not send is given up.
    Forced,
}

/// What became of one image of a promotion.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PromoteOutcome {
    /// The image.
    pub image: ImageId,
    /// Its new epoch, or why it could not be promoted.
    pub result: Result<Epoch, Reason>,
}

/// Why one image could not be promoted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The site has no such image.
    NotFound,
    /// Its first copy is not complete.
    Inconsistent,
    /// Planned, but the former primary's demotion has not arrived.
    NotDemoted,
    /// Forced, and there is no mirror snapshot that all images of its group have.
    NoMirrorSnapshot,
    /// Forced, and what the site has under its name is left of a mirroring that has ended. No site says so itself.
    Leftover,
}

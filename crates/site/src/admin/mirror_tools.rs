//! What tools ask about mirroring, and what they are told.

use std::time::Duration;

pub use firebrick_backend::Loss;
use firebrick_backend::{DrillInfo, ExportAddress, Reason as Refusal};
use firebrick_mirror::{Direction, Secret};
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageMirrorMode, ImageName, Lag, Position, Role, Sequence, SnapshotId,
    SnapshotName, StoreId, SyncMode,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::pool_tools::{PoolInfo, PoolRequest};
use super::schedule_tools::{ScheduleRequest, Schedules};
use super::sync_tools::SyncReport;

/// A call about mirroring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mirror")]
pub enum MirrorRequest {
    /// Mirrors an image in a mode, also one that is mirrored in the other one.
    Enable {
        /// Which.
        image: ImageId,
        /// How.
        mode: ImageMirrorMode,
    },
    /// Takes mirror snapshots of images in snapshot mode, all at one position. Answered by
    /// [`MirrorReply::Snapshots`].
    Snapshot {
        /// Which.
        images: Vec<ImageId>,
    },
    /// How mirroring goes. Answered by [`MirrorReply::Report`].
    Report {
        /// Of which images; `None` for all that are mirrored.
        images: Option<Vec<ImageId>>,
    },
    /// Makes images primary here, all at one position, or none of them. Answered by
    /// [`MirrorReply::Promoted`].
    Promote {
        /// Which.
        images: Vec<ImageId>,
        /// Whether to promote though the primary was not demoted.
        force: bool,
        /// Whether only to say what would be.
        dry_run: bool,
        /// The most seconds of writes that may be lost; `None` for any.
        accept_loss: Option<f64>,
    },
    /// Makes images secondary here, all at one position. Answered by [`MirrorReply::Position`].
    Demote {
        /// Which.
        images: Vec<ImageId>,
        /// For how many seconds peers are waited for, before whom nothing changes; `None` to wait for nobody.
        #[serde(default)]
        within: Option<f64>,
    },
    /// Copies secondaries anew from their primaries, all of them or none, while what is there is kept aside.
    Resync {
        /// Which.
        images: Vec<ImageId>,
    },
    /// Compares an image, which is primary here, with its peers at one position. Answered by
    /// [`MirrorReply::Verified`].
    Verify {
        /// Which.
        image: ImageId,
    },
    /// Something about drills. Answered by [`MirrorReply::Drills`].
    Drill {
        /// What.
        request: DrillRequest,
    },
    /// Waits until images are everywhere where they should be. Fails with a time-out otherwise.
    Wait {
        /// Which; `None` for all that are mirrored.
        images: Option<Vec<ImageId>>,
        /// Up to which record of the primary's log; `None` for what is there now.
        position: Option<Sequence>,
        /// How long, in seconds.
        within: f64,
    },
    /// Sets how many seconds of an image's writes peers may lack, or with `None` that the site's own
    /// target holds.
    SetTarget {
        /// The image.
        image: ImageId,
        /// The target.
        seconds: Option<f64>,
    },
    /// Has flushes of an image wait for its peers, or with `None` no longer.
    SetSync {
        /// The image.
        image: ImageId,
        /// How.
        mode: Option<SyncMode>,
    },
    /// Something about schedules of mirror snapshots. Answered by [`MirrorReply::Schedules`], or that it is done.
    Schedule {
        /// What.
        request: ScheduleRequest,
    },
    /// Something about the pool.
    Pool {
        /// What.
        request: PoolRequest,
    },
}

/// What a site answers about mirroring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorReply {
    /// It is done.
    Done,
    /// How mirroring goes.
    Report(MirrorReport),
    /// What became of each image of a promotion, or would.
    Promoted(Vec<PromotedImage>),
    /// The mirror snapshots that were taken, in the order of the images.
    Snapshots(Vec<SnapshotId>),
    /// The schedules of mirror snapshots.
    Schedules(Schedules),
    /// Where images became secondary.
    Position(Position),
    /// How the pool is mirrored.
    Pool(PoolInfo),
    /// A peer that was added.
    Peer(Uuid),
    /// A token that lets a site become a peer.
    Token(Secret),
    /// Drills.
    Drills(Vec<Drill>),
    /// What was found of each peer.
    Verified(Vec<VerifiedPeer>),
}

/// What a comparison with a peer found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifiedPeer {
    /// The peer.
    pub peer: String,
    /// The position at which both were compared.
    pub position: Position,
    /// How much was read here.
    pub compared: Bytes,
    /// Where they differ: the first byte and the length of each part, in whole MiB.
    pub differs: Vec<(u64, u64)>,
    /// How many MiB differ that are not named.
    pub more: u64,
}

/// When a peer was last compared with the primary of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastVerified {
    /// The peer.
    pub peer: String,
    /// In nanoseconds since the Unix epoch.
    pub time: u64,
    /// At which position.
    pub position: Position,
    /// Whether it held what it should.
    pub holds: bool,
}

/// What is asked about drills: clones of secondaries for guests that try what a failover would give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillRequest {
    /// Begins drills of images, all as of one position.
    Begin {
        /// Which.
        images: Vec<ImageId>,
        /// As of which record of this site's log; `None` for now.
        at: Option<Sequence>,
    },
    /// Those that there are.
    List,
    /// Ends drills.
    End {
        /// Of which images; `None` for all.
        images: Option<Vec<ImageId>>,
    },
}

/// A clone of a secondary for guests that try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// Its id.
    pub id: ImageId,
    /// Of which image.
    pub of: ImageId,
    /// The name of that, if it is there still.
    pub name: Option<ImageName>,
    /// Up to where of its primary's log the image was here; `None` for an earlier state.
    pub position: Option<Position>,
    /// As of which record of this site.
    pub at: Sequence,
    /// When it began, in nanoseconds since the Unix epoch.
    pub began: u64,
    /// Where clients reach it.
    pub address: Option<ExportAddress>,
    /// How many do.
    pub clients: u32,
}

impl From<Drill> for DrillInfo {
    fn from(drill: Drill) -> Self {
        Self {
            of: drill.of,
            position: drill.position,
            began: drill.began,
            address: drill.address,
            clients: drill.clients,
        }
    }
}

/// What became of an image of a promotion, or would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromotedImage {
    /// The image.
    pub id: ImageId,
    /// Its name, if it is there.
    pub name: Option<ImageName>,
    /// Its epoch from here on, or why it is not promoted.
    pub outcome: Result<Epoch, Refusal>,
    /// Up to where of the former primary's log it is here.
    pub position: Option<Position>,
    /// The most that is lost by it; `None` where that is not known.
    pub loss: Option<Loss>,
}

/// How mirroring goes, as one site sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MirrorReport {
    /// The site's name.
    pub site: String,
    /// The id of its store.
    pub store: StoreId,
    /// When this was so, in nanoseconds since the Unix epoch.
    pub time: u64,
    /// Its peers.
    pub peers: Vec<MirrorPeer>,
    /// The images, by name.
    pub images: Vec<MirroredImage>,
}

/// A peer of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MirrorPeer {
    /// Its name.
    pub name: String,
    /// Which way logs go.
    #[serde(default)]
    pub direction: Direction,
    /// The id of its store, once it has been met.
    pub store: Option<StoreId>,
    /// Whether it reads this site's log now.
    pub reading: bool,
    /// Whether this site reads its log now.
    pub following: bool,
    /// How long ago it last said anything, in seconds.
    pub heard: Option<f64>,
    /// How far it is behind this site; `None` where it has not said since this site started.
    pub lag: Option<Lag>,
    /// Bytes that came from it since this site started.
    pub received: Bytes,
    /// Bytes that went to it since this site started.
    #[serde(default)]
    pub sent: Bytes,
    /// What these were before they were made smaller.
    #[serde(default)]
    pub sent_plain: Bytes,
    /// The most that may go to it in a second now, in bytes; `None` for any amount.
    #[serde(default)]
    pub bandwidth: Option<u64>,
    /// Whether that is so because of the hours.
    #[serde(default)]
    pub quiet: bool,
    /// What the log holds that is kept for it.
    #[serde(default)]
    pub log_held: Bytes,
    /// Whether it was away for so long that the log is not kept for it any more: it gets the difference.
    #[serde(default)]
    pub by_difference: bool,
}

/// How an image is mirrored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MirroredImage {
    /// Its id, which is the same at all sites.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Its role here.
    pub role: Role,
    /// Its epoch.
    pub epoch: Epoch,
    /// How it is mirrored.
    pub mode: ImageMirrorMode,
    /// Its mirror snapshots, oldest first.
    pub snapshots: Vec<MirrorSnapshot>,
    /// What happens to it here.
    pub state: MirrorState,
    /// The same in words.
    pub description: String,
    /// Up to where it is here: in the log of this site for a primary, otherwise in the one that it
    /// follows, as far as that is known.
    pub position: Option<Position>,
    /// How far it is behind the primary; `None` where that is not known. Nothing for a primary.
    pub lag: Option<Lag>,
    /// Whether promoting it here, without force, succeeds and loses nothing.
    pub safe_to_promote: bool,
    /// The most that promoting it here could lose; `None` where that is not known.
    pub loss: Option<Loss>,
    /// Whether peers are to be so many seconds behind at most, and whether they are.
    pub target: Option<Target>,
    /// Whether flushes wait for peers, where they are to.
    #[serde(default)]
    pub sync: Option<SyncReport>,
    /// When each peer was last compared with the primary.
    pub verified: Vec<LastVerified>,
    /// What an operator should know, the worst first.
    pub reasons: Vec<Reason>,
    /// How it is at each peer, or at the one that it follows.
    pub peers: Vec<ImagePeer>,
}

/// A mirror snapshot of an image in snapshot mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MirrorSnapshot {
    /// Its id, which is the same at all sites.
    pub id: SnapshotId,
    /// Its name.
    pub name: SnapshotName,
    /// When the primary took it, by its clock, in nanoseconds since the Unix epoch.
    pub taken: u64,
    /// Whether the image is primary here.
    pub primary: bool,
    /// Whether it was taken with a demotion, behind which nothing has been written.
    pub demoted: bool,
    /// The stores of the peers that may still return to it: of a primary, those that have no newer one.
    pub peers: Vec<StoreId>,
    /// The store of the primary from which it came; `None` at a primary.
    pub of: Option<StoreId>,
}

/// What happens to an image at a site.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorState {
    /// It is primary: nothing is applied to it.
    Stopped,
    /// It follows its primary.
    Replaying,
    /// Its first copy runs.
    Syncing,
    /// It would follow its primary, which does not answer.
    StartingReplay,
    /// It is primary nowhere.
    Unknown,
    /// It is not mirrored as it should be.
    Error,
}

/// How far peers may be behind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// In seconds.
    pub seconds: f64,
    /// Since when they are further behind, in nanoseconds since the Unix epoch.
    pub breached_since: Option<u64>,
}

/// How an image is at another site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImagePeer {
    /// The peer.
    pub name: String,
    /// The id of its store, once it has been met.
    pub store: Option<StoreId>,
    /// Whether there is a connection over which the image is mirrored.
    pub up: bool,
    /// What happens to the image there.
    pub state: MirrorState,
    /// The same in words.
    pub description: String,
    /// Up to which record of this site's log it has confirmed, where it follows this site.
    pub position: Option<Position>,
    /// How far it is behind, where it follows this site and has been heard.
    pub lag: Option<Lag>,
    /// How long ago it last said anything, in seconds.
    pub heard: Option<f64>,
}

/// Something that an operator should know.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What it is, for programs.
    pub code: ReasonCode,
    /// What it is, in words.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

/// What an operator should know. The order is that of severity.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The image is mirrored, and the site has no peer.
    NoPeer,
    /// A first copy is not complete.
    Copying,
    /// Nobody is primary.
    NoPrimary,
    /// Flushes wait for peers for longer than they should.
    SyncWaits,
    /// Flushes do not wait for a peer, though they should.
    SyncWithout,
    /// The target of seconds is missed.
    TargetBreached,
    /// The primary does not answer.
    PrimaryAway,
    /// The peer was away for so long that the log is not kept for it any more.
    LogLetGo,
    /// What was missed while the site was away comes as a difference.
    CatchingUp,
    /// The peer does not read the log.
    PeerAway,
    /// It is not known how far somebody is behind.
    LagUnknown,
    /// The site waits for the word of its peer after a start.
    Fenced,
    /// Something waits because no more may go to the peer.
    HeldBack,
    /// Something was written that is not at the other site.
    Behind,
    /// The primary has not been demoted.
    NotDemoted,
    /// What a former primary had written on its own is kept under a snapshot.
    Divergent,
    /// What was there behind the mirror snapshot of a forced promotion is kept under a snapshot.
    Beyond,
    /// The image is not mirrored.
    NotMirrored,
}

impl ReasonCode {
    /// As it stands in results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPeer => "no_peer",
            Self::Copying => "copying",
            Self::NoPrimary => "no_primary",
            Self::SyncWaits => "sync_waits",
            Self::SyncWithout => "sync_without",
            Self::TargetBreached => "target_breached",
            Self::PrimaryAway => "primary_away",
            Self::LogLetGo => "log_let_go",
            Self::CatchingUp => "catching_up",
            Self::PeerAway => "peer_away",
            Self::LagUnknown => "lag_unknown",
            Self::Fenced => "fenced",
            Self::HeldBack => "held_back",
            Self::Behind => "behind",
            Self::NotDemoted => "not_demoted",
            Self::Divergent => "divergent",
            Self::Beyond => "beyond",
            Self::NotMirrored => "not_mirrored",
        }
    }
}

impl MirrorState {
    /// As RBD calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Replaying => "replaying",
            Self::Syncing => "syncing",
            Self::StartingReplay => "starting_replay",
            Self::Unknown => "unknown",
            Self::Error => "error",
        }
    }
}

impl MirrorRequest {
    /// How long a site may take for it before the client gives up.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Report { .. }
            | Self::SetTarget { .. }
            | Self::SetSync { .. }
            | Self::Enable { .. }
            | Self::Schedule { .. }
            | Self::Snapshot { .. } => Duration::from_secs(30),
            Self::Promote { .. } | Self::Resync { .. } => Duration::from_secs(120),
            Self::Demote { within, .. } => {
                let waits = within.map_or(Duration::ZERO, wait_within);
                waits.saturating_add(Duration::from_secs(120))
            }
            // It reads all of an image, at both sites.
            Self::Verify { .. } => Duration::from_secs(86_400),
            // An earlier state may have to be read from the log.
            Self::Drill { .. } => Duration::from_secs(3600),
            Self::Pool { request } => request.patience(),
            Self::Wait { within, .. } => {
                wait_within(*within).saturating_add(Duration::from_secs(5))
            }
        }
    }
}

/// The longest that one call waits, in seconds.
const WAIT_MOST: f64 = 86_400.0;

/// How long a call that says so many seconds waits.
pub(crate) fn wait_within(seconds: f64) -> Duration {
    if seconds.is_nan() {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(seconds.clamp(0.0, WAIT_MOST))
}

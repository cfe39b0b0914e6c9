//! What the daemons say of an image.

use super::super::super::mirror::{NO_STATUS, Standing, reports};
use super::super::super::shapes::{GlobalStatusT, MIRROR_ENABLED};
use super::super::super::text::taken;
use super::super::open::OpenImage;
use super::super::{Trouble, check};

/// What a daemon does with an image; in the order of librbd's numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum MirrorState {
    /// Nobody has said.
    Unknown,
    /// It has failed.
    Error,
    /// The first copy runs.
    Syncing,
    /// It begins to follow.
    StartingReplay,
    /// It follows.
    Replaying,
    /// It ends to follow.
    StoppingReplay,
    /// It does not follow: the image is primary, or demoted.
    Stopped,
}

impl MirrorState {
    /// That of librbd's number.
    pub(super) const fn of(number: i32) -> Self {
        match number {
            1 => Self::Error,
            2 => Self::Syncing,
            3 => Self::StartingReplay,
            4 => Self::Replaying,
            5 => Self::StoppingReplay,
            6 => Self::Stopped,
            _ => Self::Unknown,
        }
    }

    /// The word of the `rbd` tool.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Error => "error",
            Self::Syncing => "syncing",
            Self::StartingReplay => "starting_replay",
            Self::Replaying => "replaying",
            Self::StoppingReplay => "stopping_replay",
            Self::Stopped => "stopped",
        }
    }
}

impl From<Standing> for MirrorState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Unknown => Self::Unknown,
            Standing::Error => Self::Error,
            Standing::Syncing => Self::Syncing,
            Standing::Starting => Self::StartingReplay,
            Standing::Replaying => Self::Replaying,
            Standing::Stopping => Self::StoppingReplay,
            Standing::Stopped => Self::Stopped,
        }
    }
}

/// What the daemon of one site says of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SiteStatus {
    /// The mirror UUID of the site; empty for this cluster.
    pub mirror_uuid: String,
    /// What it does.
    pub state: MirrorState,
    /// In its own words.
    pub description: String,
    /// When it said so, in seconds of the system's clock; 0 for never.
    pub last_update: i64,
    /// Whether the daemon lives.
    pub up: bool,
}

/// What the daemons of all sites say of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MirrorStatus {
    /// The name of the image.
    pub name: String,
    /// By what all sites know it; empty where it is not mirrored.
    pub global_id: String,
    /// Whether it is mirrored, and not on its way to or from that.
    pub enabled: bool,
    /// Whether it is primary here.
    pub primary: bool,
    /// The sites that have said something.
    pub sites: Vec<SiteStatus>,
}

impl OpenImage {
    /// What the daemons say of it.
    pub fn mirror_status(&self) -> Result<MirrorStatus, Trouble> {
        let (mut found, rbd) = (NO_STATUS, self.image.rbd());
        let call = rbd.rbd_mirror_image_get_global_status;
        let size = size_of::<GlobalStatusT>();
        // SAFETY: the image is open, and the structure has the size that is given.
        check(unsafe { call(self.handle(), &raw mut found, size) })?;
        // SAFETY: librbd has filled it.
        let sites = unsafe { reports(&found) };
        let sites = sites.into_iter().map(|site| SiteStatus {
            mirror_uuid: site.peer.unwrap_or_default(),
            state: site.standing.into(),
            description: site.description,
            last_update: site.at,
            up: site.up,
        });
        let status = MirrorStatus {
            // SAFETY: librbd has put a text there.
            name: unsafe { taken(found.name) },
            // SAFETY: as above.
            global_id: unsafe { taken(found.info.global_id) },
            enabled: found.info.state == MIRROR_ENABLED,
            primary: found.info.primary,
            sites: sites.collect(),
        };
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { (rbd.rbd_mirror_image_global_status_cleanup)(&raw mut found) };
        Ok(status)
    }
}

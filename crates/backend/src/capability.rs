//! What a kind of site can and cannot do.

use firebrick_vocabulary::ImageMirrorMode;
use serde::{Deserialize, Serialize};

/// What a kind of site can do. The control plane asks this, never which kind it is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The protocol as pools name it: `nbd`, or `ceph`, of which `connection_info` says `rbd`.
    pub storage_protocol: String,
    /// Volumes take room only for what was written.
    pub thin_provisioning: bool,
    /// Several servers may attach one volume.
    pub multiattach: bool,
    /// An image can grow while it is exported.
    pub online_extend: bool,
    /// A peer is configured, so images can be mirrored.
    pub mirroring: bool,
    /// The modes in which an image can be mirrored.
    pub mirror_modes: Vec<ImageMirrorMode>,
    /// Mirror snapshots of an image are taken as often as [`crate::Backend::set_mirror_way`] says.
    pub snapshot_schedules: bool,
    /// Flushes of a mirrored image can wait for its peers.
    pub synchronous: bool,
    /// The images of a group can be snapshotted and promoted at one position.
    pub consistent_groups: bool,
    /// Several volume services of one cluster may use the site at once.
    pub active_active: bool,
    /// Images can be had as they were at any time that is still kept ([`crate::Backend::record_at`]).
    pub earlier_states: bool,
    /// A drill shows a snapshot that is taken at the primary for it ([`crate::Backend::begin_drill_of`]), and takes
    /// a while to begin; elsewhere [`crate::Backend::begin_drill`] answers at once, at any time.
    pub drills_of_snapshots: bool,
    /// What a peer has of a mirrored image may outlive the image, until [`crate::Backend::remove_leftover`] is
    /// asked of the peer.
    pub leaves_copies: bool,
}

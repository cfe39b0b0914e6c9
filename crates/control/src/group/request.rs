//! What is asked for about groups.

use firebrick_vocabulary::{GroupId, GroupSnapshotId, VolumeId};

/// By which addresses groups and their snapshots are asked for: neither shows those of the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// `/groups` and `/group_snapshots`.
    Groups,
    /// `/consistencygroups` and `/cgsnapshots`: groups of the type `default_cgsnapshot_type`.
    Consistency,
}

/// `POST /groups`.
#[derive(Clone, Debug)]
pub struct CreateGroup {
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `group_type`: an id or a name; none for a consistency group.
    pub group_type: Option<String>,
    /// `volume_types`: ids or names of those that its volumes may have.
    pub volume_types: Vec<String>,
    /// `availability_zone`.
    pub availability_zone: Option<String>,
}

/// What a group is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GroupSource {
    /// `group_snapshot_id`.
    Snapshot(GroupSnapshotId),
    /// `source_group_id`.
    Group(GroupId),
}

/// `create-from-src`.
#[derive(Clone, Debug)]
pub struct CloneGroup {
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// Of what it is made.
    pub source: GroupSource,
}

/// `PUT /groups/{id}`: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateGroup {
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `add_volumes`.
    pub add: Vec<VolumeId>,
    /// `remove_volumes`.
    pub remove: Vec<VolumeId>,
}

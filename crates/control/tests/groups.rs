//! Groups: made, joined, left, copied, and removed.

use firebrick_backend::FaultKind;
use firebrick_control::{
    CreateGroup, CreateGroupType, CreateVolume, DeleteVolume, Error, ErrorKind, Family, Group,
    Query, UpdateGroup,
};
use firebrick_db::{Column, GroupSnapshot, Listing, group_snapshots, groups, snapshots};
use firebrick_state::{GroupSnapshotStatus, GroupStatus, VolumeStatus};
use firebrick_vocabulary::{GroupId, GroupSnapshotId, SnapshotUuid, VolumeId};

use crate::common::{A, At, Trouble, World, admin, member, member_of, mirrored, sized};

mod copies;
mod meeting;
mod replication;
mod snapshots_of;

/// The type of groups whose snapshots are of one moment.
const TOGETHER: &str = "together";
/// The type of volumes of which none is named.
const PLAIN: &str = "__DEFAULT__";

/// A world with that type of groups.
async fn world() -> World {
    let world = World::new().await;
    typed(&world).await;
    world
}

async fn typed(world: &World) {
    let key = "consistent_group_snapshot_enabled".to_owned();
    let request = CreateGroupType {
        name: TOGETHER.to_owned(),
        description: None,
        is_public: true,
        group_specs: [(key, "<is> True".to_owned())].into(),
    };
    world
        .control
        .create_group_type(&admin(), request)
        .await
        .unwrap();
}

fn of_types(types: &[&str]) -> CreateGroup {
    CreateGroup {
        name: Some("mine".to_owned()),
        description: None,
        group_type: Some(TOGETHER.to_owned()),
        volume_types: types.iter().map(|&kind| kind.to_owned()).collect(),
        availability_zone: None,
    }
}

fn within(group: GroupId, request: CreateVolume) -> CreateVolume {
    CreateVolume {
        group: Some(group),
        ..request
    }
}

fn adding(add: &[VolumeId], remove: &[VolumeId]) -> UpdateGroup {
    UpdateGroup {
        add: add.to_vec(),
        remove: remove.to_vec(),
        ..UpdateGroup::default()
    }
}

impl World {
    async fn group(&self, id: GroupId) -> Option<Group> {
        let connection = &mut *self.db.read().await.unwrap();
        groups::get(connection, id).await.unwrap()
    }

    async fn group_status(&self, id: GroupId) -> Option<GroupStatus> {
        self.group(id).await.map(|group| group.status)
    }

    async fn group_snapshot(&self, id: GroupSnapshotId) -> Option<GroupSnapshot> {
        let connection = &mut *self.db.read().await.unwrap();
        group_snapshots::get(connection, id).await.unwrap()
    }

    /// A group that must become available.
    async fn grouped(&self, types: &[&str]) -> GroupId {
        let made = self.control.create_group(&member(), of_types(types)).await;
        let id = made.unwrap().id;
        self.settled(id.0).await;
        assert_eq!(self.group_status(id).await, Some(GroupStatus::Available));
        id
    }

    /// A group of two volumes.
    async fn pair(&self) -> (GroupId, [VolumeId; 2]) {
        let group = self.grouped(&["mirrored"]).await;
        let one = self.made(within(group, mirrored(1))).await;
        let other = self.made(within(group, mirrored(2))).await;
        (group, [one, other])
    }

    async fn delete_group(&self, id: GroupId, volumes: bool) -> Result<(), Error> {
        let control = &self.control;
        control
            .delete_group(&member(), Family::Groups, id, volumes)
            .await?;
        self.settled(id.0).await;
        Ok(())
    }

    async fn change(&self, id: GroupId, change: UpdateGroup) -> Result<(), Error> {
        let control = &self.control;
        control
            .update_group(&member(), Family::Groups, id, change)
            .await
    }

    async fn group_of(&self, id: VolumeId) -> Option<GroupId> {
        self.volume(id).await.unwrap().group
    }

    async fn taken_of(&self, id: GroupSnapshotId) -> Vec<SnapshotUuid> {
        let connection = &mut *self.db.read().await.unwrap();
        let listing = Listing::of(Column::GroupSnapshot, &id);
        let found = snapshots::list(connection, &listing).await.unwrap();
        found.unwrap().iter().map(|it| it.id).collect()
    }

    /// A snapshot of the group, which must become available.
    async fn group_snapped(&self, group: GroupId) -> GroupSnapshotId {
        let id = self.begin_snapshot(group).await.unwrap();
        self.settled(id.0).await;
        let status = self.group_snapshot(id).await.unwrap().status;
        assert_eq!(status, GroupSnapshotStatus::Available);
        id
    }

    async fn begin_snapshot(&self, group: GroupId) -> Result<GroupSnapshotId, Error> {
        let control = &self.control;
        let (context, name) = (member(), Some("then".to_owned()));
        let taken = control.create_group_snapshot(&context, Family::Groups, group, name, None);
        taken.await.map(|taken| taken.id)
    }
}

/// The error's kind, and its words.
fn refused<T>(result: Result<T, Error>) -> (ErrorKind, String) {
    match result {
        Ok(_) => panic!("it was allowed"),
        Err(error) => (error.kind, error.message),
    }
}

fn invalid(message: impl Into<String>) -> (ErrorKind, String) {
    (ErrorKind::Invalid, message.into())
}

#[tokio::test]
async fn a_group_has_its_place_before_its_volumes() {
    let world = world().await;
    let (group, [one, other]) = world.pair().await;
    let context = member();
    let row = world.group(group).await.unwrap();
    let host = row.host.unwrap();
    for id in [one, other] {
        let volume = world.volume(id).await.unwrap();
        assert_eq!(
            (volume.group, volume.host),
            (Some(group), Some(host.clone()))
        );
        let alone = world
            .control
            .delete_volume(&context, id, DeleteVolume::default());
        let (kind, text) = refused(alone.await);
        assert!(text.contains("belong to a group"), "{text}");
        assert_eq!(kind, ErrorKind::Invalid);
        let forced = world.control.force_delete_volume(&admin(), id).await;
        assert_eq!(refused(forced).0, ErrorKind::Invalid);
    }
    let plain = world
        .control
        .create_volume(&context, within(group, sized(1)));
    let (kind, text) = refused(plain.await);
    assert!(text.contains("must be supported by this group"), "{text}");
    assert_eq!(kind, ErrorKind::Invalid);

    let message = format!(
        "Invalid Group: Group {group} still contains volumes. The delete-volumes flag is required \
         to delete it."
    );
    assert_eq!(
        refused(world.delete_group(group, false).await),
        invalid(message)
    );
    world.delete_group(group, true).await.unwrap();
    assert_eq!(world.group(group).await, None);
    assert!(world.volumes().await.is_empty());
    world.consistent("after the group was deleted").await;
}

#[tokio::test]
async fn a_group_whose_types_no_pool_takes_is_an_error() {
    let world = world().await;
    let request = CreateGroupType {
        name: "odd".to_owned(),
        description: None,
        is_public: true,
        group_specs: [("colour".to_owned(), "blue".to_owned())].into(),
    };
    let control = &world.control;
    control.create_group_type(&admin(), request).await.unwrap();
    let request = CreateGroup {
        group_type: Some("odd".to_owned()),
        ..of_types(&[PLAIN])
    };
    let id = control.create_group(&member(), request).await.unwrap().id;
    world.settled(id.0).await;
    assert_eq!(world.group_status(id).await, Some(GroupStatus::Error));
    let inside = control.create_volume(&member(), within(id, sized(1))).await;
    assert_eq!(refused(inside).0, ErrorKind::Invalid);
    world.delete_group(id, false).await.unwrap();
    assert_eq!(world.group(id).await, None);
}

#[tokio::test]
async fn a_frozen_backend_takes_no_group() {
    let world = world().await;
    let service = world.service().await;
    world
        .control
        .freeze(&admin(), &service.host.to_string())
        .await
        .unwrap();
    let made = world
        .control
        .create_group(&member(), of_types(&[PLAIN]))
        .await;
    let group = made.unwrap().id;
    world.settled(group.0).await;
    assert_eq!(world.group_status(group).await, Some(GroupStatus::Error));
}

#[tokio::test]
async fn volumes_come_and_go() {
    let world = world().await;
    let (group, [one, other]) = world.pair().await;
    let free = world.made(mirrored(1)).await;
    let plain = world.made(sized(1)).await;

    let message = format!(
        "Invalid volume: Cannot add volume {plain} to group {group} because volume type {} is not \
         supported by the group.",
        world.volume(plain).await.unwrap().volume_type
    );
    let both = adding(&[free, plain], &[one]);
    assert_eq!(refused(world.change(group, both).await), invalid(message));
    assert_eq!(world.group_of(free).await, None, "none of them");
    assert_eq!(world.group_of(one).await, Some(group));

    let twice = adding(&[free], &[free]);
    let message =
        format!("Invalid volume: UUIDs ['{free}'] are in both add and remove volume list.");
    assert_eq!(refused(world.change(group, twice).await), invalid(message));
    let message = format!(
        "Invalid volume: Cannot remove volume {free} from group {group} because it is not in the \
         group."
    );
    let stranger = adding(&[], &[free]);
    assert_eq!(
        refused(world.change(group, stranger).await),
        invalid(message)
    );

    let change = UpdateGroup {
        name: Some("ours".to_owned()),
        ..adding(&[free, other], &[one])
    };
    world.change(group, change.clone()).await.unwrap();
    let name = world.group(group).await.unwrap().name;
    assert_eq!(name.as_deref(), Some("ours"));
    for (id, expected) in [(one, None), (other, Some(group)), (free, Some(group))] {
        assert_eq!(world.group_of(id).await, expected);
    }
    let nothing = UpdateGroup {
        name: change.name,
        ..adding(&[free], &[])
    };
    let (_, text) = refused(world.change(group, nothing).await);
    assert!(text.contains("no valid name, description"), "{text}");

    let second = world.grouped(&["mirrored"]).await;
    let message = format!(
        "Invalid volume: Cannot add volume {free} to group {second} because it is already in group \
         {group}."
    );
    let taken = adding(&[free], &[]);
    assert_eq!(refused(world.change(second, taken).await), invalid(message));
    world.deleted(one).await;
    world.consistent("after volumes came and went").await;
}

#[tokio::test]
async fn groups_of_others_are_not_there() {
    let world = world().await;
    let (group, [one, _]) = world.pair().await;
    let stranger = member_of("ffffffffffffffffffffffffffffffff");
    let control = &world.control;
    let family = Family::Groups;
    let seen = control.group(&stranger, family, group, true).await;
    let missing = (
        ErrorKind::NotFound,
        format!("Group {group} could not be found."),
    );
    assert_eq!(refused(seen), missing);
    let gone = control.delete_group(&stranger, family, group, true).await;
    assert_eq!(refused(gone), missing);
    let inside = control
        .create_volume(&stranger, within(group, mirrored(1)))
        .await;
    assert_eq!(refused(inside), missing);
    let listed = control
        .groups(&stranger, family, Query::default(), false)
        .await;
    assert_eq!(listed.unwrap(), []);
    let seen = control.group(&member(), family, group, true).await.unwrap();
    assert!(seen.volumes.contains(&one));
    // Nor are they consistency groups.
    let legacy = control
        .group(&member(), Family::Consistency, group, true)
        .await;
    assert_eq!(refused(legacy), missing);
}

#[tokio::test]
async fn a_group_that_cannot_be_removed_says_so_and_goes_later() {
    let world = world().await;
    let (group, [one, other]) = world.pair().await;
    let attachment = world.attached(one).await;
    let message =
        format!("Invalid Group: Volume in group {group} is attached. Need to detach first.");
    assert_eq!(
        refused(world.delete_group(group, true).await),
        invalid(message)
    );
    assert_eq!(world.status(other).await, Some(VolumeStatus::Available));
    let control = &world.control;
    control
        .delete_attachment(&member(), attachment)
        .await
        .unwrap();

    let refusal = Trouble::Refuse(FaultKind::Invalid);
    world.wire.arm(At::All(A, &["remove_image"]), refusal);
    world.delete_group(group, true).await.unwrap();
    assert_eq!(
        world.group_status(group).await,
        Some(GroupStatus::ErrorDeleting)
    );
    assert_eq!(world.status(one).await, Some(VolumeStatus::ErrorDeleting));
    world.wire.disarm();
    world.delete_group(group, true).await.unwrap();
    assert_eq!(world.group(group).await, None);
    assert!(world.volumes().await.is_empty());
    world.consistent("after the second try").await;
}

#[tokio::test]
async fn there_is_a_quota_of_groups() {
    let world = World::with(|options| options.quotas.groups = 1).await;
    typed(&world).await;
    let group = world.grouped(&[PLAIN]).await;
    let control = &world.control;
    let second = control.create_group(&member(), of_types(&[PLAIN])).await;
    let message = "Maximum number of groups allowed (1) exceeded".to_owned();
    assert_eq!(refused(second), (ErrorKind::OverQuota, message));
    world.delete_group(group, false).await.unwrap();
    world.grouped(&[PLAIN]).await;
}

#[tokio::test]
async fn a_status_is_reset() {
    let world = world().await;
    let group = world.grouped(&[PLAIN]).await;
    let control = &world.control;
    let reset = control.reset_group_status(&admin(), group, "bogus").await;
    let (kind, text) = refused(reset);
    assert!(text.contains("Group status: bogus is invalid"), "{text}");
    assert_eq!(kind, ErrorKind::Invalid);
    let forbidden = control.reset_group_status(&member(), group, "error").await;
    assert_eq!(refused(forbidden).0, ErrorKind::Forbidden);
    control
        .reset_group_status(&admin(), group, "ERROR")
        .await
        .unwrap();
    assert_eq!(world.group_status(group).await, Some(GroupStatus::Error));
    let member = world.made(sized(1)).await;
    let (_, text) = refused(world.change(group, adding(&[member], &[])).await);
    assert_eq!(text, "Invalid Group: Group status must be available.");
}

#[tokio::test]
async fn of_two_that_want_a_volume_one_gets_it() {
    let world = world().await;
    let one = world.grouped(&[PLAIN]).await;
    let other = world.grouped(&[PLAIN]).await;
    for _ in 0..5 {
        let volume = world.made(sized(1)).await;
        let change = || adding(&[volume], &[]);
        let (a, b) = tokio::join!(world.change(one, change()), world.change(other, change()));
        assert_ne!(a.is_ok(), b.is_ok(), "{a:?} {b:?}");
        let group = world.group_of(volume).await;
        assert_eq!(group, Some(if a.is_ok() { one } else { other }));
    }
}

//! Groups that are made of groups and of their snapshots.

use firebrick_backend::FaultKind;
use firebrick_control::{CloneGroup, Error, ErrorKind, Family, GroupSource, Volume};
use firebrick_state::{GroupStatus, VolumeStatus};
use firebrick_vocabulary::{BLOCK_SIZE, GroupId, VolumeId};

use super::{PLAIN, adding, refused, world};
use crate::common::{A, At, Trouble, World, member};

fn of(source: GroupSource) -> CloneGroup {
    CloneGroup {
        name: Some("copy".to_owned()),
        description: None,
        source,
    }
}

impl World {
    async fn begin_copy(&self, source: GroupSource) -> Result<GroupId, Error> {
        let control = &self.control;
        let context = member();
        let copy = control.clone_group(&context, Family::Groups, of(source));
        copy.await.map(|group| group.id)
    }

    async fn copied(&self, source: GroupSource) -> GroupId {
        let id = self.begin_copy(source).await.unwrap();
        self.settled(id.0).await;
        assert_eq!(self.group_status(id).await, Some(GroupStatus::Available));
        id
    }

    /// One byte into the first block.
    fn mark(&self, id: VolumeId, byte: u8) {
        let block = vec![byte; BLOCK_SIZE as usize];
        self.site(A, |site| {
            let image = site.images.get_mut(&id.image_id()).unwrap();
            image.blocks.insert(0, block);
        });
    }

    fn first_byte(&self, volume: &Volume) -> u8 {
        self.site(A, |site| site.images[&volume.image()].blocks[&0][0])
    }

    async fn members_of(&self, group: GroupId) -> Vec<Volume> {
        let mut all = self.volumes().await;
        all.retain(|volume| volume.group == Some(group));
        all
    }
}

#[tokio::test]
async fn a_copy_is_what_its_source_was() {
    let world = world().await;
    let (group, [one, other]) = world.pair().await;
    world.mark(one, 1);
    world.mark(other, 2);
    let taken = world.group_snapped(group).await;
    world.mark(one, 3);
    for (source, expected) in [
        (GroupSource::Snapshot(taken), [1, 2]),
        (GroupSource::Group(group), [3, 2]),
    ] {
        let copy = world.copied(source).await;
        let mut members = world.members_of(copy).await;
        members.sort_by_key(|volume| volume.size);
        let bytes: Vec<u8> = members.iter().map(|it| world.first_byte(it)).collect();
        assert_eq!(bytes, expected, "{source:?}");
        for (volume, size) in members.iter().zip([1, 2]) {
            assert_eq!(
                (volume.size, volume.status),
                (size, VolumeStatus::Available)
            );
            assert_eq!(
                volume.snapshot.is_some(),
                source == GroupSource::Snapshot(taken)
            );
            assert_eq!(volume.source.is_some(), source == GroupSource::Group(group));
        }
        // No hidden snapshot stays.
        world.consistent("with a copy").await;
        world.delete_group(copy, true).await.unwrap();
    }
    world.consistent("after the copies").await;
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused() {
    let world = world().await;
    let empty = world.grouped(&[PLAIN]).await;
    let (_, text) = refused(world.begin_copy(GroupSource::Group(empty)).await);
    assert_eq!(
        text,
        "Invalid Group: Source Group is empty. No group will be created."
    );
    let taken = world.group_snapped(empty).await;
    let (_, text) = refused(world.begin_copy(GroupSource::Snapshot(taken)).await);
    assert_eq!(
        text,
        "Invalid Group: Group snapshot is empty. No group will be created."
    );
    let nowhere = GroupSource::Group(GroupId::random());
    assert_eq!(
        refused(world.begin_copy(nowhere).await).0,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_copy_that_fails_is_an_error_and_goes() {
    let world = world().await;
    let (group, _) = world.pair().await;
    let refusal = Trouble::Refuse(FaultKind::Invalid);
    world.wire.arm(At::All(A, &["create_image"]), refusal);
    let copy = world.begin_copy(GroupSource::Group(group)).await.unwrap();
    world.settled(copy.0).await;
    world.wire.disarm();
    assert_eq!(world.group_status(copy).await, Some(GroupStatus::Error));
    for volume in world.members_of(copy).await {
        assert_eq!(volume.status, VolumeStatus::Error);
    }
    world.consistent("after a copy that failed").await;
    world.delete_group(copy, true).await.unwrap();
    assert_eq!(world.volumes().await.len(), 2);
}

/// Whichever call the process dies at, both groups are whole after that.
#[tokio::test]
async fn a_copy_survives_the_death_of_the_process() {
    for call in 0.. {
        let mut world = world().await;
        let (group, _) = world.pair().await;
        world.wire.arm(At::Index(call), Trouble::HangAfter);
        let copy = world.begin_copy(GroupSource::Group(group)).await.unwrap();
        let ends = async { world.settled(copy.0).await };
        let whole = tokio::select! {
            () = ends => true,
            () = world.struck() => false,
        };
        if !whole {
            // Its source stays as it is meanwhile.
            let member = world.members_of(group).await[0].id;
            let leave = world.change(group, adding(&[], &[member])).await;
            assert_eq!(refused(leave).0, ErrorKind::Invalid);
            assert_eq!(
                refused(world.delete_group(group, true).await).0,
                ErrorKind::Invalid
            );
            world.restart().await;
            world.settled(copy.0).await;
        }
        let status = world.group_status(copy).await;
        assert_eq!(status, Some(GroupStatus::Available), "call {call}");
        assert_eq!(world.members_of(copy).await.len(), 2);
        world
            .consistent(&format!("after death at call {call}"))
            .await;
        if whole {
            assert!(call > 4, "{call} calls");
            return;
        }
    }
}

//! Every operation survives the death of the process, whichever call it was at.

use firebrick_control::{Control, CreateVolume, DeleteVolume, Error, LegacyAttach, Query};
use firebrick_state::{SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{AttachmentId, SnapshotUuid, VolumeId};

use crate::common::{
    At, Trouble, World, attach_to, connector, member, mirrored, snapshot_of, until,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operation {
    Create,
    CreateFromSnapshot,
    Clone,
    Extend,
    Delete,
    Cascade,
    CreateSnapshot,
    DeleteSnapshot,
    CreateAttachment,
    UpdateAttachment,
    DeleteAttachment,
    Initialize,
    Terminate,
}

/// What there is before.
#[derive(Clone, Copy, Debug)]
struct Given {
    volume: VolumeId,
    snapshot: Option<SnapshotUuid>,
    attachment: Option<AttachmentId>,
}

impl Operation {
    async fn prepare(self, world: &World) -> Given {
        let volume = world.made(mirrored(2)).await;
        let mut given = Given {
            volume,
            snapshot: None,
            attachment: None,
        };
        match self {
            Self::CreateFromSnapshot | Self::DeleteSnapshot | Self::Cascade => {
                given.snapshot = Some(world.snapped(volume).await);
            }
            Self::UpdateAttachment => {
                let reserve = attach_to(volume, false);
                let made = world.control.create_attachment(&member(), reserve).await;
                given.attachment = Some(made.unwrap().attachment.id);
            }
            Self::DeleteAttachment => given.attachment = Some(world.attached(volume).await),
            Self::Initialize => world.control.reserve(&member(), volume).await.unwrap(),
            Self::Terminate => legacy(&world.control, volume).await.unwrap(),
            Self::Create
            | Self::Clone
            | Self::Extend
            | Self::Delete
            | Self::CreateSnapshot
            | Self::CreateAttachment => {}
        }
        given
    }

    async fn run(self, control: Control, given: Given) -> Result<(), Error> {
        let context = member();
        let volume = given.volume;
        match self {
            Self::Create => control.create_volume(&context, mirrored(1)).await.map(drop),
            Self::CreateFromSnapshot => {
                let request = CreateVolume {
                    snapshot: given.snapshot,
                    ..CreateVolume::default()
                };
                control.create_volume(&context, request).await.map(drop)
            }
            Self::Clone => {
                let request = CreateVolume {
                    source: Some(volume),
                    ..CreateVolume::default()
                };
                control.create_volume(&context, request).await.map(drop)
            }
            Self::Extend => control.extend_volume(&context, volume, 3, false).await,
            Self::Delete | Self::Cascade => {
                let how = DeleteVolume {
                    cascade: self == Self::Cascade,
                    force: false,
                };
                control.delete_volume(&context, volume, how).await
            }
            Self::CreateSnapshot => {
                let made = control.create_snapshot(&context, snapshot_of(volume)).await;
                made.map(drop)
            }
            Self::DeleteSnapshot => {
                control
                    .delete_snapshot(&context, given.snapshot.unwrap(), false)
                    .await
            }
            Self::CreateAttachment => {
                let made = control
                    .create_attachment(&context, attach_to(volume, true))
                    .await;
                made.map(drop)
            }
            Self::UpdateAttachment => {
                let id = given.attachment.unwrap();
                control
                    .update_attachment(&context, id, connector())
                    .await
                    .map(drop)
            }
            Self::DeleteAttachment => {
                let id = given.attachment.unwrap();
                control.delete_attachment(&context, id).await.map(drop)
            }
            Self::Initialize => control
                .initialize_connection(&context, volume, connector())
                .await
                .map(drop),
            Self::Terminate => {
                control
                    .terminate_connection(&context, volume, connector())
                    .await?;
                control.detach(&context, volume, None).await
            }
        }
    }

    /// No site refused anything: what was accepted is done; what a client waited for is undone.
    async fn check(self, world: &World, given: Given, when: &str) {
        world.consistent(when).await;
        let rows = world.volumes().await;
        let status = world.status(given.volume).await;
        let texts: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
        match self {
            Self::Create | Self::CreateFromSnapshot | Self::Clone => {
                assert_eq!(texts, ["available", "available"], "{when}");
            }
            Self::Delete | Self::Cascade => assert_eq!(status, None, "{when}"),
            Self::Extend => {
                assert_eq!(status, Some(VolumeStatus::Available), "{when}");
                assert_eq!(world.volume(given.volume).await.unwrap().size, 3, "{when}");
            }
            Self::CreateSnapshot => {
                let all = world.control.snapshots(&member(), Query::default()).await;
                let all = all.unwrap();
                assert_eq!(all.len(), 1, "{when}");
                assert_eq!(all[0].snapshot.status, SnapshotStatus::Available, "{when}");
            }
            Self::DeleteSnapshot => {
                assert_eq!(
                    world.snapshot(given.snapshot.unwrap()).await,
                    None,
                    "{when}"
                );
            }
            Self::UpdateAttachment => {
                assert_eq!(status, Some(VolumeStatus::Reserved), "{when}");
            }
            Self::CreateAttachment | Self::DeleteAttachment | Self::Initialize => {
                assert_eq!(status, Some(VolumeStatus::Available), "{when}");
            }
            Self::Terminate => {
                // The second of its two requests may not have been made.
                world
                    .control
                    .detach(&member(), given.volume, None)
                    .await
                    .unwrap();
                let status = world.status(given.volume).await;
                assert_eq!(status, Some(VolumeStatus::Available), "{when}");
            }
        }
    }
}

async fn legacy(control: &Control, volume: VolumeId) -> Result<(), Error> {
    let context = member();
    control.reserve(&context, volume).await?;
    control
        .initialize_connection(&context, volume, connector())
        .await?;
    let request = LegacyAttach {
        instance: Some("server".to_owned()),
        host: None,
        mountpoint: None,
        mode: None,
    };
    control.attach(&context, volume, request).await
}

/// Kills the process at the call of that number. Whether there was one.
async fn killed_at(operation: Operation, index: usize, trouble: Trouble) -> bool {
    let mut world = World::new().await;
    let given = operation.prepare(&world).await;
    world.wire.arm(At::Index(index), trouble);
    let asked = tokio::spawn(operation.run(world.handle(), given));
    let ended =
        || async { world.wire.struck() > 0 || (asked.is_finished() && world.all_rest().await) };
    until("the operation hangs or ends", ended).await;
    let struck = world.wire.struck() > 0;
    let when = format!(
        "{operation:?} killed at {index}, {trouble:?}: {:?}",
        world.wire.calls()
    );
    world.restart().await;
    asked.abort();
    until(&when, || world.all_rest()).await;
    if struck {
        operation.check(&world, given, &when).await;
    } else {
        world.consistent(&when).await;
    }
    world.emptied(&when).await;
    struck
}

async fn killed_anywhere(operation: Operation) {
    for trouble in [Trouble::HangBefore, Trouble::HangAfter] {
        let mut index = 0;
        while killed_at(operation, index, trouble).await {
            index += 1;
            assert!(index < 20, "{operation:?} does not end");
        }
        assert!(index > 0, "{operation:?} asks no site");
    }
}

macro_rules! killed {
    ($($name:ident: $operation:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            killed_anywhere(Operation::$operation).await;
        }
    )*};
}

killed! {
    creating: Create,
    creating_from_a_snapshot: CreateFromSnapshot,
    cloning: Clone,
    extending: Extend,
    deleting: Delete,
    deleting_with_snapshots: Cascade,
    taking_a_snapshot: CreateSnapshot,
    deleting_a_snapshot: DeleteSnapshot,
    attaching: CreateAttachment,
    updating_an_attachment: UpdateAttachment,
    detaching: DeleteAttachment,
    initializing_a_connection: Initialize,
    terminating_a_connection: Terminate,
}

//! What users are told of activities that failed, and what volumes show while activities run that
//! leave them free.

use std::collections::BTreeMap;

use firebrick_backend::FaultKind;
use firebrick_control::{Began, Context, CreateType, CreateVolume, ErrorKind, Listing};
use firebrick_db::{Activity, Message, activities, messages, volumes};
use firebrick_state::{ActivityStatus, VolumeStatus};
use firebrick_vocabulary::ActivityId;

use crate::common::{A, At, Trouble, World, admin, attach_to, member, sized, snapshot_of, upload};

/// All messages, the oldest first.
async fn told(world: &World) -> Vec<Message> {
    let connection = &mut *world.db.read().await.unwrap();
    let found = messages::list(connection, &Listing::default())
        .await
        .unwrap();
    let mut found = found.unwrap();
    found.reverse();
    found
}

async fn activity(world: &World, id: ActivityId) -> Activity {
    let connection = &mut *world.db.read().await.unwrap();
    activities::get(connection, id).await.unwrap().unwrap()
}

/// A request whose activity is known.
fn asking() -> Context {
    Context {
        began: Began::default(),
        ..member()
    }
}

#[tokio::test]
async fn what_fails_is_told_once() {
    let world = World::new().await;
    let control = world.handle();
    let id = world.made(sized(1)).await;
    let context = asking();
    let refuse = |name| {
        let trouble = Trouble::Refuse(FaultKind::Io);
        world.wire.arm(At::Name(A, name, usize::MAX), trouble);
    };
    assert_eq!(told(&world).await, []);

    refuse("create_image");
    let made = control.create_volume(&context, sized(1)).await.unwrap();
    let failed = made.volume.id;
    world.settled(failed.0).await;
    let begun = activity(&world, context.began.activity().unwrap()).await;
    assert_eq!(
        (begun.resource, begun.status),
        (failed.0, ActivityStatus::Failed)
    );
    let mut expected = vec![("VOLUME_VOLUME_008_012", failed.0)];

    refuse("create_snapshot");
    let made = control.create_snapshot(&asking(), snapshot_of(id)).await;
    let snapshot = made.unwrap().snapshot.id;
    world.settled(snapshot.0).await;
    expected.push(("VOLUME_VOLUME_SNAPSHOT_009_013", snapshot.0));

    refuse("export");
    let refused = control
        .create_attachment(&asking(), attach_to(id, true))
        .await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Unavailable);
    expected.push(("VOLUME_VOLUME_002_021", id.0));

    let trouble = Trouble::Refuse(FaultKind::NoSpace);
    world
        .wire
        .arm(At::Name(A, "extend_image", usize::MAX), trouble);
    control
        .extend_volume(&asking(), id, 9, false)
        .await
        .unwrap();
    world.settled(id.0).await;
    expected.push(("VOLUME_VOLUME_007_103", id.0));

    let told = told(&world).await;
    let short: Vec<_> = told
        .iter()
        .map(|message| (message.event_id.as_str(), message.resource.unwrap()))
        .collect();
    assert_eq!(short, expected);
    for message in told {
        assert_eq!(message.request_id, member().request_id);
        assert_eq!(message.project, member().project);
        assert_eq!(message.level, "ERROR");
        assert_eq!(
            message.expires_at - message.created_at,
            time::Duration::days(30)
        );
    }
}

#[tokio::test]
async fn a_pool_that_is_not_found_is_told_with_reasons() {
    let world = World::new().await;
    let control = world.handle();
    let request = CreateType {
        name: "elsewhere".to_owned(),
        description: None,
        is_public: true,
        extra_specs: BTreeMap::from([("volume_backend_name".to_owned(), "none".to_owned())]),
    };
    control.create_type(&admin(), request).await.unwrap();
    let request = CreateVolume {
        volume_type: Some("elsewhere".to_owned()),
        ..sized(1)
    };
    let made = control.create_volume(&asking(), request).await.unwrap();
    world.settled(made.volume.id.0).await;
    let told = told(&world).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].event_id, "VOLUME_VOLUME_001_003");
    let note = told[0].note.as_deref().unwrap();
    assert!(note.contains("extra spec"), "{note}");
    assert!(!note.contains("node1"), "{note}");
}

#[tokio::test]
async fn a_volume_shows_only_what_runs() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let upload = upload(id);
    let mut tx = world.db.begin().await.unwrap();
    let shown = Some(VolumeStatus::Uploading);
    assert!(volumes::show(&mut tx, id, shown).await.unwrap().won());
    let volume = volumes::get_locked(&mut tx, id).await.unwrap().unwrap();
    assert_eq!(volume.status, VolumeStatus::Available);
    assert_eq!(volume.shown_status(), VolumeStatus::Uploading);
    activities::insert(&mut tx, &upload).await.unwrap();
    assert!(activities::cancel(&mut tx, upload.id).await.unwrap().won());
    tx.commit().await.unwrap();
    world.settled(upload.resource).await;

    let ended = activity(&world, upload.id).await;
    assert_eq!(ended.status, ActivityStatus::Cancelled);
    let volume = world.volume(id).await.unwrap();
    assert_eq!(
        (volume.status, volume.shown),
        (VolumeStatus::Available, None)
    );
    let told = told(&world).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].event_id, "VOLUME_VOLUME_003_106");
    assert_eq!(told[0].resource, Some(id.0));
    world.deleted(id).await;
}

#[tokio::test]
async fn a_volume_that_is_read_is_not_deleted() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let show = async |shown| {
        let mut tx = world.db.begin().await.unwrap();
        assert!(volumes::show(&mut tx, id, shown).await.unwrap().won());
        tx.commit().await.unwrap();
    };
    show(Some(VolumeStatus::BackingUp)).await;
    let how = firebrick_control::DeleteVolume::default();
    let refused = world.control.delete_volume(&member(), id, how).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid);
    // What does not touch the image goes on, and does not change what is shown.
    let attachment = world.attached(id).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.status, VolumeStatus::InUse);
    assert_eq!(volume.shown_status(), VolumeStatus::BackingUp);
    world
        .control
        .delete_attachment(&member(), attachment)
        .await
        .unwrap();
    world.settled(attachment.0).await;
    show(None).await;
    world.deleted(id).await;
}

//! Attachments by both ways, and what failures leave of them.

use std::sync::Arc;

use firebrick_backend::FaultKind;
use firebrick_control::{Context, ErrorKind, ForceDetach, LegacyAttach};
use firebrick_state::{AttachmentStatus, VolumeStatus};

use crate::common::{
    A, At, Trouble, World, attach_to, by_themselves, connector, member, sized, with_roles,
};

#[tokio::test]
async fn an_attachment_lives() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let volume = world.made(sized(1)).await;
    let made = control
        .create_attachment(&context, attach_to(volume, false))
        .await;
    let id = made.unwrap().attachment.id;
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Reserved));
    let busy = control
        .create_attachment(&context, attach_to(volume, true))
        .await;
    assert_eq!(busy.unwrap_err().kind, ErrorKind::Invalid);
    let early = control.complete_attachment(&context, id).await;
    assert_eq!(early.unwrap_err().kind, ErrorKind::Invalid);
    let detail = control
        .update_attachment(&context, id, connector())
        .await
        .unwrap();
    assert_eq!(detail.connection_info.unwrap().driver_volume_type, "nbd");
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Attaching));
    world.consistent("while attaching").await;
    control.complete_attachment(&context, id).await.unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::InUse));
    let rest = control.delete_attachment(&context, id).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    world.consistent("after detaching").await;
}

#[tokio::test]
async fn the_older_actions_lead_there_too() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let volume = world.made(sized(1)).await;
    control.reserve(&context, volume).await.unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Attaching));
    let info = control
        .initialize_connection(&context, volume, connector())
        .await;
    assert_eq!(info.unwrap().driver_volume_type, "nbd");
    let request = LegacyAttach {
        instance: Some("server".to_owned()),
        host: None,
        mountpoint: Some("/dev/vdb".to_owned()),
        mode: None,
    };
    control.attach(&context, volume, request).await.unwrap();
    world.consistent("after os-attach").await;
    control.begin_detaching(&context, volume).await.unwrap();
    control
        .terminate_connection(&context, volume, connector())
        .await
        .unwrap();
    control.detach(&context, volume, None).await.unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    world.consistent("after os-detach").await;
}

#[tokio::test]
async fn an_export_that_is_refused_leaves_what_was_there() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let volume = world.made(sized(1)).await;
    let refuse = || {
        let trouble = Trouble::Refuse(FaultKind::Io);
        world.wire.arm(At::Name(A, "export", usize::MAX), trouble);
    };
    refuse();
    let failed = control
        .create_attachment(&context, attach_to(volume, true))
        .await;
    assert_eq!(failed.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    world.consistent("after a refused attachment").await;

    world.wire.disarm();
    let made = control
        .create_attachment(&context, attach_to(volume, false))
        .await;
    let id = made.unwrap().attachment.id;
    refuse();
    let failed = control.update_attachment(&context, id, connector()).await;
    assert_eq!(failed.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Reserved));
    world.consistent("after a refused update").await;
    world.wire.disarm();
    control.delete_attachment(&context, id).await.unwrap();
}

/// A server that uses a volume keeps it when it asks once more and that fails.
#[tokio::test]
async fn a_second_update_that_fails_takes_nothing_away() {
    let mut world = World::new().await;
    let (control, context) = (world.handle(), member());
    let volume = world.made(sized(1)).await;
    let id = world.attached(volume).await;
    let before = world.attachment(id).await.unwrap();
    let trouble = Trouble::Refuse(FaultKind::Io);
    world.wire.arm(At::Name(A, "export", usize::MAX), trouble);
    let failed = control.update_attachment(&context, id, connector()).await;
    assert_eq!(failed.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(world.attachment(id).await.unwrap(), before);
    world.consistent("after a refused update").await;

    world
        .wire
        .arm(At::Name(A, "export", 1), Trouble::HangBefore);
    let asked =
        tokio::spawn(async move { control.update_attachment(&member(), id, connector()).await });
    world.struck().await;
    world.restart().await;
    asked.abort();
    world.settled(id.0).await;
    let after = world.attachment(id).await.unwrap();
    assert_eq!(after.status, AttachmentStatus::Attached);
    assert_eq!(world.status(volume).await, Some(VolumeStatus::InUse));
    world.consistent("after a restart").await;
}

/// A site that does not answer keeps nobody: the attachment ends, and the export with the next life.
#[tokio::test]
async fn detaching_does_not_wait_for_a_dead_site() {
    let mut world = World::new().await;
    let volume = world.made(sized(1)).await;
    let id = world.attached(volume).await;
    world.set_up(A, false);
    world
        .control
        .delete_attachment(&member(), id)
        .await
        .unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    world.set_up(A, true);
    world.restart().await;
    world.consistent("after the site is back").await;
}

/// Somebody with that role in the project of [`member`] who asks without a service.
fn alone(role: &str) -> Context {
    let roles = [role, "reader"];
    by_themselves(&Arc::default(), member().project.as_str(), &roles)
}

#[tokio::test]
async fn what_a_server_has_only_a_service_takes_from_it() {
    let world = World::new().await;
    let (control, user, nova) = (world.handle(), alone("member"), member());
    let conflict = |result: Result<(), ErrorKind>| assert_eq!(result, Err(ErrorKind::Conflict));
    let volume = world.made(sized(1)).await;
    let made = control
        .create_attachment(&nova, attach_to(volume, true))
        .await;
    let attachment = made.unwrap().attachment;
    let (id, server) = (attachment.id, attachment.instance.unwrap());
    control.complete_attachment(&nova, id).await.unwrap();
    for who in [&user, &alone("admin")] {
        let deleted = control.delete_attachment(who, id).await;
        conflict(deleted.map(drop).map_err(|error| error.kind));
        for named in [None, Some(id)] {
            let detached = control.detach(who, volume, named).await;
            conflict(detached.map_err(|error| error.kind));
        }
        // There is nothing of it that this action ends, but whoever asks thinks so.
        let ended = control.terminate_connection(who, volume, connector());
        conflict(ended.await.map_err(|error| error.kind));
    }
    assert_eq!(world.status(volume).await, Some(VolumeStatus::InUse));
    let told = control.delete_attachment(&user, id).await.unwrap_err();
    assert!(told.message.contains(&server), "{}", told.message);
    control.delete_attachment(&nova, id).await.unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));

    // A reservation has reached no server yet.
    let made = control
        .create_attachment(&user, attach_to(volume, false))
        .await;
    let id = made.unwrap().attachment.id;
    control.delete_attachment(&user, id).await.unwrap();

    // And what an administrator forces is theirs to answer for.
    let made = control
        .create_attachment(&nova, attach_to(volume, true))
        .await;
    let attachment = Some(made.unwrap().attachment.id);
    let forced = ForceDetach {
        attachment,
        connector: None,
    };
    control
        .force_detach(&alone("admin"), volume, forced)
        .await
        .unwrap();
    world.consistent("after all of it").await;
}

#[tokio::test]
async fn an_attachment_belongs_to_the_project_of_its_volume() {
    let world = World::new().await;
    let control = world.handle();
    let elsewhere = with_roles("ffffffffffffffffffffffffffffffff", &["admin", "reader"]);
    let volume = world.made(sized(1)).await;
    let made = control
        .create_attachment(&elsewhere, attach_to(volume, false))
        .await;
    let attachment = made.unwrap().attachment;
    assert_eq!(attachment.project, member().project);
    // So that its owner finds it and lets it go.
    control
        .delete_attachment(&member(), attachment.id)
        .await
        .unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    control.reserve(&elsewhere, volume).await.unwrap();
    control
        .initialize_connection(&elsewhere, volume, connector())
        .await
        .unwrap();
    control.detach(&member(), volume, None).await.unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    world.consistent("after all of it").await;
}

#[tokio::test]
async fn the_older_actions_leave_servers_their_disks_too() {
    let world = World::new().await;
    let (control, user, nova) = (world.handle(), alone("member"), member());
    let volume = world.made(sized(1)).await;
    control.reserve(&user, volume).await.unwrap();
    let connect = || async {
        let info = control
            .initialize_connection(&user, volume, connector())
            .await;
        info.unwrap();
    };
    connect().await;
    // No server was named yet, so that the connection may be given up.
    control
        .terminate_connection(&user, volume, connector())
        .await
        .unwrap();
    connect().await;
    let request = LegacyAttach {
        instance: Some("server".to_owned()),
        host: None,
        mountpoint: None,
        mode: None,
    };
    control.attach(&user, volume, request).await.unwrap();
    let refused = control
        .terminate_connection(&user, volume, connector())
        .await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(world.status(volume).await, Some(VolumeStatus::InUse));
    control
        .terminate_connection(&nova, volume, connector())
        .await
        .unwrap();
    control.detach(&nova, volume, None).await.unwrap();
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    world.consistent("after all of it").await;
}

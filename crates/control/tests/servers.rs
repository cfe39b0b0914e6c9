//! Servers are told that their disks have changed.

use firebrick_control::{CreateAttachment, ImageOptions, Query};
use firebrick_db::{Column, Listing, activities};
use firebrick_state::{ActivityKind, ActivityStatus, VolumeStatus};
use firebrick_vocabulary::VolumeId;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::common::{World, attach_to, member, sized, until};
use crate::glance::{FakeGlance, impatient};
use crate::nova::FakeNova;

/// A world with a Nova, and with an image service whose images are converted in `folder`.
async fn world(nova: &FakeNova, glance: &FakeGlance, folder: &TempDir) -> World {
    let client = nova.serve().await;
    let images = firebrick_cloud::Glance::new(impatient(glance.serve().await)).unwrap();
    let images = ImageOptions::new(images, folder.path().to_owned());
    World::with(|options| {
        options.nova = Some(client);
        options.images = Some(images);
    })
    .await
}

async fn attached(world: &World, connected: bool) -> (VolumeId, Uuid) {
    let id = world.made(sized(1)).await;
    let server = Uuid::new_v4();
    let request = CreateAttachment {
        instance: Some(server.to_string()),
        ..attach_to(id, connected)
    };
    let made = world.control.create_attachment(&member(), request).await;
    let attachment = made.unwrap().attachment.id;
    if connected {
        let control = &world.control;
        let done = control.complete_attachment(&member(), attachment).await;
        done.unwrap();
    }
    (id, server)
}

/// What became of what tells the server.
async fn ended(world: &World, server: Uuid) -> (ActivityKind, ActivityStatus) {
    until("the server was told", || async {
        let told = told(world, server).await;
        told.is_some_and(|(_, status)| status != ActivityStatus::Running)
    })
    .await;
    told(world, server).await.unwrap()
}

async fn told(world: &World, server: Uuid) -> Option<(ActivityKind, ActivityStatus)> {
    let connection = &mut *world.db.read().await.unwrap();
    let listing = Listing::of(Column::Resource, &server);
    let found = activities::list(connection, &listing).await.unwrap();
    let last = found.unwrap_or_default().pop();
    last.map(|activity| (activity.kind, activity.status))
}

#[tokio::test]
async fn a_server_is_told_once_its_volume_has_grown() {
    let (nova, glance, folder) = both();
    let world = world(&nova, &glance, &folder).await;
    let (id, server) = attached(&world, true).await;
    // It does not answer at first.
    nova.known.lock().answers = vec![503];
    let grown = world.control.extend_volume(&member(), id, 2, true).await;
    grown.unwrap();
    let expected = (ActivityKind::NotifyExtended, ActivityStatus::Done);
    assert_eq!(ended(&world, server).await, expected);
    let volume = world.volume(id).await.unwrap();
    assert_eq!((volume.size, volume.status), (2, VolumeStatus::InUse));
    let event = json!({ "name": "volume-extended", "server_uuid": server, "tag": id.0 });
    let heard = nova.known.lock().events.clone();
    assert_eq!(heard, vec![("2.51".to_owned(), event); 2]);
    // Nobody has this one.
    let free = world.made(sized(1)).await;
    let grown = world.control.extend_volume(&member(), free, 2, true).await;
    grown.unwrap();
    world.settled(free.0).await;
    assert_eq!(nova.known.lock().events.len(), 2);
}

#[tokio::test]
async fn a_server_that_does_not_hear_it_is_a_message_and_no_error() {
    let (nova, glance, folder) = both();
    let world = world(&nova, &glance, &folder).await;
    let (id, server) = attached(&world, true).await;
    nova.known.lock().code = Some(422);
    let grown = world.control.extend_volume(&member(), id, 2, true).await;
    grown.unwrap();
    let expected = (ActivityKind::NotifyExtended, ActivityStatus::Failed);
    assert_eq!(ended(&world, server).await, expected);
    assert_eq!(world.status(id).await, Some(VolumeStatus::InUse));
    let messages = world.control.messages(&member(), Query::default()).await;
    let messages = messages.unwrap();
    let message = messages.first().unwrap();
    assert_eq!(message.event_id, "VOLUME_VOLUME_007_009");
    assert_eq!(message.resource, Some(id.0));
}

#[tokio::test]
async fn a_server_is_told_once_its_volume_was_written_anew() {
    let (nova, glance, folder) = both();
    let world = world(&nova, &glance, &folder).await;
    let image = glance.add("raw", vec![1; 4096], &json!({}));
    let (id, server) = attached(&world, false).await;
    let control = &world.control;
    let asked = control.reimage_volume(&member(), id, image, true).await;
    asked.unwrap();
    let expected = (ActivityKind::NotifyReimaged, ActivityStatus::Done);
    assert_eq!(ended(&world, server).await, expected);
    assert_eq!(world.status(id).await, Some(VolumeStatus::Reserved));
    let event = json!({ "name": "volume-reimaged", "server_uuid": server, "tag": id.0 });
    assert_eq!(nova.known.lock().events, [("2.93".to_owned(), event)]);
}

fn both() -> (FakeNova, FakeGlance, TempDir) {
    let folder = TempDir::new().unwrap();
    (FakeNova::default(), FakeGlance::default(), folder)
}

//! What volumes remember of their images goes with the bytes.

use std::collections::BTreeMap;

use firebrick_control::{CreateVolume, ErrorKind, Metadata};
use firebrick_db::{image_properties, volumes};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;
use uuid::Uuid;

use crate::common::{World, member, member_of, sized, snapshot_of, with_roles};

fn said(name: &str) -> Metadata {
    BTreeMap::from([("image_name".to_owned(), name.to_owned())])
}

async fn remembered(world: &World, id: Uuid) -> Metadata {
    let connection = &mut *world.db.read().await.unwrap();
    image_properties::of(connection, id).await.unwrap()
}

async fn set(world: &World, id: VolumeId, name: &str) {
    let context = member();
    let set = world.control.set_image_metadata(&context, id, said(name));
    assert_eq!(set.await.unwrap(), said(name));
}

#[tokio::test]
async fn snapshots_and_clones_remember_what_their_origin_did() {
    let world = World::new().await;
    let context = member();
    let id = world.made(sized(1)).await;
    set(&world, id, "first").await;
    let taken = world.control.create_snapshot(&context, snapshot_of(id));
    let snapshot = taken.await.unwrap().snapshot.id;
    world.settled(snapshot.0).await;
    set(&world, id, "second").await;
    let from_snapshot = CreateVolume {
        snapshot: Some(snapshot),
        ..CreateVolume::default()
    };
    let from_volume = CreateVolume {
        source: Some(id),
        ..CreateVolume::default()
    };
    for (request, expected) in [(from_snapshot, "first"), (from_volume, "second")] {
        let copy = world
            .control
            .create_volume(&context, request)
            .await
            .unwrap();
        assert_eq!(copy.image, said(expected));
        let copy = copy.volume.id;
        world.settled(copy.0).await;
        assert_eq!(
            world.control.volume(&context, copy).await.unwrap().image,
            said(expected)
        );
        world.deleted(copy).await;
        assert_eq!(remembered(&world, copy.0).await, Metadata::new());
    }
    world
        .control
        .delete_snapshot(&context, snapshot, false)
        .await
        .unwrap();
    world.settled(snapshot.0).await;
    assert_eq!(remembered(&world, snapshot.0).await, Metadata::new());
}

#[tokio::test]
async fn only_members_change_what_is_remembered() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let reader = with_roles(member().project.as_str(), &["reader"]);
    let stranger = member_of("fedcba9876543210fedcba9876543210");
    for (who, kind) in [
        (&reader, ErrorKind::Forbidden),
        (&stranger, ErrorKind::NotFound),
    ] {
        let refused = world.control.set_image_metadata(who, id, said("x")).await;
        assert_eq!(refused.unwrap_err().kind, kind);
        let refused = world
            .control
            .unset_image_metadata(who, id, "image_name")
            .await;
        assert_eq!(refused.unwrap_err().kind, kind);
    }
    assert_eq!(remembered(&world, id.0).await, Metadata::new());
    set(&world, id, "mine").await;
    assert_eq!(
        world.control.image_metadata(&reader, id).await.unwrap(),
        said("mine")
    );
    let hidden = world.control.image_metadata(&stranger, id).await;
    assert_eq!(hidden.unwrap_err().kind, ErrorKind::NotFound);

    // An image that is being made of the volume says the same.
    let mut tx = world.db.begin().await.unwrap();
    let shown = Some(VolumeStatus::Uploading);
    assert!(volumes::show(&mut tx, id, shown).await.unwrap().won());
    tx.commit().await.unwrap();
    let refused = world
        .control
        .set_image_metadata(&member(), id, said("new"))
        .await;
    let refused = refused.unwrap_err();
    let text =
        "Invalid volume: Updating volume metadata is not allowed for volumes in uploading status.";
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (ErrorKind::Invalid, text)
    );
    assert_eq!(remembered(&world, id.0).await, said("mine"));
}

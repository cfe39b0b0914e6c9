//! What a site has already becomes a volume or a snapshot, and stays when it is given up.

use firebrick_backend::NewImage;
use firebrick_control::{
    At, DeleteVolume, Direction, Error, ErrorKind, Listing, ManageSnapshot, ManageVolume,
    Manageable, ManageableKey, ManageableQuery, Metadata, Reference,
};
use firebrick_db::messages;
use firebrick_state::{SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{Bytes, GIB, ImageId, SnapshotName, VolumeId};
use tokio::task::JoinSet;

use crate::common::{
    A, At as Where, B, HOST, Trouble, World, admin, member, sized, snapshot_of, until,
};
use crate::place::{Place, on_both};

on_both!(one_of_many_gets_the_image, one_of_many_gets_the_snapshot);

const NAME: &str = "disk of an older day";

/// An image that is nobody's.
fn image(world: &World, name: &str, size: u64) -> ImageId {
    let id = ImageId::random();
    let new = NewImage {
        id,
        name: name.replace(' ', "-").parse().unwrap(),
        size: Bytes(size),
        origin: None,
        mirrored: false,
    };
    world.site(A, |site| site.create(new).unwrap());
    id
}

fn name_of(world: &World, id: ImageId) -> String {
    world.site(A, |site| site.images[&id].name.to_string())
}

fn by_name(name: &str) -> ManageVolume {
    ManageVolume {
        at: At::Host(HOST.to_owned()),
        reference: Reference::Name(name.replace(' ', "-")),
        name: Some("taken".to_owned()),
        description: None,
        volume_type: None,
        availability_zone: None,
        metadata: Metadata::from([("key".to_owned(), "value".to_owned())]),
        bootable: true,
    }
}

fn snapshot(volume: VolumeId, source: &str) -> ManageSnapshot {
    ManageSnapshot {
        volume,
        source: source.to_owned(),
        name: None,
        description: None,
        metadata: Metadata::new(),
    }
}

/// Takes the image over and waits for the end.
async fn taken(world: &World, request: ManageVolume) -> VolumeId {
    let detail = world
        .control
        .manage_volume(&admin(), request)
        .await
        .unwrap();
    assert_eq!(detail.volume.shown_status(), VolumeStatus::Creating);
    let id = detail.volume.id;
    world.settled(id.0).await;
    id
}

fn query() -> ManageableQuery {
    ManageableQuery {
        at: At::Host(HOST.to_owned()),
        sort: vec![(ManageableKey::Reference, Direction::Ascending)],
        marker: None,
        limit: 100,
        offset: 0,
    }
}

async fn volumes(world: &World) -> Vec<Manageable> {
    let found = world.control.manageable_volumes(&admin(), query()).await;
    found.unwrap()
}

fn kind<T: std::fmt::Debug>(refused: Result<T, Error>) -> ErrorKind {
    refused.unwrap_err().kind
}

async fn notes(world: &World) -> Vec<(u32, Option<String>)> {
    let connection = &mut *world.db.read().await.unwrap();
    let found = messages::list(connection, &Listing::default()).await;
    let found = found.unwrap().unwrap().into_iter();
    found.map(|it| (it.detail, it.note)).collect()
}

#[tokio::test]
async fn an_image_becomes_a_volume_and_outlives_it() {
    let world = World::new().await;
    let image = image(&world, NAME, GIB + 4096);
    let there = volumes(&world).await;
    assert_eq!(there.len(), 1);
    let [item] = there.try_into().unwrap();
    assert_eq!((item.size, item.reason_not_safe, item.id), (2, None, None));

    let id = taken(&world, by_name(NAME)).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.status, VolumeStatus::Available);
    assert_eq!((volume.size, volume.image()), (2, image));
    assert!(volume.bootable && volume.launched_at.is_some());
    assert_eq!(volume.metadata["key"], "value");
    assert_eq!(name_of(&world, image), format!("volume-{id}"));
    world.consistent("after it was taken over").await;
    let [item] = volumes(&world).await.try_into().unwrap();
    assert_eq!(item.reason_not_safe.as_deref(), Some("already managed"));
    assert_eq!(item.id, Some(id.0));

    // Neither by its new name nor by its id.
    let again = by_name(&format!("volume-{id}"));
    assert_eq!(
        kind(world.control.manage_volume(&admin(), again).await),
        ErrorKind::Invalid
    );
    let again = ManageVolume {
        reference: Reference::Id(image),
        ..by_name(NAME)
    };
    assert_eq!(
        kind(world.control.manage_volume(&admin(), again).await),
        ErrorKind::Invalid
    );

    world.control.unmanage_volume(&admin(), id).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, None);
    assert_eq!(name_of(&world, image), format!("volume-{id}"));
    // And it comes back, as often as somebody likes.
    let request = ManageVolume {
        reference: Reference::Id(image),
        ..by_name(NAME)
    };
    let id = taken(&world, request).await;
    assert_eq!(world.volume(id).await.unwrap().image(), image);
    world.deleted(id).await;
    assert!(world.site(A, |site| site.images.is_empty()));
}

#[tokio::test]
async fn what_is_not_there_or_too_much_is_an_error_and_nothing_is_lost() {
    let world = World::with(|options| options.quotas.gigabytes = 3).await;
    let id = taken(&world, by_name("no-such")).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.status, VolumeStatus::ErrorManaging);
    assert_eq!(volume.shown_status(), VolumeStatus::Error);
    let note = "the backend has no such image".to_owned();
    assert_eq!(notes(&world).await.pop().unwrap().1, Some(note));
    world.deleted(id).await;

    let image = image(&world, NAME, 4 * GIB);
    let id = taken(&world, by_name(NAME)).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(
        (volume.status, volume.size),
        (VolumeStatus::ErrorManaging, 0)
    );
    // Not enough quota.
    assert!(notes(&world).await.iter().any(|(detail, _)| *detail == 6));
    assert_eq!(name_of(&world, image), NAME.replace(' ', "-"));
    let how = DeleteVolume {
        force: true,
        cascade: false,
    };
    world
        .control
        .delete_volume(&admin(), id, how)
        .await
        .unwrap();
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, None);
    assert!(world.site(A, |site| site.images.contains_key(&image)));
}

#[tokio::test]
async fn a_failure_on_the_way_gives_the_image_its_name_back() {
    let world = World::new().await;
    let image = image(&world, NAME, GIB);
    let refused = Trouble::LoseAnswer(firebrick_backend::FaultKind::Invalid);
    world.wire.arm(Where::Name(A, "rename_image", 1), refused);
    let id = taken(&world, by_name(NAME)).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.status, VolumeStatus::ErrorManaging);
    assert_eq!(
        (volume.image, name_of(&world, image)),
        (None, NAME.replace(' ', "-"))
    );
    world.wire.disarm();
    let id = taken(&world, by_name(NAME)).await;
    assert_eq!(world.status(id).await, Some(VolumeStatus::Available));
}

/// Whichever call the process dies at.
#[tokio::test]
async fn it_goes_on_after_the_process_died() {
    for call in 0..12 {
        for trouble in [Trouble::HangBefore, Trouble::HangAfter] {
            let mut world = World::new().await;
            let image = image(&world, NAME, GIB + 4096);
            world.wire.arm(Where::Index(call), trouble);
            let asked = world.control.manage_volume(&admin(), by_name(NAME)).await;
            let id = asked.unwrap().volume.id;
            until("it is over or in trouble", || async {
                world.wire.struck() > 0 || world.rests(id.0).await
            })
            .await;
            let over = world.wire.struck() == 0;
            world.restart().await;
            world.settled(id.0).await;
            assert_eq!(world.volume(id).await.unwrap().image(), image);
            world.consistent(&format!("{trouble:?} at {call}")).await;
            if over {
                break;
            }
        }
    }
}

#[tokio::test]
async fn snapshots_are_taken_over_and_given_up_without_a_change_at_the_site() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let image = id.image_id();
    let own = world.snapped(id).await;
    for name in ["monday", &format!("backup-{}", VolumeId::random())] {
        let name: SnapshotName = name.parse().unwrap();
        world.site(A, |site| site.snapshot(image, name).unwrap());
    }
    let listed = || async {
        let found = world.control.manageable_snapshots(&admin(), query()).await;
        let all = found.unwrap().into_iter();
        all.map(|it| (it.reference, it.id, it.reason_not_safe.is_none()))
            .collect::<Vec<_>>()
    };
    let owned = (format!("snapshot-{own}"), Some(own.0), false);
    let free = ("monday".to_owned(), None, true);
    assert_eq!(listed().await, [free.clone(), owned.clone()]);

    let control = &world.control;
    let asked = control
        .manage_snapshot(&admin(), snapshot(id, "monday"))
        .await;
    let taken = asked.unwrap().snapshot.id;
    let again = control
        .manage_snapshot(&admin(), snapshot(id, "monday"))
        .await;
    assert_eq!(kind(again), ErrorKind::Invalid);
    world.settled(taken.0).await;
    let row = world.snapshot(taken).await.unwrap();
    assert_eq!((row.status, row.size), (SnapshotStatus::Available, 1));
    assert_eq!(
        listed().await[0],
        ("monday".to_owned(), Some(taken.0), false)
    );

    control.unmanage_snapshot(&admin(), taken).await.unwrap();
    world.settled(taken.0).await;
    assert!(world.snapshot(taken).await.is_none());
    assert_eq!(listed().await, [free, owned]);

    let missing = control
        .manage_snapshot(&admin(), snapshot(id, "tuesday"))
        .await;
    let missing = missing.unwrap().snapshot.id;
    world.settled(missing.0).await;
    let row = world.snapshot(missing).await.unwrap();
    assert_eq!(
        (row.status, row.backend_name),
        (SnapshotStatus::Error, None)
    );
    let refused = control
        .create_snapshot(&member(), snapshot_of(VolumeId::random()))
        .await;
    assert_eq!(kind(refused), ErrorKind::NotFound);
}

#[tokio::test]
async fn lists_say_what_is_not_safe_and_refuse_what_is_not_there() {
    let world = World::new().await;
    let used = world.made(sized(1)).await;
    world.attached(used).await;
    let exported = image(&world, "exported", GIB);
    let key = firebrick_backend::ExportKey("someone".to_owned());
    world.site(A, |site| site.export(exported, key).unwrap());
    let there = volumes(&world).await;
    let reasons: Vec<_> = there
        .iter()
        .map(|it| it.reason_not_safe.as_deref())
        .collect();
    assert_eq!(reasons, [Some("volume in use"), Some("already managed")]);
    let nowhere = ManageableQuery {
        at: At::Host("node1@nothing".to_owned()),
        ..query()
    };
    let found = world.control.manageable_volumes(&admin(), nowhere).await;
    assert_eq!(kind(found), ErrorKind::NotFound);
    let elsewhere = ManageVolume {
        at: At::Cluster("none".to_owned()),
        ..by_name(NAME)
    };
    let refused = world.control.manage_volume(&admin(), elsewhere).await;
    assert_eq!(kind(refused), ErrorKind::Unavailable);
    let refused = world.control.manage_volume(&member(), by_name(NAME)).await;
    assert_eq!(kind(refused), ErrorKind::Forbidden);
    world
        .control
        .disable_service(&admin(), "cinder-volume", HOST, None)
        .await
        .unwrap();
    let found = world.control.manageable_volumes(&admin(), query()).await;
    assert_eq!(kind(found), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_volume_with_snapshots_or_users_is_not_given_up() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let snapshot = world.snapped(id).await;
    let control = &world.control;
    assert_eq!(
        kind(control.unmanage_volume(&admin(), id).await),
        ErrorKind::Invalid
    );
    control.unmanage_snapshot(&admin(), snapshot).await.unwrap();
    world.settled(snapshot.0).await;
    let attachment = world.attached(id).await;
    assert_eq!(
        kind(control.unmanage_volume(&admin(), id).await),
        ErrorKind::Invalid
    );
    control
        .delete_attachment(&member(), attachment)
        .await
        .unwrap();
    control.unmanage_volume(&admin(), id).await.unwrap();
    world.settled(id.0).await;
    // The image and its snapshot are as they were.
    let name = snapshot.snapshot_name();
    let kept = world.site(A, |site| site.images[&id.image_id()].snapshots.clone());
    assert_eq!(kept, [(name, Bytes(GIB))]);
    assert!(world.site(B, |site| site.images.is_empty()));
}

async fn one_of_many_gets_the_image(place: Place) {
    let world = World::on(place, |options| options.runner.workers = 8).await;
    let image = image(&world, NAME, GIB);
    let mut all = JoinSet::new();
    for number in 0..8 {
        let control = world.handle();
        // By its name and by its id, which nobody can tell apart but the site.
        let reference = if number % 2 == 0 {
            Reference::Name(NAME.replace(' ', "-"))
        } else {
            Reference::Id(image)
        };
        let request = ManageVolume {
            reference,
            ..by_name(NAME)
        };
        all.spawn(async move { control.manage_volume(&admin(), request).await });
    }
    let mut owners = 0;
    for answer in all.join_all().await {
        match answer {
            Ok(detail) => {
                let id = detail.volume.id;
                world.settled(id.0).await;
                let status = world.status(id).await.unwrap();
                owners += usize::from(status == VolumeStatus::Available);
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error:?}"),
        }
    }
    assert_eq!(owners, 1);
    let name = name_of(&world, image);
    let owner = world
        .volumes()
        .await
        .into_iter()
        .find(|row| row.image() == image);
    assert_eq!(name, format!("volume-{}", owner.unwrap().id));
}

async fn one_of_many_gets_the_snapshot(place: Place) {
    let world = World::on(place, |options| options.runner.workers = 8).await;
    let id = world.made(sized(1)).await;
    let name: SnapshotName = "monday".parse().unwrap();
    world.site(A, |site| site.snapshot(id.image_id(), name).unwrap());
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let control = world.handle();
        let request = snapshot(id, "monday");
        all.spawn(async move { control.manage_snapshot(&admin(), request).await });
    }
    let mut owners = Vec::new();
    for answer in all.join_all().await {
        match answer {
            Ok(detail) => owners.push(detail.snapshot.id),
            Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error:?}"),
        }
    }
    assert_eq!(owners.len(), 1);
    world.settled(owners[0].0).await;
    let row = world.snapshot(owners[0]).await.unwrap();
    assert_eq!(row.status, SnapshotStatus::Available);
}

//! Volumes that live in an image of another id, and snapshots of another name: whatever happens to
//! them, happens there.

use firebrick_control::{CreateVolume, Snapshot};
use firebrick_db::{snapshots, volumes};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::{ImageId, SnapshotName, SnapshotUuid, VolumeId};
use uuid::Uuid;

use crate::common::{A, B, World, member, mirrored, sized};

/// Gives the volume's image another id, as if the volume had taken it over.
async fn taken_over(world: &World, id: VolumeId) -> ImageId {
    let other = ImageId(Uuid::new_v4());
    for site in [A, B] {
        world.site(site, |site| {
            if let Some(image) = site.images.remove(&id.image_id()) {
                site.images.insert(other, image);
            }
        });
    }
    let mut tx = world.db.begin().await.unwrap();
    let mut volume = volumes::get_locked(&mut tx, id).await.unwrap().unwrap();
    assert_eq!(volume.image(), id.image_id());
    volume.image = Some(other);
    let from = [VolumeStatus::Available];
    let swapped = volumes::swap(&mut tx, &from, &volume).await.unwrap();
    assert!(swapped.won());
    tx.commit().await.unwrap();
    other
}

/// The same for the name of a snapshot.
async fn renamed(world: &World, image: ImageId, id: SnapshotUuid) -> Snapshot {
    let other = SnapshotName::new("of-an-operator").unwrap();
    for site in [A, B] {
        world.site(site, |site| {
            let Some(there) = site.images.get_mut(&image) else {
                return;
            };
            for (name, _) in &mut there.snapshots {
                name.clone_from(&other);
            }
            let kept = std::mem::take(&mut there.kept).into_values();
            there.kept = kept.map(|blocks| (other.clone(), blocks)).collect();
        });
    }
    let mut tx = world.db.begin().await.unwrap();
    let mut snapshot = snapshots::get_locked(&mut tx, id).await.unwrap().unwrap();
    snapshot.backend_name = Some(other);
    let from = [snapshot.status];
    let swapped = snapshots::swap(&mut tx, &from, &snapshot).await.unwrap();
    assert!(swapped.won());
    tx.commit().await.unwrap();
    snapshot
}

#[tokio::test]
async fn a_volume_in_another_image_lives_there() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let id = world.made(mirrored(1)).await;
    let image = taken_over(&world, id).await;
    let snapshot = world.snapped(id).await;
    let snapshot = renamed(&world, image, snapshot).await;
    world.consistent("after it was taken over").await;

    control.extend_volume(&context, id, 2, false).await.unwrap();
    world.settled(id.0).await;
    let of_snapshot = CreateVolume {
        snapshot: Some(snapshot.id),
        ..CreateVolume::default()
    };
    let of_volume = CreateVolume {
        source: Some(id),
        ..CreateVolume::default()
    };
    let copies = [world.made(of_snapshot).await, world.made(of_volume).await];
    let attachment = world.attached(id).await;
    world.consistent("while it is used").await;
    let exported =
        |site: &str| world.site(site, |site| site.exports.iter().any(|it| it.0 == image));
    assert!(exported(A) && !exported(B));

    world.failed_over(B).await;
    world.consistent("after a failover").await;
    assert!(exported(B));
    control
        .delete_attachment(&context, attachment)
        .await
        .unwrap();
    world.settled(attachment.0).await;
    assert!(!exported(B));
    world.failed_over("default").await;
    world.consistent("at home again").await;

    control
        .delete_snapshot(&context, snapshot.id, false)
        .await
        .unwrap();
    world.settled(snapshot.id.0).await;
    world.consistent("without its snapshot").await;
    for id in [id].into_iter().chain(copies) {
        world.deleted(id).await;
    }
    assert!(world.site(A, |site| site.images.is_empty()));
}

#[tokio::test]
async fn exports_of_another_image_are_made_again_and_ended() {
    let mut world = World::new().await;
    let id = world.made(sized(1)).await;
    let image = taken_over(&world, id).await;
    world.attached(id).await;
    let own = world.site(A, |site| std::mem::take(&mut site.exports));
    let stray = own
        .iter()
        .map(|(_, key)| (id.image_id(), key.clone()))
        .collect();
    world.site(A, |site| site.exports = stray);
    world.restart().await;
    world.consistent("after the exports were compared").await;
    assert!(own.iter().all(|(exported, _)| *exported == image));
    assert!(world.site(A, |site| site.exports == own));
}

//! What is asked of a volume on its way, and of one with which something else is done.

use firebrick_control::{CreateTransfer, DeleteVolume, Error, ErrorKind, ManageSnapshot, Metadata};
use firebrick_state::VolumeStatus;

use super::*;
use crate::common::{
    At as Where, C, Trouble, attach_to, connector, member, member_of, snapshot_of,
};

const ELSEWHERE: &str = "ffffffffffffffffffffffffffffffff";

fn all_refused(when: &str, answers: Vec<(&str, Result<(), Error>)>) {
    for (what, answer) in answers {
        let kind = answer.map_err(|error| error.kind);
        assert_eq!(kind, Err(ErrorKind::Invalid), "{what} {when}");
    }
}

fn offer(volume: VolumeId) -> CreateTransfer {
    CreateTransfer {
        volume,
        name: None,
        no_snapshots: false,
        encrypted: false,
    }
}

/// Something hangs until it is released.
fn hold_up(world: &World) {
    let first_write = Where::Name(C, "write", 1);
    world.wire.arm(first_write, Trouble::HangBeforeRelease);
}

/// A migration of which nothing is copied yet.
async fn on_its_way(world: &World, id: VolumeId, lock: bool) {
    hold_up(world);
    let who = admin();
    let asked = world.control.migrate_volume(&who, id, to_far(lock));
    asked.await.unwrap();
    world.struck().await;
}

async fn goes_on(world: &World, id: VolumeId) {
    world.wire.disarm();
    world.wire.release();
    world.settled(id.0).await;
    tidied(world).await;
}

#[tokio::test]
async fn what_would_miss_the_move_waits_for_its_end() {
    let world = two().await;
    let id = filled(&world).await;
    kind(&world, "other", &[]).await;
    on_its_way(&world, id, false).await;
    let control = &world.control;
    let how = DeleteVolume::default();
    let manage = ManageSnapshot {
        volume: id,
        source: "monday".to_owned(),
        name: None,
        description: None,
        metadata: Metadata::new(),
    };
    let other = becoming("other", MigrationPolicy::Never);
    let (admin, member) = (admin(), member());
    let answers = vec![
        (
            "snapshot",
            (control.create_snapshot(&member, snapshot_of(id)).await).map(drop),
        ),
        (
            "snapshot that is there",
            (control.manage_snapshot(&admin, manage).await).map(drop),
        ),
        ("removal", control.delete_volume(&member, id, how).await),
        (
            "removal by force",
            control.force_delete_volume(&admin, id).await,
        ),
        ("giving up", control.unmanage_volume(&admin, id).await),
        (
            "other type",
            control.retype_volume(&member, id, other).await,
        ),
        (
            "second move",
            control.migrate_volume(&admin, id, to_far(true)).await,
        ),
    ];
    all_refused("on its way", answers);
    goes_on(&world, id).await;
    assert!(rests_in_one_place(&world, id, "after all").await);
}

/// What nobody looks at any more is not written to: the write would be lost.
#[tokio::test]
async fn a_stopped_volume_and_a_hidden_copy_are_nobodys() {
    for by_type in [false, true] {
        let world = two().await;
        let id = filled(&world).await;
        if by_type {
            kind(&world, "far", &[("volume_backend_name", "stones")]).await;
            hold_up(&world);
            let far = becoming("far", MigrationPolicy::OnDemand);
            let who = member();
            let asked = world.control.retype_volume(&who, id, far);
            asked.await.unwrap();
            world.struck().await;
        } else {
            on_its_way(&world, id, true).await;
        }
        let control = &world.control;
        let (admin, member) = (admin(), member());
        for id in [id, hidden(&world).await.pop().unwrap().id] {
            let reserved = attach_to(id, false);
            let connected = attach_to(id, true);
            let answers = vec![
                (
                    "connection",
                    (control
                        .initialize_connection(&member, id, connector())
                        .await)
                        .map(drop),
                ),
                ("reservation", control.reserve(&member, id).await),
                (
                    "attachment",
                    (control.create_attachment(&member, reserved).await).map(drop),
                ),
                (
                    "attachment with its connector",
                    (control.create_attachment(&member, connected).await).map(drop),
                ),
                ("growth", control.extend_volume(&member, id, 2, true).await),
                ("flag", control.set_readonly(&member, id, true).await),
                (
                    "offer",
                    (control.create_transfer(&member, offer(id)).await).map(drop),
                ),
                (
                    "removal by force",
                    control.force_delete_volume(&admin, id).await,
                ),
            ];
            all_refused(&format!("by its type: {by_type}"), answers);
        }
        goes_on(&world, id).await;
        assert!(rests_in_one_place(&world, id, "after all").await);
    }
}

/// As Cinder says of migrations without a lock: what users do comes first.
#[tokio::test]
async fn a_migration_gives_way_to_what_users_do() {
    for what in ["offered", "extended", "reserved", "connected", "read"] {
        let world = two().await;
        let id = filled(&world).await;
        on_its_way(&world, id, false).await;
        let (control, member) = (&world.control, member());
        match what {
            "offered" => drop(control.create_transfer(&member, offer(id)).await.unwrap()),
            "extended" => control.extend_volume(&member, id, 2, false).await.unwrap(),
            "reserved" => control.reserve(&member, id).await.unwrap(),
            "connected" => {
                let connector = connector();
                let asked = control.initialize_connection(&member, id, connector);
                asked.await.unwrap();
            }
            _ => world.is_read(id).await,
        }
        goes_on(&world, id).await;
        let volume = world.volume(id).await.unwrap();
        assert_eq!(volume.migration_status.as_deref(), Some("error"), "{what}");
        assert_eq!(volume.image(), id.image_id(), "{what}");
        assert_eq!(volume.size, if what == "extended" { 2 } else { 1 });
        assert!(world.far(|site| site.images.is_empty()), "{what}");
        let blocks = world.site(A, |site| site.images[&id.image_id()].blocks.len());
        assert_eq!(blocks, 2, "{what}");
    }
}

#[tokio::test]
async fn a_volume_that_is_given_away_meanwhile_arrives_at_its_new_owner() {
    let world = two().await;
    let id = filled(&world).await;
    on_its_way(&world, id, false).await;
    let control = &world.control;
    let (transfer, key) = control.create_transfer(&member(), offer(id)).await.unwrap();
    let taker = member_of(ELSEWHERE);
    let taken = control.accept_transfer(&taker, transfer.id, key.reveal());
    taken.await.unwrap();
    goes_on(&world, id).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.project, taker.project);
    assert_eq!(volume.migration_status.as_deref(), Some("success"));
    assert_eq!(volume.status, VolumeStatus::Available);
    assert_eq!(far_bytes(&world, volume.image()), [(0, 1), (9, 2)]);
    assert!(world.site(A, |site| site.images.is_empty()));
}

#[tokio::test]
async fn what_is_offered_or_read_neither_moves_nor_goes() {
    for what in ["offered", "read"] {
        let world = two().await;
        let id = filled(&world).await;
        kind(&world, "other", &[]).await;
        let control = &world.control;
        let (admin, member) = (admin(), member());
        if what == "offered" {
            control.create_transfer(&member, offer(id)).await.unwrap();
        } else {
            world.is_read(id).await;
        }
        let other = becoming("other", MigrationPolicy::Never);
        let how = DeleteVolume::default();
        let answers = vec![
            (
                "move",
                control.migrate_volume(&admin, id, to_far(false)).await,
            ),
            (
                "other type",
                control.retype_volume(&member, id, other).await,
            ),
            ("giving up", control.unmanage_volume(&admin, id).await),
            ("removal", control.delete_volume(&member, id, how).await),
            (
                "offer",
                (control.create_transfer(&member, offer(id)).await).map(drop),
            ),
        ];
        all_refused(what, answers);
        assert!(world.rests(id.0).await, "{what}");
    }
}

/// Whoever makes the copy looks for the image where it is.
#[tokio::test]
async fn a_volume_that_is_being_copied_stays() {
    let world = two().await;
    let id = filled(&world).await;
    let making = Where::Name(A, "create_image", 1);
    world.wire.arm(making, Trouble::HangBeforeRelease);
    let copy = firebrick_control::CreateVolume {
        source: Some(id),
        ..sized(1)
    };
    let made = world.control.create_volume(&member(), copy).await;
    let made = made.unwrap().volume.id;
    world.struck().await;
    let who = admin();
    let asked = world.control.migrate_volume(&who, id, to_far(false));
    let why = asked.await.unwrap_err().message;
    assert!(why.contains("another volume is being made of it"), "{why}");
    world.wire.disarm();
    world.wire.release();
    world.settled(made.0).await;
    assert_eq!(world.status(made).await, Some(VolumeStatus::Available));
    let who = admin();
    let asked = world.control.migrate_volume(&who, id, to_far(false));
    asked.await.unwrap();
    world.settled(id.0).await;
    tidied(&world).await;
    let migrated = world.volume(id).await.unwrap().migration_status;
    assert_eq!(migrated.as_deref(), Some("success"));
}

//! Members of groups and what else is done with volumes; the same request many times at once.

use firebrick_control::{
    At as Place, CloneGroup, CreateTransfer, CreateType, DeleteVolume, Error, ErrorKind, Family,
    GroupSource, MigrateVolume, MigrationPolicy, ResetStatus, RetypeVolume,
};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;
use tokio::task::JoinSet;

use super::{PLAIN, adding, refused, typed, within, world};
use crate::common::{FAR, HOST, World, admin, member, member_of, sized};
use crate::place::Place as Database;

fn offer(volume: VolumeId) -> CreateTransfer {
    CreateTransfer {
        volume,
        name: None,
        no_snapshots: false,
        encrypted: false,
    }
}

impl World {
    async fn said(&self, id: VolumeId, status: Option<&str>, migration: Option<&str>) {
        let reset = ResetStatus {
            status: status.map(str::to_owned),
            migration_status: migration.map(str::to_owned),
            ..ResetStatus::default()
        };
        let who = admin();
        let asked = self.control.reset_volume_status(&who, id, reset);
        asked.await.unwrap();
    }
}

#[tokio::test]
async fn a_member_is_neither_moved_nor_given_away_nor_removed() {
    let world = World::of_two(Database::asked_for(), |_| {}).await;
    typed(&world).await;
    let (group, other) = (world.grouped(&[PLAIN]).await, world.grouped(&[PLAIN]).await);
    let id = world.made(within(group, sized(1))).await;
    let new = CreateType {
        name: "other".to_owned(),
        description: None,
        is_public: true,
        extra_specs: std::collections::BTreeMap::new(),
    };
    let control = &world.control;
    control.create_type(&admin(), new).await.unwrap();
    let host = world.volume(id).await.unwrap().host.unwrap().without_pool();
    let to = if host.to_string() == FAR { HOST } else { FAR };
    let to = MigrateVolume {
        to: Place::Host(to.to_owned()),
        lock: false,
    };
    let kind = RetypeVolume {
        new_type: "other".to_owned(),
        policy: MigrationPolicy::OnDemand,
    };
    let how = DeleteVolume::default();
    let (admin, member) = (admin(), member());
    let answers: [(&str, Result<(), Error>); 7] = [
        ("move", control.migrate_volume(&admin, id, to).await),
        ("other type", control.retype_volume(&member, id, kind).await),
        ("giving up", control.unmanage_volume(&admin, id).await),
        ("removal", control.delete_volume(&member, id, how).await),
        ("by force", control.force_delete_volume(&admin, id).await),
        (
            "offer",
            (control.create_transfer(&member, offer(id)).await).map(drop),
        ),
        (
            "another group",
            world.change(other, adding(&[id], &[])).await,
        ),
    ];
    for (what, answer) in answers {
        let (kind, text) = refused(answer);
        assert_eq!(kind, ErrorKind::Invalid, "{what}");
        assert!(text.contains("group"), "{what}: {text}");
    }
    assert_eq!(world.group_of(id).await, Some(group));
    assert!(world.rests(id.0).await);
}

#[tokio::test]
async fn what_is_offered_moved_or_read_joins_no_group() {
    let world = world().await;
    let group = world.grouped(&[PLAIN]).await;
    let (offered, moved, read) = (
        world.made(sized(1)).await,
        world.made(sized(1)).await,
        world.made(sized(1)).await,
    );
    let control = &world.control;
    control
        .create_transfer(&member(), offer(offered))
        .await
        .unwrap();
    world.said(moved, None, Some("migrating")).await;
    world.is_read(read).await;
    for (id, why) in [
        (offered, "awaiting-transfer"),
        (moved, "migrating"),
        (read, "uploading"),
    ] {
        let (kind, text) = refused(world.change(group, adding(&[id], &[])).await);
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(text.contains(why), "{text}");
        assert_eq!(world.group_of(id).await, None);
    }
}

#[tokio::test]
async fn of_a_member_that_moves_nothing_is_taken() {
    let world = world().await;
    let (group, [one, _]) = world.pair().await;
    world.said(one, None, Some("migrating")).await;
    let (kind, text) = refused(world.begin_snapshot(group).await);
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.contains("being migrated"), "{text}");
    let clone = CloneGroup {
        name: None,
        description: None,
        source: GroupSource::Group(group),
    };
    let who = member();
    let cloned = world.control.clone_group(&who, Family::Groups, clone);
    let (kind, text) = refused(cloned.await);
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.contains(&one.to_string()), "{text}");
    let (kind, _) = refused(world.delete_group(group, true).await);
    assert_eq!(kind, ErrorKind::Invalid);
    assert_eq!(world.status(one).await, Some(VolumeStatus::Available));
    world.said(one, None, Some("none")).await;
    world.group_snapped(group).await;
}

/// An operator said that it is free, it joined a group, and is said to be offered again.
#[tokio::test]
async fn a_member_is_not_accepted_by_another_project() {
    let world = world().await;
    let group = world.grouped(&[PLAIN]).await;
    let id = world.made(sized(1)).await;
    let control = &world.control;
    let (transfer, key) = control.create_transfer(&member(), offer(id)).await.unwrap();
    world.said(id, Some("available"), None).await;
    world.change(group, adding(&[id], &[])).await.unwrap();
    world.said(id, Some("awaiting-transfer"), None).await;
    let taker = member_of("ffffffffffffffffffffffffffffffff");
    let taken = control.accept_transfer(&taker, transfer.id, key.reveal());
    let (kind, text) = refused(taken.await);
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.ends_with("must not be part of a group."), "{text}");
    assert_eq!(world.volume(id).await.unwrap().project, member().project);
}

#[tokio::test]
async fn one_deletion_of_a_group_wins() {
    let world = world().await;
    let (group, _) = world.pair().await;
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let control = world.handle();
        all.spawn(async move {
            let context = member();
            control
                .delete_group(&context, Family::Groups, group, true)
                .await
        });
    }
    let mut won = 0;
    for answer in all.join_all().await {
        match answer {
            Ok(()) => won += 1,
            Err(error) => {
                let kinds = [ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::Invalid];
                assert!(kinds.contains(&error.kind), "{error:?}");
            }
        }
    }
    assert_eq!(won, 1);
    world.settled(group.0).await;
    assert_eq!(world.group_status(group).await, None);
    assert!(world.volumes().await.is_empty());
    world.consistent("after eight deletions").await;
}

/// As many snapshots of a group at once as the quota has room for, and all of those whole.
#[tokio::test]
async fn snapshots_of_a_group_at_once_keep_to_the_quota() {
    let world = World::with(|options| {
        options.quotas.snapshots = 4;
        options.runner.workers = 8;
    })
    .await;
    typed(&world).await;
    let (group, _) = world.pair().await;
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let control = world.handle();
        all.spawn(async move {
            let context = member();
            let taken = control.create_group_snapshot(&context, Family::Groups, group, None, None);
            taken.await.map(|taken| taken.id)
        });
    }
    let mut taken = Vec::new();
    for answer in all.join_all().await {
        match answer {
            Ok(id) => taken.push(id),
            Err(error) => assert_eq!(error.kind, ErrorKind::OverQuota, "{error:?}"),
        }
    }
    assert_eq!(taken.len(), 2);
    for id in taken {
        world.settled(id.0).await;
        assert_eq!(world.taken_of(id).await.len(), 2);
    }
    world.consistent("after eight requests").await;
}

//! Many at once: one of them wins, quotas hold exactly, and what is held stays.

use firebrick_db::{
    Error, ErrorKind, Service, Snapshot, Swapped, activities, backups, clusters, group_snapshots,
    group_types, groups, now, services, snapshots, transfers, usage, volumes,
};
use firebrick_state::{
    BackupStatus, GroupSnapshotStatus, GroupStatus, ReplicationStatus, SnapshotStatus, VolumeStatus,
};
use firebrick_vocabulary::{ProjectId, ServiceId, SnapshotUuid};
use std::time::Duration;
use tokio::task::JoinSet;

use crate::place::{Place, on_both};
use crate::tables::{backup, cluster, group, group_snapshot, group_type, transfer};
use crate::{activity, volume};

on_both!(
    of_many_that_swap_one_wins,
    of_many_that_read_with_a_lock_one_wins,
    two_hundred_get_fifty,
    no_activity_is_claimed_twice,
    many_open_an_empty_database,
);

const MANY: usize = 32;

/// Runs `$work` in many transactions at once, and expects one to win.
macro_rules! one_wins {
    ($db:expr, $row:expr, |$tx:ident, $with:ident| $work:expr) => {{
        let mut all = JoinSet::new();
        for _ in 0..MANY {
            let (db, $with) = ($db.clone(), $row.clone());
            all.spawn(async move {
                let mut $tx = db.begin().await?;
                let swapped: Swapped = $work?;
                $tx.commit().await?;
                Ok::<_, Error>(swapped)
            });
        }
        let all = all.join_all().await;
        let won = all.into_iter().filter(|swapped| match swapped {
            Ok(swapped) => swapped.won(),
            Err(error) => panic!("{error}"),
        });
        assert_eq!(won.count(), 1, "{}", stringify!($work));
    }};
}

async fn of_many_that_swap_one_wins(place: Place) {
    let db = place.open().await;
    let (mut row, kind) = (volume(None, 1), group_type());
    let (mut group, mut backup) = (group(kind.id), backup());
    let (mut taken, mut cluster, transfer) = (group_snapshot(&group), cluster(), transfer());
    let (mut snapshot, mut service) = (snapshot(row.id), service());
    let mut tx = db.begin().await.unwrap();
    volumes::insert(&mut tx, &row).await.unwrap();
    snapshots::insert(&mut tx, &snapshot).await.unwrap();
    services::insert(&mut tx, &service).await.unwrap();
    group_types::insert(&mut tx, &kind).await.unwrap();
    groups::insert(&mut tx, &group).await.unwrap();
    group_snapshots::insert(&mut tx, &taken).await.unwrap();
    backups::insert(&mut tx, &backup).await.unwrap();
    clusters::insert(&mut tx, &cluster).await.unwrap();
    transfers::insert(&mut tx, &transfer).await.unwrap();
    tx.commit().await.unwrap();

    row.status = VolumeStatus::Available;
    one_wins!(db, row, |tx, row| {
        volumes::swap(&mut tx, &[VolumeStatus::Creating], &row).await
    });
    snapshot.status = SnapshotStatus::Available;
    one_wins!(db, snapshot, |tx, row| {
        snapshots::swap(&mut tx, &[SnapshotStatus::Creating], &row).await
    });
    service.replication_status = ReplicationStatus::FailingOver;
    one_wins!(db, service, |tx, row| {
        services::swap(&mut tx, &[ReplicationStatus::Enabled], &row).await
    });
    group.status = GroupStatus::Available;
    one_wins!(db, group, |tx, row| {
        groups::swap(&mut tx, &[GroupStatus::Creating], &row).await
    });
    taken.status = GroupSnapshotStatus::Available;
    one_wins!(db, taken, |tx, row| {
        group_snapshots::swap(&mut tx, &[GroupSnapshotStatus::Creating], &row).await
    });
    backup.status = BackupStatus::Available;
    one_wins!(db, backup, |tx, row| {
        backups::swap(&mut tx, &[BackupStatus::Creating], &row).await
    });
    cluster.replication_status = ReplicationStatus::FailingOver;
    one_wins!(db, cluster, |tx, row| {
        clusters::swap(&mut tx, &[ReplicationStatus::Enabled], &row).await
    });
    let offer = (transfer.id, ProjectId("q".into()));
    one_wins!(db, offer, |tx, offer| {
        transfers::accept(&mut tx, offer.0, &offer.1).await
    });
}

/// Whoever reads with a lock and then decides is alone with its decision.
async fn of_many_that_read_with_a_lock_one_wins(place: Place) {
    let db = place.open().await;
    let row = volume(None, 1);
    let mut tx = db.begin().await.unwrap();
    volumes::insert(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    one_wins!(db, row.id, |tx, id| {
        let found = volumes::get_locked(&mut tx, id).await?;
        let mut row = found.unwrap();
        let free = row.status == VolumeStatus::Creating;
        // Time for the others to look, which they must not.
        tokio::time::sleep(Duration::from_millis(2)).await;
        row.status = VolumeStatus::Available;
        match volumes::swap(&mut tx, VolumeStatus::ALL, &row).await? {
            Swapped::Won if free => Ok(Swapped::Won),
            Swapped::Won | Swapped::Lost => Ok::<_, Error>(Swapped::Lost),
        }
    });
}

async fn two_hundred_get_fifty(place: Place) {
    let db = place.open().await;
    let mut all = JoinSet::new();
    for _ in 0..200 {
        let db = db.clone();
        all.spawn(async move {
            let row = volume(None, 1);
            let mut tx = db.begin().await.unwrap();
            tx.lock_project(&row.project).await.unwrap();
            let used = usage::of_project(&mut tx, &row.project).await.unwrap();
            if used.volumes >= 50 {
                return false;
            }
            volumes::insert(&mut tx, &row).await.unwrap();
            tx.commit().await.unwrap();
            true
        });
    }
    let made = all.join_all().await.into_iter().filter(|made| *made);
    assert_eq!(made.count(), 50);
    let project = ProjectId("p".into());
    let mut connection = db.read().await.unwrap();
    let used = usage::of_project(&mut connection, &project).await.unwrap();
    assert_eq!((used.volumes, used.gigabytes), (50, 50));
}

async fn no_activity_is_claimed_twice(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    for _ in 0..20 {
        activities::insert(&mut tx, &activity()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut all = JoinSet::new();
    for worker in 0..8 {
        let db = db.clone();
        all.spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let mut tx = db.begin().await.unwrap();
                let (owner, hour) = (format!("n/{worker}"), Duration::from_secs(3600));
                let found = activities::claim(&mut tx, &owner, hour).await.unwrap();
                tx.commit().await.unwrap();
                match found {
                    Some(found) => claimed.push(found.id),
                    None => return claimed,
                }
            }
        });
    }
    let mut claimed: Vec<_> = all.join_all().await.into_iter().flatten().collect();
    claimed.sort();
    claimed.dedup();
    assert_eq!(claimed.len(), 20);
}

/// Processes that start at the same moment all find the tables.
async fn many_open_an_empty_database(place: Place) {
    let place = std::sync::Arc::new(place);
    let mut all = JoinSet::new();
    for _ in 0..6 {
        let place = std::sync::Arc::clone(&place);
        all.spawn(async move {
            let db = place.open().await;
            let mut tx = db.begin().await.unwrap();
            tx.lock_start().await.unwrap();
            services::insert(&mut tx, &service()).await.unwrap();
            tx.commit().await.unwrap();
            db
        });
    }
    let opened = all.join_all().await;
    let mut connection = opened[0].read().await.unwrap();
    assert_eq!(services::all(&mut connection).await.unwrap().len(), 1);
    // Nor does a connection for reading write.
    let refused = volumes::insert(&mut connection, &volume(None, 1)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Failed);
}

pub(crate) fn snapshot(volume: firebrick_vocabulary::VolumeId) -> Snapshot {
    Snapshot {
        id: SnapshotUuid::random(),
        volume,
        project: ProjectId("p".into()),
        user: firebrick_vocabulary::UserId("u".into()),
        name: None,
        description: None,
        size: 1,
        status: SnapshotStatus::Creating,
        previous_status: None,
        progress: "0%".into(),
        group_snapshot: None,
        backend_name: None,
        encryption_key: None,
        consumes_quota: true,
        metadata: std::collections::BTreeMap::new(),
        created_at: now(),
        updated_at: None,
    }
}

fn service() -> Service {
    Service {
        id: ServiceId::random(),
        binary: "cinder-volume".into(),
        host: "node@blocks".parse().unwrap(),
        cluster: None,
        availability_zone: "nova".into(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Enabled,
        active_backend_id: None,
        created_at: now(),
        updated_at: now(),
        reported_at: now(),
    }
}

//! What projects have in a pool.

use std::collections::BTreeSet;

use firebrick_db::{
    AttachMode, Attachment, PoolUsage, Snapshot, Volume, attachments, now, snapshots, usage,
    volumes,
};
use firebrick_state::AttachmentStatus;
use firebrick_vocabulary::{AttachmentId, ProjectId, VolumeId};

use crate::place::{Place, on_both};
use crate::together::snapshot;
use crate::volume;

on_both!(
    each_project_is_counted_in_each_pool,
    a_walk_meets_every_volume_of_a_service_once,
    attachments_are_found_by_the_service_of_their_volumes,
);

async fn each_project_is_counted_in_each_pool(place: Place) {
    let db = place.open().await;
    let (here, there) = ("node@blocks#volumes", "node@slates#volumes");
    let mut tx = db.begin().await.unwrap();
    for (project, host, size) in [
        ("p", Some(here), 3),
        ("p", Some(here), 4),
        ("q", Some(here), 5),
        ("q", Some(there), 6),
        ("q", None, 7),
    ] {
        let row = Volume {
            project: ProjectId(project.to_owned()),
            host: host.map(|host| host.parse().unwrap()),
            ..volume(None, size)
        };
        volumes::insert(&mut tx, &row).await.unwrap();
        let taken = Snapshot {
            project: row.project.clone(),
            size,
            ..snapshot(row.id)
        };
        snapshots::insert(&mut tx, &taken).await.unwrap();
    }
    tx.commit().await.unwrap();
    let connection = &mut db.read().await.unwrap();
    let shares = usage::of_pool(connection, &here.parse().unwrap()).await;
    let share = |number, size| PoolUsage {
        volumes: (number, size),
        snapshots: (number, size),
    };
    let expected = [("p", share(2, 7)), ("q", share(1, 5))];
    let expected = expected.map(|(project, share)| (ProjectId(project.to_owned()), share));
    assert_eq!(shares.unwrap(), expected.into());
    let shares = usage::of_pool(connection, &"node@none#volumes".parse().unwrap()).await;
    assert!(shares.unwrap().is_empty());
}

fn at(host: &str) -> Volume {
    Volume {
        host: Some(host.parse().unwrap()),
        ..volume(None, 1)
    }
}

async fn a_walk_meets_every_volume_of_a_service_once(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let mut expected = BTreeSet::new();
    // More than one step in the first pool, and neighbours that only look alike.
    for (pool, number) in [("node@blocks#a", 1003), ("node@blocks#b", 3)] {
        for _ in 0..number {
            let row = at(pool);
            volumes::insert(&mut tx, &row).await.unwrap();
            expected.insert(row.id);
        }
    }
    for other in ["node@blocks2#a", "node@block#a", "node@slates#a"] {
        volumes::insert(&mut tx, &at(other)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let connection = &mut db.read().await.unwrap();
    let mut walk = volumes::Walk::of_service(&"node@blocks".parse().unwrap());
    let mut met: Vec<VolumeId> = Vec::new();
    loop {
        let some = walk.next(connection).await.unwrap();
        if some.is_empty() {
            break;
        }
        met.extend(some.iter().map(|row| row.id));
    }
    assert_eq!(met.len(), expected.len());
    assert_eq!(met.iter().copied().collect::<BTreeSet<_>>(), expected);
    let unknown = VolumeId::random();
    let named = volumes::named(connection, &[met[0], unknown, met[1]]).await;
    let named: BTreeSet<VolumeId> = named.unwrap().iter().map(|row| row.id).collect();
    assert_eq!(named, BTreeSet::from([met[0], met[1]]));
    assert!(walk.next(connection).await.unwrap().is_empty());
}

async fn attachments_are_found_by_the_service_of_their_volumes(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let mut of = Vec::new();
    for host in ["node@blocks#a", "node@slates#a"] {
        let row = at(host);
        volumes::insert(&mut tx, &row).await.unwrap();
        let attachment = Attachment {
            id: AttachmentId::random(),
            volume: row.id,
            project: row.project,
            instance: None,
            host: None,
            mountpoint: None,
            mode: AttachMode::ReadWrite,
            status: AttachmentStatus::Attached,
            connector: None,
            connection_info: None,
            legacy: false,
            created_at: now(),
            attached_at: None,
            detached_at: None,
        };
        attachments::insert(&mut tx, &attachment).await.unwrap();
        of.push(attachment);
    }
    tx.commit().await.unwrap();
    let connection = &mut db.read().await.unwrap();
    let found = attachments::of_service(connection, &"node@blocks".parse().unwrap()).await;
    assert_eq!(found.unwrap(), of[..1]);
}

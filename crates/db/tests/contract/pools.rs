//! What projects have in a pool.

use firebrick_db::{PoolUsage, Snapshot, Volume, snapshots, usage, volumes};
use firebrick_vocabulary::ProjectId;

use crate::place::{Place, on_both};
use crate::together::snapshot;
use crate::volume;

on_both!(each_project_is_counted_in_each_pool);

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

//! What every database must do.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod place;
mod pools;
mod tables;
mod together;

use std::collections::BTreeMap;
use std::time::Duration;

use firebrick_db::{
    Activity, Column, Direction, ErrorKind, Filter, Listing, Test, Volume, activities, now, usage,
    volumes,
};
use firebrick_state::{ActivityKind, ActivityStatus, AttachStatus, VolumeStatus};
use firebrick_vocabulary::{ActivityId, ImageId, ProjectId, TypeId, UserId, VolumeId};
use serde_json::json;

use place::{Place, on_both};

on_both!(
    volumes_are_kept_and_change_by_compare_and_set,
    pages_have_every_row_once_whatever_the_order,
    a_volume_that_is_free_may_show_another_status,
    an_activity_belongs_to_one_worker_at_a_time,
    a_text_with_a_nul_is_no_failure_of_ours,
);

pub(crate) fn volume(name: Option<&str>, size: u32) -> Volume {
    Volume {
        id: VolumeId::random(),
        project: ProjectId("p".into()),
        user: UserId("u".into()),
        name: name.map(str::to_owned),
        description: None,
        size,
        status: VolumeStatus::Creating,
        shown: None,
        previous_status: None,
        attach_status: AttachStatus::Detached,
        migration_status: None,
        is_migration_target: false,
        host: Some("node@blocks#volumes".parse().unwrap()),
        cluster: None,
        availability_zone: "nova".into(),
        volume_type: TypeId::random(),
        snapshot: None,
        source: None,
        group: None,
        site: Some("site-b".into()),
        image: Some(ImageId::random()),
        provider_id: None,
        encryption_key: None,
        bootable: false,
        readonly: Some(true),
        multiattach: false,
        consumes_quota: true,
        replication_status: None,
        service: None,
        metadata: BTreeMap::from([("key".to_owned(), format!("{size}"))]),
        created_at: now(),
        updated_at: None,
        launched_at: None,
    }
}

async fn volumes_are_kept_and_change_by_compare_and_set(place: Place) {
    let db = place.open().await;
    let mut made = volume(Some("one"), 3);
    let mut tx = db.begin().await.unwrap();
    volumes::insert(&mut tx, &made).await.unwrap();
    tx.commit().await.unwrap();
    let mut lost = db.begin().await.unwrap();
    volumes::insert(&mut lost, &volume(None, 1)).await.unwrap();
    drop(lost);

    let found = volumes::get(&mut db.read().await.unwrap(), made.id)
        .await
        .unwrap();
    assert_eq!(found, Some(made.clone()));
    made.status = VolumeStatus::Available;
    let mut tx = db.begin().await.unwrap();
    assert!(
        !volumes::swap(&mut tx, &[VolumeStatus::Error], &made)
            .await
            .unwrap()
            .won()
    );
    assert!(
        volumes::swap(&mut tx, &[VolumeStatus::Creating], &made)
            .await
            .unwrap()
            .won()
    );
    assert!(
        !volumes::swap(&mut tx, &[VolumeStatus::Creating], &made)
            .await
            .unwrap()
            .won()
    );
    tx.commit().await.unwrap();
    let used = usage::of_project(&mut db.read().await.unwrap(), &made.project)
        .await
        .unwrap();
    assert_eq!((used.volumes, used.gigabytes), (1, 3));

    db.close().await;
    let db = place.open().await;
    let host = "node@blocks".parse().unwrap();
    let found = volumes::of_service(&mut db.read().await.unwrap(), &host)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].status, VolumeStatus::Available);
}

async fn a_volume_that_is_free_may_show_another_status(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    let mut made = Vec::new();
    for status in [VolumeStatus::Available, VolumeStatus::Extending] {
        let row = Volume {
            status,
            ..volume(Some("busy"), 1)
        };
        volumes::insert(&mut tx, &row).await.unwrap();
        let shown = Some(VolumeStatus::BackingUp);
        let swapped = volumes::show(&mut tx, row.id, shown).await.unwrap();
        assert!(swapped.won());
        made.push(row.id);
    }
    let free = volumes::get_locked(&mut tx, made[0])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(free.shown_status(), VolumeStatus::BackingUp);
    let mut older = free.clone();
    older.shown = None;
    let swapped = volumes::swap(&mut tx, &[VolumeStatus::Available], &older);
    assert!(swapped.await.unwrap().won());
    let free = volumes::get(&mut tx, made[0]).await.unwrap().unwrap();
    assert_eq!(free.shown, Some(VolumeStatus::BackingUp), "not by a swap");
    let taken = volumes::get(&mut tx, made[1]).await.unwrap().unwrap();
    assert_eq!(taken.shown_status(), VolumeStatus::Extending);
    for (text, expected) in [
        ("available", vec![]),
        ("backing-up", vec![made[0]]),
        ("extending", vec![made[1]]),
    ] {
        let listing = Listing::of(Column::Shown, &text);
        let found = volumes::list(&mut tx, &listing).await.unwrap().unwrap();
        let found: Vec<_> = found.iter().map(|volume| volume.id).collect();
        assert_eq!(found, expected, "{text}");
    }
    assert!(volumes::show(&mut tx, made[0], None).await.unwrap().won());
    let listing = Listing::of(Column::Shown, &"available");
    let found = volumes::list(&mut tx, &listing).await.unwrap().unwrap();
    assert_eq!(found.len(), 1);
}

async fn pages_have_every_row_once_whatever_the_order(place: Place) {
    let db = place.open().await;
    let mut tx = db.begin().await.unwrap();
    for i in 0..23_u32 {
        let name = format!("v{}", i % 5);
        let name = (i % 7 != 0).then_some(name.as_str());
        volumes::insert(&mut tx, &volume(name, i % 4))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let orders = [
        vec![],
        vec![(Column::Name, Direction::Ascending)],
        vec![
            (Column::Size, Direction::Descending),
            (Column::Name, Direction::Ascending),
        ],
    ];
    for sort in orders {
        let connection = &mut *db.read().await.unwrap();
        let all = Listing {
            sort,
            ..Listing::default()
        };
        let whole = volumes::list(connection, &all).await.unwrap().unwrap();
        let mut paged = Vec::new();
        loop {
            let marker = paged.last().map(|volume: &Volume| volume.id.to_string());
            let page = Listing {
                marker,
                limit: Some(4),
                ..all.clone()
            };
            let page = volumes::list(connection, &page).await.unwrap().unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole);
        assert_eq!(whole.len(), 23);
    }
    let connection = &mut *db.read().await.unwrap();
    let lost = Listing {
        marker: Some("nobody".into()),
        ..Listing::default()
    };
    assert!(volumes::list(connection, &lost).await.unwrap().is_none());
    let mut some = Listing::default().and(Column::Name, Test::Contains("v1".into()));
    let fitting = volumes::list(connection, &some).await.unwrap().unwrap();
    assert_eq!(fitting.len(), 4);
    some.filters
        .push(Filter::Property("key".into(), "3".into()));
    let fitting = volumes::list(connection, &some).await.unwrap().unwrap();
    assert!(!fitting.is_empty() && fitting.iter().all(|volume| volume.size == 3));
    let wild = Listing::default().and(Column::Name, Test::Contains("%".into()));
    assert!(
        volumes::list(connection, &wild)
            .await
            .unwrap()
            .unwrap()
            .is_empty()
    );
}

/// It is nobody's name; and where the database does not even compare it, it says so.
async fn a_text_with_a_nul_is_no_failure_of_ours(place: Place) {
    let db = place.open().await;
    let asked = Listing::of(Column::Name, &"a\0b");
    match volumes::list(&mut db.read().await.unwrap(), &asked).await {
        Ok(found) => assert_eq!(found, Some(Vec::new())),
        Err(error) => assert_eq!(error.kind, ErrorKind::Text),
    }
}

pub(crate) fn activity() -> Activity {
    let created_at = now();
    Activity {
        id: ActivityId::random(),
        kind: ActivityKind::CreateVolume,
        resource: VolumeId::random().0,
        volume: Some(VolumeId::random()),
        parent: None,
        project: ProjectId("p".into()),
        user: Some(UserId("u".into())),
        request_id: "req-1".into(),
        input: json!({"size": 1}),
        state: json!({}),
        status: ActivityStatus::Running,
        phase: None,
        done: None,
        total: None,
        cancel: false,
        node: None,
        attempts: 0,
        error: None,
        created_at,
        updated_at: created_at,
        finished_at: None,
    }
}

async fn an_activity_belongs_to_one_worker_at_a_time(place: Place) {
    let db = place.open().await;
    let activity = activity();
    let hour = Duration::from_secs(3600);
    let mut tx = db.begin().await.unwrap();
    activities::insert(&mut tx, &activity).await.unwrap();
    let claimed = activities::claim(&mut tx, "n/1", hour).await.unwrap();
    assert_eq!(claimed.as_ref(), Some(&activity));
    assert_eq!(activities::claim(&mut tx, "n/2", hour).await.unwrap(), None);
    assert!(
        !activities::save(&mut tx, activity.id, "n/2", &json!({"a": 1}))
            .await
            .unwrap()
    );
    assert!(
        activities::save(&mut tx, activity.id, "n/1", &json!({"a": 1}))
            .await
            .unwrap()
    );

    activities::release_node(&mut tx, "n").await.unwrap();
    assert!(
        !activities::renew(&mut tx, activity.id, "n/1", hour)
            .await
            .unwrap()
    );
    let again = activities::claim(&mut tx, "n/2", hour)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.state, json!({"a": 1}));
    activities::retry(&mut tx, activity.id, "n/2", hour, "busy")
        .await
        .unwrap();
    assert_eq!(activities::claim(&mut tx, "n/2", hour).await.unwrap(), None);
    activities::retry(&mut tx, activity.id, "n/1", Duration::ZERO, "no owner")
        .await
        .unwrap();
    let found = activities::running_for(&mut tx, activity.resource)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.attempts, found.error.as_deref()), (1, Some("busy")));
    assert_eq!(found.node.as_deref(), Some("n"));
    assert!(
        activities::cancel(&mut tx, activity.id)
            .await
            .unwrap()
            .won()
    );
    let far = Some((5, 9));
    let owned = activities::progress(&mut tx, activity.id, "n/2", "copying", far);
    assert!(!owned.await.unwrap(), "nobody has it now");
    let asked = Listing::of(Column::Volume, &activity.volume.unwrap());
    let listed = activities::list(&mut tx, &asked).await.unwrap().unwrap();
    assert!(listed.len() == 1 && listed[0].cancel);
}

//! Backups: what versions show, what bodies must be, and what there is without a repository.

use firebrick_db::{Backup, backups, now};
use firebrick_state::BackupStatus;
use firebrick_vocabulary::{BackupId, ProjectId, UserId, VolumeId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::NOWHERE;
use crate::common::Api;

/// One that can be restored.
pub(crate) fn backup() -> Backup {
    Backup {
        id: BackupId::random(),
        project: ProjectId("dev".to_owned()),
        user: UserId("admin".to_owned()),
        volume: VolumeId::random(),
        snapshot: None,
        parent: None,
        name: Some("mine".to_owned()),
        description: None,
        size: 3,
        status: BackupStatus::Available,
        fail_reason: None,
        host: Some("node1".to_owned()),
        availability_zone: Some("nova".to_owned()),
        kept_as: None,
        container: Some("shelf".to_owned()),
        service: None,
        object_count: 7,
        data_timestamp: now(),
        restore_volume: None,
        encryption_key: Some(Uuid::new_v4()),
        metadata: [("a".to_owned(), "b".to_owned())].into(),
        created_at: now(),
        updated_at: None,
    }
}

async fn with(api: &Api, rows: &[Backup]) {
    let mut tx = api.db.begin().await.unwrap();
    for row in rows {
        backups::insert(&mut tx, row).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn keys(of: &Value) -> Vec<&str> {
    of.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn each_version_shows_what_it_knows() {
    let api = Api::new().await;
    let first = backup();
    let upon = Backup {
        id: BackupId::random(),
        parent: Some(first.id),
        volume: first.volume,
        ..backup()
    };
    with(&api, &[first.clone(), upon]).await;
    let path = format!("/v3/dev/backups/{}", first.id);
    let shown = |version: String| {
        let (api, path) = (&api, &path);
        async move { api.call(&version, "GET", path, None).await.body["backup"].take() }
    };
    let oldest = shown("3.0".to_owned()).await;
    assert_eq!(oldest["has_dependent_backups"], json!(true));
    assert_eq!(oldest["is_incremental"], json!(false));
    assert_eq!(
        (&oldest["size"], &oldest["object_count"]),
        (&json!(3), &json!(7))
    );
    for (version, key) in [
        ("3.18", "os-backup-project-attr:project_id"),
        ("3.43", "metadata"),
        ("3.56", "user_id"),
        ("3.64", "encryption_key_id"),
    ] {
        let before = format!("3.{}", version[2..].parse::<u32>().unwrap() - 1);
        let (without, with) = (shown(before).await, shown(version.to_owned()).await);
        assert!(!keys(&without).contains(&key), "{key}");
        assert!(keys(&with).contains(&key), "{key}");
    }

    let brief = api.get("/v3/dev/backups").await.body;
    assert_eq!(keys(&brief["backups"][0]), ["id", "links", "name"]);
    let incremental = format!("/v3/dev/backups/detail?parent_id={}&with_count=1", first.id);
    let page = api.get(&incremental).await.body;
    assert_eq!(page["count"], json!(1));
    assert_eq!(page["backups"][0]["is_incremental"], json!(true));
    let limited = api.get("/v3/dev/backups?limit=1").await.body;
    assert_eq!(limited["backups"].as_array().unwrap().len(), 1);
    assert_eq!(limited["backups_links"][0]["rel"], json!("next"));

    let old = api.call("3.8", "PUT", &path, Some(json!({ "backup": {} })));
    assert_eq!(old.await.status.as_u16(), 404);
    let change = json!({ "backup": { "name": "new", "metadata": { "c": "d" } } });
    let changed = api.call("3.43", "PUT", &path, Some(change)).await;
    assert_eq!(changed.status.as_u16(), 200);
    assert_eq!(changed.body["backup"]["name"], json!("new"));
    assert_eq!(
        shown("3.43".to_owned()).await["metadata"],
        json!({ "c": "d" })
    );
}

#[tokio::test]
async fn bodies_are_checked_and_nothing_works_without_a_repository() {
    let api = Api::new().await;
    let row = backup();
    with(&api, std::slice::from_ref(&row)).await;
    let path = format!("/v3/dev/backups/{}", row.id);
    for (address, body) in [
        ("/v3/dev/backups", json!({ "backup": {} })),
        ("/v3/dev/backups", json!({ "backup": { "volume_id": "x" } })),
        (
            "/v3/dev/backups",
            json!({ "backup": { "volume_id": NOWHERE, "other": 1 } }),
        ),
        (
            "/v3/dev/backups",
            json!({ "backup": { "volume_id": NOWHERE, "force": "maybe" } }),
        ),
        (
            "/v3/dev/backups/import_record",
            json!({ "backup-record": { "backup_url": "Zg==" } }),
        ),
        (
            "/v3/dev/backups/import_record",
            json!({ "backup-record": { "backup_service": "x", "backup_url": "Z" } }),
        ),
    ] {
        let refused = api.post(address, body.clone()).await;
        assert_eq!(refused.fault("badRequest").0, 400, "{body}");
    }
    // What describes a backup is longer than a name may be.
    let record = json!({ "backup_service": "x", "backup_url": "A".repeat(4000) });
    let import = json!({ "backup-record": record });
    let read = api.post("/v3/dev/backups/import_record", import).await;
    assert!(!read.body.to_string().contains("too long"), "{}", read.body);
    let zone = json!({ "backup": { "volume_id": NOWHERE, "availability_zone": "nova" } });
    let early = api
        .call("3.50", "POST", "/v3/dev/backups", Some(zone))
        .await;
    assert_eq!(early.fault("badRequest").0, 400);
    let none = api.post(
        "/v3/dev/backups",
        json!({ "backup": { "volume_id": NOWHERE } }),
    );
    assert_eq!(none.await.fault("itemNotFound").0, 404);
    let none = api.get(&format!("/v3/dev/backups/{NOWHERE}")).await;
    let text = format!("Backup {NOWHERE} could not be found.");
    assert_eq!(none.fault("itemNotFound"), (404, text.as_str()));

    let restored = api
        .post(&format!("{path}/restore"), json!({ "restore": {} }))
        .await;
    assert_eq!(restored.status.as_u16(), 503);
    assert_eq!(
        api.call("3.0", "DELETE", &path, None).await.status.as_u16(),
        503
    );
    let action = format!("{path}/action");
    let reset = |status| json!({ "os-reset_status": { "status": status } });
    assert_eq!(
        api.post(&action, reset("creating")).await.status.as_u16(),
        400
    );
    assert_eq!(api.post(&action, reset("error")).await.status.as_u16(), 202);
    assert_eq!(
        api.get(&path).await.body["backup"]["status"],
        json!("error")
    );
}

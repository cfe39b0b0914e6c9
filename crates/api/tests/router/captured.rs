//! Small things that clients have seen of Cinder for years.

use axum::http::StatusCode;
use firebrick_db::volumes;
use firebrick_vocabulary::VolumeId;
use serde_json::json;
use uuid::Uuid;

use crate::common::Api;
use crate::images::available;

#[tokio::test]
async fn the_mode_of_an_attachment_is_null_until_somebody_says_it() {
    let api = Api::new().await;
    for (mode, expected) in [(None, "null"), (Some("rw"), "rw"), (Some("ro"), "ro")] {
        let volume = available(&api).await;
        let mut body = json!({ "volume_uuid": volume, "instance_uuid": Uuid::new_v4() });
        if let Some(mode) = mode {
            body["mode"] = mode.into();
        }
        let body = json!({ "attachment": body });
        let made = api.post("/v3/dev/attachments", body).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
        assert_eq!(made.body["attachment"]["attach_mode"], expected);
        let id = made.body["attachment"]["id"].as_str().unwrap();
        let shown = api.get(&format!("/v3/dev/attachments/{id}")).await;
        assert_eq!(shown.body["attachment"]["attach_mode"], expected);
    }
}

#[tokio::test]
async fn a_copy_that_is_too_small_is_refused_in_known_words() {
    let api = Api::new().await;
    let origin = available(&api).await;
    let mut tx = api.db.begin().await.unwrap();
    let key: VolumeId = origin.parse().unwrap();
    let found = volumes::get_locked(&mut tx, key).await.unwrap();
    let mut volume = found.unwrap();
    volume.size = 3;
    let from = [volume.status];
    let swapped = volumes::swap(&mut tx, &from, &volume).await;
    assert!(swapped.unwrap().won());
    tx.commit().await.unwrap();
    let small = json!({ "volume": { "size": 1, "source_volid": origin } });
    let refused = api.post("/v3/dev/volumes", small).await;
    assert_eq!(
        refused.fault("badRequest").1,
        "Invalid input received: Volume size '1'GB cannot be smaller than original volume size  \
         3GB. They must be >= original volume size."
    );
    let sizeless = json!({ "volume": { "name": "x" } });
    let refused = api.post("/v3/dev/volumes", sizeless).await;
    let (status, text) = refused.fault("badRequest");
    assert_eq!(status, 400);
    assert!(
        text.starts_with("Invalid input received: Invalid volume size provided for create request"),
        "{text}"
    );
}

#[tokio::test]
async fn the_statuses_of_snapshots_are_told_in_cinders_order() {
    let api = Api::new().await;
    let body = json!({ "os-reset_status": { "status": "bogus" } });
    let path = format!("/v3/dev/snapshots/{}/action", Uuid::new_v4());
    let refused = api.post(&path, body).await;
    // Cinder looks at the body before it looks for the snapshot.
    let (status, text) = refused.fault("badRequest");
    assert_eq!(status, 400);
    assert_eq!(
        text,
        "Snapshot status: bogus is invalid, valid statuses are: ('error', 'available', 'creating', \
         'deleting', 'deleted', 'updating', 'error_deleting', 'unmanaging', 'backing-up', \
         'restoring')."
    );
}

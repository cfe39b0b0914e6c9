//! What is asked of a volume that returns to a snapshot, or whose status somebody says.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::NOWHERE;
use crate::activities::failed;
use crate::common::Api;

#[tokio::test]
async fn reverts_are_known_from_their_version_and_name_a_snapshot() {
    let api = Api::new().await;
    let (id, _) = failed(&api).await;
    let action = format!("/v3/dev/volumes/{id}/action");
    let revert = async |version: &'static str, value: Value| {
        let body = json!({ "revert": value });
        api.call(version, "POST", &action, Some(body)).await
    };
    let asked = json!({ "snapshot_id": NOWHERE });
    let old = revert("3.39", asked.clone()).await;
    assert_eq!(old.fault("itemNotFound").0, 404);
    let text = format!("Volume {id} doesn't have any snapshots.");
    for asked in [asked, json!({ "snapshot_id": null }), json!({})] {
        let none = revert("3.40", asked).await;
        assert_eq!(none.fault("badRequest"), (400, text.as_str()));
    }
    for bad in [json!(null), json!({ "snapshot_id": 1 })] {
        assert_eq!(revert("3.71", bad).await.fault("badRequest").0, 400);
    }
}

#[tokio::test]
async fn statuses_are_reset_in_cinders_words() {
    let api = Api::new().await;
    let (id, _) = failed(&api).await;
    let action = format!("/v3/dev/volumes/{id}/action");
    let reset = async |value: Value| api.post(&action, json!({ "os-reset_status": value })).await;
    let must = "Must specify 'status', 'attach_status' or 'migration_status' for update.";
    for (bad, text) in [
        (json!({}), must),
        (json!({ "status": "" }), must),
        (json!({ "status": null, "attach_status": null }), must),
        (
            json!({ "status": "deleting" }),
            "Cannot reset-state to deleting",
        ),
        (
            json!({ "attach_status": "bogus" }),
            "Volume attach status: bogus is invalid, valid statuses are: ('attached', 'detached').",
        ),
    ] {
        let refused = reset(bad).await;
        assert_eq!(refused.fault("badRequest"), (400, text));
    }
    for good in [
        json!({ "status": "Available", "attach_status": "" }),
        json!({ "attach_status": "detached", "migration_status": "none" }),
    ] {
        assert_eq!(reset(good).await.status, StatusCode::ACCEPTED);
    }
}

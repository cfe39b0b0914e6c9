//! Replications as requests ask for them, where there is no backend.

use axum::http::StatusCode;
use serde_json::json;

use crate::NOWHERE;
use crate::common::Api;
use crate::images::available;

#[tokio::test]
async fn a_volume_of_no_backend_has_none() {
    let api = Api::new().await;
    let volume = available(&api).await;
    for version in ["3.0", "3.71"] {
        let path = "/v3/dev/replications";
        let found = api.call(version, "GET", path, None).await;
        let none = json!({ "replications": [] });
        assert_eq!((found.status, found.body), (StatusCode::OK, none));
    }
    for id in [
        &format!("{volume}@site-b"),
        &format!("{NOWHERE}@site-b"),
        &volume,
        "x",
        "x@y",
        "@",
    ] {
        let found = api.get(&format!("/v3/dev/replications/{id}")).await;
        let text = format!("Replication {id} could not be found.");
        assert_eq!(found.fault("itemNotFound"), (404, text.as_str()));
    }
}

#[tokio::test]
async fn pages_are_of_volumes() {
    let api = Api::new().await;
    let volume = available(&api).await;
    let path = format!("/v3/dev/replications?limit=1&sort=created_at:asc&marker={volume}@site-b");
    let found = api.get(&path).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.body);
    let path = format!("/v3/dev/replications?marker={NOWHERE}@site-b");
    assert_eq!(api.get(&path).await.fault("itemNotFound").0, 404);
    for query in ["limit=-1", "offset=x", "sort=state"] {
        let refused = api.get(&format!("/v3/dev/replications?{query}")).await;
        assert_eq!(refused.fault("badRequest").0, 400, "{query}");
    }
}

#[tokio::test]
async fn actions_are_one_at_a_time_and_as_they_are_documented() {
    let api = Api::new().await;
    let volume = available(&api).await;
    let path = format!("/v3/dev/replications/{volume}@site-b/action");
    for action in [
        "check",
        "failover",
        "failback",
        "reverse",
        "drill",
        "end_drill",
        "enable",
        "disable",
    ] {
        let found = api.post(&path, json!({ action: {} })).await;
        let text = format!("Replication {volume}@site-b could not be found.");
        assert_eq!(found.fault("itemNotFound"), (404, text.as_str()));
        for body in [
            json!(null),
            json!([]),
            json!("now"),
            json!({ "when": "now" }),
        ] {
            let refused = api.post(&path, json!({ action: body })).await;
            assert_eq!(refused.fault("badRequest").0, 400, "{action}");
        }
    }
    let refused = api
        .post(&path, json!({ "failover": { "force": "perhaps" } }))
        .await;
    assert_eq!(refused.fault("badRequest").0, 400);
    for at in [json!("yesterday"), json!(7), json!("")] {
        let refused = api.post(&path, json!({ "failover": { "at": at } })).await;
        assert_eq!(refused.status.as_u16(), 400, "{}", refused.body);
    }
    let refused = api.post(&path, json!({ "explode": {} })).await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.body);
}

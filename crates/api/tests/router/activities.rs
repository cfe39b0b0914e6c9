//! Activities: named by the answers that begin them, listed, shown, ended.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::NOWHERE;
use crate::common::Api;

/// A volume that finds no place, and the activity that looked for one.
pub(crate) async fn failed(api: &Api) -> (String, Value) {
    let body = json!({ "volume": { "size": 1 } });
    let made = api.post("/v3/dev/volumes", body).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let volume = made.body["volume"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/dev/activities/{}", made.activity.unwrap());
    loop {
        let found = api.get(&path).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.body);
        let activity = &found.body["activity"];
        if activity["status"] != "running" {
            return (volume, activity.clone());
        }
        tokio::task::yield_now().await;
    }
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list["activities"].as_array().unwrap();
    list.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn answers_name_the_activity_that_they_begin() {
    let api = Api::new().await;
    let body = json!({ "volume": { "size": 1 } });
    let made = api.post("/v3/dev/volumes", body).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let id = made.activity.unwrap();
    assert!(id.parse::<Uuid>().is_ok(), "{id}");
    let refused = api
        .post("/v3/dev/volumes", json!({ "volume": { "size": 9999 } }))
        .await;
    assert_eq!((refused.status.as_u16(), refused.activity), (413, None));
    assert_eq!(api.get("/v3/dev/volumes").await.activity, None);
}

#[tokio::test]
async fn an_activity_tells_what_became_of_it() {
    let api = Api::new().await;
    let (volume, activity) = failed(&api).await;
    for (key, value) in [
        ("action", json!("create_volume")),
        ("status", json!("failed")),
        ("resource_type", json!("volume")),
        ("resource_id", json!(volume)),
        ("volume_id", json!(volume)),
        ("project_id", json!("dev")),
        ("user_id", json!("admin")),
        ("progress", Value::Null),
        ("node", json!("node1")),
    ] {
        assert_eq!(activity[key], value, "{key} of {activity}");
    }
    assert!(activity["request_id"].as_str().unwrap().starts_with("req-"));
    assert!(
        activity["error"].as_str().unwrap().contains("backend"),
        "{activity}"
    );
    assert!(activity["finished_at"].as_str() >= activity["started_at"].as_str());
    // No version of Cinder's has them: the oldest is as good as any.
    let path = format!("/v3/dev/activities/{}", activity["id"].as_str().unwrap());
    assert_eq!(
        api.call("3.0", "GET", &path, None).await.body["activity"],
        activity
    );
}

#[tokio::test]
async fn activities_are_listed_by_what_they_are_about() {
    let api = Api::new().await;
    let (first, one) = failed(&api).await;
    let (second, other) = failed(&api).await;
    let (one, other) = (one["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    let list = async |query: &str| {
        let reply = api.get(&format!("/v3/dev/activities{query}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{query}: {}", reply.body);
        reply.body
    };
    assert_eq!(ids(&list("").await), [other, one]);
    assert_eq!(ids(&list("?sort=started_at:asc").await), [one, other]);
    assert_eq!(
        ids(&list("?status=failed&action=create_volume").await),
        [other, one]
    );
    assert_eq!(ids(&list("?status=running").await), Vec::<&str>::new());
    assert_eq!(ids(&list(&format!("?resource_id={first}")).await), [one]);
    assert_eq!(ids(&list(&format!("?resource_id={second}")).await), [other]);
    assert_eq!(
        ids(&list(&format!("?resource_id={NOWHERE}")).await),
        Vec::<&str>::new()
    );
    let page = list("?limit=1").await;
    assert_eq!(ids(&page), [other]);
    let next = page["activities_links"][0]["href"].as_str().unwrap();
    assert!(next.contains(&format!("marker={other}")), "{next}");
    let rest = list(&format!("?limit=1&marker={other}")).await;
    assert_eq!(ids(&rest), [one]);
    for (query, code) in [
        ("resource_id=x", 400),
        ("limit=-1", 400),
        ("sort=error", 400),
    ] {
        let refused = api.get(&format!("/v3/dev/activities?{query}")).await;
        assert_eq!(refused.fault("badRequest").0, code, "{query}");
    }
    let path = format!("/v3/dev/activities?marker={NOWHERE}");
    assert_eq!(api.get(&path).await.fault("itemNotFound").0, 404);
}

#[tokio::test]
async fn only_what_runs_and_is_undone_safely_is_cancelled() {
    let api = Api::new().await;
    let (volume, _) = failed(&api).await;
    let path = format!("/v3/dev/volumes/{volume}");
    let gone = api.call("3.71", "DELETE", &path, None).await;
    let id = gone.activity.unwrap();
    let path = format!("/v3/dev/activities/{id}");
    let refused = api.call("3.71", "DELETE", &path, None).await;
    let text = format!("Activity {id} cannot be cancelled: delete_volume is not undone safely.");
    assert_eq!(refused.fault("conflictingRequest"), (409, text.as_str()));
    for id in [NOWHERE, "x"] {
        let path = format!("/v3/dev/activities/{id}");
        for method in ["GET", "DELETE"] {
            let missing = api.call("3.71", method, &path, None).await;
            let text = format!("Activity {id} could not be found.");
            assert_eq!(missing.fault("itemNotFound"), (404, text.as_str()));
        }
    }
}

//! Requests to the whole router over a real control plane and database, with no backend behind.
//!
//! One program for all subjects, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod activities;
mod backups;
mod bad_input;
mod captured;
mod clusters;
mod common;
mod document;
#[path = "../../../cloud/tests/fake/glance.rs"]
mod glance;
mod gophercloud;
mod group_replication;
mod group_types;
mod groups;
mod image_metadata;
mod images;
mod keystone;
mod manage;
mod messages;
mod places;
mod policy;
mod qos;
mod quotas;
mod replications;
mod resource_filters;
mod revert;
mod snapshots;
mod summary;
mod transfers;
mod types;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use common::Api;
use serde_json::json;

/// A volume that is nowhere.
const NOWHERE: &str = "00000000-0000-0000-0000-000000000000";

#[tokio::test]
async fn types_and_their_extra_specs_live_and_die() {
    let api = Api::new().await;
    let body = json!({ "volume_type": { "name": "fast", "extra_specs": { "a": "b" } } });
    let made = api.post("/v3/dev/types", body.clone()).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let kind = &made.body["volume_type"];
    let path = format!("/v3/dev/types/{}", kind["id"].as_str().unwrap());
    assert_eq!(kind["extra_specs"], json!({ "a": "b" }));
    let again = api.post("/v3/dev/types", body).await;
    let expected = (409, "Volume Type fast already exists.");
    assert_eq!(again.fault("conflictingRequest"), expected);

    let specs = format!("{path}/extra_specs");
    let replicated = json!({ "extra_specs": { "replication_enabled": "<is> True" } });
    let merged = api.post(&specs, replicated.clone()).await;
    assert_eq!((merged.status, &merged.body), (StatusCode::OK, &replicated));
    let all = api.get(&specs).await.body;
    let expected = json!({ "a": "b", "replication_enabled": "<is> True" });
    assert_eq!(all["extra_specs"], expected);
    let bad = json!({ "extra_specs": { "a": 1 } });
    assert_eq!(api.post(&specs, bad).await.fault("badRequest").0, 400);

    let one = format!("{specs}/a");
    let gone = api.call("3.71", "DELETE", &one, None).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED);
    let gone = api.call("3.71", "DELETE", &one, None).await;
    assert_eq!(gone.fault("itemNotFound").0, 404);
    let gone = api.call("3.71", "DELETE", &path, None).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED);
    assert_eq!(api.get(&path).await.fault("itemNotFound").0, 404);
}

#[tokio::test]
async fn the_default_type_stays() {
    let api = Api::new().await;
    let found = api.get("/v3/dev/types/default").await.body;
    let id = found["volume_type"]["id"].as_str().unwrap();
    assert_eq!(found["volume_type"]["name"], "__DEFAULT__");
    let path = format!("/v3/dev/types/{id}");
    let refused = api.call("3.71", "DELETE", &path, None).await;
    let text = format!("The volume type {id} is a default volume type and cannot be deleted.");
    assert_eq!(refused.fault("badRequest"), (400, text.as_str()));
}

#[tokio::test]
async fn versions_are_negotiated() {
    let api = Api::new().await;
    for (asked, status, echo) in [
        ("3.0", 200, Some("volume 3.0")),
        ("3.44", 200, Some("volume 3.44")),
        ("latest", 200, Some("volume 3.71")),
        ("3.99", 406, Some("volume 3.99")),
        ("2.0", 406, None),
        ("garbage", 400, None),
        ("3", 400, None),
    ] {
        let reply = api.call(asked, "GET", "/v3/dev/limits", None).await;
        assert_eq!(reply.status.as_u16(), status, "{asked}");
        if echo.is_some() {
            assert_eq!(reply.version.as_deref(), echo, "{asked}");
        }
    }
    let request = Request::get("/v3/dev/limits").body(Body::empty()).unwrap();
    let silent = api.send(request).await;
    assert_eq!(silent.version.as_deref(), Some("volume 3.0"));
}

#[tokio::test]
async fn what_a_version_does_not_know_is_not_there() {
    let api = Api::new().await;
    for (version, status) in [("3.26", 404), ("3.27", 200)] {
        let reply = api.call(version, "GET", "/v3/dev/attachments", None).await;
        assert_eq!(reply.status.as_u16(), status, "{version}");
    }
    let body = json!({ "host": "nowhere" });
    let failover = "/v3/dev/os-services/failover";
    for (version, status) in [("3.25", 404), ("3.26", 400)] {
        let reply = api.call(version, "PUT", failover, Some(body.clone())).await;
        assert_eq!(reply.status.as_u16(), status, "{version}");
    }
    let request = Request::put(failover).header(header::CONTENT_TYPE, "application/json");
    let silent = request.body(Body::from(body.to_string())).unwrap();
    let reply = api.send(silent).await;
    let expected = (400, "No service found with host=nowhere");
    assert_eq!(reply.fault("badRequest"), expected);
}

#[tokio::test]
async fn unknown_addresses_answer_404_with_and_without_a_project() {
    let api = Api::new().await;
    for path in [
        "/v2/dev/volumes",
        "/v3/dev/nothings",
        "/v3/nothings/detail",
        "/v3/nothings/dev?usage=False",
        "/v3/dev/volumes/x/y/z",
    ] {
        let expected = (404, "The resource could not be found.");
        assert_eq!(
            api.get(path).await.fault("itemNotFound"),
            expected,
            "{path}"
        );
    }
    let reply = api.call("3.71", "DELETE", "/v3/dev/volumes", None).await;
    assert_eq!(reply.fault("itemNotFound").0, 404);
    let other = api.get("/v3/other/volumes").await;
    assert_eq!(other.fault("badRequest"), (400, "Malformed request url"));
}

#[tokio::test]
async fn bad_volumes_are_refused_and_nothing_is_left() {
    let api = Api::new().await;
    let long = "x".repeat(256);
    for (volume, status) in [
        (json!({ "size": 0 }), 400),
        (json!({ "size": -1 }), 400),
        (json!({ "size": 1.5 }), 400),
        (json!({ "size": "x" }), 400),
        (json!({ "size": null }), 400),
        (json!({ "size": 99_999_999_999_u64 }), 400),
        (json!({ "size": 1, "bogus": 1 }), 400),
        (json!({ "size": 1, "name": long }), 400),
        (json!({ "size": 1, "name": "nul\0" }), 400),
        (json!({ "size": 1, "metadata": { "k": long } }), 400),
        (json!({ "size": 1, "metadata": { "": "v" } }), 400),
        (json!({ "size": 1, "snapshot_id": "x" }), 400),
        (json!({ "size": 1, "multiattach": true }), 400),
        (json!({ "size": 1, "volume_type": "nope" }), 404),
        (json!({ "size": 1, "snapshot_id": NOWHERE }), 404),
        (json!({ "size": 1, "source_volid": NOWHERE }), 404),
    ] {
        let body = json!({ "volume": volume });
        let reply = api.post("/v3/dev/volumes", body.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.body);
    }
    let hinted = json!({
        "volume": { "size": 1 },
        "OS-SCH-HNT:scheduler_hints": { "local_to_instance": 5 },
    });
    let reply = api.post("/v3/dev/volumes", hinted).await;
    assert_eq!(reply.fault("badRequest").0, 400);
    let all = api.get("/v3/dev/volumes?with_count=true").await.body;
    assert_eq!(all, json!({ "volumes": [], "count": 0 }));
}

#[tokio::test]
async fn a_volume_says_whether_it_was_made_read_only() {
    let api = Api::new().await;
    let body = json!({ "volume": { "size": 1, "metadata": { "a": "b" } } });
    let made = api.post("/v3/dev/volumes", body).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let id = made.body["volume"]["id"].as_str().unwrap();
    let path = format!("/v3/dev/volumes/{id}");
    let action = format!("{path}/action");
    let metadata = async || api.get(&path).await.body["volume"]["metadata"].clone();
    assert_eq!(metadata().await, json!({ "a": "b" }));
    for (readonly, shown) in [(true, "True"), (false, "False")] {
        // Without a backend the volume is in error as soon as somebody looked for a place.
        let body = json!({ "os-update_readonly_flag": { "readonly": readonly } });
        let accepted = async || {
            let free = json!({ "os-reset_status": { "status": "available" } });
            api.post(&action, free).await;
            api.post(&action, body.clone()).await.status == StatusCode::ACCEPTED
        };
        while !accepted().await {}
        assert_eq!(metadata().await, json!({ "a": "b", "readonly": shown }));
    }
    let own = api.get(&format!("{path}/metadata")).await.body;
    assert_eq!(own, json!({ "metadata": { "a": "b" } }));
}

#[tokio::test]
async fn bad_bodies_are_refused_by_their_form() {
    let api = Api::new().await;
    let send = |kind: &'static str, body: String| {
        let request = Request::post("/v3/dev/volumes").header(header::CONTENT_TYPE, kind);
        api.send(request.body(Body::from(body)).unwrap())
    };
    let json = "application/json";
    let malformed = send(json, "{\"volume\":".to_owned()).await;
    assert_eq!(
        malformed.fault("badRequest"),
        (400, "Malformed request body")
    );
    let deep = send(json, "[".repeat(90_000)).await;
    assert_eq!(deep.fault("badRequest"), (400, "Malformed request body"));
    let kind = send("text/plain", "{}".to_owned()).await;
    assert_eq!(kind.fault("badRequest"), (400, "Unsupported Content-Type"));
    let long = send(json, " ".repeat(200_000)).await;
    assert_eq!(long.fault("overLimit"), (413, "Request is too large."));
    let two = json!({ "os-reserve": null, "os-unreserve": null });
    let path = format!("/v3/dev/volumes/{NOWHERE}/action");
    assert_eq!(api.post(&path, two).await.fault("badRequest").0, 400);
    let reply = api.post(&path, json!({ "bogus": null })).await;
    let expected = (400, "There is no such action: bogus");
    assert_eq!(reply.fault("badRequest"), expected);
}

#[tokio::test]
async fn lists_refuse_bad_pages_and_pass_nothing_unknown() {
    let api = Api::new().await;
    for query in [
        "limit=-1",
        "limit=x",
        "offset=-1",
        "sort=bogus",
        "sort=name:up",
        "sort=name&sort_key=id",
        "name=%00",
        "with_count=junk",
        "all_tenants=maybe",
    ] {
        let path = format!("/v3/dev/volumes?{query}");
        assert_eq!(api.get(&path).await.fault("badRequest").0, 400, "{query}");
    }
    let marker = api.get("/v3/dev/volumes?marker=x").await;
    let expected = (404, "marker x could not be found.");
    assert_eq!(marker.fault("itemNotFound"), expected);
    let old = api.call("3.0", "GET", "/v3/dev/volumes?with_count=junk", None);
    assert_eq!(old.await.body, json!({ "volumes": [] }));
}

#[tokio::test]
async fn limits_and_health_answer() {
    let api = Api::new().await;
    let limits = api.get("/v3/dev/limits").await.body;
    assert_eq!(limits["limits"]["rate"], json!([]));
    let absolute = &limits["limits"]["absolute"];
    assert_eq!(absolute["totalVolumesUsed"], json!(0), "{absolute}");
    assert!(absolute["maxTotalVolumes"].is_i64());
    let request = Request::get("/healthcheck").body(Body::empty()).unwrap();
    assert_eq!(api.send(request).await.status, StatusCode::OK);
    let root = api.get("/").await;
    assert_eq!(root.status, StatusCode::MULTIPLE_CHOICES);
    assert_eq!(root.body["versions"][0]["version"], "3.71");
}

//! Clusters, log levels and clean-ups as operators ask for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use firebrick_control::{LogLevel, LogLevels};
use firebrick_db::{Cluster, Service, clusters, now, services};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::ServiceId;
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use crate::NOWHERE;
use crate::common::Api;

fn service(host: &str, age: Duration) -> Service {
    Service {
        id: ServiceId::random(),
        binary: "cinder-volume".to_owned(),
        host: host.parse().unwrap(),
        cluster: Some("north@blocks".to_owned()),
        availability_zone: "nova".to_owned(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Enabled,
        active_backend_id: None,
        created_at: now(),
        updated_at: now(),
        reported_at: now() - age,
    }
}

/// Two hosts in one cluster, of which one gave no sign of life for an hour.
async fn clustered() -> Api {
    let api = Api::new().await;
    let cluster = Cluster {
        id: Uuid::new_v4(),
        name: "north@blocks".to_owned(),
        binary: "cinder-volume".to_owned(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Enabled,
        active_backend_id: None,
        created_at: now(),
        updated_at: None,
    };
    let mut tx = api.db.begin().await.unwrap();
    clusters::insert(&mut tx, &cluster).await.unwrap();
    for (host, age) in [
        ("a@blocks", Duration::ZERO),
        ("b@blocks", Duration::HOUR),
        // What decides for both.
        ("north@blocks", Duration::ZERO),
    ] {
        let row = service(host, age);
        services::insert(&mut tx, &row).await.unwrap();
    }
    tx.commit().await.unwrap();
    api
}

async fn called(api: &Api, version: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = Some(body).filter(|body| !body.is_null());
    let path = format!("/v3/dev{path}");
    let reply = api.call(version, method, &path, body).await;
    (reply.status.as_u16(), reply.body)
}

#[tokio::test]
async fn clusters_are_shown_by_what_their_services_say() {
    let api = clustered().await;
    let get =
        async |version: &str, path: &str| called(&api, version, "GET", path, Value::Null).await;
    assert_eq!(get("3.6", "/clusters").await.0, 404);
    let brief = json!({
        "name": "north@blocks", "binary": "cinder-volume", "state": "up", "status": "enabled",
    });
    let old = get("3.25", "/clusters").await;
    assert_eq!(old, (200, json!({ "clusters": [brief] })));
    let mut newer = brief.clone();
    newer["replication_status"] = json!("enabled");
    assert_eq!(
        get("3.26", "/clusters").await.1,
        json!({ "clusters": [newer] })
    );

    let (_, shown) = get("3.26", "/clusters/north@blocks").await;
    let shown = &shown["cluster"];
    assert_eq!(
        (&shown["num_hosts"], &shown["num_down_hosts"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (&shown["frozen"], &shown["active_backend_id"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(
        (&shown["updated_at"], &shown["disabled_reason"]),
        (&json!(""), &Value::Null)
    );
    let (_, detail) = get("3.7", "/clusters/detail").await;
    assert_eq!(detail["clusters"][0].get("frozen"), None);
}

#[tokio::test]
async fn clusters_are_filtered_and_looked_for() {
    let api = clustered().await;
    let get =
        async |version: &str, path: &str| called(&api, version, "GET", path, Value::Null).await;
    for (query, count) in [
        ("is_up=true&disabled=false&binary=cinder-volume", 1),
        ("is_up=false", 0),
        ("num_hosts=2&num_down_hosts=1", 1),
        ("num_hosts=3", 0),
        ("replication_status=enabled&frozen=false", 1),
        ("active_backend_id=site-b", 0),
        ("name=south@blocks", 0),
    ] {
        let (_, found) = get("3.26", &format!("/clusters?{query}")).await;
        assert_eq!(
            found["clusters"].as_array().unwrap().len(),
            count,
            "{query}"
        );
    }
    for (version, query, why) in [
        (
            "3.26",
            "zz=1",
            "Invalid input received: Invalid filter keys: zz",
        ),
        (
            "3.25",
            "frozen=1",
            "Invalid input received: Invalid filter keys: frozen",
        ),
        ("3.26", "is_up=x", "Value 'x' for 'is_up' is not a boolean."),
    ] {
        let (status, fault) = get(version, &format!("/clusters?{query}")).await;
        assert_eq!(
            (status, &fault["badRequest"]["message"]),
            (400, &json!(why))
        );
    }
    let why = "Cluster {'binary': 'cinder-volume', 'name': 'nope'} could not be found.";
    let (status, fault) = get("3.71", "/clusters/nope").await;
    assert_eq!(
        (status, &fault["itemNotFound"]["message"]),
        (404, &json!(why))
    );
    let other = get("3.71", "/clusters/north@blocks?binary=cinder-backup").await;
    assert_eq!(other.0, 404);
}

#[tokio::test]
async fn clusters_are_switched() {
    let api = clustered().await;
    let put = async |path: &str, body: Value| called(&api, "3.71", "PUT", path, body).await;
    let off = json!({ "name": "north@blocks", "disabled_reason": " later " });
    let (status, switched) = put("/clusters/disable", off).await;
    let switched = &switched["cluster"];
    assert_eq!((status, &switched["status"]), (200, &json!("disabled")));
    assert_eq!(switched["disabled_reason"], "later");
    let on = json!({ "name": "north@blocks" });
    let (_, switched) = put("/clusters/enable", on).await;
    assert_eq!(switched["cluster"]["status"], "enabled");
    assert_eq!(switched["cluster"]["disabled_reason"], Value::Null);
    for (path, body, code) in [
        (
            "/clusters/disable",
            json!({ "name": "nope", "disabled_reason": "x" }),
            404,
        ),
        ("/clusters/enable", json!({}), 400),
        (
            "/clusters/enable",
            json!({ "name": "x", "disabled_reason": "x" }),
            400,
        ),
        ("/clusters/zz", json!({ "name": "x" }), 404),
    ] {
        assert_eq!(put(path, body).await.0, code, "{path}");
    }
}

#[tokio::test]
async fn freezing_a_cluster_freezes_its_hosts() {
    let api = clustered().await;
    let put = async |version, path: &str, body| called(&api, version, "PUT", path, body).await;
    let body = json!({ "cluster": "north@blocks" });
    let (status, fault) = put("3.25", "/os-services/freeze", body.clone()).await;
    let why = "Invalid input received: Host field is missing.";
    assert_eq!(
        (status, &fault["badRequest"]["message"]),
        (400, &json!(why))
    );
    assert_eq!(
        put("3.26", "/os-services/freeze", body.clone()).await.0,
        200
    );
    let (_, shown) = called(&api, "3.71", "GET", "/clusters/north@blocks", Value::Null).await;
    assert_eq!(shown["cluster"]["frozen"], true);
    let (_, listed) = called(
        &api,
        "3.7",
        "GET",
        "/os-services?binary=cinder-volume",
        Value::Null,
    )
    .await;
    for service in listed["services"].as_array().unwrap() {
        assert_eq!(
            (&service["frozen"], &service["cluster"]),
            (&json!(true), &json!("north@blocks"))
        );
    }
    assert_eq!(put("3.71", "/os-services/thaw", body).await.0, 200);
    let none = json!({ "cluster": "c" });
    let why = "No service found with cluster=c";
    for path in [
        "/os-services/failover",
        "/os-services/failover-check",
        "/os-services/reset-active-backend",
    ] {
        let (status, fault) = put("3.71", path, none.clone()).await;
        assert_eq!(
            (status, &fault["badRequest"]["message"]),
            (400, &json!(why)),
            "{path}"
        );
    }
}

/// Without a host they ended with a server's error.
#[tokio::test]
async fn lp_1641714_a_request_without_a_host_is_a_wrong_request() {
    let api = clustered().await;
    for path in ["freeze", "thaw", "failover_host", "failover"] {
        let path = format!("/os-services/{path}");
        for (version, why) in [
            ("3.26", "One and only one of cluster and host must be set."),
            ("3.25", "Host field is missing."),
        ] {
            let (status, fault) = called(&api, version, "PUT", &path, json!({})).await;
            if (version, path.as_str()) == ("3.25", "/os-services/failover") {
                assert_eq!(status, 404, "{path}");
                continue;
            }
            let why = format!("Invalid input received: {why}");
            let said = &fault["badRequest"]["message"];
            assert_eq!((status, said), (400, &json!(why)), "{path}");
        }
    }
}

#[tokio::test]
async fn clean_ups_name_who_goes_on_and_who_is_gone() {
    let api = clustered().await;
    let post = async |body: Value| called(&api, "3.71", "POST", "/workers/cleanup", body).await;
    let (status, cleaned) = post(json!({})).await;
    assert_eq!(status, 202);
    // Its peer in the cluster is up.
    let hosts = |of: &Value| -> Vec<String> {
        let services = of.as_array().unwrap().iter();
        services
            .map(|it| it["host"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(
        hosts(&cleaned["cleaning"]).contains(&"b@blocks".to_owned()),
        "{cleaned}"
    );
    let entry = &cleaned["cleaning"][0];
    assert!(entry["id"].is_u64());
    let id = entry["id"].clone();
    let (_, one) = post(json!({ "service_id": id, "is_up": false })).await;
    assert_eq!(one["cleaning"].as_array().unwrap().len(), 1);
    let (_, none) = post(json!({ "host": "elsewhere" })).await;
    assert_eq!(none, json!({ "cleaning": [], "unavailable": [] }));
    let (_, named) = post(json!({ "cluster_name": "north@blocks", "is_up": true })).await;
    assert_eq!(hosts(&named["cleaning"]), ["a@blocks"]);

    let alone = service("c@blocks", Duration::HOUR);
    let alone = Service {
        cluster: None,
        ..alone
    };
    let mut tx = api.db.begin().await.unwrap();
    services::insert(&mut tx, &alone).await.unwrap();
    tx.commit().await.unwrap();
    let (_, cleaned) = post(json!({ "host": "c@blocks" })).await;
    assert_eq!(hosts(&cleaned["unavailable"]), ["c@blocks"]);

    for (body, why) in [
        (
            json!({ "resource_type": "bad" }),
            "Invalid input received: Resource type bad not valid, must be Snapshot or Volume"
                .to_owned(),
        ),
        (
            json!({ "resource_type": "Volume", "resource_id": NOWHERE }),
            format!(
                "Invalid input received: There is no resource with UUID {NOWHERE} pending cleanup."
            ),
        ),
        (
            json!({ "bogus": 1 }),
            "Additional properties are not allowed ('bogus' was unexpected)".to_owned(),
        ),
    ] {
        let (status, fault) = post(body).await;
        assert_eq!(
            (status, &fault["badRequest"]["message"]),
            (400, &json!(why))
        );
    }
    let old = called(&api, "3.23", "POST", "/workers/cleanup", json!({})).await;
    assert_eq!(old.0, 404);
}

/// A log that remembers its levels.
#[derive(Default)]
struct Log(Mutex<BTreeMap<String, LogLevel>>);

impl LogLevels for Log {
    fn levels(&self) -> BTreeMap<String, LogLevel> {
        self.0.lock().unwrap().clone()
    }

    fn set(&self, prefix: &str, level: LogLevel) {
        let mut levels = self.0.lock().unwrap();
        for (_, known) in levels
            .iter_mut()
            .filter(|(name, _)| name.starts_with(prefix))
        {
            *known = level;
        }
    }
}

#[tokio::test]
async fn levels_of_logs_are_shown_and_set() {
    let log = Arc::new(Log::default());
    let parts =
        ["firebrick_api", "firebrick_control"].map(|name| (name.to_owned(), LogLevel::Info));
    log.0.lock().unwrap().extend(parts);
    let given: Arc<dyn LogLevels> = log.clone();
    let api = Api::with(|options| options.log_levels = Some(given)).await;
    // The scheduler's service is reported a moment after the start.
    let put = async |version: &str, path: &str, body: Value| {
        called(&api, version, "PUT", &format!("/os-services/{path}"), body).await
    };
    assert_eq!(put("3.31", "get-log", json!({})).await.0, 404);
    assert_eq!(
        put("3.31", "set-log", json!({ "level": "INFO" })).await.0,
        404
    );
    let asked = json!({ "binary": "cinder-api", "prefix": "firebrick_api" });
    let expected = json!({ "log_levels": [
        { "host": "node1", "binary": "cinder-api", "levels": { "firebrick_api": "INFO" } },
    ] });
    assert_eq!(put("3.32", "get-log", asked.clone()).await, (200, expected));
    let set = json!({ "binary": "*", "prefix": "firebrick_api", "level": "debug" });
    assert_eq!(put("3.32", "set-log", set).await, (202, Value::Null));
    let (_, shown) = put("3.32", "get-log", asked).await;
    assert_eq!(
        shown["log_levels"][0]["levels"],
        json!({ "firebrick_api": "DEBUG" })
    );
    let elsewhere = json!({ "server": "nohost" });
    let none = json!({ "log_levels": [] });
    assert_eq!(put("3.71", "get-log", elsewhere).await, (200, none));
    let there = json!({ "server": "nohost", "level": "ERROR" });
    assert_eq!(put("3.71", "set-log", there).await.0, 202);
    assert_eq!(log.levels()["firebrick_control"], LogLevel::Info);

    let (status, fault) = put("3.71", "set-log", json!({ "level": "nope" })).await;
    let why = "Invalid input received: nope is not a valid log level.";
    assert_eq!(
        (status, &fault["badRequest"]["message"]),
        (400, &json!(why))
    );
    let (status, fault) = put(
        "3.71",
        "set-log",
        json!({ "binary": "nope", "level": "INFO" }),
    )
    .await;
    let why = "Invalid input for field/attribute binary. Value: nope. 'nope' is not one of \
               ['cinder-scheduler', 'cinder-volume', 'cinder-backup', 'cinder-api', '', '*']";
    assert_eq!(
        (status, &fault["badRequest"]["message"]),
        (400, &json!(why))
    );
}

//! Pools and hosts, as operators ask for them, where there is no backend.

use serde_json::{Value, json};

use crate::common::Api;

const POOLS: &str = "/v3/dev/scheduler-stats/get_pools";

async fn get(api: &Api, version: &str, path: &str) -> (u16, Value) {
    let reply = api.call(version, "GET", path, None).await;
    (reply.status.as_u16(), reply.body)
}

#[tokio::test]
async fn filters_of_pools_are_those_of_each_version() {
    let api = Api::new().await;
    let none = json!({ "pools": [] });
    for (version, query) in [
        ("3.0", "detail=true"),
        ("3.27", "anything=1"),
        ("3.28", "vendor_name=Firebrick"),
        ("3.30", "volume_type=nothing"),
        ("3.35", "volume_type=__DEFAULT__&name=somewhere"),
    ] {
        let found = get(&api, version, &format!("{POOLS}?{query}")).await;
        assert_eq!(found, (200, none.clone()), "{version} {query}");
    }
    let (status, body) = get(&api, "3.31", &format!("{POOLS}?vendor_name=Firebrick")).await;
    assert_eq!(status, 400);
    let why = "Invalid filters vendor_name are found in query options.";
    assert_eq!(body["badRequest"]["message"], why);
    let (status, _) = get(&api, "3.35", &format!("{POOLS}?volume_type=nothing")).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn hosts_are_services_that_are_enabled() {
    let api = Api::new().await;
    let (status, body) = get(&api, "3.0", "/v3/dev/os-hosts").await;
    assert_eq!(status, 200);
    let host = &body["hosts"][0];
    assert_eq!(host["host_name"], "node1");
    assert_eq!(host["service"], "cinder-scheduler");
    assert_eq!(host["zone"], "nova");
    assert_eq!(host["service-state"], "enabled");
    let (_, other) = get(&api, "3.0", "/v3/dev/os-hosts?zone=elsewhere").await;
    assert_eq!(other, json!({ "hosts": [] }));
}

#[tokio::test]
async fn hosts_without_a_backend_are_not_there() {
    let api = Api::new().await;
    let path = "/v3/dev/os-hosts/nohost";
    let why = "Service cinder-volume could not be found on host nohost.";
    let (status, body) = get(&api, "3.71", path).await;
    assert_eq!(
        (status, &body["itemNotFound"]["message"]),
        (404, &json!(why))
    );
    for (body, expected) in [
        (json!({ "status": "Enable" }), 404),
        (json!({ "status": "perhaps" }), 400),
        (json!({ "colour": "red" }), 400),
        (json!({}), 400),
    ] {
        let refused = api.call("3.71", "PUT", path, Some(body)).await;
        assert_eq!(refused.status.as_u16(), expected);
    }
}

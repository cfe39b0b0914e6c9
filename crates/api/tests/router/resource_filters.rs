//! What is told of filters is what lists check by.

use std::sync::Arc;

use firebrick_api::{ApiOptions, ResourceFilters};
use serde_json::{Value, json};

use crate::common::{Api, keystone};

#[tokio::test]
async fn filters_are_told_by_resource() {
    let api = Api::new().await;
    let path = "/v3/dev/resource_filters";
    let old = api.call("3.32", "GET", path, None).await;
    assert_eq!(old.fault("itemNotFound").0, 404);
    let all = api.call("3.33", "GET", path, None).await.body;
    let all = all["resource_filters"].as_array().unwrap().clone();
    assert_eq!(all.len(), 9);
    let backup = json!({ "resource": "backup", "filters": ["name", "status", "volume_id"] });
    assert!(all.contains(&backup), "{all:?}");
    let one = api.get("/v3/resource_filters?resource=backup").await.body;
    assert_eq!(one, json!({ "resource_filters": [backup] }));
    let none = api.get("/v3/resource_filters?resource=bogus").await.body;
    assert_eq!(none, json!({ "resource_filters": [] }));
    for resource in ["volume", "snapshot", "attachment"] {
        let row = all.iter().find(|row| row["resource"] == resource).unwrap();
        for filter in row["filters"].as_array().unwrap() {
            let filter = filter.as_str().unwrap();
            let value = match filter {
                "bootable" | "consumes_quota" => "true",
                "created_at" | "updated_at" => "2020-01-01",
                _ => "1",
            };
            let path = format!("/v3/dev/{resource}s?{filter}={value}");
            assert_eq!(api.get(&path).await.status.as_u16(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn a_file_says_what_lists_take_from_everybody() {
    let filters = ResourceFilters::parse(r#"{"volume": ["size"]}"#).unwrap();
    let api = Api::behind(ApiOptions {
        auth: keystone::strategy().await,
        filters: Arc::new(filters),
        ..ApiOptions::default()
    })
    .await;
    let token = [("x-auth-token", "member@0123456789abcdef0123456789abcdef")];
    for (path, code) in [
        ("/v3/volumes?size=1", 200),
        ("/v3/volumes?status=error", 400),
        ("/v3/snapshots?status=error", 400),
    ] {
        let reply = api.ask(&token, "GET", path, Value::Null).await;
        assert_eq!(reply.status.as_u16(), code, "{path}: {}", reply.body);
    }
    let told = api
        .ask(&token, "GET", "/v3/resource_filters", Value::Null)
        .await;
    let volume = json!({ "resource": "volume", "filters": ["size"] });
    assert_eq!(told.body, json!({ "resource_filters": [volume] }));
}

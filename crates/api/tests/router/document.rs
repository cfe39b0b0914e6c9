//! What is served about the API itself.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::common::Api;

async fn document(api: &Api, version: Option<&str>) -> Value {
    let mut request = Request::get("/openapi.json");
    if let Some(version) = version {
        request = request.header("openstack-api-version", format!("volume {version}"));
    }
    let reply = api.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status.as_u16(), 200);
    reply.body
}

#[tokio::test]
async fn the_document_needs_no_token_and_follows_the_version() {
    let api = Api::new().await;
    let newest = document(&api, None).await;
    assert_eq!(newest["openapi"], "3.1.0");
    assert_eq!(newest["info"]["version"], "3.71");
    let create = &newest["paths"]["/v3/{project_id}/volumes"]["post"];
    let schema = &create["requestBody"]["content"]["application/json"]["schema"];
    let volume = &schema["properties"]["volume"];
    assert_eq!(volume["additionalProperties"], json!(false));
    assert!(volume["properties"]["backup_id"].is_object());

    let oldest = document(&api, Some("3.0")).await;
    let create = &oldest["paths"]["/v3/volumes"]["post"];
    let schema = &create["requestBody"]["content"]["application/json"]["schema"];
    let volume = &schema["properties"]["volume"];
    assert_eq!(volume["additionalProperties"], Value::Null);
    assert_eq!(volume["properties"]["backup_id"], Value::Null);

    let outside = api.call("3.72", "GET", "/openapi.json", None).await;
    assert_eq!(outside.fault("computeFault").0, 406);
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(entries) => {
                found.extend(entries.get("$ref").and_then(Value::as_str));
                entries.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let api = Api::new().await;
    let document = document(&api, None).await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let place = document.pointer(reference.trim_start_matches('#'));
        assert!(place.is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_version_without_its_slash_leads_to_the_version() {
    let api = Api::new().await;
    assert_eq!(api.get("/v3").await.status.as_u16(), 302);
    let version = api.get("/v3/").await;
    assert_eq!(version.status.as_u16(), 200);
    assert_eq!(version.body["versions"][0]["id"], "v3.0");
}

#[tokio::test]
async fn methods_that_cinder_does_not_know_are_answered_as_it_answers_them() {
    let api = Api::new().await;
    let path = "/v3/dev/volumes";
    for (method, status) in [("OPTIONS", 200), ("HEAD", 404), ("PATCH", 404)] {
        let reply = api.call("3.71", method, path, None).await;
        assert_eq!(reply.status.as_u16(), status, "{method}");
    }
}

#[tokio::test]
async fn all_extensions_are_told() {
    let api = Api::new().await;
    let reply = api.get("/v3/dev/extensions").await;
    let extensions = reply.body["extensions"].as_array().unwrap();
    assert_eq!(extensions.len(), 32);
    let one = api.get("/v3/dev/extensions/os-volume-transfer").await;
    assert_eq!(one.body["extension"]["name"], "VolumeTransfer");
    let none = api.get("/v3/dev/extensions/nope").await;
    assert_eq!(none.fault("itemNotFound").0, 404);
}

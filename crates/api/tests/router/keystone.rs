//! Requests with tokens of a small Keystone in this process.

use std::sync::Arc;

use axum::http::StatusCode;
use firebrick_api::{ApiOptions, AuthStrategy};
use serde_json::{Value, json};

use crate::common::{Api, Reply, keystone};

/// A project as Keystone names them.
const PROJECT: &str = "0123456789abcdef0123456789abcdef";

async fn api() -> Api {
    let auth = keystone::strategy().await;
    Api::behind(ApiOptions {
        auth,
        ..ApiOptions::default()
    })
    .await
}

async fn ask(api: &Api, token: Option<&str>, method: &str, path: &str, body: Value) -> Reply {
    let tokens: Vec<(&str, &str)> = token.iter().map(|token| ("x-auth-token", *token)).collect();
    api.ask(&tokens, method, path, body).await
}

#[tokio::test]
async fn without_a_token_only_versions_and_health_answer() {
    let api = api().await;
    let volumes = format!("/v3/{PROJECT}/volumes");
    for path in ["/v3", "/v3/", &volumes, "/v3/volumes"] {
        for token in [None, Some("nonsense"), Some("")] {
            let reply = ask(&api, token, "GET", path, Value::Null).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
            let expected = json!({ "error": {
                "code": 401,
                "title": "Unauthorized",
                "message": "The request you have made requires authentication.",
            } });
            assert_eq!(reply.body, expected);
            let challenge = reply.challenge.as_deref();
            assert_eq!(
                challenge,
                Some("Keystone uri=\"https://keystone.example.org/v3\"")
            );
        }
        let reply = ask(&api, Some("gone"), "GET", path, Value::Null).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    let root = ask(&api, None, "GET", "/", Value::Null).await;
    assert_eq!(root.status, StatusCode::MULTIPLE_CHOICES);
    let health = ask(&api, None, "GET", "/healthcheck", Value::Null).await;
    assert_eq!(health.status, StatusCode::OK);
}

#[tokio::test]
async fn the_project_of_the_address_is_that_of_the_token() {
    let api = api().await;
    let token = format!("member@{PROJECT}");
    for path in [format!("/v3/{PROJECT}/volumes"), "/v3/volumes".to_owned()] {
        let reply = ask(&api, Some(&token), "GET", &path, Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
    }
    let elsewhere = "/v3/ffffffffffffffffffffffffffffffff/volumes";
    let admin = format!("admin@{PROJECT}");
    for token in [token.as_str(), admin.as_str(), "admin@system"] {
        let reply = ask(&api, Some(token), "GET", elsewhere, Value::Null).await;
        assert_eq!(reply.fault("badRequest"), (400, "Malformed request url"));
    }
}

#[tokio::test]
async fn roles_decide() {
    let api = api().await;
    let body = json!({ "volume_type": { "name": "fast" } });
    let member = format!("member@{PROJECT}");
    let refused = ask(&api, Some(&member), "POST", "/v3/types", body.clone()).await;
    let text = "Policy doesn't allow volume_extension:type_create to be performed.";
    assert_eq!(refused.fault("forbidden"), (403, text));
    let admin = format!("admin@{PROJECT}");
    let made = ask(&api, Some(&admin), "POST", "/v3/types", body).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);

    let volume = json!({ "volume": { "size": 1 } });
    let reader = format!("reader@{PROJECT}");
    let refused = ask(&api, Some(&reader), "POST", "/v3/volumes", volume.clone()).await;
    assert_eq!(refused.fault("forbidden").0, 403);
    let made = ask(&api, Some(&member), "POST", "/v3/volumes", volume).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
}

#[tokio::test]
async fn a_token_for_the_system_has_no_project() {
    let api = api().await;
    let system = Some("admin@system");
    let listed = ask(&api, system, "GET", "/v3/os-services", Value::Null).await;
    assert_eq!(listed.status, StatusCode::OK);
    let volume = json!({ "volume": { "size": 1 } });
    let refused = ask(&api, system, "POST", "/v3/volumes", volume).await;
    assert_eq!(refused.fault("badRequest").0, 400);
    let reader = Some("reader@system");
    let refused = ask(&api, reader, "GET", "/v3/os-services", Value::Null).await;
    assert_eq!(refused.fault("forbidden").0, 403);
}

#[tokio::test]
async fn members_filter_by_what_is_open_and_administrators_by_the_rest() {
    let api = api().await;
    let path = format!("/v3/{PROJECT}/volumes?no_migration_targets=1");
    let member = format!("member@{PROJECT}");
    let refused = ask(&api, Some(&member), "GET", &path, Value::Null).await;
    let text = "Invalid filters no_migration_targets are found in query options.";
    assert_eq!(refused.fault("badRequest"), (400, text));
    let admin = format!("admin@{PROJECT}");
    let listed = ask(&api, Some(&admin), "GET", &path, Value::Null).await;
    assert_eq!(listed.status, StatusCode::OK);
}

#[tokio::test]
async fn default_types_are_for_projects_that_keystone_has() {
    let keystone = keystone::start().await;
    let auth = AuthStrategy::Keystone(Arc::clone(&keystone));
    let options = ApiOptions {
        auth,
        ..ApiOptions::default()
    };
    let api = Api::made(|control| control.identity = Some(keystone), options).await;
    let admin = format!("admin@{PROJECT}");
    let put = async |token: &str, project: &str, kind: &str| {
        let body = json!({ "default_type": { "volume_type": kind } });
        let path = format!("/v3/default-types/{project}");
        ask(&api, Some(token), "PUT", &path, body).await
    };
    let usual = "__DEFAULT__";
    let set = put(&admin, PROJECT, usual).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    assert_eq!(set.body["default_type"]["project_id"], PROJECT);

    // The project comes before the type.
    for kind in [usual, "nope"] {
        let refused = put(&admin, "nowhere", kind).await;
        let text = "Project with id nowhere not found.";
        assert_eq!(refused.fault("itemNotFound"), (404, text));
    }
    let refused = put(&admin, PROJECT, "nope").await;
    assert_eq!(refused.fault("badRequest").0, 400);
    let text = "You are not authorized to perform this operation.";
    for hidden in ["secret", "ended"] {
        let refused = put(&admin, hidden, usual).await;
        assert_eq!(refused.fault("forbidden"), (403, text));
    }
    let refused = put(&admin, "broken", usual).await;
    let unknown = "The identity service cannot be asked now.";
    assert_eq!(refused.fault("serviceUnavailable"), (503, unknown));
    let member = format!("member@{PROJECT}");
    for project in [PROJECT, "nowhere", "broken"] {
        let refused = put(&member, project, usual).await;
        assert_eq!(refused.fault("forbidden"), (403, text));
    }

    let gone = "/v3/default-types/nowhere";
    let shown = ask(&api, Some(&admin), "GET", gone, Value::Null).await;
    let text = "Project with id nowhere not found.";
    assert_eq!(shown.fault("itemNotFound"), (404, text));
    let unset = ask(&api, Some(&admin), "DELETE", gone, Value::Null).await;
    assert_eq!(unset.status, StatusCode::NO_CONTENT);
}

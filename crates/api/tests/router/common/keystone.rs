//! A small Keystone in this process.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use firebrick_api::AuthStrategy;
use firebrick_cloud::{Keystone, KeystoneOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Tokens of one that is started for it.
pub(crate) async fn strategy() -> AuthStrategy {
    AuthStrategy::Keystone(start().await)
}

/// One that is started for it.
pub(crate) async fn start() -> Arc<Keystone> {
    let router = Router::new()
        .route("/v3/auth/tokens", get(validate).post(log_in))
        .route("/v3/projects/{id}", get(project));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v3", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut options = KeystoneOptions::new(&url, "cinder", "secret", "services");
    options.public_url = Some("https://keystone.example.org/v3".to_owned());
    Arc::new(Keystone::new(options).unwrap())
}

/// Projects are what is written in letters `a` to `f` and digits; about some nothing is said.
async fn project(Path(id): Path<String>) -> StatusCode {
    match id.as_str() {
        "secret" => StatusCode::FORBIDDEN,
        "ended" => StatusCode::UNAUTHORIZED,
        "broken" => StatusCode::INTERNAL_SERVER_ERROR,
        id if id.bytes().all(|byte| byte.is_ascii_hexdigit()) => StatusCode::OK,
        _ => StatusCode::NOT_FOUND,
    }
}

/// Tokens are `role@scope`, and `gone` makes Keystone fail.
async fn validate(headers: HeaderMap) -> Response {
    let subject = headers["x-subject-token"].to_str().unwrap();
    let Some((role, scope)) = subject.split_once('@') else {
        let failed = subject == "gone";
        let failure = if failed {
            StatusCode::BAD_GATEWAY
        } else {
            StatusCode::NOT_FOUND
        };
        return failure.into_response();
    };
    Json(json!({ "token": described(role, scope) })).into_response()
}

async fn log_in() -> Response {
    let own = json!({ "token": described("service", "services") });
    (StatusCode::CREATED, [("x-subject-token", "own")], Json(own)).into_response()
}

fn described(role: &str, scope: &str) -> Value {
    let implied = ["admin", "member", "reader"];
    let from = implied.iter().position(|known| *known == role);
    let roles: Vec<Value> = from
        .map_or(&[role][..], |from| &implied[from..])
        .iter()
        .map(|role| json!({ "name": role }))
        .collect();
    let mut token = json!({
        "user": { "id": "u1", "domain": { "id": "default" } },
        "roles": roles,
        "expires_at": "2999-01-01T00:00:00.000000Z",
    });
    if scope == "system" {
        token["system"] = json!({ "all": true });
    } else {
        token["project"] = json!({ "id": scope, "domain": { "id": "default" } });
    }
    token
}

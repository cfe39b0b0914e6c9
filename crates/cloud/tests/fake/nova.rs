//! A small Keystone and Nova in this process; the one says where the other is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use firebrick_cloud::{Keystone, KeystoneOptions, Nova, NovaOptions};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What Nova was told, and what it answers.
#[derive(Default)]
pub(crate) struct Known {
    /// The events, each with the microversion that it came with.
    pub(crate) events: Vec<(String, Value)>,
    /// Statuses of the next answers, the last one first; 200 behind them.
    pub(crate) answers: Vec<u16>,
    /// The code of each event in the answers; 200 without.
    pub(crate) code: Option<u16>,
    /// Whether the catalogue has no compute service.
    pub(crate) absent: bool,
    url: String,
}

#[derive(Clone, Default)]
pub(crate) struct FakeNova {
    pub(crate) known: Arc<Mutex<Known>>,
}

impl FakeNova {
    /// Serves both, and returns a client.
    pub(crate) async fn serve(&self) -> Nova {
        let app = Router::new()
            .route("/v3/auth/tokens", post(log_in))
            .route("/v2.1/os-server-external-events", post(take))
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        self.known.lock().url.clone_from(&url);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let options = KeystoneOptions::new(&url, "cinder", "secret", "services");
        let mut options = NovaOptions::new(Arc::new(Keystone::new(options).unwrap()));
        options.timeout = Duration::from_secs(5);
        Nova::new(options).unwrap()
    }
}

async fn log_in(State(nova): State<FakeNova>) -> Response {
    let known = nova.known.lock();
    let compute = json!({ "type": "compute", "endpoints": [{
        "interface": "public", "region_id": "A", "url": format!("{}/v2.1/", known.url),
    }] });
    let catalog = if known.absent {
        json!([])
    } else {
        json!([compute])
    };
    let token = json!({
        "user": { "id": "cinder", "domain": { "id": "default" } },
        "project": { "id": "services", "domain": { "id": "default" } },
        "roles": [{ "name": "service" }],
        "expires_at": "2999-01-01T00:00:00.000000Z",
        "catalog": catalog,
    });
    let headers = [("x-subject-token", "own")];
    (
        StatusCode::CREATED,
        headers,
        Json(json!({ "token": token })),
    )
        .into_response()
}

async fn take(
    State(nova): State<FakeNova>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    assert_eq!(headers["x-auth-token"], "own");
    let version = headers["x-openstack-nova-api-version"].to_str().unwrap();
    let mut known = nova.known.lock();
    let mut events = body["events"].as_array().unwrap().clone();
    for event in &mut events {
        known.events.push((version.to_owned(), event.clone()));
        event["code"] = known.code.unwrap_or(200).into();
        event["status"] = "completed".into();
    }
    let status = known.answers.pop().unwrap_or(200);
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(json!({ "events": events }))).into_response()
}

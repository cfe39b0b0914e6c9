//! Tokens against a small Keystone in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use firebrick_cloud::{Keystone, KeystoneError, KeystoneOptions};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const FUTURE: &str = "2999-01-01T00:00:00.000000Z";
const PAST: &str = "2020-01-01T00:00:00.000000Z";

/// What the Keystone knows, and what it was asked.
#[derive(Default)]
struct Known {
    /// Tokens and their descriptions.
    tokens: BTreeMap<String, Value>,
    /// The own token of the service that counts now; its number.
    session: usize,
    password: &'static str,
    log_ins: usize,
    validations: usize,
    /// Answers every validation with this status instead.
    failing: Option<u16>,
}

type Shared = Arc<Mutex<Known>>;

async fn log_in(State(known): State<Shared>, Json(body): Json<Value>) -> Response {
    let mut known = known.lock();
    known.log_ins += 1;
    let user = &body["auth"]["identity"]["password"]["user"];
    let project = &body["auth"]["scope"]["project"];
    assert_eq!(user["domain"]["name"], "Default");
    assert_eq!(project["name"], "services");
    if user["password"] != known.password || user["name"] != "cinder" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    known.session += 1;
    let own = format!("own-{}", known.session);
    let body = json!({ "token": described("cinder", &["service"], FUTURE) });
    (StatusCode::CREATED, [("x-subject-token", own)], Json(body)).into_response()
}

async fn validate(
    State(known): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let mut known = known.lock();
    known.validations += 1;
    if let Some(status) = known.failing {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    if headers["x-auth-token"] != format!("own-{}", known.session).as_str() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let subject = headers["x-subject-token"].to_str().unwrap();
    let allowed = query.unwrap_or_default().contains("allow_expired=1");
    match known.tokens.get(subject) {
        Some(token) if token["expires_at"] != PAST || allowed => {
            Json(json!({ "token": token })).into_response()
        }
        Some(_) | None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn described(user: &str, roles: &[&str], expires_at: &str) -> Value {
    let roles: Vec<Value> = roles.iter().map(|role| json!({ "name": role })).collect();
    json!({
        "user": { "id": user, "domain": { "id": "default" } },
        "project": { "id": "p1", "domain": { "id": "default" } },
        "roles": roles,
        "expires_at": expires_at,
    })
}

/// A Keystone that knows `alice`, `old` (expired) and the service token `nova`.
async fn keystone(change: impl FnOnce(&mut KeystoneOptions)) -> (Keystone, Shared) {
    let known = Shared::default();
    {
        let mut known = known.lock();
        known.password = "secret";
        for (token, user, roles, expires_at) in [
            ("alice", "u-alice", &["member", "reader"][..], FUTURE),
            ("old", "u-old", &["member"][..], PAST),
            ("nova", "u-nova", &["service"][..], FUTURE),
        ] {
            let described = described(user, roles, expires_at);
            known.tokens.insert(token.to_owned(), described);
        }
    }
    let router = Router::new()
        .route("/identity/v3/auth/tokens", get(validate).post(log_in))
        .with_state(Arc::clone(&known));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/identity/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut options = KeystoneOptions::new(&url, "cinder", "secret", "services");
    change(&mut options);
    (Keystone::new(options).unwrap(), known)
}

fn refused<T>(result: &Result<T, KeystoneError>) -> bool {
    matches!(result, Err(KeystoneError::Refused))
}

fn unavailable<T>(result: &Result<T, KeystoneError>) -> bool {
    matches!(result, Err(KeystoneError::Unavailable(_)))
}

#[tokio::test]
async fn a_token_says_who_asks_and_is_asked_about_once() {
    let (keystone, known) = keystone(|_| {}).await;
    for _ in 0..3 {
        let who = keystone.identity("alice", None).await.unwrap().who;
        assert_eq!(who.user_id.as_deref(), Some("u-alice"));
        assert_eq!(who.project_id.as_deref(), Some("p1"));
        assert_eq!(who.roles, ["member", "reader"]);
        assert_eq!(who.service_roles, [""; 0]);
    }
    let known = known.lock();
    assert_eq!((known.log_ins, known.validations), (1, 1));
}

#[tokio::test]
async fn requests_at_once_share_one_question() {
    let (keystone, known) = keystone(|_| {}).await;
    let keystone = Arc::new(keystone);
    let ask = || {
        let keystone = Arc::clone(&keystone);
        tokio::spawn(async move { keystone.identity("alice", None).await.is_ok() })
    };
    let asked: Vec<_> = (0..20).map(|_| ask()).collect();
    for one in asked {
        assert!(one.await.unwrap());
    }
    let known = known.lock();
    assert_eq!((known.log_ins, known.validations), (1, 1));
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_remembered() {
    let (keystone, known) = keystone(|_| {}).await;
    for _ in 0..2 {
        assert!(refused(&keystone.identity("mallory", None).await));
    }
    assert_eq!(known.lock().validations, 1);
    for odd in ["", "a b", "a\r\nb", "é", &"x".repeat(9000)] {
        assert!(refused(&keystone.identity(odd, None).await), "{odd:?}");
    }
    assert!(refused(&keystone.identity("old", None).await));
    assert!(refused(&keystone.identity("alice", Some("mallory")).await));
    assert_eq!(known.lock().validations, 2);
}

#[tokio::test]
async fn a_revoked_token_lives_as_long_as_the_cache_holds() {
    let (keystone, known) = keystone(|options| options.cache_time = Duration::ZERO).await;
    assert!(keystone.identity("alice", None).await.is_ok());
    known.lock().tokens.remove("alice");
    assert!(refused(&keystone.identity("alice", None).await));
}

#[tokio::test]
async fn a_service_may_go_on_for_a_user_whose_token_has_ended() {
    let (keystone, known) = keystone(|_| {}).await;
    let by = keystone.identity("old", Some("nova")).await.unwrap();
    assert!(by.service);
    let who = by.who;
    assert_eq!(who.user_id.as_deref(), Some("u-old"));
    assert_eq!(who.service_roles, ["service"]);
    // Without the role, a service's token is a token but opens nothing.
    assert!(refused(&keystone.identity("old", Some("alice")).await));
    let by = keystone.identity("alice", Some("alice")).await.unwrap();
    assert!(!by.service);
    assert_eq!(by.who.service_roles, ["member", "reader"]);
    // And alone the ended one stays ended, whatever was said for the service.
    assert!(refused(&keystone.identity("old", None).await));
    assert_eq!(known.lock().log_ins, 1);
}

#[tokio::test]
async fn an_own_token_that_ends_is_replaced_once() {
    let (keystone, known) = keystone(|_| {}).await;
    assert!(keystone.identity("alice", None).await.is_ok());
    known.lock().session += 1;
    assert!(keystone.identity("nova", None).await.is_ok());
    assert_eq!(known.lock().log_ins, 2);
    known.lock().failing = Some(401);
    assert!(unavailable(&keystone.identity("other", None).await));
    assert_eq!(known.lock().log_ins, 3);
}

#[tokio::test]
async fn no_answer_is_no_verdict() {
    let (asked, known) = keystone(|_| {}).await;
    for status in [400, 403, 500, 503] {
        known.lock().failing = Some(status);
        assert!(
            unavailable(&asked.identity("alice", None).await),
            "{status}"
        );
    }
    // What is known stays known, and what failed is asked again.
    known.lock().failing = None;
    assert!(asked.identity("alice", None).await.is_ok());
    known.lock().failing = Some(500);
    assert!(asked.identity("alice", None).await.is_ok());

    let (wrong, _) = keystone(|options| options.password = "wrong".into()).await;
    assert!(unavailable(&wrong.identity("alice", None).await));

    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{gone}/v3");
    let nobody = Keystone::new(KeystoneOptions::new(&url, "cinder", "secret", "services"));
    assert!(unavailable(&nobody.unwrap().identity("alice", None).await));
}

#[test]
fn options_that_cannot_be_used_are_refused() {
    let options = KeystoneOptions::new("keystone:5000", "u", "p", "s");
    assert!(Keystone::new(options).is_err());
    let mut options = KeystoneOptions::new("https://keystone:5000", "u", "p", "s");
    options.cafile = Some("/nowhere.pem".into());
    let refused = Keystone::new(options).err().unwrap().to_string();
    assert!(refused.starts_with("cafile /nowhere.pem: "), "{refused}");
}

//! A small Glance in this process, which fails as it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use uuid::Uuid;

/// How reading the data of images goes wrong.
#[allow(dead_code)]
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Not at all.
    #[default]
    None,
    /// The connection ends in the middle.
    Truncated,
    /// One byte is another.
    Corrupt,
    /// There are none.
    Gone,
    /// After the first half nothing comes until [`FakeGlance::go_on`] is notified.
    Slow,
    /// The answer has this status.
    Status(u16),
    /// All calls have this status, so often.
    Every(u16, usize),
}

#[derive(Default)]
pub(crate) struct Known {
    /// Images and their data.
    pub(crate) images: BTreeMap<Uuid, (Value, Vec<u8>)>,
    pub(crate) fault: Fault,
    /// `X-Auth-Token` and `X-Service-Token` of each call.
    pub(crate) tokens: Vec<(Option<String>, Option<String>)>,
    /// Images that were made, whether they are there still or not.
    pub(crate) made: Vec<Uuid>,
    /// How often data were asked for.
    pub(crate) downloads: usize,
}

#[derive(Clone, Default)]
pub(crate) struct FakeGlance {
    pub(crate) known: Arc<Mutex<Known>>,
    pub(crate) go_on: Arc<Notify>,
}

#[allow(dead_code)]
impl FakeGlance {
    /// Serves, and returns the address.
    pub(crate) async fn serve(&self) -> String {
        let app = Router::new()
            .route("/v2/images", post(create).get(list))
            .route("/v2/images/{id}", get(show).delete(delete).patch(patch))
            .route("/v2/images/{id}/file", get(download).put(upload))
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    /// Adds an image with `data`, and with what `more` says besides.
    pub(crate) fn add(&self, disk_format: &str, data: Vec<u8>, more: &Value) -> Uuid {
        let id = Uuid::new_v4();
        let mut image = described(id, &data);
        image["disk_format"] = disk_format.into();
        for (key, value) in more.as_object().unwrap() {
            image[key] = value.clone();
        }
        self.known.lock().images.insert(id, (image, data));
        id
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.known.lock().fault = fault;
    }

    pub(crate) fn image(&self, id: Uuid) -> Option<(Value, Vec<u8>)> {
        self.known.lock().images.get(&id).cloned()
    }

    fn called(&self, headers: &HeaderMap) -> Result<Fault, StatusCode> {
        let mut known = self.known.lock();
        let text = |name| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        known
            .tokens
            .push((text("x-auth-token"), text("x-service-token")));
        if let Fault::Every(status, left) = known.fault {
            known.fault = match left {
                0 | 1 => Fault::None,
                _ => Fault::Every(status, left - 1),
            };
            return Err(StatusCode::from_u16(status).unwrap());
        }
        Ok(known.fault)
    }
}

fn described(id: Uuid, data: &[u8]) -> Value {
    let hash = Sha512::digest(data)
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    json!({
        "id": id, "name": "image", "status": "active", "disk_format": "raw",
        "container_format": "bare", "size": data.len(), "virtual_size": null, "min_disk": 0,
        "min_ram": 0, "visibility": "private", "protected": false, "owner": "p",
        "checksum": null, "os_hash_algo": "sha512", "os_hash_value": hash, "os_hidden": false,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:01Z",
        "tags": [], "stores": "local", "file": "/v2/images/file", "schema": "/v2/schemas/image",
    })
}

async fn show(
    State(glance): State<FakeGlance>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Response {
    if let Err(status) = glance.called(&headers) {
        return status.into_response();
    }
    match glance.image(id) {
        Some((image, _)) => Json(image).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Those of one name.
async fn list(
    State(glance): State<FakeGlance>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Err(status) = glance.called(&headers) {
        return status.into_response();
    }
    let limit: usize = query["limit"].parse().unwrap();
    let known = glance.known.lock();
    let images = known.images.values().map(|(image, _)| image);
    let images: Vec<&Value> = images
        .filter(|image| image["name"] == query["name"])
        .take(limit)
        .collect();
    Json(json!({ "images": images })).into_response()
}

async fn create(
    State(glance): State<FakeGlance>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Err(status) = glance.called(&headers) {
        return status.into_response();
    }
    // As the real one: what it says itself nobody else says.
    if body.get("stores").is_some() || body.get("location").is_some() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let id = Uuid::new_v4();
    let mut image = described(id, &[]);
    image["status"] = "queued".into();
    image["size"] = Value::Null;
    for (key, value) in body.as_object().unwrap() {
        image[key] = value.clone();
    }
    let mut known = glance.known.lock();
    known.images.insert(id, (image.clone(), Vec::new()));
    known.made.push(id);
    (StatusCode::CREATED, Json(image)).into_response()
}

async fn delete(
    State(glance): State<FakeGlance>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> StatusCode {
    if let Err(status) = glance.called(&headers) {
        return status;
    }
    let mut known = glance.known.lock();
    match known.images.get(&id) {
        Some((image, _)) if image["protected"] == true => StatusCode::FORBIDDEN,
        Some(_) => {
            known.images.remove(&id);
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

/// Replaces one thing.
async fn patch(
    State(glance): State<FakeGlance>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if let Err(status) = glance.called(&headers) {
        return status;
    }
    let kind = "application/openstack-images-v2.1-json-patch";
    if headers["content-type"] != kind {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let changes: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(changes[0]["op"], "replace");
    let key = changes[0]["path"].as_str().unwrap().trim_start_matches('/');
    match glance.known.lock().images.get_mut(&id) {
        Some((image, _)) => {
            image[key] = changes[0]["value"].clone();
            StatusCode::OK
        }
        None => StatusCode::NOT_FOUND,
    }
}

async fn upload(
    State(glance): State<FakeGlance>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let called = glance.called(&headers);
    // An answer before all is read may never be heard.
    let received = received(body).await;
    match called {
        Err(status) => return status,
        Ok(Fault::Status(status)) => return StatusCode::from_u16(status).unwrap(),
        Ok(_) => {}
    }
    let Some((size, data)) = received else {
        return StatusCode::BAD_REQUEST;
    };
    let mut known = glance.known.lock();
    let Some((image, stored)) = known.images.get_mut(&id) else {
        return StatusCode::NOT_FOUND;
    };
    let written = described(id, &data);
    for key in ["status", "os_hash_value"] {
        image[key] = written[key].clone();
    }
    image["size"] = size.into();
    *stored = data;
    StatusCode::NO_CONTENT
}

/// How many bytes came, and those up to the last one that is not zero.
async fn received(body: Body) -> Option<(u64, Vec<u8>)> {
    const ZEROES: [u8; 4096] = [0; 4096];
    let (mut size, mut data) = (0_u64, Vec::new());
    let mut frames = body.into_data_stream();
    while let Some(frame) = futures_util::StreamExt::next(&mut frames).await {
        let frame = frame.ok()?;
        for piece in frame.chunks(ZEROES.len()) {
            if piece != &ZEROES[..piece.len()] {
                data.resize(size as usize, 0);
                data.extend_from_slice(piece);
            }
            size += piece.len() as u64;
        }
    }
    while data.last() == Some(&0) {
        data.pop();
    }
    Some((size, data))
}

async fn download(
    State(glance): State<FakeGlance>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Response {
    let fault = match glance.called(&headers) {
        Err(status) => return status.into_response(),
        Ok(fault) => fault,
    };
    glance.known.lock().downloads += 1;
    let Some((_, mut data)) = glance.image(id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let whole = data.len();
    let half = whole / 2;
    match fault {
        Fault::None | Fault::Every(..) | Fault::Slow => {}
        Fault::Truncated => data.truncate(half),
        Fault::Corrupt => data[half] ^= 1,
        Fault::Gone => return StatusCode::NOT_FOUND.into_response(),
        Fault::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
    }
    let rest = data.split_off(half.min(data.len()));
    let (go_on, slow) = (Arc::clone(&glance.go_on), fault == Fault::Slow);
    let second = async move {
        if slow {
            go_on.notified().await;
        }
        Ok::<_, std::io::Error>(Bytes::from(rest))
    };
    let first = std::future::ready(Ok(Bytes::from(data)));
    let first: futures_util::future::BoxFuture<'static, _> = Box::pin(first);
    let pieces = futures_util::stream::iter([first, Box::pin(second)]);
    let body = Body::from_stream(futures_util::StreamExt::then(pieces, |piece| piece));
    ([("content-length", whole.to_string())], body).into_response()
}

/// Options with which tests do not wait.
#[allow(dead_code)]
pub(crate) fn impatient(url: String) -> firebrick_cloud::GlanceOptions {
    firebrick_cloud::GlanceOptions {
        servers: vec![url],
        timeout: Duration::from_millis(1500),
        retries: 1,
        ..firebrick_cloud::GlanceOptions::default()
    }
}

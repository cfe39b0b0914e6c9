//! The version documents, and the sign of life.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::links::Links;
use crate::microversion::Microversion;

/// When the API changed last, with its highest microversion.
const UPDATED: &str = "2023-08-31T00:00:00Z";

/// `GET /` (`choices`: several could be meant) and `GET /v3/`.
pub(crate) fn document(links: &Links, choices: bool) -> Response {
    let version = json!({
        "id": "v3.0",
        "status": "CURRENT",
        "version": Microversion::MAX.to_string(),
        "min_version": Microversion::MIN.to_string(),
        "updated": UPDATED,
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": links.root()},
        ],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.volume+json;version=3",
        }],
    });
    let status = if choices {
        StatusCode::MULTIPLE_CHOICES
    } else {
        StatusCode::OK
    };
    (status, axum::Json(json!({ "versions": [version] }))).into_response()
}

/// `/v3`: the document is behind a slash.
pub(crate) fn slash(links: &Links) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, links.root())]).into_response()
}

/// `GET /healthcheck`, in the shape of oslo's.
pub(crate) fn healthy() -> Response {
    axum::Json(json!({ "detailed": false, "reasons": ["OK"] })).into_response()
}

//! Faults: what goes wrong, in Cinder's JSON form. Nothing here decides; it maps.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebrick_control::{Error, ErrorKind};
use serde_json::json;

use crate::schema::{Kind, Schema, TEXT, object, of};

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    message: String,
}

/// What stands below a fault's one key.
const DETAIL: Schema = object(&[
    ("code", of(&[Kind::Integer]).range(400, 599)),
    ("message", TEXT),
])
.required(&["code", "message"])
.closed();

/// A fault's body.
pub(crate) const SHAPE: Schema = object(&[
    ("badRequest", DETAIL),
    ("unauthorized", DETAIL),
    ("forbidden", DETAIL),
    ("itemNotFound", DETAIL),
    ("badMethod", DETAIL),
    ("conflictingRequest", DETAIL),
    ("overLimit", DETAIL),
    ("badMediaType", DETAIL),
    ("notImplemented", DETAIL),
    ("serviceUnavailable", DETAIL),
    ("computeFault", DETAIL),
])
.closed()
.entries(1, 1);

/// A handler's outcome.
pub(crate) type Answer = Result<Response, Fault>;

impl Fault {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// The request makes no sense, or not now.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A value is not allowed, in the words of Cinder's `InvalidInput`.
    pub(crate) fn invalid_input(reason: impl std::fmt::Display) -> Self {
        Self::bad_request(format!("Invalid input received: {reason}"))
    }

    /// The request cannot be made sense of at all.
    pub(crate) fn malformed() -> Self {
        Self::bad_request(
            "The server could not comply with the request since it is either malformed or otherwise \
             incorrect.",
        )
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// There is no such route, or not at this version.
    pub(crate) fn no_route() -> Self {
        Self::not_found("The resource could not be found.")
    }

    /// There is no such action.
    pub(crate) fn no_action(name: &str) -> Self {
        let shown: String = name.chars().take(64).collect();
        Self::bad_request(format!("There is no such action: {shown}"))
    }

    /// The version is outside the range.
    pub(crate) fn not_acceptable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, message)
    }

    /// The body is longer than allowed.
    pub(crate) fn too_long() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Request is too large.")
    }

    /// The server's own mistake; what it was goes to the log only.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server has either erred or is incapable of performing the requested operation.",
        )
    }

    /// An answer was not as its entry says, which is the server's own mistake; debug builds tell it.
    #[cfg(debug_assertions)]
    pub(crate) fn undocumented(wrong: &str) -> Self {
        let message = format!("The answer is not as documented: {wrong}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The one key of the body.
    fn key(&self) -> &'static str {
        match self.status.as_u16() {
            400 => "badRequest",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "itemNotFound",
            405 => "badMethod",
            409 => "conflictingRequest",
            413 => "overLimit",
            415 => "badMediaType",
            501 => "notImplemented",
            503 => "serviceUnavailable",
            _ => "computeFault",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let status = match error.kind {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::OverQuota => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => {
                let cause = error.source.as_deref().map(ToString::to_string);
                tracing::error!(%error, cause, "could not answer");
                return Self::internal();
            }
        };
        Self::new(status, error.message)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let code = self.status.as_u16();
        let body = json!({ self.key(): { "code": code, "message": self.message } });
        let mut response = (self.status, axum::Json(body)).into_response();
        if self.status == StatusCode::PAYLOAD_TOO_LARGE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("0"));
        }
        response
    }
}

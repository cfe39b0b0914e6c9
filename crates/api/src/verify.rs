//! Holds answers to their entries, in debug builds.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use crate::fault;
use crate::microversion::Microversion;
use crate::route::{Action, Entry};
use crate::schema::{Schema, broken};

/// The most bytes of an answer that is looked at: a full page of volumes.
const MOST: usize = 64 * 1024 * 1024;

/// The answer, or what in it is not as the entry says.
pub(crate) async fn answer(
    entry: &Entry,
    action: Option<&'static Action>,
    version: Microversion,
    response: Response,
) -> Result<Response, String> {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MOST)
        .await
        .map_err(|error| error.to_string())?;
    let (ok, schema) = match action {
        Some(action) => (action.ok, action.answer),
        None => (entry.ok, entry.answer),
    };
    let status = parts.status;
    if status.as_u16() == ok {
        if entry.plain {
            text_of(schema, version, &bytes)?;
        } else {
            body_of(schema, version, &bytes)?;
        }
    } else if status.is_client_error() || status.is_server_error() {
        // A precondition of HTTP itself is answered by its status alone.
        if status != StatusCode::PRECONDITION_FAILED || !bytes.is_empty() {
            body_of(Some(&fault::SHAPE), version, &bytes)?;
        }
    } else {
        return Err(format!("the status is {status}, not {ok}"));
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn text_of(schema: Option<&Schema>, version: Microversion, bytes: &Bytes) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let value = Value::String(text.to_owned());
    let broken = schema.and_then(|schema| broken(schema, version, None, &value));
    broken.map_or(Ok(()), |broken| Err(broken.to_string()))
}

fn body_of(schema: Option<&Schema>, version: Microversion, bytes: &Bytes) -> Result<(), String> {
    let Some(schema) = schema else {
        return if bytes.is_empty() {
            Ok(())
        } else {
            Err(format!("a body of {} bytes, where none is", bytes.len()))
        };
    };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match broken(schema, version, None, &value) {
        Some(broken) => Err(broken.to_string()),
        None => Ok(()),
    }
}

//! Request bodies: JSON in, checked fields out, and errors that name the field and the rule as
//! Cinder's schemas do.

mod fields;
pub(crate) mod python;
#[cfg(test)]
mod tests;

use std::mem;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde_json::Value;

use crate::fault::Fault;

pub(crate) use fields::{Fields, Keys};

/// The most bytes a request may have, as Cinder's `osapi_max_request_body_size`.
pub(crate) const MAX_BODY: usize = 114_688;

/// The JSON body of a request.
#[derive(Clone)]
pub(crate) struct Body(Value);

impl Body {
    /// The body of `request`, which has none afterwards.
    pub(crate) async fn read(request: &mut Request) -> Result<Self, Fault> {
        if !is_json(request.headers()) {
            return Err(Fault::bad_request("Unsupported Content-Type"));
        }
        let announced = announced(request.headers());
        let bytes = bytes(announced, mem::take(request.body_mut())).await?;
        if bytes.is_empty() {
            return Err(Fault::malformed());
        }
        let malformed = || Fault::bad_request("Malformed request body");
        let value = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
        if has_nul(&value) {
            return Err(malformed());
        }
        Ok(Self(value))
    }

    /// The object below the body's only key `key`.
    pub(crate) fn only(&self, key: &'static str) -> Result<Fields<'_>, Fault> {
        let root = self.root()?;
        root.require(&[key])?;
        root.only(&[key])?;
        root.object(key)
    }

    /// The action that the body's only key names, and the body.
    pub(crate) fn action(&self) -> Result<(&str, Fields<'_>), Fault> {
        let root = self.root()?;
        let mut keys = root.keys();
        match (keys.next(), keys.next()) {
            (Some(name), None) => Ok((name, root)),
            (Some(_), Some(_)) => Err(Fault::bad_request("A request has one action only")),
            (None, _) => Err(Fault::bad_request("Malformed request body")),
        }
    }

    /// The whole body.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    /// The body itself as an object.
    pub(crate) fn root(&self) -> Result<Fields<'_>, Fault> {
        Fields::root(&self.0)
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Fault;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, Fault> {
        // The gate has read the bodies that it checked.
        match request.extensions_mut().remove::<Self>() {
            Some(read) => Ok(read),
            None => Self::read(&mut request).await,
        }
    }
}

/// Whether the request says that its body is JSON, or says nothing.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|value| {
        let kind = value.to_str().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

/// Whether any text holds the character NUL: PostgreSQL cannot store it, so that the same request
/// would be taken or fail by the database behind.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(entries) => entries
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The length that a request announces.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    (headers.get(header::CONTENT_LENGTH)?.to_str().ok()?)
        .parse()
        .ok()
}

/// The whole body, refused where it is too long, by its announced length before a byte is read.
async fn bytes(announced: Option<u64>, body: axum::body::Body) -> Result<Bytes, Fault> {
    if announced.is_some_and(|n| n > MAX_BODY as u64) {
        return Err(Fault::too_long());
    }
    axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Fault::too_long())
}

//! What a handler knows about its request beside the body: who, which version, which query.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebrick_control::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::{Answer, Fault};
use crate::links::Links;
use crate::list::open::ResourceFilters;
use crate::microversion::Microversion;
use crate::query::Query;

/// One request, behind the door.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Who asks.
    pub(crate) context: Context,
    /// At which version.
    pub(crate) version: Microversion,
    /// What links begin with.
    pub(crate) links: Links,
    /// The query of the address.
    pub(crate) query: Query,
    /// The filters that are open to everybody.
    pub(crate) filters: Arc<ResourceFilters>,
    /// The most items of a page.
    pub(crate) max_limit: u32,
}

impl Call {
    /// Refuses the request where its version is older than `version`: there is no such route then.
    pub(crate) fn since(&self, version: Microversion) -> Result<(), Fault> {
        if self.version < version {
            Err(Fault::no_route())
        } else {
            Ok(())
        }
    }

    /// Whether the request's version is `version` or newer.
    pub(crate) fn at(&self, version: Microversion) -> bool {
        self.version >= version
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parts
            .extensions
            .remove::<Self>()
            .ok_or_else(Fault::internal)
    }
}

/// The variable parts of an address, decoded.
pub(crate) struct Named<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for Named<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(path)| Self(path))
            .map_err(|_| Fault::no_route())
    }
}

/// `200` with a body.
pub(crate) fn ok(body: impl Serialize) -> Answer {
    said(StatusCode::OK, body)
}

/// `201` with a body.
pub(crate) fn created(body: impl Serialize) -> Answer {
    said(StatusCode::CREATED, body)
}

/// `202` with a body.
pub(crate) fn accepted(body: impl Serialize) -> Answer {
    said(StatusCode::ACCEPTED, body)
}

/// A page is some hundred kilobytes: what grows from nothing is copied again and again.
fn said(status: StatusCode, body: impl Serialize) -> Answer {
    let mut text = Vec::with_capacity(8 << 10);
    serde_json::to_writer(&mut text, &body).map_err(|_| Fault::internal())?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((status, kind, text).into_response())
}

/// A status without a body.
#[expect(clippy::unnecessary_wraps, reason = "what handlers end with")]
pub(crate) fn empty(status: StatusCode) -> Answer {
    Ok(Response::builder()
        .status(status)
        .body(axum::body::Body::empty())
        .unwrap_or_default())
}

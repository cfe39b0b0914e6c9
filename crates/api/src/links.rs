//! Links in answers.

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::query::Query;

/// What links of one answer begin with.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// Scheme and authority, without a slash at the end.
    base: String,
    /// The project as it stood in the address, with its slash.
    project: String,
}

impl Links {
    /// By the configured endpoint, else by the `Host` header.
    pub(crate) fn new(endpoint: Option<&str>, headers: &HeaderMap, project: Option<&str>) -> Self {
        let base = match endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').trim_end_matches("/v3").to_owned(),
            None => format!("http://{}", host(headers)),
        };
        Self { base, project: project.map(|p| format!("/{p}")).unwrap_or_default() }
    }

    /// The address of the API's root.
    pub(crate) fn root(&self) -> String {
        format!("{}/v3/", self.base)
    }

    /// The links of one thing: `self` with the version, `bookmark` without.
    pub(crate) fn of(&self, collection: &str, id: impl std::fmt::Display) -> Value {
        let Self { base, project } = self;
        json!([
            { "rel": "self", "href": format!("{base}/v3{project}/{collection}/{id}") },
            { "rel": "bookmark", "href": format!("{base}{project}/{collection}/{id}") },
        ])
    }

    /// The link to the page behind the one that ended with `marker`.
    pub(crate) fn next(&self, path: &str, query: &Query, marker: impl std::fmt::Display) -> Value {
        let query = query.with_marker(&marker.to_string());
        json!([{ "rel": "next", "href": format!("{}/v3{}/{path}?{query}", self.base, self.project) }])
    }
}

/// The `Host` header where it is one: it comes from outside and goes into answers.
fn host(headers: &HeaderMap) -> &str {
    headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .filter(|host| {
            !host.is_empty()
                && host.len() <= 255
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
        })
        .unwrap_or("localhost")
}

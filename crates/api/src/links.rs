//! Links in answers.

use std::fmt;

use axum::http::{HeaderMap, header};
use serde::ser::{Serialize, Serializer};

use crate::query::Query;

/// What links of one answer begin with.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// Scheme and authority, without a slash at the end.
    base: String,
    /// The project as it stood in the address, with its slash.
    project: String,
}

/// One link.
#[derive(serde::Serialize)]
pub(crate) struct Link<T> {
    rel: &'static str,
    href: T,
}

/// The address of one thing; written when it is sent, for lists are long.
pub(crate) struct Href<'a, I> {
    links: &'a Links,
    version: &'static str,
    collection: &'static str,
    id: I,
}

/// The links of one thing: `self` with the version, `bookmark` without.
pub(crate) type Both<'a, I> = [Link<Href<'a, I>>; 2];

impl Links {
    /// By the configured endpoint, else by the `Host` header.
    pub(crate) fn new(endpoint: Option<&str>, headers: &HeaderMap, project: Option<&str>) -> Self {
        let base = match endpoint {
            Some(endpoint) => endpoint
                .trim_end_matches('/')
                .trim_end_matches("/v3")
                .to_owned(),
            None => format!("http://{}", host(headers)),
        };
        Self {
            base,
            project: project.map(|p| format!("/{p}")).unwrap_or_default(),
        }
    }

    /// Scheme and authority.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The address of the API's root.
    pub(crate) fn root(&self) -> String {
        format!("{}/v3/", self.base)
    }

    /// The links of one thing.
    pub(crate) fn of<I: Copy>(&self, collection: &'static str, id: I) -> Both<'_, I> {
        let href = |version| Href {
            links: self,
            version,
            collection,
            id,
        };
        [
            Link {
                rel: "self",
                href: href("/v3"),
            },
            Link {
                rel: "bookmark",
                href: href(""),
            },
        ]
    }

    /// The link to the page behind the one that ended with `marker`.
    pub(crate) fn next(&self, path: &str, query: &Query, marker: &str) -> [Link<String>; 1] {
        let Self { base, project } = self;
        let query = query.with_marker(marker);
        [Link {
            rel: "next",
            href: format!("{base}/v3{project}/{path}?{query}"),
        }]
    }
}

impl<I: fmt::Display> fmt::Display for Href<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            links: Links { base, project },
            version,
            collection,
            id,
        } = self;
        write!(f, "{base}{version}{project}/{collection}/{id}")
    }
}

impl<I: fmt::Display> Serialize for Href<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
        })
        .unwrap_or("localhost")
}

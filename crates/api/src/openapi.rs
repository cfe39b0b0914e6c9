//! The OpenAPI document, made from the entries by which requests are checked.

mod operation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::Method;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::fault;
use crate::microversion::{HISTORY, Microversion};
use crate::route::Entry;

/// The name of a project within an address.
const PROJECT: &str = "project_id";

/// How many versions are kept as texts: clients ask for the newest, or for theirs.
const KEPT: usize = 4;

/// The documents of all versions, each made once.
pub(crate) struct Documents {
    entries: Vec<Entry>,
    /// Without the address of the service, which each request tells by its own.
    made: Mutex<BTreeMap<Microversion, Bytes>>,
}

impl Documents {
    /// Of these entries; nothing is made yet.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Self {
            entries,
            made: Mutex::default(),
        }
    }

    /// The document of that version for a service at `base`, as JSON.
    pub(crate) fn text(&self, version: Microversion, base: &str) -> Vec<u8> {
        let made = self.made(version);
        let servers = json!({ "servers": [{ "url": base }] }).to_string();
        // Two objects become one: the brace between them is a comma.
        let mut text = Vec::with_capacity(servers.len() + made.len());
        text.extend_from_slice(&servers.as_bytes()[..servers.len() - 1]);
        text.push(b',');
        text.extend_from_slice(made.get(1..).unwrap_or_default());
        text
    }

    fn made(&self, version: Microversion) -> Bytes {
        if let Some(made) = self.made.lock().get(&version) {
            return made.clone();
        }
        let text = Bytes::from(document(&self.entries, version).to_string());
        let mut made = self.made.lock();
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(version, text.clone());
        text
    }
}

/// All routes as they are at `version`.
fn document(entries: &[Entry], version: Microversion) -> Value {
    let mut paths = about();
    for entry in entries.iter().filter(|entry| entry.since <= version) {
        for project in [true, false] {
            let path = if project {
                format!("/v3/{{{PROJECT}}}{}", entry.path)
            } else {
                format!("/v3{}", entry.path)
            };
            let place = paths.entry(path).or_insert_with(|| json!({}));
            let method = verb(&entry.method);
            place[method] = operation::operation(entry, version, method, project);
        }
    }
    let fault = fault::SHAPE.render(version);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Firebrick: OpenStack Block Storage API v3",
            "version": version.to_string(),
            "description": "Every address exists with and without the project. The header \
                OpenStack-API-Version chooses the microversion, by which this document differs.",
            "x-openstack-microversions": history(version),
        },
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "apiKey", "in": "header", "name": "X-Auth-Token" },
            },
            "parameters": { "version": operation::version_header(version) },
            "schemas": { "fault": fault },
            "responses": {
                "fault": {
                    "description": "The request was refused, and why.",
                    "content": operation::json_of(&json!({ "$ref": "#/components/schemas/fault" })),
                },
            },
        },
    })
}

/// The method as documents write it.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "post",
        Method::PUT => "put",
        Method::DELETE => "delete",
        _ => "get",
    }
}

fn history(version: Microversion) -> Value {
    let known = HISTORY.iter().filter(|(since, _)| *since <= version);
    known
        .map(|(since, what)| (since.to_string(), json!(what)))
        .collect::<Map<_, _>>()
        .into()
}

/// What answers whoever asks which service this is.
fn about() -> Map<String, Value> {
    let answer = |id: &str, summary: &str, status: &str| {
        let response = json!({
            "description": summary,
            "content": operation::json_of(&json!({ "type": "object" })),
        });
        json!({
            "get": {
                "operationId": id,
                "summary": summary,
                "security": [{}],
                "responses": { status: response },
            },
        })
    };
    let mut paths = Map::new();
    for (path, id, summary, status) in [
        ("/", "versions", "The versions of the API.", "300"),
        ("/v3/", "version", "The one version.", "200"),
        ("/healthcheck", "health", "The sign of life.", "200"),
        ("/openapi.json", "document", "This document.", "200"),
    ] {
        paths.insert(path.to_owned(), answer(id, summary, status));
    }
    paths
}

//! One entry as an operation of the document.

use serde_json::{Map, Value, json};

use super::PROJECT;
use crate::microversion::Microversion;
use crate::route::{Action, Entry, Takes, newest};
use crate::schema::Schema;

/// `entry` at `version`, with or without the project in its address.
pub(super) fn operation(
    entry: &Entry,
    version: Microversion,
    method: &str,
    project: bool,
) -> Value {
    let mut out = json!({
        "operationId": id(entry, method, project),
        "parameters": parameters(entry, project),
        "responses": responses(entry, version),
    });
    let since = entry.since;
    if since > Microversion::MIN {
        out["x-openstack-since"] = json!(since.to_string());
    }
    if !entry.rules.is_empty() {
        out["x-openstack-policies"] = json!(entry.rules);
    }
    if let Some(body) = body(entry, version) {
        out["requestBody"] = json!({ "required": true, "content": json_of(&body) });
    }
    out
}

/// The content of a body of JSON.
pub(super) fn json_of(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The header that chooses the version; without it a request is one of 3.0.
pub(super) fn version_header(version: Microversion) -> Value {
    json!({
        "name": "OpenStack-API-Version",
        "in": "header",
        "required": version > Microversion::MIN,
        "description": "The microversion that this document describes.",
        "schema": { "type": "string", "enum": [format!("volume {version}")] },
    })
}

fn id(entry: &Entry, method: &str, project: bool) -> String {
    let name: String = (entry.path.chars())
        .filter(|c| !matches!(c, '{' | '}'))
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let end = if project { "_of_project" } else { "" };
    format!("{method}{name}{end}")
}

/// The variable parts of an address.
fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameters(entry: &Entry, project: bool) -> Vec<Value> {
    let mut parameters = vec![json!({ "$ref": "#/components/parameters/version" })];
    for name in project
        .then_some(PROJECT)
        .into_iter()
        .chain(variables(entry.path))
    {
        parameters.push(json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": { "type": "string", "minLength": 1 },
        }));
    }
    for name in entry.query {
        parameters.push(json!({ "name": name, "in": "query", "schema": { "type": "string" } }));
    }
    parameters
}

/// The actions that are known at `version`.
fn known(
    actions: &'static [Action],
    version: Microversion,
) -> impl Iterator<Item = &'static Action> {
    actions.iter().filter(move |action| action.since <= version)
}

fn body(entry: &Entry, version: Microversion) -> Option<Value> {
    match entry.takes {
        Takes::Nothing => None,
        Takes::Body(bodies) => newest(bodies, version).map(|schema| schema.render(version)),
        Takes::Action(actions) => {
            let one = |action: &Action| {
                let below = newest(action.body, version).map(|schema| schema.render(version));
                let key = action.key;
                let mut shape = json!({
                    "type": "object",
                    "required": [key],
                    "properties": { key: below.unwrap_or(json!({})) },
                    "additionalProperties": false,
                });
                if !action.rules.is_empty() {
                    shape["x-openstack-policies"] = json!(action.rules);
                }
                shape
            };
            let choices: Vec<Value> = known(actions, version).map(one).collect();
            Some(json!({ "oneOf": choices }))
        }
    }
}

fn responses(entry: &Entry, version: Microversion) -> Value {
    let mut out = Map::new();
    let mut put = |status: u16, schema: Option<&Schema>| {
        let place = out
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": "It was done, or is under way." }));
        if let Some(schema) = schema {
            let schema = schema.render(version);
            place["content"] = if entry.plain {
                json!({ "text/html": { "schema": schema } })
            } else {
                json_of(&schema)
            };
        }
    };
    match entry.takes {
        Takes::Nothing | Takes::Body(_) => put(entry.ok, entry.answer),
        Takes::Action(actions) => {
            // More than one action may be answered with 200, and only some of them with a body.
            for action in known(actions, version) {
                put(action.ok, action.answer);
            }
        }
    }
    for refused in ["4XX", "503"] {
        out.insert(
            refused.to_owned(),
            json!({ "$ref": "#/components/responses/fault" }),
        );
    }
    Value::Object(out)
}

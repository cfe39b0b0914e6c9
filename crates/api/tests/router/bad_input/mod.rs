//! Every route of the document with what it does not take: refused in the form of a fault, and nothing
//! is changed by it. What there is to be spoilt is read from the document, so that a new route is
//! asked too.

mod rows;
mod shapes;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use firebrick_api::ApiOptions;
use firebrick_control::ControlOptions;
use serde_json::{Value, json};

use crate::NOWHERE;
use crate::common::{Api, Reply, keystone};
use crate::policy::{Things, endless};
use rows::{is_at_work, rows};
use shapes::{example, spoilt};

/// The first part of an address, and what is there to be asked about.
const THINGS: [(&str, &str); 12] = [
    ("activities", "{activity}"),
    ("attachments", "{attachment}"),
    ("backups", "{backup}"),
    ("messages", "{message}"),
    ("os-volume-transfer", "{transfer}"),
    ("qos-specs", "{qos}"),
    ("snapshots", "{snapshot}"),
    ("types", "{type}"),
    ("volume-transfers", "{transfer}"),
    ("volumes", "{volume}"),
    ("groups", NOWHERE),
    ("group_snapshots", NOWHERE),
];

/// Things of one project, which others do not see.
const OWNED: [&str; 7] = [
    "activities",
    "attachments",
    "backups",
    "messages",
    "snapshots",
    "volume-transfers",
    "volumes",
];

/// One method of one address.
struct Operation {
    method: String,
    /// With its variable parts in braces.
    path: String,
    /// What its body must be; null without one.
    body: Value,
    /// The parameters of its query.
    query: Vec<String>,
}

impl Operation {
    /// The first part of the address.
    fn first(&self) -> &str {
        self.path.split('/').nth(2).unwrap_or_default()
    }

    /// What the bodies must be, each action on its own; none without a body.
    fn schemas(&self) -> Vec<Value> {
        match self.body.get("oneOf") {
            Some(Value::Array(actions)) => actions.clone(),
            Some(_) | None if self.body.is_null() => Vec::new(),
            Some(_) | None => vec![self.body.clone()],
        }
    }

    /// Bodies as they should be; an empty one without.
    fn bodies(&self) -> Vec<String> {
        if self.body.is_null() {
            return vec![String::new()];
        }
        let schemas = self.schemas();
        schemas.iter().map(|it| example(it).to_string()).collect()
    }

    /// The address with `id` for its first variable part.
    fn at(&self, id: &str) -> String {
        let mut path = self.path.replacen("{id}", id, 1);
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, "nothing");
        }
        path
    }
}

/// Nothing is tried again.
fn once(options: &mut ControlOptions) {
    endless(options);
    options.runner.attempts = 1;
}

struct Walk {
    api: Api,
    things: Things,
}

impl Walk {
    async fn new() -> Self {
        let auth = keystone::strategy().await;
        let options = ApiOptions {
            auth,
            ..ApiOptions::default()
        };
        let api = Api::made(once, options).await;
        let things = Things::new(&api).await;
        // What making them began fails, as there is no backend, and is not to be seen as a change.
        while is_at_work(&api.db).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { api, things }
    }

    /// All operations at a version, without the project in their addresses.
    async fn operations(&self, version: &str) -> Vec<Operation> {
        let request = Request::get("/openapi.json")
            .header("openstack-api-version", format!("volume {version}"));
        let reply = self.api.send(request.body(Body::empty()).unwrap()).await;
        let paths = reply.body["paths"].as_object().unwrap().clone();
        let mut found = Vec::new();
        for (path, methods) in &paths {
            if !path.starts_with("/v3/") || path.len() == 4 || path.contains("{project_id}") {
                continue;
            }
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().unwrap().iter();
                let query = parameters.filter(|it| it["in"] == "query");
                let content = &operation["requestBody"]["content"];
                found.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    body: content["application/json"]["schema"].clone(),
                    query: query
                        .map(|it| it["name"].as_str().unwrap().to_owned())
                        .collect(),
                });
            }
        }
        assert!(found.len() > 60, "{}", found.len());
        found
    }

    /// Something that an address may be about.
    async fn thing(&self, operation: &Operation) -> String {
        let known = THINGS.iter().find(|(first, _)| *first == operation.first());
        match known.filter(|_| operation.path.contains("{id}")) {
            Some((_, name)) => self.things.filled(&self.api, name).await,
            None => NOWHERE.to_owned(),
        }
    }

    async fn send(&self, asked: &Asked<'_>) -> Reply {
        let mut request = Request::builder()
            .method(asked.method)
            .uri(asked.path)
            .header("x-auth-token", asked.token)
            .header("openstack-api-version", asked.version);
        if let Some(kind) = asked.kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let body = Body::from(asked.body.to_vec());
        self.api.send(request.body(body).unwrap()).await
    }

    /// The rows of the database.
    async fn rows(&self) -> Vec<String> {
        rows(&self.api.db).await
    }
}

/// A request.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    version: &'a str,
    token: &'a str,
    kind: Option<&'a str>,
    body: &'a [u8],
}

impl<'a> Asked<'a> {
    fn new(operation: &'a Operation, path: &'a str, version: &'a str, body: &'a [u8]) -> Self {
        Self {
            method: &operation.method,
            path,
            version,
            token: ADMIN,
            kind: Some("application/json"),
            body,
        }
    }
}

/// The token of an administrator.
const ADMIN: &str = "admin@0123456789abcdef0123456789abcdef";

/// What is wrong with a refusal, if something is.
fn wrong(reply: &Reply) -> Option<String> {
    let status = reply.status.as_u16();
    if !(400..500).contains(&status) {
        return Some(format!("answered with {status}: {}", reply.body));
    }
    let faults = reply.body.as_object().filter(|body| body.len() == 1);
    let fault = faults.and_then(|body| body.values().next());
    let told = fault.filter(|it| it["code"] == json!(status) && it["message"].is_string());
    told.is_none()
        .then(|| format!("{status} is in no fault: {}", reply.body))
}

/// The beginning of a text that may be long.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

/// What was found wrong, and the rows of the database as they must stay.
struct Findings {
    rows: Vec<String>,
    wrong: Vec<String>,
}

impl Findings {
    async fn new(walk: &Walk) -> Self {
        Self {
            rows: walk.rows().await,
            wrong: Vec::new(),
        }
    }

    fn note(&mut self, asked: &Asked<'_>, reply: &Reply) {
        if let Some(why) = wrong(reply) {
            let Asked {
                method,
                path,
                version,
                ..
            } = asked;
            let body = cut(&String::from_utf8_lossy(asked.body));
            self.wrong.push(format!(
                "{method} {} at {version:?} {body}: {why}",
                cut(path)
            ));
        }
    }

    /// Looks whether anything was changed meanwhile.
    async fn unchanged(&mut self, walk: &Walk, by: &Operation) {
        let now = walk.rows().await;
        if now != self.rows {
            let new = now.iter().filter(|row| !self.rows.contains(row));
            let new: Vec<_> = new.map(|row| cut(row)).collect();
            self.wrong
                .push(format!("{} {} changed rows: {new:?}", by.method, by.path));
            self.rows = now;
        }
    }

    /// Something new is there to be asked about.
    async fn renew(&mut self, walk: &Walk) {
        self.rows = walk.rows().await;
    }

    #[track_caller]
    fn check(self) {
        let shown: Vec<_> = self.wrong.iter().take(40).collect();
        assert!(
            shown.is_empty(),
            "{} findings: {shown:#?}",
            self.wrong.len()
        );
    }
}

#[tokio::test]
async fn bodies_that_the_document_does_not_allow_are_refused() {
    let walk = Walk::new().await;
    let mut findings = Findings::new(&walk).await;
    let mut seen = BTreeSet::new();
    let mut asked = 0;
    for version in ["3.71", "3.52", "3.0"] {
        let named = format!("volume {version}");
        for operation in walk.operations(version).await {
            let known = (
                operation.method.clone(),
                operation.path.clone(),
                operation.body.to_string(),
            );
            if operation.body.is_null() || !seen.insert(known) {
                continue;
            }
            let path = operation.at(&walk.thing(&operation).await);
            findings.renew(&walk).await;
            for body in operation.schemas().iter().flat_map(spoilt) {
                let body = body.to_string();
                let one = Asked::new(&operation, &path, &named, body.as_bytes());
                findings.note(&one, &walk.send(&one).await);
                asked += 1;
            }
            findings.unchanged(&walk, &operation).await;
        }
    }
    assert!(asked > 3000, "{asked}");
    findings.check();
}

#[tokio::test]
async fn what_is_no_json_of_an_object_is_refused() {
    let walk = Walk::new().await;
    let mut findings = Findings::new(&walk).await;
    let deep = "[".repeat(50_000);
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let huge = format!("{{\"a\": \"{}\"}}", "x".repeat(200_000));
    for operation in walk.operations("3.71").await {
        if operation.body.is_null() {
            continue;
        }
        let path = operation.at(&walk.thing(&operation).await);
        findings.renew(&walk).await;
        let whole = example(&operation.body).to_string();
        let nul = whole.replacen(':', ": \"\\u0000\", \"x\":", 1);
        let named = "volume 3.71";
        for body in [
            b"".as_slice(),
            b"{",
            b"nothing",
            b"null",
            b"1",
            b"\"text\"",
            b"[]",
            b"[{}]",
            b"{\"a\": \xff\xfe}",
            &whole.as_bytes()[..whole.len() - 1],
            nul.as_bytes(),
            deep.as_bytes(),
            deep_objects.as_bytes(),
            huge.as_bytes(),
        ] {
            let one = Asked::new(&operation, &path, named, body);
            findings.note(&one, &walk.send(&one).await);
        }
        for kind in [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "\u{7f}",
        ] {
            let Ok(kind) = header::HeaderValue::from_bytes(kind.as_bytes()) else {
                continue;
            };
            let one = Asked {
                kind: kind.to_str().ok(),
                ..Asked::new(&operation, &path, named, whole.as_bytes())
            };
            findings.note(&one, &walk.send(&one).await);
        }
        findings.unchanged(&walk, &operation).await;
    }
    findings.check();
}

#[tokio::test]
async fn ids_that_nothing_has_are_refused() {
    let walk = Walk::new().await;
    let mut findings = Findings::new(&walk).await;
    let long = "x".repeat(4000);
    for operation in walk.operations("3.71").await {
        let is_known = THINGS.iter().any(|(first, _)| *first == operation.first());
        if !operation.path.contains("{id}") || !is_known {
            continue;
        }
        for id in [
            NOWHERE,
            "nothing",
            "%20",
            "%C3%A9",
            "%E2%80%AE",
            "%00",
            "%FF",
            "'%3B--",
            "..%2F..",
            "%25",
            "-1",
            &long,
        ] {
            let path = operation.at(id);
            for body in operation.bodies() {
                let one = Asked::new(&operation, &path, "volume 3.71", body.as_bytes());
                findings.note(&one, &walk.send(&one).await);
            }
        }
        findings.unchanged(&walk, &operation).await;
    }
    findings.check();
}

#[tokio::test]
async fn other_projects_find_nothing() {
    let walk = Walk::new().await;
    let mut findings = Findings::new(&walk).await;
    for operation in walk.operations("3.71").await {
        if !operation.path.contains("{id}") || !OWNED.contains(&operation.first()) {
            continue;
        }
        let path = operation.at(&walk.thing(&operation).await);
        findings.renew(&walk).await;
        for token in [
            "member@ffffffffffffffffffffffffffffffff",
            "reader@ffffffffffffffffffffffffffffffff",
        ] {
            for body in operation.bodies() {
                let one = Asked {
                    token,
                    ..Asked::new(&operation, &path, "volume 3.71", body.as_bytes())
                };
                findings.note(&one, &walk.send(&one).await);
            }
        }
        findings.unchanged(&walk, &operation).await;
    }
    findings.check();
}

#[tokio::test]
async fn versions_that_there_are_not_are_refused() {
    let walk = Walk::new().await;
    let mut findings = Findings::new(&walk).await;
    for operation in walk.operations("3.71").await {
        let path = operation.at(&walk.thing(&operation).await);
        findings.renew(&walk).await;
        for version in [
            "volume 3.72",
            "volume 2.0",
            "volume 4.0",
            "volume",
            "volume x",
            "volume 3",
            "volume 3.",
            "volume 3.-1",
            "volume 3.99999999999999999999",
            "volume 3.1.1",
        ] {
            for body in operation.bodies() {
                let one = Asked::new(&operation, &path, version, body.as_bytes());
                findings.note(&one, &walk.send(&one).await);
            }
        }
        findings.unchanged(&walk, &operation).await;
    }
    findings.check();
}

/// Not all of them are refused: some filter, and find nothing.
#[tokio::test]
async fn odd_values_in_queries_break_nothing() {
    let walk = Walk::new().await;
    let mut findings = Findings::new(&walk).await;
    let long = "x".repeat(5000);
    let many = "a=b&".repeat(200);
    for version in ["volume 3.71", "volume 3.0"] {
        for operation in walk.operations(&version[7..]).await {
            if operation.method != "GET" {
                continue;
            }
            let path = operation.at(&walk.thing(&operation).await);
            findings.renew(&walk).await;
            let mut queries = vec![many.clone(), "%FF=1".to_owned(), "=".to_owned()];
            for name in operation
                .query
                .iter()
                .map(String::as_str)
                .chain(["no_such"])
            {
                let odd = [
                    "",
                    "x",
                    "-1",
                    "1.5",
                    "99999999999999999999",
                    "null",
                    "%00",
                    "%FF",
                    "%E2%80%AE",
                    "'%3B--",
                    "%7B%7D",
                    "%7B'a'%3A1",
                    "gt%3A",
                    "gt%3Ax",
                    "x:asc,y:up",
                    "%25%5F",
                    &long,
                ];
                queries.extend(odd.map(|value| format!("{name}={value}")));
            }
            for query in &queries {
                let full = format!("{path}?{query}");
                let one = Asked::new(&operation, &full, version, b"");
                let reply = walk.send(&one).await;
                if !reply.status.is_success() && reply.status.as_u16() != 503 {
                    findings.note(&one, &reply);
                }
            }
            findings.unchanged(&walk, &operation).await;
        }
    }
    findings.check();
}

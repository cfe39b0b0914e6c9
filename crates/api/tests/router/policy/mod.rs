//! Every rule with every kind of caller, as requests with tokens, against the table of a real Cinder.

mod groups;
mod running;
mod table;
mod things;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use firebrick_api::{ApiOptions, AuthStrategy};
use firebrick_control::ControlOptions;
use firebrick_policy::{Defaults, Policy, Rule};
use serde_json::Value;

use crate::common::{Api, Reply, keystone};
use table::{FIELDS, Row, UNASKED, asked};
pub(crate) use things::Things;

/// Name, default and requests of each rule, as Cinder lists them.
const CINDER: &str = include_str!("../../../../policy/tests/policies.txt");

/// The project of all that is asked about.
pub(crate) const HERE: &str = "0123456789abcdef0123456789abcdef";
/// Another project.
const THERE: &str = "ffffffffffffffffffffffffffffffff";

/// Roles and scopes as the Keystone of these tests writes them into tokens. Those who may do most
/// come first, so that they find what they ask for.
const CALLERS: [(&str, &str); 7] = [
    ("admin", HERE),
    ("member", HERE),
    ("reader", HERE),
    ("member", THERE),
    ("reader", THERE),
    ("reader", "system"),
    ("stranger", HERE),
];

/// Who passes a rule.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Class {
    Admins,
    Members,
    Readers,
}

fn classes() -> BTreeMap<&'static str, Class> {
    let class = |check| match check {
        "rule:admin_api" => Some(Class::Admins),
        "rule:xena_system_admin_or_project_member" => Some(Class::Members),
        "rule:xena_system_admin_or_project_reader" => Some(Class::Readers),
        _ => None,
    };
    let cells = CINDER.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        Some((cells.next()?, class(cells.next()?)?))
    });
    // Cinder's table says nothing of what Cinder does not have; the documentation does.
    let own = [
        ("firebrick:activity:get", Class::Readers),
        ("firebrick:activity:get_all", Class::Readers),
        ("firebrick:activity:cancel", Class::Members),
        ("firebrick:replication:check", Class::Readers),
        ("firebrick:replication:failover", Class::Admins),
        ("firebrick:replication:drill", Class::Members),
        ("firebrick:replication:enable", Class::Admins),
        ("firebrick:replication:disable", Class::Admins),
        ("firebrick:replication:get", Class::Readers),
        ("firebrick:replication:get_all", Class::Readers),
        ("firebrick:service:reset_active_backend", Class::Admins),
    ];
    cells.chain(own).collect()
}

/// Whether somebody with `role` for `scope` passes rules of `class`, about something of [`HERE`] where
/// it is `owned`, and else about what is their own.
fn passes(class: Class, role: &str, scope: &str, owned: bool) -> bool {
    let within = scope == HERE || (!owned && scope != "system");
    match role {
        "admin" => true,
        "member" => within && class >= Class::Members,
        "reader" => within && class == Class::Readers,
        _ => false,
    }
}

impl Row {
    /// Whether it is about something that belongs to [`HERE`].
    fn is_owned(&self) -> bool {
        let named = |text: &str| {
            let owned = [
                "{volume}",
                "{busy}",
                "{reserved}",
                "{boot}",
                "{snapshot}",
                "{backup}",
                "{group}",
                "{groupsnapshot}",
                "{attachment}",
                "{imaged}",
                "{transfer}",
                "{activity}",
                "{message}",
                "{here}",
            ];
            owned.iter().any(|name| text.contains(name))
        };
        named(self.path) || named(self.body)
    }
}

/// Things are made for each request.
pub(crate) fn endless(options: &mut ControlOptions) {
    options.quotas.volumes = -1;
    options.quotas.snapshots = -1;
    options.quotas.gigabytes = -1;
    options.quotas.groups = -1;
}

struct Walk {
    api: Api,
    auth: AuthStrategy,
    things: Things,
}

impl Walk {
    async fn new() -> Self {
        let auth = keystone::strategy().await;
        let api = ApiOptions {
            auth: auth.clone(),
            ..ApiOptions::default()
        };
        let api = Api::made(endless, api).await;
        let things = Things::new(&api).await;
        Self { api, auth, things }
    }

    /// From here on under the policy of this `policy.yaml`.
    fn under(&mut self, file: &str) {
        let (policy, remarks) = Policy::parse(file, Defaults::New).unwrap();
        assert_eq!(remarks, []);
        self.api.change(ApiOptions {
            auth: self.auth.clone(),
            policy: Arc::new(policy),
            ..ApiOptions::default()
        });
    }

    async fn ask(&self, row: &Row, role: &str, scope: &str) -> Reply {
        let asked = self.filled(row).await;
        self.send(row.method, asked, role, scope).await
    }

    /// The same under the policy of this `policy.yaml`, about what there was before.
    async fn ask_under(&mut self, file: &str, row: &Row, role: &str, scope: &str) -> Reply {
        self.under("{}");
        let asked = self.filled(row).await;
        self.under(file);
        self.send(row.method, asked, role, scope).await
    }

    async fn filled(&self, row: &Row) -> (String, Value) {
        let path = self.things.filled(&self.api, row.path).await;
        let body = self.things.filled(&self.api, row.body).await;
        let body = match body.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap(),
        };
        (format!("/v3{path}"), body)
    }

    async fn send(&self, method: &str, asked: (String, Value), role: &str, scope: &str) -> Reply {
        let (path, body) = asked;
        let token = format!("{role}@{scope}");
        let tokens = [("x-auth-token", token.as_str()), things::SERVICE];
        self.api.ask(&tokens, method, &path, body).await
    }
}

fn told(row: &Row, role: &str, scope: &str, reply: &Reply) -> String {
    let Row {
        rule, method, path, ..
    } = row;
    format!(
        "{rule}: {method} {path} by {role}@{scope}: {} {}",
        reply.status, reply.body
    )
}

/// What those are told who may not do what `rule` is about.
fn refusal(rule: &str) -> String {
    if rule.starts_with("volume_extension:default_") {
        return "You are not authorized to perform this operation.".to_owned();
    }
    format!("Policy doesn't allow {rule} to be performed.")
}

#[tokio::test]
async fn everybody_may_do_what_cinders_table_says() {
    let walk = Walk::new().await;
    let classes = classes();
    let mut wrong = Vec::new();
    for row in asked() {
        let class = classes[row.rule];
        for (role, scope) in CALLERS {
            let reply = walk.ask(row, role, scope).await;
            let told = told(row, role, scope, &reply);
            if passes(class, role, scope, row.is_owned()) {
                if reply.status.as_u16() != row.passes {
                    wrong.push(format!("{told}, not {}", row.passes));
                }
                continue;
            }
            // What somebody may not even look at is not there for them.
            let hidden = row.is_owned() && reply.status == StatusCode::NOT_FOUND;
            let refused = reply.body["forbidden"]["message"].as_str();
            let expected = reply.status == StatusCode::FORBIDDEN
                && refused.is_some_and(|text| {
                    text == refusal(row.rule) || text.starts_with("Policy doesn't allow ")
                });
            if !hidden && !expected {
                wrong.push(told);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn fields_are_shown_to_whom_cinders_table_says() {
    let walk = Walk::new().await;
    let classes = classes();
    for (row, field) in FIELDS {
        for (role, scope) in CALLERS {
            let reply = walk.ask(row, role, scope).await;
            let told = told(row, role, scope, &reply);
            if reply.status != StatusCode::OK {
                assert_ne!(role, "admin", "{told}");
                continue;
            }
            let shown = reply.body.pointer(field).is_some();
            let may = passes(classes[row.rule], role, scope, row.is_owned());
            assert_eq!(shown, may, "{field}: {told}");
        }
    }
}

#[tokio::test]
async fn a_rule_of_the_operators_holds_instead() {
    let mut walk = Walk::new().await;
    let mut wrong = Vec::new();
    for row in asked() {
        let file = format!("\"{}\": \"!\"\n", row.rule);
        let reply = walk.ask_under(&file, row, "admin", HERE).await;
        let told = told(row, "admin", HERE, &reply);
        let refused = reply.body["forbidden"]["message"].as_str();
        // As in Cinder, a volume that somebody may not look at is not there.
        let hidden = row.rule == "volume:get" && reply.status == StatusCode::NOT_FOUND;
        if !hidden && refused != Some(refusal(row.rule).as_str()) {
            wrong.push(told);
        }
        // And it can be opened to those to whom it was closed.
        let mut file = format!("\"{}\": \"\"\n", row.rule);
        if row.rule != "volume:get" {
            file += "\"volume:get\": \"\"\n";
        }
        let reply = walk.ask_under(&file, row, "stranger", HERE).await;
        let denied = reply.body["forbidden"]["message"].as_str();
        assert_ne!(denied, Some(refusal(row.rule).as_str()));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (row, field) in FIELDS {
        let file = format!("\"{}\": \"!\"\n", row.rule);
        let reply = walk.ask_under(&file, row, "admin", HERE).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.body.pointer(field), None, "{}", row.rule);
    }
}

/// Each rule is asked or it is said why not; and no route says that it asks one that nothing tries.
#[tokio::test]
async fn every_rule_is_walked() {
    let mut asked: BTreeSet<&str> = table::asked().map(|row| row.rule).collect();
    asked.extend(FIELDS.iter().map(|(row, _)| row.rule));
    let excused: BTreeSet<&str> = (UNASKED.iter())
        .flat_map(|(_, rules)| rules.iter().copied())
        .collect();
    let both: Vec<_> = asked.intersection(&excused).collect();
    assert!(both.is_empty(), "asked and in UNASKED too: {both:?}");
    for name in asked.iter().chain(&excused) {
        assert!(Rule::named(name).is_some(), "{name} is no rule");
    }
    let forgotten: Vec<_> = (Rule::ALL.iter().map(|rule| rule.name()))
        .filter(|name| !asked.contains(name) && !excused.contains(name))
        .collect();
    assert!(
        forgotten.is_empty(),
        "neither asked nor in UNASKED: {forgotten:?}"
    );
    let document = Api::new().await.get("/openapi.json").await.body;
    let mut named = BTreeSet::new();
    collect(&document, &mut named);
    assert!(named.len() > 50, "{named:?}");
    let untried: Vec<_> = named
        .iter()
        .filter(|name| !asked.contains(name.as_str()))
        .collect();
    assert!(
        untried.is_empty(),
        "routes name these rules; give each a row: {untried:?}"
    );
}

/// The rules that a part of the description names.
fn collect(part: &Value, into: &mut BTreeSet<String>) {
    match part {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "x-openstack-policies" {
                    let names = value.as_array().unwrap().iter();
                    into.extend(names.map(|name| name.as_str().unwrap().to_owned()));
                } else {
                    collect(value, into);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|part| collect(part, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

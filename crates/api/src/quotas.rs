//! Quotas of projects and of classes: `/os-quota-sets/{project}` and `/os-quota-class-sets/{class}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, HardLimits, QuotaSet};
use firebrick_vocabulary::ProjectId;
use serde_json::{Map, Value, json};

use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::route::{self, Route, get, put};
use crate::schema::quotas as bodies;
use crate::view::quota as view;

const SET: &str = "/os-quota-sets/{project}";
const CLASS: &str = "/os-quota-class-sets/{class}";

/// The longest id of a project, and name of a class.
const MAX_NAME: usize = 255;

/// Everything below `/os-quota-sets` and `/os-quota-class-sets`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get(SET, show)
            .answer(&view::SET_OR_USE)
            .rules(&["volume_extension:quotas:show"])
            .query(&["usage"]),
        get("/os-quota-sets/{project}/defaults", defaults)
            .answer(&view::SET)
            .rules(&["volume_extension:quotas:show"]),
        put(SET, update)
            .answer(&view::SET)
            .rules(&["volume_extension:quotas:update"])
            .body(bodies::UPDATE),
        route::delete(SET, delete)
            .rules(&["volume_extension:quotas:delete"])
            .ok(200),
        get(CLASS, show_class)
            .answer(&view::CLASS)
            .rules(&["volume_extension:quota_classes:get"]),
        put(CLASS, update_class)
            .answer(&view::CLASS)
            .rules(&["volume_extension:quota_classes:update"])
            .body(bodies::UPDATE_CLASS),
    ]
}

/// The limits, and whose they are.
fn of(whose: &str, set: QuotaSet) -> Map<String, Value> {
    let mut shown: Map<String, Value> = set
        .into_iter()
        .map(|(name, limit)| (name, json!(limit)))
        .collect();
    shown.insert("id".to_owned(), json!(whose));
    shown
}

async fn show(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let project = project(&id)?;
    if !call.query.flag("usage")? {
        let set = control.quota_set(&call.context, &project).await?;
        return ok(json!({ "quota_set": of(&id, set) }));
    }
    let used = control.quota_use(&call.context, &project).await?;
    let mut shown: Map<String, Value> = used
        .into_iter()
        .map(|(name, used)| {
            let (limit, in_use, reserved) = (used.limit, used.in_use, used.reserved);
            let used = json!({ "limit": limit, "in_use": in_use, "reserved": reserved });
            (name, used)
        })
        .collect();
    shown.insert("id".to_owned(), json!(id));
    ok(json!({ "quota_set": shown }))
}

async fn defaults(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let project = project(&id)?;
    let set = control.quota_defaults(&call.context, &project).await?;
    ok(json!({ "quota_set": of(&id, set) }))
}

async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let project = project(&id)?;
    let change = read(&body.only("quota_set")?, &["id", "tenant_id"])?;
    let set = control.set_quotas(&call.context, &project, change).await?;
    ok(json!({ "quota_set": set }))
}

async fn delete(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let project = project(&id)?;
    control.delete_quotas(&call.context, &project).await?;
    empty(StatusCode::OK)
}

async fn show_class(
    State(control): State<Control>,
    Named(class): Named<String>,
    call: Call,
) -> Answer {
    named(&class, "quota_class_name")?;
    let set = control.quota_class(&call.context, &class).await?;
    ok(json!({ "quota_class_set": of(&class, set) }))
}

async fn update_class(
    State(control): State<Control>,
    Named(class): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    named(&class, "quota_class_name")?;
    let change = read(&body.only("quota_class_set")?, &[])?;
    let set = control
        .set_quota_class(&call.context, &class, change)
        .await?;
    ok(json!({ "quota_class_set": set }))
}

fn project(id: &str) -> Result<ProjectId, Fault> {
    named(id, "quota_set_name")?;
    Ok(ProjectId(id.to_owned()))
}

fn named(text: &str, what: &str) -> Result<(), Fault> {
    if text.chars().count() <= MAX_NAME {
        return Ok(());
    }
    Err(Fault::invalid_input(format!(
        "{what} has {} characters, more than {MAX_NAME}.",
        text.chars().count()
    )))
}

/// The limits in a body, which may be in digits.
fn read(fields: &Fields<'_>, others: &[&str]) -> Result<HardLimits, Fault> {
    let entries = fields.entries().iter();
    let limits = entries.filter(|(key, _)| !others.contains(&key.as_str()));
    limits
        .map(|(key, value)| Ok((key.clone(), limit(key, value)?)))
        .collect()
}

fn limit(key: &str, value: &Value) -> Result<i64, Fault> {
    let number = value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .ok_or_else(|| Fault::invalid_input(format!("{key} must be an integer.")))?;
    if number < -1 {
        return Err(Fault::invalid_input(format!("{key} must be >= -1.")));
    }
    if number > bodies::MAX_LIMIT {
        let most = bodies::MAX_LIMIT;
        return Err(Fault::invalid_input(format!("{key} must be <= {most}.")));
    }
    Ok(number)
}

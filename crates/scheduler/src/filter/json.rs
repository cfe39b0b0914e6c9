//! `JsonFilter`: a condition that the user wrote, like `["and", [">=", "$free_capacity_gb", 1024],
//! ["=", "$capabilities.multiattach", true]]`.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use serde_json::{Map, Value, json};

use crate::capacity::Capacity;
use crate::pool::{Capability, PoolState};
use crate::request::Request;

/// The longest condition, in bytes. How deeply it may be nested is bounded by the reader of JSON.
const LENGTH_MAX: usize = 4096;

pub(super) fn refuses(request: &Request, pool: &PoolState) -> Option<String> {
    let query = request.query.as_ref().filter(|query| !query.is_empty())?;
    match holds(query, pool) {
        Ok(true) => None,
        Ok(false) => Some("the query does not fit".to_owned()),
        Err(why) => Some(format!("the query {why}")),
    }
}

fn holds(query: &str, pool: &PoolState) -> Result<bool, String> {
    if query.len() > LENGTH_MAX {
        return Err("is too long".to_owned());
    }
    let query: Value = serde_json::from_str(query).map_err(|_| "is not JSON".to_owned())?;
    Ok(is_true(&value(&query, &described(pool))?))
}

/// What can be asked of a pool: `$name` or `$capabilities.name`.
fn described(pool: &PoolState) -> Value {
    let size = |size: Capacity| match size {
        Capacity::Gigabytes(size) => json!(size),
        Capacity::Infinite | Capacity::Unknown => json!(size.to_string()),
    };
    let capability = |name: &str| pool.capabilities.get(name).map(written);
    json!({
        "host": pool.host.to_string(),
        "backend_id": pool.host.to_string(),
        "total_capacity_gb": size(pool.total),
        "free_capacity_gb": size(pool.free),
        "allocated_capacity_gb": pool.allocated,
        "provisioned_capacity_gb": pool.provisioned,
        "reserved_percentage": pool.reserved_percentage,
        "max_over_subscription_ratio": pool.ratio(),
        "thin_provisioning_support": pool.thin,
        "thick_provisioning_support": !pool.thin,
        "volume_backend_name": capability("volume_backend_name"),
        "vendor_name": capability("vendor_name"),
        "driver_version": capability("driver_version"),
        "storage_protocol": capability("storage_protocol"),
        "QoS_support": capability("QoS_support"),
        "multiattach": capability("multiattach"),
        "capabilities": pool
            .capabilities
            .iter()
            .map(|(key, value)| (key.clone(), written(value)))
            .collect::<Map<_, _>>(),
    })
}

fn written(capability: &Capability) -> Value {
    match capability {
        Capability::Flag(flag) => json!(flag),
        Capability::Text(text) => json!(text),
        Capability::Number(number) => json!(number),
        Capability::List(items) => json!(items),
        Capability::Map(inner) => inner
            .iter()
            .map(|(key, value)| (key.clone(), written(value)))
            .collect(),
    }
}

/// As in Python: what is empty or zero is no.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_true),
        Value::Object(map) => !map.is_empty(),
    }
}

fn value(query: &Value, pool: &Value) -> Result<Value, String> {
    match query {
        Value::Array(items) => command(items, pool),
        Value::String(text) => Ok(match text.strip_prefix('$') {
            Some(path) => look_up(path, pool),
            None => query.clone(),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Ok(query.clone()),
    }
}

fn look_up(path: &str, pool: &Value) -> Value {
    let mut words = path.split('.');
    let found = words.try_fold(pool, |found, word| found.get(word));
    found.cloned().unwrap_or(Value::Null)
}

fn command(items: &[Value], pool: &Value) -> Result<Value, String> {
    let Some((name, rest)) = items.split_first() else {
        return Ok(json!(true));
    };
    let mut arguments = Vec::with_capacity(rest.len());
    for item in rest {
        arguments.push(value(item, pool)?);
    }
    // What a pool says nothing about is not compared.
    arguments.retain(|argument| !argument.is_null());
    let all = |fits: &dyn Fn(&Value, &Value) -> bool| match arguments.split_first() {
        Some((first, others)) if !others.is_empty() => others.iter().all(|one| fits(first, one)),
        Some(_) | None => false,
    };
    let is = |wanted: &[Ordering]| {
        all(&|left, right| compare(left, right).is_some_and(|found| wanted.contains(&found)))
    };
    let answer = match name.as_str() {
        Some("=") => is(&[Equal]),
        Some("<") => is(&[Less]),
        Some(">") => is(&[Greater]),
        Some("<=") => is(&[Less, Equal]),
        Some(">=") => is(&[Greater, Equal]),
        Some("in") => match arguments.split_first() {
            Some((first, others)) => others.iter().any(|one| compare(first, one) == Some(Equal)),
            None => false,
        },
        Some("not") => arguments.iter().any(|argument| !is_true(argument)),
        Some("or") => arguments.iter().any(is_true),
        Some("and") => arguments.iter().all(is_true),
        Some(_) | None => return Err(format!("has no command {name:.32}")),
    };
    Ok(json!(answer))
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (left, right) => (left == right).then_some(Equal),
    }
}

//! What a schema of the document allows, an example of it, and what it does not allow.

use serde_json::{Map, Value, json};

/// A UUID of nothing.
const NOTHING: &str = "6c0c2d0e-0000-4000-8000-00000000000b";

/// Whether the schema allows the value. Patterns are not looked at: what they refuse counts as allowed.
pub(super) fn allows(schema: &Value, value: &Value) -> bool {
    let choices = |key| schema.get(key).and_then(Value::as_array);
    let one = choices("oneOf").is_none_or(|all| all.iter().any(|it| allows(it, value)));
    let any = choices("anyOf").is_none_or(|all| all.iter().any(|it| allows(it, value)));
    let listed = choices("enum").is_none_or(|words| words.contains(value));
    one && any && listed && has_type(schema, value) && is_within(schema, value)
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64() || value.as_f64() == Some(0.0),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    match schema.get("type") {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().any(is),
        Some(kind) => is(kind),
    }
}

fn is_within(schema: &Value, value: &Value) -> bool {
    let bounds = |least: &str, most: &str, size: i128| {
        let bound = |key: &str| schema.get(key).and_then(Value::as_i64).map(i128::from);
        bound(least).is_none_or(|least| size >= least)
            && bound(most).is_none_or(|most| size <= most)
    };
    match value {
        Value::String(text) => {
            let is_id =
                schema.get("format") != Some(&json!("uuid")) || uuid::Uuid::parse_str(text).is_ok();
            bounds("minLength", "maxLength", text.chars().count() as i128) && is_id
        }
        Value::Number(number) => {
            let number = number.as_i128().unwrap_or(0);
            bounds("minimum", "maximum", number)
        }
        Value::Array(items) => {
            let fits = |item| schema.get("items").is_none_or(|items| allows(items, item));
            bounds("minItems", "maxItems", items.len() as i128) && items.iter().all(fits)
        }
        Value::Object(entries) => {
            bounds("minProperties", "maxProperties", entries.len() as i128)
                && has_keys(schema, entries)
        }
        Value::Null | Value::Bool(_) => true,
    }
}

fn has_keys(schema: &Value, entries: &Map<String, Value>) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    let required = required.into_iter().flatten().filter_map(Value::as_str);
    let mut required = required.peekable();
    let closed = schema.get("additionalProperties") == Some(&json!(false));
    let others = schema.get("patternProperties").and_then(Value::as_object);
    required.all(|key| entries.contains_key(key))
        && entries.iter().all(|(key, value)| {
            if let Some(schema) = schema.get("properties").and_then(|all| all.get(key)) {
                return allows(schema, value);
            }
            match others.and_then(|others| others.values().next()) {
                Some(schema) => allows(schema, value),
                None => !closed,
            }
        })
}

/// What the schema allows, with every property that it knows.
pub(super) fn example(schema: &Value) -> Value {
    for key in ["oneOf", "anyOf"] {
        // An object may have choices about its keys only.
        let alone = schema.get("properties").is_none();
        if let Some(first) = schema.get(key).and_then(|all| all.get(0)).filter(|_| alone) {
            return example(first);
        }
    }
    if let Some(first) = schema.get("enum").and_then(|words| words.get(0)) {
        return first.clone();
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds[0].as_str(),
        Some(kind) => kind.as_str(),
        None => None,
    };
    match kind {
        Some("object") => {
            let known = schema.get("properties").and_then(Value::as_object);
            let known = known.into_iter().flatten();
            known
                .map(|(key, schema)| (key.clone(), example(schema)))
                .collect::<Map<_, _>>()
                .into()
        }
        Some("array") => match schema.get("items") {
            Some(items) => json!([example(items)]),
            None => json!([]),
        },
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some(_) if schema.get("format") == Some(&json!("uuid")) => json!(NOTHING),
        Some(_) if schema.get("pattern").is_some() => json!("1"),
        Some(_) => json!("text"),
        None => json!({}),
    }
}

/// Values of every kind, of which most places take few.
fn values() -> Vec<Value> {
    let mut deep = json!("bottom");
    for _ in 0..64 {
        deep = json!([deep]);
    }
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x".repeat(256)),
        json!("x".repeat(70_000)),
        json!("no id"),
        json!("\u{202e}\u{e9}\u{1f9f1}"),
        json!([]),
        json!([null]),
        json!({}),
        json!({ "unknown": { "below": 1 } }),
        deep,
    ]
}

/// Bodies that the schema does not allow: each part of an example is replaced and left out, and keys
/// are added.
pub(super) fn spoilt(schema: &Value) -> Vec<Value> {
    let whole = example(schema);
    let mut places = Vec::new();
    collect(&whole, String::new(), &mut places);
    let mut found = Vec::new();
    for place in &places {
        for value in values() {
            let mut body = whole.clone();
            if let Some(part) = body.pointer_mut(place) {
                *part = value;
            }
            found.push(body);
        }
        let mut body = whole.clone();
        let (above, key) = place.rsplit_once('/').unwrap_or(("", ""));
        if let Some(Value::Object(entries)) = body.pointer_mut(above) {
            entries.remove(key);
            found.push(body);
        }
        let mut body = whole.clone();
        if let Some(Value::Object(entries)) = body.pointer_mut(place) {
            entries.insert("no_such_key".to_owned(), json!(1));
            found.push(body);
        }
    }
    found.retain(|body| !allows(schema, body));
    found
}

/// The places of all parts, as JSON pointers.
fn collect(value: &Value, at: String, into: &mut Vec<String>) {
    if let Value::Object(entries) = value {
        for (key, below) in entries {
            let key = key.replace('~', "~0").replace('/', "~1");
            collect(below, format!("{at}/{key}"), into);
        }
    }
    into.push(at);
}

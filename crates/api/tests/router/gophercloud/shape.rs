//! What a Go program makes of an answer: it fails where a member has another kind of value than the
//! field that it is read into.

use serde_json::Value;

/// Members with the kinds of their fields, `name=kind` one after the other; `?` behind the kind lets the
/// member be missing. Kinds are `s` (string), `i` (integer), `n` (number), `b` (bool), `t` (time without
/// a zone), `m` (strings by name), `o` (object), `l` (array) and `a` (anything).
pub(super) type Shape = &'static str;

/// What a Go program would complain about.
pub(super) fn complaints(shape: Shape, value: &Value) -> Vec<String> {
    let members = shape.split_whitespace();
    members
        .filter_map(|member| {
            let (name, kind) = member.rsplit_once('=').unwrap();
            let (kind, optional) = kind
                .strip_suffix('?')
                .map_or((kind, false), |kind| (kind, true));
            match value.get(name) {
                None if optional => None,
                None => Some(format!("{name} is missing")),
                // Leaves the field as it is, whatever it is.
                Some(Value::Null) => None,
                Some(found) if fits(kind, found) => None,
                Some(found) => Some(format!("{name} is {found}, which is no {kind}")),
            }
        })
        .collect()
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "s" => value.is_string(),
        "i" => value.is_i64() || value.is_u64(),
        "n" => value.is_number(),
        "b" => value.is_boolean(),
        "t" => value.as_str().is_some_and(is_time),
        "m" => (value.as_object())
            .is_some_and(|map| map.values().all(|one| one.is_string() || one.is_null())),
        "o" => value.is_object(),
        "l" => value.is_array(),
        "a" => true,
        other => panic!("no kind {other}"),
    }
}

/// `2006-01-02T15:04:05.999999`, of which the fraction may be missing; empty is no time.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let like = "2006-01-02T15:04:05";
    let alike = |(one, other): (u8, u8)| {
        if other.is_ascii_digit() {
            one.is_ascii_digit()
        } else {
            one == other
        }
    };
    let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    text.is_empty()
        || (whole.len() == like.len() && whole.bytes().zip(like.bytes()).all(alike) && digits)
}

#[test]
fn values_that_go_does_not_read_are_found() {
    let value = serde_json::json!({
        "id": "x", "size": 1.5, "bootable": "true", "created_at": "2026-01-02T03:04:05.000000",
        "updated_at": "2026-01-02T03:04:05Z", "metadata": { "a": 1 }, "name": null,
    });
    let shape = "id=s size=i bootable=b created_at=t updated_at=t metadata=m name=s gone=s? none=s";
    let found = complaints(shape, &value).join("; ");
    let expected = "size is 1.5, which is no i; bootable is \"true\", which is no b; updated_at is \
                    \"2026-01-02T03:04:05Z\", which is no t; metadata is {\"a\":1}, which is no m; none \
                    is missing";
    assert_eq!(found, expected);
}

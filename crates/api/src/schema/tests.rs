//! Values are refused in the words that python-jsonschema has.

use serde_json::{Value, json};

use super::*;

const V: Microversion = Microversion::MAX;

fn said(schema: &Schema, value: &Value) -> String {
    broken(schema, V, None, value).map_or("good".to_owned(), |broken| broken.to_string())
}

const THING: Schema = only(
    &["thing"],
    &[(
        "thing",
        object(&[
            ("name", NAME),
            ("size", SIZE),
            ("id", ID_OR_NULL),
            ("force", SAID),
            ("hosts", array(&ID).at_most(2)),
            ("new", TEXT.since(Microversion::GROUPS)),
            ("metadata", map(METADATA_KEY, &SHORT)),
        ])
        .required(&["name", "new"])
        .closed(),
    )],
);

#[test]
fn the_first_broken_rule_is_told_with_its_place() {
    let thing = |more: Value| {
        let mut fields = json!({ "name": "n", "new": "" });
        if let (Some(fields), Some(more)) = (fields.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        said(&THING, &json!({ "thing": fields }))
    };
    let field = "Invalid input for field/attribute";
    assert_eq!(thing(json!({})), "good");
    assert_eq!(
        thing(json!({ "id": null, "force": "off", "size": "3" })),
        "good"
    );
    for (more, expected) in [
        (
            json!({ "name": "" }),
            "name. Value: . '' should be non-empty",
        ),
        (
            json!({ "name": null }),
            "name. Value: None. None is not of type 'string'",
        ),
        (
            json!({ "size": 0 }),
            "size. Value: 0. 0 is less than the minimum of 1",
        ),
        (
            json!({ "size": "x" }),
            "size. Value: x. 'x' does not match '^[0-9]+$'",
        ),
        (
            json!({ "size": 1.5 }),
            "size. Value: 1.5. 1.5 is not of type 'integer', 'string'",
        ),
        (
            json!({ "size": u64::MAX }),
            "size. Value: 18446744073709551615. 18446744073709551615 is greater than the maximum of \
             2147483647",
        ),
        (
            json!({ "id": "x" }),
            "id. Value: x. 'x' is not valid under any of the given schemas",
        ),
        (
            json!({ "hosts": ["x"] }),
            "0. Value: x. 'x' is not a 'uuid'",
        ),
        (
            json!({ "hosts": [1, 2, 3] }),
            "hosts. Value: [1, 2, 3]. [1, 2, 3] is too long",
        ),
        (
            json!({ "metadata": { "?": "v" } }),
            "metadata. Value: {'?': 'v'}. '?' does not match any of the regexes: \
             '^[a-zA-Z0-9-_:. /]{1,255}$'",
        ),
        (
            json!({ "metadata": { "k": 1 } }),
            "k. Value: 1. 1 is not of type 'string'",
        ),
    ] {
        assert_eq!(thing(more), format!("{field} {expected}"));
    }
    assert!(thing(json!({ "force": "junk" })).contains("'junk' is not one of [True, 'True',"));
    assert!(thing(json!({ "a": 1, "b": 2 })).ends_with("('a', 'b' were unexpected)"));
}

#[test]
fn the_body_itself_has_no_place() {
    assert_eq!(said(&THING, &json!([])), "[] is not of type 'object'");
    assert_eq!(said(&THING, &json!({})), "'thing' is a required property");
    assert_eq!(
        said(&THING, &json!({ "thing": { "new": "" } })),
        "Invalid input for field/attribute thing. Value: {'new': ''}. 'name' is a required property"
    );
}

#[test]
fn older_versions_do_not_know_newer_properties() {
    let old = Microversion::MIN;
    let body = json!({ "thing": { "name": "n", "new": "" } });
    let refused = broken(&THING, old, None, &body).expect("a refusal");
    assert!(refused.to_string().ends_with("('new' was unexpected)"));
    let body = json!({ "thing": { "name": "n" } });
    assert!(broken(&THING, old, None, &body).is_none());
    let rendered = THING.render(old);
    assert_eq!(rendered["properties"]["thing"]["required"], json!(["name"]));
}

#[test]
fn rendered_schemas_have_the_same_keywords() {
    assert_eq!(
        NAME.render(V),
        json!({ "type": "string", "minLength": 1, "maxLength": 255 })
    );
    let size = SIZE.render(V);
    assert_eq!(size["type"], json!(["integer", "string"]));
    assert_eq!(
        (&size["minimum"], &size["pattern"]),
        (&json!(1), &json!("^[0-9]+$"))
    );
    let list = array(&ID).at_most(2);
    assert_eq!(list.render(V)["maxItems"], json!(2));
}

#[test]
fn known_keys_are_not_held_to_the_form_of_the_others() {
    const COUNT: Schema = of(&[Kind::Integer]);
    let any = Pattern {
        expression: ".*",
        matches: |_| true,
    };
    let limits = map(any, &COUNT).with(&[("id", TEXT)]);
    let shown = limits.render(V);
    assert_eq!(shown.get("patternProperties"), None);
    assert_eq!(shown["additionalProperties"], json!({ "type": "integer" }));
    assert_eq!(shown["properties"]["id"], json!({ "type": "string" }));
    let closed = map(METADATA_KEY, &COUNT).with(&[("\u{e9}", TEXT)]);
    assert_eq!(closed.render(V)["additionalProperties"], json!(false));
}

//! Bad input gets the words Cinder uses for it.

use serde_json::{Value, json};

use super::*;

fn refusal<T: std::fmt::Debug>(
    value: &Value,
    read: impl Fn(Fields<'_>) -> Result<T, Fault>,
) -> String {
    match Fields::root(value).and_then(read) {
        Ok(taken) => format!("taken: {taken:?}"),
        Err(fault) => fault.message().to_owned(),
    }
}

#[test]
fn sizes_are_whole_numbers_from_one() {
    let size = |value| refusal(&json!({ "size": value }), |f| f.size("size", true));
    assert_eq!(size(json!(1)), "taken: Some(1)");
    assert_eq!(size(json!("12")), "taken: Some(12)");
    assert_eq!(size(Value::Null), "taken: None");
    let field = "Invalid input for field/attribute size. Value: ";
    assert_eq!(
        size(json!(0)),
        format!("{field}0. 0 is less than the minimum of 1")
    );
    assert_eq!(
        size(json!(-1)),
        format!("{field}-1. -1 is less than the minimum of 1")
    );
    assert_eq!(
        size(json!("x")),
        format!("{field}x. 'x' does not match '^[0-9]+$'")
    );
    assert_eq!(
        size(json!(2_147_483_648_u64)),
        format!("{field}2147483648. 2147483648 is greater than the maximum of 2147483647")
    );
    for other in [json!(1.5), json!(true), json!([]), json!({})] {
        assert!(
            size(other.clone()).contains("is not of type 'integer', 'string', 'null'"),
            "{other}"
        );
    }
    for other in [
        json!(""),
        json!("-1"),
        json!("1.5"),
        json!("0"),
        json!("9".repeat(40)),
    ] {
        assert!(size(other.clone()).starts_with("Invalid input"), "{other}");
    }
}

#[test]
fn unknown_and_missing_keys_are_named() {
    assert_eq!(
        refusal(&json!({"volume": {"size": 4}}), |f| f
            .object("volume")?
            .only(&["name"])),
        "Invalid input for field/attribute volume. Value: {'size': 4}. Additional properties are not \
         allowed ('size' was unexpected)"
    );
    assert_eq!(
        refusal(&json!({}), |f| f.require(&["volume"])),
        "'volume' is a required property"
    );
    assert_eq!(
        refusal(&json!([]), |_| Ok(())),
        "[] is not of type 'object'"
    );
}

#[test]
fn metadata_is_texts_under_plain_keys() {
    let map = |value| {
        refusal(&json!({ "metadata": value }), |f| {
            f.map("metadata", Keys::Metadata, false)
        })
    };
    assert_eq!(
        map(json!({"": "v"})),
        "Invalid input for field/attribute metadata. Value: {'': 'v'}. '' does not match any of the \
         regexes: '^[a-zA-Z0-9-_:. /]{1,255}$'"
    );
    assert_eq!(
        map(json!({"k": 1})),
        "Invalid input for field/attribute k. Value: 1. 1 is not of type 'string'"
    );
    assert!(map(json!({"k": "v".repeat(256)})).ends_with("is too long"));
    assert!(map(json!({"k".repeat(256): "v"})).contains("does not match any of the regexes"));
}

#[test]
fn a_single_entry_must_be_the_one_of_the_address() {
    let one = |value| {
        refusal(&json!({ "meta": value }), |f| {
            f.object("meta")?.single("k", Keys::Metadata)
        })
    };
    assert_eq!(one(json!({"k": "v"})), "taken: \"v\"");
    assert_eq!(one(json!({"l": "v"})), "Request body and URI mismatch");
    assert!(one(json!({"k": "v", "l": "v"})).ends_with("has too many properties"));
}

#[test]
fn booleans_have_many_words_but_not_any() {
    let flag = |value| refusal(&json!({ "force": value }), |f| f.boolean("force"));
    assert_eq!(flag(json!(true)), "taken: Some(true)");
    assert_eq!(flag(json!("off")), "taken: Some(false)");
    assert!(
        flag(json!("junk")).contains("'junk' is not one of [True, 'True', 'TRUE', 'true', '1'")
    );
    assert!(flag(json!(1)).contains("1 is not of type 'boolean', 'string'"));
}

//! An override file: what it may say, and what it may not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Vec<(String, Value)> {
    let entries = entries(text).unwrap_or_else(|(line, why)| panic!("{text:?}: {line} {why}"));
    entries.into_iter().map(|e| (e.name, e.check)).collect()
}

#[test]
fn rules_stand_one_on_a_line() {
    let text = "\u{feff}---\n\
        # \"volume:get\": \"role:reader\"\n\
        \n\
        \"volume:create\": \"role:member\"\r\n\
        'volume:delete': 'role:admin or ''x'':%(user_id)s' # who made it\n\
        volume:update: role:admin and is_admin:True   # plainly\n\
        \"a\\\"b\":\t\"\"\n\
        \"list\": [[\"role:a\", \"role:b\"], [\"role:c\"]]\n";
    let expected = [
        ("volume:create", json!("role:member")),
        ("volume:delete", json!("role:admin or 'x':%(user_id)s")),
        ("volume:update", json!("role:admin and is_admin:True")),
        ("a\"b", json!("")),
        ("list", json!([["role:a", "role:b"], ["role:c"]])),
    ];
    let expected = expected.map(|(name, check)| (name.to_owned(), check));
    assert_eq!(read(text), expected);
    assert_eq!(read(""), []);
    assert_eq!(read("{}"), []);
    let object = "\n{\"volume:get\": \"@\"}";
    assert_eq!(read(object), [("volume:get".to_owned(), json!("@"))]);
}

#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    for (text, line, why) in [
        ("a: role:x\n  b: role:y", 2, Broken::Indented),
        ("- a: b", 1, Broken::Form),
        ("nothing", 1, Broken::NoColon),
        ("\"a\" \"b\"", 1, Broken::NoColon),
        ("a:b", 1, Broken::NoColon),
        ("a:", 1, Broken::NoCheck),
        ("\"a\":", 1, Broken::NoCheck),
        ("a: # later", 1, Broken::NoCheck),
        ("a: ~", 1, Broken::NoCheck),
        ("a: null", 1, Broken::NoCheck),
        ("#\n\"a: role:x", 2, Broken::Quotes),
        ("a: \"role:x", 1, Broken::Quotes),
        ("a: \"role:x\" or role:y", 1, Broken::Quotes),
        ("a: 'role:x", 1, Broken::Quotes),
        ("a: >", 1, Broken::Form),
        ("a: @", 1, Broken::Form),
        ("a: [role:x]", 1, Broken::Form),
        ("a: [[\"role:x\"],", 1, Broken::Form),
        ("a: role:x\na: role:y", 2, Broken::Twice("a".into())),
    ] {
        let found = entries(text).map(|found| found.len());
        assert_eq!(found, Err((line, why)), "{text:?}");
    }
    assert!(matches!(entries("{\n\"a\": }"), Err((2, Broken::Json(_)))));
    let long = "#".repeat(MAX_FILE + 1);
    assert!(matches!(entries(&long), Err((1, Broken::TooLong))));
}

proptest! {
    #[test]
    fn no_file_panics(text in "[a-z:\"' \\[\\]{}#\\\\\n%()~é]{0,60}") {
        let _ = entries(&text);
    }
}

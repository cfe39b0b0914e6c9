//! Rules in oslo.policy's language.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::who::{Credentials, Target};

fn somebody() -> Credentials {
    Credentials {
        user_id: Some("u1".into()),
        user_domain_id: Some("d2".into()),
        project_id: Some("p1".into()),
        project_domain_id: Some("d1".into()),
        domain_id: None,
        system_scope: None,
        roles: vec!["Member".into(), "reader".into()],
        service_roles: vec!["service".into()],
        is_admin: false,
        is_admin_project: true,
    }
}

fn target() -> Target<'static> {
    Target {
        project_id: Some("p1"),
        user_id: Some("u2"),
        domain_id: None,
    }
}

fn decide(check: Parsed) -> bool {
    let linked = check.link(&mut |name: String| Err::<usize, String>(name));
    let linked = linked.expect("no rules");
    linked.holds(&[], &somebody(), &target())
}

/// Checks that hold for [`somebody`].
const YES: &[&str] = &[
    "",
    "  ",
    "@",
    "(@)",
    "not !",
    "not not @",
    "role:member",
    "role:MEMBER",
    "role:member and role:reader",
    "role:admin or role:reader",
    "role:admin and role:member or role:reader",
    "role:reader or role:admin and role:operator",
    "( role:admin or role:reader ) and role:member",
    "(role:admin or role:reader) and role:member",
    "((role:admin) or ((role:reader)))",
    "not role:admin",
    "NOT role:admin AND @",
    "not role:admin and role:reader",
    "not (role:admin or role:operator)",
    "project_id:%(project_id)s",
    "tenant:%(project_id)s",
    "project_id:p1",
    "project_id:%(project_id)s or user_id:%(user_id)s",
    "user_id:u1",
    "user:u1",
    "user_domain_id:d2",
    "project_domain_id:d1",
    "is_admin:False",
    "is_admin_project:True",
    "roles:reader",
    "service_roles:service",
    "'p1':%(project_id)s",
    "\"p1\":%(project_id)s",
    "'p1-u2':%(project_id)s-%(user_id)s",
    "'100%':100%%",
    "True:True",
    "role:reader\tand\nrole:member",
];

/// Checks that do not.
const NO: &[&str] = &[
    "!",
    "not @",
    "role:admin",
    "role:",
    "role:mem",
    "role:member and role:admin",
    "role:admin or role:operator",
    "(role:admin or role:reader) and role:operator",
    "not role:admin and role:operator",
    "not role:member or role:admin",
    "user_id:%(user_id)s",
    "project_id:p",
    "domain_id:%(domain_id)s",
    "domain_id:None",
    "system_scope:all",
    "system_scope:None",
    "is_admin:True",
    "is_admin:true",
    "is_admin_project:False",
    "roles:member",
    "service_roles:admin",
    "'p2':%(project_id)s",
    "'':%(domain_id)s",
    "True:False",
    "None:%(domain_id)s",
];

#[test]
fn checks_hold_as_in_oslo_policy() {
    for (texts, expected) in [(YES, true), (NO, false)] {
        for text in texts {
            let check = parse(text).unwrap_or_else(|why| panic!("{text:?} {why}"));
            assert_eq!(decide(check), expected, "{text:?}");
        }
    }
}

#[test]
fn what_cannot_be_understood_is_named() {
    use CheckError as E;
    let unexpected = |token: &str| E::Unexpected(token.to_owned());
    for (text, why) in [
        ("and", unexpected("and")),
        ("role:a and", E::Unfinished),
        ("role:a or or role:b", unexpected("or")),
        ("role:a role:b", unexpected("a check")),
        ("not", E::Unfinished),
        ("(role:a", E::Open),
        ("role:a)", unexpected(")")),
        ("()", unexpected(")")),
        ("( role:a ) )", unexpected(")")),
        ("admin", E::NoCheck("admin".into())),
        ("role:a && role:b", E::NoCheck("&&".into())),
        ("volume:create", E::UnknownKind("volume".into())),
        ("colour:blue", E::UnknownKind("colour".into())),
        (":x", E::UnknownKind(String::new())),
        ("project_id:%(host)s", E::UnknownField("host".into())),
        ("project_id:%(project_id)d", E::Percent),
        ("project_id:50%", E::Percent),
        ("http://policy/", E::Remote("http://policy/".into())),
        ("https:x", E::Remote("https:x".into())),
    ] {
        assert_eq!(parse(text), Err(why), "{text:?}");
    }
    assert_eq!(parse(&"not ".repeat(100)), Err(E::TooDeep));
    let nested = format!("{}@{}", "(".repeat(100), ")".repeat(100));
    assert_eq!(parse(&nested), Err(E::TooDeep));
    assert_eq!(parse(&"@ and ".repeat(10_000)), Err(E::TooLong));
}

#[test]
fn lists_are_any_of_all() {
    for (list, expected) in [
        (json!([]), true),
        (json!([["role:admin"], ["role:reader"]]), true),
        (json!([["role:admin", "role:reader"]]), false),
        (json!(["role:reader"]), true),
        (json!([["role:reader", "project_id:%(project_id)s"]]), true),
        (json!([[]]), false),
    ] {
        let parsed = parse_list(list.as_array().unwrap());
        assert_eq!(decide(parsed.unwrap()), expected, "{list}");
    }
    for list in [json!([1]), json!([[null]]), json!([["role:a and role:b"]])] {
        assert!(parse_list(list.as_array().unwrap()).is_err(), "{list}");
    }
}

#[test]
fn rules_are_referred_to_by_name() {
    let check = parse("rule:a:b or not rule:c").unwrap();
    let mut names = Vec::new();
    check.references(&mut |name| names.push(name.clone()));
    assert_eq!(names, ["a:b", "c"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        let _ = parse(&text).map(decide_if_alone);
    }

    #[test]
    fn no_words_panic(words in prop::collection::vec("(\\(|\\)|and|or|not|@|!|role:x|%\\(project_id\\)s|user_id:%\\(user_id\\)s| ){1,3}", 0..30)) {
        let _ = parse(&words.join(" ")).map(decide_if_alone);
    }
}

fn decide_if_alone(check: Parsed) {
    let linked = check.link(&mut |name: String| Err::<usize, String>(name));
    if let Ok(check) = linked {
        check.holds(&[], &somebody(), &target());
    }
}

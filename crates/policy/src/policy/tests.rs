//! Every rule for every role.

use std::fmt::Write as _;

use super::*;

fn policy(text: &str) -> Policy {
    let (policy, remarks) = Policy::parse(text, Defaults::New).unwrap();
    assert_eq!(remarks, []);
    policy
}

fn refusal(text: &str) -> String {
    Policy::parse(text, Defaults::New).unwrap_err().to_string()
}

fn with_roles(roles: &[&str]) -> Credentials {
    Credentials {
        project_id: Some("p1".into()),
        roles: roles.iter().map(|&role| role.into()).collect(),
        is_admin_project: true,
        ..Credentials::default()
    }
}

#[test]
fn a_file_replaces_only_what_it_names() {
    let policy = policy("volume:create: role:creator\n");
    let (creator, member) = (with_roles(&["creator"]), with_roles(&["member"]));
    let own = Target::of_project("p1");
    assert!(policy.allows(Rule::VolumeCreate, &creator, &own));
    assert!(!policy.allows(Rule::VolumeCreate, &member, &own));
    assert!(policy.allows(Rule::VolumeDelete, &member, &own));
    assert!(!policy.allows(Rule::VolumeDelete, &creator, &own));
}

#[test]
fn an_alias_changes_all_that_refer_to_it() {
    let policy = policy("admin_api: role:operator and rule:here\nhere: project_id:p1\n");
    let (operator, admin) = (with_roles(&["operator"]), with_roles(&["admin"]));
    for rule in Rule::ALL {
        if rule.default_check() == "rule:admin_api" {
            let target = Target::default();
            assert!(policy.allows(*rule, &operator, &target), "{}", rule.name());
            assert!(!policy.allows(*rule, &admin, &target), "{}", rule.name());
        }
    }
}

#[test]
fn who_is_an_administrator_is_a_rule_too() {
    let policy = policy("context_is_admin: role:root\n");
    assert!(policy.judged(with_roles(&["root"])).is_admin);
    assert!(!policy.judged(with_roles(&["admin"])).is_admin);
    let root = policy.judged(with_roles(&["root"]));
    assert!(policy.allows(Rule::ServicesIndex, &root, &Target::default()));
}

#[test]
fn refusals_name_the_rule_and_the_reason() {
    for (text, words) in [
        (
            "\nvolume:get: role:a and\n",
            "the check of the rule \"volume:get\" ends where a check is missing",
        ),
        (
            "volume:get: rule:nowhere",
            "the check of the rule \"volume:get\" refers to \"nowhere\", which is no rule",
        ),
        (
            "mine: rule:mine\n",
            "the rule \"mine\" refers to itself, at once or through others",
        ),
        (
            "volume:get: http://x/",
            "the check of the rule \"volume:get\" asks a server for its decision (http://x/), \
             which is not supported",
        ),
        (
            "{\"volume:get\": 7}",
            "the check of the rule \"volume:get\" is neither a text nor a list of lists of texts",
        ),
        (
            "volume:get",
            "line 1 has no \": \" between a rule and its check",
        ),
    ] {
        assert_eq!(refusal(text), words);
    }
    assert!(refusal("admin_api: rule:volume:get\nvolume:get: rule:admin_api").contains("itself"));
}

/// A file of rules `r0`, `r1` and so on with these checks.
fn numbered(checks: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for (number, check) in checks.enumerate() {
        writeln!(text, "r{number}: \"{check}\"").unwrap();
    }
    text
}

#[test]
fn chains_and_crowds_end() {
    let chain = |length: usize| {
        let next = (1..length).map(|next| format!("rule:r{next}"));
        numbered(next.chain(["@".to_owned()]))
    };
    assert!(Policy::parse(&chain(MAX_CHAIN), Defaults::New).is_ok());
    assert!(refusal(&chain(MAX_CHAIN + 1)).contains("more than 32 times"));
    let crowd = numbered((0..=MAX_EXTRA).map(|_| "@".to_owned()));
    assert_eq!(
        Policy::parse(&crowd, Defaults::New).map(|_| ()),
        Err(PolicyError::Crowd)
    );
    // Many ways through few rules are followed once each.
    let twice = (1..30).map(|next| format!("rule:r{next} and rule:r{next}"));
    let wide = numbered(twice.chain(["@".to_owned()]));
    assert!(Policy::parse(&wide, Defaults::New).is_ok());
}

#[test]
fn unused_and_renamed_rules_are_remarked() {
    let text = "volume:craete: role:x\nvolume_extension:types_manage: role:typist\n";
    let (policy, remarks) = Policy::parse(text, Defaults::New).unwrap();
    let unused = Remark::Unused("volume:craete".into());
    assert!(remarks.contains(&unused), "{remarks:?}");
    let renamed = remarks.iter().filter(|r| **r != unused);
    assert_eq!(renamed.count(), 3);
    let typist = with_roles(&["typist"]);
    for rule in [Rule::TypeCreate, Rule::TypeUpdate, Rule::TypeDelete] {
        assert!(policy.allows(rule, &typist, &Target::default()));
    }
    // A rule under its new name wins.
    let both = format!("{text}volume_extension:type_create: role:maker\n");
    let (policy, _) = Policy::parse(&both, Defaults::New).unwrap();
    assert!(!policy.allows(Rule::TypeCreate, &typist, &Target::default()));
}

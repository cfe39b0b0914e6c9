//! Every rule with every kind of caller, against the table of a real Cinder 29.

use firebrick_policy::{Credentials, Defaults, Policy, Rule, Target};

/// Name, default and requests of each rule, as Cinder lists them.
const CINDER: &str = include_str!("policies.txt");

/// What the names of rules begin with that Cinder does not have.
const OWN: &str = "firebrick:";

/// How many there are.
const ADDED: usize = 11;

/// The project of what is asked about.
const PROJECT: &str = "p1";

struct Caller {
    name: &'static str,
    who: Credentials,
    /// Whether they pass rules of administrators, members, readers, and (formerly) of anybody in the
    /// project.
    passes: [bool; 4],
}

fn caller(name: &'static str, project: Option<&str>, roles: &[&str], passes: [bool; 4]) -> Caller {
    let who = Credentials {
        user_id: Some("u1".into()),
        project_id: project.map(Into::into),
        roles: roles.iter().map(|&role| role.into()).collect(),
        is_admin_project: true,
        ..Credentials::default()
    };
    Caller { name, who, passes }
}

fn callers(policy: &Policy) -> Vec<Caller> {
    let (admin, member, reader) = (
        &["admin", "manager", "member", "reader"],
        &["member", "reader"],
        &["reader"],
    );
    let (here, there) = (Some(PROJECT), Some("p2"));
    let mut callers = vec![
        caller("admin", here, admin, [true; 4]),
        caller("admin elsewhere", there, admin, [true; 4]),
        caller("manager", here, &admin[1..], [false, true, true, true]),
        caller("member", here, member, [false, true, true, true]),
        caller("reader", here, reader, [false, false, true, true]),
        caller("without role", here, &[], [false, false, false, true]),
        caller("member elsewhere", there, member, [false; 4]),
        caller("reader elsewhere", there, reader, [false; 4]),
        caller("service", there, &["service"], [false; 4]),
        caller("system admin", None, admin, [true; 4]),
        caller("system reader", None, reader, [false; 4]),
        caller("nobody", None, &[], [false; 4]),
    ];
    for caller in &mut callers {
        if caller.name.starts_with("system") {
            caller.who.system_scope = Some("all".into());
        }
        caller.who = policy.judged(caller.who.clone());
    }
    callers
}

/// The place in [`Caller::passes`] of a default, or none for the six that others refer to.
fn class(check: &str) -> Option<usize> {
    match check {
        "rule:admin_api" => Some(0),
        "rule:xena_system_admin_or_project_member" => Some(1),
        "rule:xena_system_admin_or_project_reader" => Some(2),
        _ => None,
    }
}

#[test]
fn the_table_is_cinders() {
    let theirs: Vec<(&str, &str)> = CINDER
        .lines()
        .map(|line| {
            let mut cells = line.split('\t');
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let (added, ours): (Vec<_>, Vec<_>) = Rule::ALL
        .iter()
        .map(|rule| (rule.name(), rule.default_check()))
        .partition(|(name, _)| name.starts_with(OWN));
    assert_eq!((ours.len(), added.len()), (167, ADDED));
    assert_eq!(ours, theirs);
    let of = |wanted| {
        ours.iter()
            .filter(|(_, check)| class(check) == wanted)
            .count()
    };
    assert_eq!(
        [of(Some(0)), of(Some(1)), of(Some(2)), of(None)],
        [78, 56, 27, 6]
    );
    for rule in Rule::ALL {
        assert_eq!(Rule::named(rule.name()), Some(*rule));
    }
}

#[test]
fn every_caller_passes_what_cinder_lets_them_pass() {
    let (policy, remarks) = Policy::parse("", Defaults::New).unwrap();
    assert_eq!(remarks, []);
    let target = Target::of_project(PROJECT);
    let mut asked = 0;
    for caller in callers(&policy) {
        for rule in Rule::ALL {
            let expected = match rule {
                // The aliases, one by one: nothing but the first two is asked by any request.
                Rule::AdminOrOwner => caller.passes[3],
                Rule::SystemOrDomainOrProjectAdmin => {
                    ["admin", "system admin"].contains(&caller.name)
                }
                Rule::ContextIsAdmin | Rule::AdminApi => caller.passes[0],
                Rule::XenaSystemAdminOrProjectReader => caller.passes[2],
                Rule::XenaSystemAdminOrProjectMember => caller.passes[1],
                _ => caller.passes[class(rule.default_check()).unwrap()],
            };
            let allowed = policy.allows(*rule, &caller.who, &target);
            assert_eq!(allowed, expected, "{}: {}", caller.name, rule.name());
            asked += 1;
        }
    }
    assert_eq!(asked, (167 + ADDED) * 12);
}

#[test]
fn former_defaults_only_add() {
    let (new, _) = Policy::parse("", Defaults::New).unwrap();
    let (both, remarks) = Policy::parse("", Defaults::NewOrFormer).unwrap();
    assert_eq!(remarks, []);
    let target = Target::of_project(PROJECT);
    for caller in callers(&new) {
        for rule in Rule::ALL {
            let (before, now) = (
                both.allows(*rule, &caller.who, &target),
                new.allows(*rule, &caller.who, &target),
            );
            assert!(before || !now, "{}: {}", caller.name, rule.name());
        }
    }
    let without = caller("without role", Some(PROJECT), &[], [false; 4]).who;
    assert!(both.allows(Rule::VolumeDelete, &without, &target));
    assert!(!new.allows(Rule::VolumeDelete, &without, &target));
    assert!(!both.allows(Rule::ServicesIndex, &without, &target));
    let stranger = caller("elsewhere", Some("p2"), &[], [false; 4]).who;
    assert!(both.allows(Rule::VolumeCreate, &stranger, &target));
    assert!(!both.allows(Rule::VolumeDelete, &stranger, &target));
}

#[test]
fn what_no_token_has_matches_nothing() {
    let (policy, _) = Policy::parse("", Defaults::New).unwrap();
    let nobody = Credentials {
        roles: vec!["member".into(), "reader".into()],
        ..Credentials::default()
    };
    assert!(!policy.allows(Rule::VolumeCreate, &nobody, &nobody.own()));
}

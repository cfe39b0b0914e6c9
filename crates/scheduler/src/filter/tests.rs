//! What each filter refuses, and in which words.

use proptest::prelude::*;

use super::*;
use crate::Locality;
use crate::fixture::{function, pool, request};

fn why(filter: Filter, request: &Request, pool: &PoolState) -> Option<String> {
    filter.refuses(request, pool)
}

#[test]
fn zones_are_wanted_by_the_request_and_by_the_type() {
    let filter = Filter::AvailabilityZone;
    let mut asked = request(1, &[("RESKEY:availability_zones", "north, nova")]);
    assert_eq!(why(filter, &asked, &pool("a", 1.0)), None);
    asked.availability_zone = Some("north".into());
    let refused = why(filter, &asked, &pool("a", 1.0));
    assert_eq!(refused.as_deref(), Some("it is in nova"));
    let asked = request(1, &[("RESKEY:availability_zones", "north")]);
    let refused = why(filter, &asked, &pool("a", 1.0));
    assert_eq!(
        refused.as_deref(),
        Some("it is in nova, the type is bound to north")
    );
}

#[test]
fn capabilities_have_scopes_and_depth() {
    let fits = |key: &str, wanted: &str| {
        let asked = request(1, &[(key, wanted)]);
        why(Filter::Capabilities, &asked, &pool("a", 1.0)).is_none()
    };
    assert!(fits("volume_backend_name", "a"));
    assert!(fits("capabilities:volume_backend_name", "<in> a"));
    assert!(!fits("capabilities:volume_backend_name", "b"));
    assert!(fits("vendor:anything", "b"));
    assert!(fits("capabilities:layout:media", "flash"));
    assert!(!fits("capabilities:layout:media", "disk"));
    assert!(!fits("capabilities:layout:media:more", "flash"));
    assert!(!fits("capabilities:layout", "flash"));
    assert!(!fits("multiattach", "<is> False"), "nobody speaks of it");
}

#[test]
fn volumes_in_use_grow_only_where_the_backend_can() {
    let mut offline = pool("a", 50.0);
    offline.online_extend = false;
    let mut asked = request(1, &[]);
    assert_eq!(why(Filter::Capabilities, &asked, &offline), None);
    asked.extends_online = true;
    assert!(why(Filter::Capabilities, &asked, &offline).is_some());
}

#[test]
fn mirror_snapshots_have_a_schedule_only_where_the_backend_takes_them() {
    let mut unscheduled = pool("a", 50.0);
    unscheduled.snapshot_schedules = false;
    let mut asked = request(1, &[]);
    assert_eq!(why(Filter::Capabilities, &asked, &unscheduled), None);
    asked.scheduled_snapshots = true;
    let refused = why(Filter::Capabilities, &asked, &unscheduled);
    assert!(refused.is_some_and(|why| why.contains("mirror snapshots")));
    assert_eq!(why(Filter::Capabilities, &asked, &pool("b", 50.0)), None);
}

#[test]
fn capacity_is_not_asked_where_the_volume_is_already() {
    let full = pool("a", 0.0);
    let mut asked = request(5, &[]);
    let refused = why(Filter::Capacity, &asked, &full);
    assert_eq!(refused.as_deref(), Some("5 GiB asked, 0.0 GiB left"));
    asked.exists_on = Some(full.host.clone());
    assert_eq!(why(Filter::Capacity, &asked, &full), None);
    assert_eq!(why(Filter::Capacity, &request(0, &[]), &full), None);
}

#[test]
fn types_can_ask_for_full_provisioning() {
    let mut thin = pool("a", 5.0);
    thin.thin = true;
    thin.reserved_percentage = 0;
    assert_eq!(why(Filter::Capacity, &request(9, &[]), &thin), None);
    let thick = request(9, &[("provisioning:type", "thick")]);
    assert!(why(Filter::Capacity, &thick, &thin).is_some());
}

#[test]
fn a_backends_own_function_decides() {
    let says = |text: &str| {
        let mut judged = pool("a", 40.0);
        judged.filter_function = Some(function(text));
        why(Filter::Driver, &request(5, &[]), &judged)
    };
    assert_eq!(why(Filter::Driver, &request(5, &[]), &pool("a", 1.0)), None);
    assert_eq!(says("volume.size < 10"), None);
    assert_eq!(
        says("volume.size > 10").as_deref(),
        Some("its filter_function says no")
    );
    assert_eq!(
        says("volume.colour == 'red'").as_deref(),
        Some("its filter_function asks for volume.colour, which is not known")
    );
}

#[test]
fn an_instance_wants_its_volume_near() {
    let here = pool("a", 1.0);
    let mut asked = request(1, &[]);
    for (locality, expected) in [
        (Locality::Node("node".into()), None),
        (
            Locality::Node("other".into()),
            Some("the instance runs elsewhere"),
        ),
        (
            Locality::Unknown,
            Some("nobody knows where the instance runs"),
        ),
    ] {
        asked.local_to_instance = Some(locality);
        let refused = why(Filter::InstanceLocality, &asked, &here);
        assert_eq!(refused.as_deref(), expected);
    }
}

#[test]
fn what_was_tried_in_vain_is_not_tried_again() {
    let mut asked = request(1, &[]);
    asked.attempted = vec![pool("a", 1.0).host];
    assert!(why(Filter::Retry, &asked, &pool("a", 1.0)).is_some());
    assert_eq!(why(Filter::Retry, &asked, &pool("b", 1.0)), None);
}

fn query(text: &str) -> Option<String> {
    let asked = Request {
        query: Some(text.to_owned()),
        ..request(1, &[])
    };
    why(Filter::Json, &asked, &pool("a", 40.0))
}

#[test]
fn queries_are_conditions_on_the_pool() {
    for fits in [
        "",
        "[]",
        r#"["=", "$backend_id", "node@a#volumes"]"#,
        r#"["and", [">=", "$free_capacity_gb", 40], ["<", "$reserved_percentage", 11]]"#,
        r#"["or", ["=", 1, 2], ["in", "$volume_backend_name", "b", "a"]]"#,
        r#"["not", ["=", "$host", "elsewhere"]]"#,
        r#"["=", "$capabilities.replication_enabled", true]"#,
        r#"["<=", 1, 2, 3]"#,
    ] {
        assert_eq!(query(fits), None, "{fits}");
    }
    for unfit in [
        r#"[">", "$free_capacity_gb", 1024]"#,
        r#"["=", "$capabilities.nothing", 5]"#,
        r#"["=", "$host"]"#,
        r#"["<", "a", 5]"#,
        r#"["not", true]"#,
        r#"["in", "$host"]"#,
        r#"["and", true, ["not", true]]"#,
    ] {
        assert_eq!(
            query(unfit).as_deref(),
            Some("the query does not fit"),
            "{unfit}"
        );
    }
    assert_eq!(query("{").as_deref(), Some("the query is not JSON"));
    assert_eq!(
        query(r#"["eval", 1]"#).as_deref(),
        Some("the query has no command \"eval\"")
    );
    assert_eq!(
        query(&"[".repeat(500)).as_deref(),
        Some("the query is not JSON")
    );
    assert_eq!(
        query(&" ".repeat(5000)).as_deref(),
        Some("the query is too long")
    );
}

#[test]
fn names_are_those_of_cinder() {
    for filter in Filter::ALL {
        assert_eq!(filter.to_string().parse(), Ok(filter));
    }
    assert_eq!("RetryFilter".parse(), Ok(Filter::Retry));
    assert!("Service".parse::<Filter>().is_err());
    assert!("NoFilter".parse::<Filter>().is_err());
}

proptest! {
    #[test]
    fn whatever_a_query_says_gets_an_answer(text in r#"[\[\]{}"$a-z<>=, 0-9.]{0,60}"#) {
        query(&text);
    }
}

//! Queries become lists as Cinder's do.

use std::sync::Arc;

use firebrick_control::{Access, Began, Context, Direction, Filter, Test, TimeTest};
use firebrick_policy::Credentials;
use firebrick_vocabulary::{ProjectId, UserId};

use super::*;
use crate::links::Links;
use crate::microversion::Microversion;
use crate::query::Query as Parameters;
use crate::volumes::list::VOLUMES;

fn access(is_admin: bool) -> Access {
    let roles: &[&str] = if is_admin { &["admin"] } else { &["member"] };
    let who = Credentials {
        project_id: Some("p".into()),
        roles: roles.iter().map(|&role| role.into()).collect(),
        ..Credentials::default()
    };
    Access::new(Arc::default(), who)
}

fn call(query: &str, version: Microversion, is_admin: bool) -> Call {
    Call {
        context: Context {
            project: ProjectId("p".into()),
            user: UserId("u".into()),
            request_id: "req".into(),
            access: access(is_admin),
            began: Began::default(),
        },
        version,
        links: Links::new(Some("http://x"), &axum::http::HeaderMap::new(), None),
        query: Parameters::parse(Some(query)).expect("a query"),
        filters: std::sync::Arc::default(),
        max_limit: 1000,
    }
}

fn newest(query: &str) -> Result<Query, String> {
    read(&call(query, Microversion::MAX, true), &VOLUMES)
        .map_err(|fault| fault.message().to_owned())
}

fn filters(query: &str, version: Microversion, is_admin: bool) -> Result<Vec<Filter>, String> {
    read(&call(query, version, is_admin), &VOLUMES)
        .map(|query| query.listing.filters)
        .map_err(|fault| fault.message().to_owned())
}

fn text(column: Column, value: &str) -> Filter {
    Filter::Column(column, Test::OneOf(vec![value.to_owned()]))
}

#[test]
fn pages_have_bounds() {
    let page = newest("limit=2&offset=1&marker=m&all_tenants=1").expect("a page");
    assert_eq!((page.listing.limit, page.listing.offset), (Some(2), 1));
    assert_eq!(page.listing.marker.as_deref(), Some("m"));
    assert!(page.all_projects);
    assert_eq!(newest("").expect("all").listing.limit, Some(1000));
    assert_eq!(
        newest("limit=99999999999").expect("all").listing.limit,
        Some(1000)
    );
    for bad in [
        "limit=-1",
        "limit=x",
        "limit=",
        "offset=-1",
        "offset=x",
        "offset=2147483648",
    ] {
        assert!(newest(bad).is_err(), "{bad}");
    }
}

#[test]
fn orders_are_those_of_both_ways_to_say_them() {
    let sort = |query| newest(query).map(|query| query.listing.sort);
    let (up, down) = (Direction::Ascending, Direction::Descending);
    assert_eq!(
        sort("sort=size:desc,name:asc"),
        Ok(vec![(Column::Size, down), (Column::Name, up)])
    );
    assert_eq!(
        sort("sort_key=size&sort_dir=asc"),
        Ok(vec![(Column::Size, up)])
    );
    assert_eq!(sort("sort_dir=asc"), Ok(vec![(Column::CreatedAt, up)]));
    assert_eq!(
        sort("sort=nope"),
        Err("Invalid input received: Invalid sort key".into())
    );
    assert!(sort("sort=name:sideways").is_err());
    assert!(sort("sort=name&sort_key=size").is_err());
}

#[test]
fn filters_are_columns_and_properties() {
    let max = |query| filters(query, Microversion::MAX, true);
    assert_eq!(max("name=v1"), Ok(vec![text(Column::Name, "v1")]));
    let like = Filter::Column(Column::Name, Test::Contains("v".into()));
    assert_eq!(max("name~=v"), Ok(vec![like]));
    assert_eq!(
        max("size=2"),
        Ok(vec![Filter::Column(Column::Size, Test::Number(2))])
    );
    assert_eq!(
        max("metadata={'k':'1'}"),
        Ok(vec![Filter::Property("k".into(), "1".into())])
    );
    let host = Filter::Column(Column::Host, Test::Begins("n@b#".into()));
    assert_eq!(max("host=n%40b"), Ok(vec![host]));
    assert_eq!(max("host=n%40b%23p"), Ok(vec![text(Column::Host, "n@b#p")]));
    assert_eq!(max("host=n"), Ok(vec![text(Column::Host, "n")]));
    assert_eq!(max("group_id=g"), Ok(vec![text(Column::Group, "g")]));
    let none = Ok(vec![Filter::Column(Column::Id, Test::OneOf(Vec::new()))]);
    for nothing in ["nope=1", "size=x", "consumes_quota=false", "metadata=x"] {
        assert_eq!(max(nothing), none, "{nothing}");
    }
    assert_eq!(max("consumes_quota=true"), Ok(Vec::new()));
}

#[test]
fn what_a_version_does_not_know_yet_is_left_out() {
    let oldest = |query| filters(query, Microversion::MIN, true);
    for early in [
        "name~=v",
        "created_at=gt:junk",
        "group_id=g",
        "glance_metadata={}",
    ] {
        assert_eq!(oldest(early), Ok(Vec::new()), "{early}");
    }
    assert!(oldest("bootable=junk").is_ok());
}

#[test]
fn times_have_operators() {
    let max = |query| filters(query, Microversion::MAX, true);
    let Ok(found) = max("created_at=gt:2020-01-01T00:00:00,lt:2040-01-01") else {
        panic!("refused")
    };
    let tests: Vec<TimeTest> = (found.iter())
        .filter_map(|filter| match filter {
            Filter::Column(Column::CreatedAt, Test::Time(test, _)) => Some(*test),
            _ => None,
        })
        .collect();
    assert_eq!(tests, [TimeTest::After, TimeTest::Before]);
    assert_eq!(max("created_at=gt:junk"), Err("Invalid junk value".into()));
    assert_eq!(
        max("created_at=foo:2020-01-01"),
        Err("Invalid foo operator".into())
    );
    assert_eq!(
        max("bootable=junk"),
        Err("Invalid input received: 'bootable = junk'".into())
    );
    for good in [
        "2020-01-01T00:00:00Z",
        "2020-01-01 00:00:00",
        "2020-01-01T00:00:00.123456",
    ] {
        let query = format!("created_at={good}");
        assert!(filters(&query, Microversion::MAX, true).is_ok(), "{good}");
    }
}

#[test]
fn filters_that_are_not_open_are_refused_to_others() {
    let refused = Err("Invalid filters host are found in query options.".to_owned());
    assert_eq!(filters("host=h", Microversion::MAX, false), refused);
    assert_eq!(filters("host=h", Microversion::MIN, false), Ok(Vec::new()));
    assert_eq!(
        filters("name=n", Microversion::MAX, false),
        Ok(vec![text(Column::Name, "n")])
    );
}

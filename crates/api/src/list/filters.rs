//! What rows of a list must be.

use firebrick_control::{Column, Filter, Test, TimeTest};
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use super::Kind;
use crate::call::Call;
use crate::fault::Fault;
use crate::literal;
use crate::microversion::Microversion;
use crate::query::boolean;

/// Parameters of every list that are no filters.
const NO_FILTERS: [&str; 7] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_dir",
    "sort_key",
];

/// Administrators may say that they want no hidden copies, which nobody is shown.
const OF_ADMINISTRATORS: &str = "no_migration_targets";

/// The most filters of one list, so that the database is not asked for the absurd.
const MOST: usize = 32;

/// A filter that nothing passes.
fn nothing() -> Vec<Filter> {
    vec![Filter::Column(Column::Id, Test::OneOf(Vec::new()))]
}

/// The filters in the query.
pub(super) fn read(call: &Call, kind: &Kind) -> Result<Vec<Filter>, Fault> {
    let mut filters = Vec::new();
    for (key, value) in call.query.pairs() {
        let counts = key == "with_count" && call.at(Microversion::COUNT);
        let counts = counts || (key == OF_ADMINISTRATORS && call.context.is_admin());
        let other = counts || NO_FILTERS.contains(&key) || kind.others.contains(&key);
        if other || !open(call, kind, key)? {
            continue;
        }
        filters.extend(one(call, kind, key, value)?);
    }
    if filters.len() > MOST {
        return Err(Fault::bad_request(format!("More than {MOST} filters")));
    }
    Ok(filters)
}

/// Whether a filter counts: administrators have all; of others those that are not open are refused
/// or, in older versions, left out.
fn open(call: &Call, kind: &Kind, key: &str) -> Result<bool, Fault> {
    if call.context.is_admin() || call.filters.allows(&kind.open, key) {
        return Ok(true);
    }
    if !call.at(Microversion::CHECKED_FILTERS) {
        return Ok(false);
    }
    let shown: String = key.chars().take(64).collect();
    Err(Fault::bad_request(format!(
        "Invalid filters {shown} are found in query options."
    )))
}

fn one(call: &Call, kind: &Kind, key: &str, value: &str) -> Result<Vec<Filter>, Fault> {
    let column = |name: &str| {
        kind.filters
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, c)| *c)
    };
    if let Some(name) = key.strip_suffix('~') {
        if !call.at(Microversion::SIMILAR_FILTER) {
            return Ok(Vec::new());
        }
        let like = |column| vec![Filter::Column(column, Test::Contains(value.to_owned()))];
        return Ok(column(name).map_or_else(nothing, like));
    }
    match key {
        "metadata" if kind.late && !call.at(Microversion::SNAPSHOT_METADATA_FILTER) => {
            Ok(Vec::new())
        }
        "metadata" => Ok(pairs(value, Filter::Property)),
        "glance_metadata" if !call.at(Microversion::GLANCE_METADATA_FILTER) => Ok(Vec::new()),
        "glance_metadata" => Ok(pairs(value, Filter::Image)),
        "group_id" if !call.at(Microversion::GROUP_FILTER) => Ok(Vec::new()),
        "consumes_quota" => {
            let all = call.at(Microversion::CONSUMES_QUOTA) && boolean(value) == Some(true);
            Ok(if all { Vec::new() } else { nothing() })
        }
        _ => match column(key) {
            Some(column) => of_column(call, column, value),
            // As in Cinder: no row has what is not known.
            None => Ok(nothing()),
        },
    }
}

/// All keys and values of a literal, each as a filter.
fn pairs(literal: &str, filter: fn(String, String) -> Filter) -> Vec<Filter> {
    let Some(map) = literal::map(literal) else {
        return nothing();
    };
    map.into_iter()
        .map(|(key, value)| filter(key, value))
        .collect()
}

fn of_column(call: &Call, column: Column, value: &str) -> Result<Vec<Filter>, Fault> {
    let test = match column {
        Column::Size => match value.parse() {
            Ok(number) => Test::Number(number),
            Err(_) => return Ok(nothing()),
        },
        Column::Bootable => Test::Number(i64::from(bootable(call, value)?)),
        Column::Multiattach
        | Column::ConsumesQuota
        | Column::Accepted
        | Column::MigrationTarget
        | Column::IsPublic => match boolean(value) {
            Some(flag) => Test::Number(i64::from(flag)),
            None => return Ok(nothing()),
        },
        Column::CreatedAt | Column::UpdatedAt | Column::ExpiresAt => {
            return times(call, column, value);
        }
        // A service stands for all its pools. What names no backend is a node, as backups have it.
        Column::Host | Column::Cluster if value.contains('@') && !value.contains('#') => {
            Test::Begins(format!("{value}#"))
        }
        Column::Id
        | Column::Name
        | Column::Description
        | Column::Status
        | Column::Host
        | Column::Project
        | Column::User
        | Column::Volume
        | Column::AvailabilityZone
        | Column::VolumeType
        | Column::Snapshot
        | Column::Source
        | Column::Shown
        | Column::ReplicationStatus
        | Column::MigrationStatus
        | Column::AttachStatus
        | Column::Instance
        | Column::Image
        | Column::Group
        | Column::GroupType
        | Column::GroupSnapshot
        | Column::Cluster
        | Column::Parent
        | Column::Container
        | Column::Resource
        | Column::ResourceType
        | Column::RequestId
        | Column::EventId
        | Column::Level
        | Column::Kind => Test::OneOf(vec![value.to_owned()]),
    };
    Ok(vec![Filter::Column(column, test)])
}

fn bootable(call: &Call, value: &str) -> Result<bool, Fault> {
    match boolean(value) {
        Some(flag) => Ok(flag),
        None if call.at(Microversion::STRICT_BOOTABLE) => {
            let shown: String = value.chars().take(64).collect();
            Err(Fault::invalid_input(format!("'bootable = {shown}'")))
        }
        None => Ok(true),
    }
}

/// `gt:2020-01-01T00:00:00,lt:…`; a time alone must be met.
fn times(call: &Call, column: Column, value: &str) -> Result<Vec<Filter>, Fault> {
    if !call.at(Microversion::TIME_FILTERS) {
        return Ok(Vec::new());
    }
    let mut filters = Vec::new();
    for part in value.split(',') {
        let (operator, text) = match part.split_once(':') {
            Some((operator, text)) if operator.bytes().all(|b| b.is_ascii_alphabetic()) => {
                (operator, text)
            }
            _ => ("eq", part),
        };
        let shown = |text: &str| text.chars().take(64).collect::<String>();
        let test = match operator {
            "gt" => TimeTest::After,
            "gte" => TimeTest::AtOrAfter,
            "eq" => TimeTest::At,
            "neq" => TimeTest::NotAt,
            "lt" => TimeTest::Before,
            "lte" => TimeTest::AtOrBefore,
            other => {
                return Err(Fault::bad_request(format!(
                    "Invalid {} operator",
                    shown(other)
                )));
            }
        };
        let time = moment(text.trim())
            .ok_or_else(|| Fault::bad_request(format!("Invalid {} value", shown(text))))?;
        filters.push(Filter::Column(column, Test::Time(test, time)));
    }
    Ok(filters)
}

/// A date, a time of UTC, or a time with its zone.
fn moment(text: &str) -> Option<OffsetDateTime> {
    let text = text.replacen(' ', "T", 1);
    let utc = |time: PrimitiveDateTime| time.assume_utc();
    OffsetDateTime::parse(&text, &Iso8601::DEFAULT)
        .ok()
        .or_else(|| {
            PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT)
                .ok()
                .map(utc)
        })
        .or_else(|| {
            let date = Date::parse(&text, &Iso8601::DEFAULT).ok()?;
            Some(utc(PrimitiveDateTime::new(date, Time::MIDNIGHT)))
        })
}

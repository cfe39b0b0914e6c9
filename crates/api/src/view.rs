//! The shapes of answers, by microversion.

pub(crate) mod activity;
pub(crate) mod attachment;
pub(crate) mod backup;
pub(crate) mod cluster;
pub(crate) mod encryption;
pub(crate) mod failover;
pub(crate) mod group;
pub(crate) mod group_snapshot;
pub(crate) mod group_type;
pub(crate) mod image;
pub(crate) mod manageable;
pub(crate) mod message;
pub(crate) mod qos;
pub(crate) mod quota;
pub(crate) mod replication;
pub(crate) mod service;
pub(crate) mod shape;
pub(crate) mod snapshot;
#[cfg(test)]
mod tests;
mod time;
pub(crate) mod transfer;
pub(crate) mod volume;
pub(crate) mod volume_type;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::call::Call;
use crate::microversion::Microversion;

/// What some versions show and others hide; where it is shown it may be null.
type Gated<T> = Option<Option<T>>;

/// What is always null here.
type Nothing = Option<()>;

/// `value` where `shown`.
fn gated<T>(shown: bool, value: Option<T>) -> Gated<T> {
    shown.then_some(value)
}

/// `value` at `version` and newer ones.
fn since<T>(call: &Call, version: Microversion, value: Option<T>) -> Gated<T> {
    gated(call.at(version), value)
}

/// One thing below its name.
pub(crate) fn one<T: Serialize>(key: &'static str, thing: T) -> impl Serialize {
    BTreeMap::from([(key, thing)])
}

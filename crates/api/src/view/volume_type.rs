//! Volume types in answers.

use std::collections::BTreeMap;

use firebrick_control::{Metadata, TypeDetail};
use firebrick_vocabulary::{QosId, TypeId};
use serde::Serialize;

use super::{Gated, gated};
use crate::call::Call;

/// The extra specs that everybody may see: what users must know to choose a type.
const VISIBLE: [&str; 3] = [
    "RESKEY:availability_zones",
    "multiattach",
    "replication_enabled",
];

/// A volume type.
#[derive(Serialize)]
pub(crate) struct VolumeType<'a> {
    id: TypeId,
    name: &'a str,
    is_public: bool,
    description: Option<&'a str>,
    extra_specs: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qos_specs_id: Gated<QosId>,
    #[serde(
        rename = "os-volume-type-access:is_public",
        skip_serializing_if = "Option::is_none"
    )]
    access: Option<bool>,
}

/// The extra specs that whoever asks may see.
pub(crate) fn visible<'a>(call: &Call, specs: &'a Metadata) -> BTreeMap<&'a str, &'a str> {
    let all = specs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    all.filter(|(key, _)| call.context.is_admin || VISIBLE.contains(key))
        .collect()
}

/// A type that was changed.
pub(crate) fn changed<'a>(call: &Call, detail: &'a TypeDetail) -> VolumeType<'a> {
    let kind = &detail.volume_type;
    VolumeType {
        id: kind.id,
        name: &kind.name,
        is_public: kind.is_public,
        description: kind.description.as_deref(),
        extra_specs: visible(call, &kind.extra_specs),
        qos_specs_id: None,
        access: None,
    }
}

/// A type that was created.
pub(crate) fn created<'a>(call: &Call, detail: &'a TypeDetail) -> VolumeType<'a> {
    VolumeType {
        access: Some(detail.volume_type.is_public),
        ..changed(call, detail)
    }
}

/// The default type.
pub(crate) fn default<'a>(call: &Call, detail: &'a TypeDetail) -> VolumeType<'a> {
    VolumeType {
        qos_specs_id: gated(call.context.is_admin, detail.volume_type.qos_specs),
        ..changed(call, detail)
    }
}

/// A type that is shown or listed.
pub(crate) fn full<'a>(call: &Call, detail: &'a TypeDetail) -> VolumeType<'a> {
    VolumeType {
        access: Some(detail.volume_type.is_public),
        ..default(call, detail)
    }
}

//! Volume types in answers.

use std::collections::BTreeMap;

use firebrick_control::{Metadata, TypeDetail};
use firebrick_policy::Rule;
use firebrick_vocabulary::{QosId, TypeId};
use serde::Serialize;

use super::shape::{LINKS, TEXTS};
use super::{Gated, gated};
use crate::call::Call;
use crate::schema::{FLAG, ID, ID_OR_NULL, Schema, TEXT, TEXT_OR_NULL, array, object, only};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_specs: Option<BTreeMap<&'a str, &'a str>>,
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
    let sensitive = call.context.may(Rule::TypesExtraSpecsReadSensitive);
    let all = specs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    all.filter(|(key, _)| sensitive || VISIBLE.contains(key))
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
        extra_specs: call
            .context
            .may(Rule::AccessTypesExtraSpecs)
            .then(|| visible(call, &kind.extra_specs)),
        qos_specs_id: None,
        access: None,
    }
}

/// A type that was created.
pub(crate) fn created<'a>(call: &Call, detail: &'a TypeDetail) -> VolumeType<'a> {
    VolumeType {
        access: access(call, detail),
        ..changed(call, detail)
    }
}

/// The default type.
pub(crate) fn default<'a>(call: &Call, detail: &'a TypeDetail) -> VolumeType<'a> {
    VolumeType {
        qos_specs_id: gated(
            call.context.may(Rule::AccessTypesQosSpecsId),
            detail.volume_type.qos_specs,
        ),
        ..changed(call, detail)
    }
}

/// A type that is shown or listed.
pub(crate) fn full<'a>(call: &Call, detail: &'a TypeDetail) -> VolumeType<'a> {
    VolumeType {
        access: access(call, detail),
        ..default(call, detail)
    }
}

fn access(call: &Call, detail: &TypeDetail) -> Option<bool> {
    let may = call.context.may(Rule::VolumeTypeAccess);
    may.then_some(detail.volume_type.is_public)
}

/// The shape of the projects that may use a type.
pub(crate) const ACCESS: Schema = only(
    &["volume_type_access"],
    &[("volume_type_access", array(&ACCESS_OF_ONE))],
);

const ACCESS_OF_ONE: Schema = object(&[("volume_type_id", ID), ("project_id", TEXT)])
    .required(&["volume_type_id", "project_id"])
    .closed();

const SHAPE: Schema = object(&[
    ("id", ID),
    ("name", TEXT),
    ("is_public", FLAG),
    ("description", TEXT_OR_NULL),
    ("extra_specs", TEXTS),
    ("qos_specs_id", ID_OR_NULL),
    ("os-volume-type-access:is_public", FLAG),
])
.required(&["id", "name", "is_public", "description"])
.closed();

/// The shape of a type that was created or changed, or is shown.
pub(crate) const ONE: Schema = only(&["volume_type"], &[("volume_type", SHAPE)]);

/// The shape of lists.
pub(crate) const LIST: Schema = object(&[
    ("volume_types", array(&SHAPE)),
    ("volume_type_links", LINKS),
])
.required(&["volume_types"])
.closed();

/// The shape of all extra specs.
pub(crate) const EXTRA_SPECS: Schema = only(&["extra_specs"], &[("extra_specs", TEXTS)]);

/// The shape of one of them.
pub(crate) const EXTRA_SPEC: Schema = TEXTS.entries(1, 1);

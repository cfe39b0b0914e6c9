//! QoS specs in answers.

use firebrick_control::{Metadata, QosSpec, VolumeType};
use firebrick_vocabulary::{QosId, TypeId};
use serde::Serialize;

use super::shape::{LINKS, TEXTS, TEXTS_OR_NULLS};
use crate::call::Call;
use crate::links::Both;
use crate::schema::{ID, Schema, TEXT, array, object, only};

/// A QoS spec.
#[derive(Serialize)]
pub(crate) struct Qos<'a> {
    id: QosId,
    name: &'a str,
    consumer: &'static str,
    specs: &'a Metadata,
}

/// A QoS spec alone, with its links beside it.
#[derive(Serialize)]
pub(crate) struct Alone<'a> {
    qos_specs: Qos<'a>,
    links: Both<'a, QosId>,
}

/// A type that has a QoS spec.
#[derive(Serialize)]
pub(crate) struct Association<'a> {
    #[serde(rename = "association_type")]
    kind: &'static str,
    name: &'a str,
    id: TypeId,
}

/// In a list.
pub(crate) fn brief(spec: &QosSpec) -> Qos<'_> {
    Qos {
        id: spec.id,
        name: &spec.name,
        consumer: spec.consumer.as_str(),
        specs: &spec.specs,
    }
}

/// Shown or created.
pub(crate) fn alone<'a>(call: &'a Call, spec: &'a QosSpec) -> Alone<'a> {
    Alone {
        qos_specs: brief(spec),
        links: call.links.of("qos-specs", spec.id),
    }
}

/// One of those that have it.
pub(crate) fn association(kind: &VolumeType) -> Association<'_> {
    Association {
        kind: "volume_type",
        name: &kind.name,
        id: kind.id,
    }
}

const SHAPE: Schema = object(&[
    ("id", ID),
    ("name", TEXT),
    ("consumer", TEXT),
    ("specs", TEXTS),
])
.required(&["id", "name", "consumer", "specs"])
.closed();

/// The shape of a QoS spec that was created or is shown.
pub(crate) const ONE: Schema = object(&[("qos_specs", SHAPE), ("links", LINKS)])
    .required(&["qos_specs", "links"])
    .closed();

/// The shape of lists.
pub(crate) const LIST: Schema = object(&[("qos_specs", array(&SHAPE)), ("qos_specs_links", LINKS)])
    .required(&["qos_specs"])
    .closed();

/// The shape of what was changed: the request's keys.
pub(crate) const CHANGED: Schema = only(&["qos_specs"], &[("qos_specs", TEXTS_OR_NULLS)]);

/// The shape of the types that have a QoS spec.
pub(crate) const ASSOCIATIONS: Schema = only(
    &["qos_associations"],
    &[(
        "qos_associations",
        array(
            &object(&[("association_type", TEXT), ("name", TEXT), ("id", ID)])
                .required(&["association_type", "name", "id"])
                .closed(),
        ),
    )],
);

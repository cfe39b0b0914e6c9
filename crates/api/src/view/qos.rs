//! QoS specs in answers.

use firebrick_control::{Metadata, QosSpec, VolumeType};
use firebrick_vocabulary::{QosId, TypeId};
use serde::Serialize;

use crate::call::Call;
use crate::links::Both;

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

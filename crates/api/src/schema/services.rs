//! The bodies of requests about services.

use super::{
    HOST, ID_OR_NULL, Kind, NAME, NAME_OR_NULL, OBJECT, Pattern, SAID, SHORT_OR_NULL, Schema, Word,
    object, of, text,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const ON: Schema = NAME_OR_NULL.pattern(HOST);

const NAMED: &[Schema] = &[OBJECT.required(&["binary"]), OBJECT.required(&["service"])];

/// `PUT …/enable` and `PUT …/disable`.
pub(crate) const SWITCH: Bodies = &[(
    V::MIN,
    &object(&[
        ("binary", NAME),
        ("host", ON),
        ("cluster", SHORT_OR_NULL),
        ("service", NAME),
    ])
    .closed()
    .and_any_of(NAMED),
)];

/// `PUT …/disable-log-reason`.
pub(crate) const DISABLE: Bodies = &[(
    V::MIN,
    &object(&[
        ("binary", NAME),
        ("host", ON),
        ("cluster", SHORT_OR_NULL),
        ("service", NAME),
        ("disabled_reason", NAME),
    ])
    .closed()
    .and_any_of(NAMED),
)];

/// `PUT …/freeze` and `PUT …/thaw`.
pub(crate) const FREEZE: Bodies = &[(
    V::MIN,
    &object(&[("cluster", SHORT_OR_NULL), ("host", ON)]).closed(),
)];

/// `PUT …/failover_host` and `PUT …/failover`.
pub(crate) const FAILOVER: Bodies = &[(
    V::MIN,
    &object(&[
        ("host", ON),
        ("backend_id", SHORT_OR_NULL),
        ("cluster", SHORT_OR_NULL),
    ])
    .closed(),
)];

/// Whose log.
const BINARY: Schema = text().words(&[
    Word::Text("cinder-scheduler"),
    Word::Text("cinder-volume"),
    Word::Text("cinder-backup"),
    Word::Text("cinder-api"),
    Word::Text(""),
    Word::Text("*"),
]);

/// `PUT …/get-log`.
pub(crate) const GET_LOG: Bodies = &[(
    V::LOG_LEVELS,
    &object(&[
        ("binary", BINARY),
        ("server", SHORT_OR_NULL),
        ("prefix", SHORT_OR_NULL),
    ])
    .closed(),
)];

/// `PUT …/set-log`.
pub(crate) const SET_LOG: Bodies = &[(
    V::LOG_LEVELS,
    &object(&[
        ("binary", BINARY),
        ("server", SHORT_OR_NULL),
        ("prefix", SHORT_OR_NULL),
        ("level", SHORT_OR_NULL),
    ])
    .closed(),
)];

/// `PUT /clusters/enable`.
pub(crate) const CLUSTER_ON: Bodies = &[(
    V::CLUSTERS,
    &object(&[("name", NAME), ("binary", SHORT_OR_NULL)])
        .required(&["name"])
        .closed(),
)];

/// `PUT /clusters/disable`.
pub(crate) const CLUSTER_OFF: Bodies = &[(
    V::CLUSTERS,
    &object(&[
        ("name", NAME),
        ("binary", SHORT_OR_NULL),
        ("disabled_reason", NAME_OR_NULL),
    ])
    .required(&["name"])
    .closed(),
)];

/// Digits, or nothing.
const NUMBER: Pattern = Pattern {
    expression: "^[0-9]*$",
    matches: |text| text.bytes().all(|b| b.is_ascii_digit()),
};

/// `POST /workers/cleanup`.
pub(crate) const CLEANUP: Bodies = &[(
    V::WORKERS,
    &object(&[
        ("cluster_name", ON),
        ("disabled", SAID),
        ("host", ON),
        ("is_up", SAID),
        (
            "binary",
            text().words(&[Word::Text("cinder-volume"), Word::Text("cinder-scheduler")]),
        ),
        ("resource_id", ID_OR_NULL),
        ("resource_type", SHORT_OR_NULL.length(0, 40)),
        (
            "service_id",
            of(&[Kind::Integer, Kind::Text, Kind::Null])
                .pattern(NUMBER)
                .length(0, 11),
        ),
    ])
    .closed(),
)];

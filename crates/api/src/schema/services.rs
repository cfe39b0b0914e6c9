//! The bodies of requests about services.

use super::{HOST, NAME, NAME_OR_NULL, OBJECT, SHORT_OR_NULL, Schema, object};
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

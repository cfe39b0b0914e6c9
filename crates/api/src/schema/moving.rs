//! The bodies of actions by which volumes move.

use super::{ID, Kind, SAID, SHORT, SHORT_OR_NULL, Schema, TEXT, Word, object, of, text};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const POLICY: Schema = text().words(&[Word::Text("on-demand"), Word::Text("never")]);

/// `os-retype`.
pub(crate) const RETYPE: Bodies = &[(
    V::MIN,
    &object(&[("new_type", TEXT), ("migration_policy", POLICY)])
        .required(&["new_type"])
        .closed(),
)];

/// `os-migrate_volume`.
pub(crate) const MIGRATE: Bodies = &[
    (
        V::MIN,
        &object(&[
            ("host", SHORT),
            ("force_host_copy", SAID),
            ("lock_volume", SAID),
        ])
        .required(&["host"])
        .closed(),
    ),
    (
        V::MIGRATE_TO_CLUSTER,
        &object(&[
            ("host", SHORT_OR_NULL),
            ("force_host_copy", SAID),
            ("lock_volume", SAID),
            ("cluster", SHORT_OR_NULL),
        ])
        .closed(),
    ),
];

const FAILED: Schema = of(&[Kind::Text, Kind::Null, Kind::Boolean]);

/// `os-migrate_volume_completion`.
pub(crate) const COMPLETE_MIGRATION: Bodies = &[(
    V::MIN,
    &object(&[("new_volume", ID), ("error", FAILED)])
        .required(&["new_volume"])
        .closed(),
)];

/// `os-extend_volume_completion`.
pub(crate) const COMPLETE_EXTENSION: Bodies = &[(V::MIN, &object(&[("error", FAILED)]).closed())];

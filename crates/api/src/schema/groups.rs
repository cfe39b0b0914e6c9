//! The bodies of requests about groups and their snapshots.

use super::{
    DESCRIPTION, ID, Kind, NAME, NAME_OR_NULL, OBJECT, SAID, SHORT, SHORT_OR_NULL, Schema, TEXT,
    TEXT_OR_NULL, any_of, array, object, of, only, text,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("description", DESCRIPTION),
    ("group_type", NAME),
    ("name", SHORT_OR_NULL),
    ("volume_types", array(&SHORT)),
    ("availability_zone", NAME_OR_NULL),
])
.required(&["group_type", "volume_types"])
.closed();

/// `POST /groups`.
pub(crate) const CREATE: Bodies = &[(V::GROUPS, &only(&["group"], &[("group", NEW)]))];

/// `create-from-src`.
pub(crate) const CREATE_FROM_SOURCE: Bodies = &[(
    V::GROUP_SNAPSHOTS,
    &object(&[
        ("description", DESCRIPTION),
        ("name", SHORT_OR_NULL),
        ("source_group_id", ID),
        ("group_snapshot_id", ID),
    ])
    .closed(),
)];

const CHANGE: Schema = object(&[
    ("description", DESCRIPTION),
    ("name", SHORT_OR_NULL),
    ("add_volumes", DESCRIPTION),
    ("remove_volumes", DESCRIPTION),
])
.closed();

/// `PUT /groups/{id}`.
pub(crate) const UPDATE: Bodies = &[(V::GROUPS, &only(&["group"], &[("group", CHANGE)]))];

/// `delete`.
pub(crate) const DELETE: Bodies = &[(V::GROUPS, &object(&[("delete-volumes", SAID)]).closed())];

/// `reset_status`, of both.
pub(crate) const RESET_STATUS: Bodies = &[(
    V::GROUPS,
    &object(&[("status", text().kinds(&[Kind::Text]))])
        .required(&["status"])
        .closed(),
)];

/// `enable_replication`, `disable_replication` and `list_replication_targets`.
pub(crate) const REPLICATE: Bodies = &[(V::GROUP_REPLICATION, &OBJECT)];

/// `failover_replication`.
pub(crate) const FAILOVER: Bodies = &[(
    V::GROUP_REPLICATION,
    &object(&[
        ("allow_attached_volume", SAID),
        ("secondary_backend_id", SHORT_OR_NULL),
    ])
    .closed(),
)];

const NEW_SNAPSHOT: Schema = object(&[
    ("group_id", ID),
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
])
.required(&["group_id"])
.closed();

/// `POST /group_snapshots`.
pub(crate) const CREATE_SNAPSHOT: Bodies = &[(
    V::GROUP_SNAPSHOTS,
    &only(&["group_snapshot"], &[("group_snapshot", NEW_SNAPSHOT)]),
)];

const LEGACY_NEW: Schema = object(&[
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("volume_types", SHORT_OR_NULL),
    ("availability_zone", NAME_OR_NULL),
])
.required(&["volume_types"]);

/// `POST /consistencygroups`. As in Cinder, other keys are let pass.
pub(crate) const LEGACY_CREATE: Bodies = &[(
    V::MIN,
    &object(&[("consistencygroup", LEGACY_NEW)]).required(&["consistencygroup"]),
)];

const LEGACY_SOURCE: Schema = object(&[
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("cgsnapshot_id", TEXT_OR_NULL),
    ("source_cgid", TEXT_OR_NULL),
]);

/// `POST /consistencygroups/create_from_src`.
pub(crate) const LEGACY_FROM_SOURCE: Bodies = &[(
    V::MIN,
    &object(&[("consistencygroup-from-src", LEGACY_SOURCE)])
        .required(&["consistencygroup-from-src"]),
)];

/// `POST /consistencygroups/{id}/delete`: there may be no body, or an empty one.
pub(crate) const LEGACY_DELETE: Bodies = &[(
    V::MIN,
    &any_of(&[
        object(&[("consistencygroup", object(&[("force", SAID)]))]),
        of(&[Kind::Null]),
    ]),
)];

const LEGACY_CHANGE: Schema = object(&[
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("add_volumes", DESCRIPTION),
    ("remove_volumes", DESCRIPTION),
]);

/// `PUT /consistencygroups/{id}/update`.
pub(crate) const LEGACY_UPDATE: Bodies = &[(
    V::MIN,
    &object(&[("consistencygroup", LEGACY_CHANGE)]).required(&["consistencygroup"]),
)];

const LEGACY_NEW_SNAPSHOT: Schema = object(&[
    ("consistencygroup_id", TEXT),
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
])
.required(&["consistencygroup_id"]);

/// `POST /cgsnapshots`.
pub(crate) const LEGACY_SNAPSHOT: Bodies = &[(
    V::MIN,
    &object(&[("cgsnapshot", LEGACY_NEW_SNAPSHOT)]).required(&["cgsnapshot"]),
)];

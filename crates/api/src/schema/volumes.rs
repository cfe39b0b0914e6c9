//! The bodies of requests about volumes.

use super::{
    ANY, ID, ID_OR_NULL, Kind, METADATA, METADATA_KEY, METADATA_OR_NULL, MODE, NAME, NAME_OR_NULL,
    NULL, OBJECT, SAID, SHORT, SHORT_OR_NULL, SIZE, Schema, TEXT_OR_NULL, Word, any_of, array, map,
    object, of, only, text,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

/// The most volumes in one hint.
const MAX_HINTED: u32 = 100;

/// A volume or volumes of a hint.
const HINTED: Schema = any_of(&[ID, array(&ID).at_most(MAX_HINTED)]);

const HINTS: Schema = object(&[
    ("local_to_instance", ID_OR_NULL),
    ("different_host", HINTED),
    ("same_host", HINTED),
    ("query", of(&[Kind::Text, Kind::Object])),
])
.kinds(&[Kind::Object, Kind::Null]);

// Lengths of names are told in other words than the schema has, behind it.
const NEW: Schema = object(&[
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("display_name", TEXT_OR_NULL),
    ("display_description", TEXT_OR_NULL),
    ("volume_type", SHORT_OR_NULL),
    ("metadata", METADATA_OR_NULL),
    ("snapshot_id", ID_OR_NULL),
    ("source_volid", ID_OR_NULL),
    ("consistencygroup_id", ID_OR_NULL),
    ("size", SIZE.kinds(&[Kind::Integer, Kind::Text, Kind::Null])),
    ("availability_zone", NAME_OR_NULL),
    ("multiattach", any_of(&[NULL, SAID])),
    ("image_id", SHORT_OR_NULL),
    ("imageRef", SHORT_OR_NULL),
    ("group_id", SHORT_OR_NULL.since(V::GROUPS)),
    ("backup_id", ID_OR_NULL.since(V::CREATE_FROM_BACKUP)),
]);

const CREATE_LOOSE: Schema = object(&[("volume", NEW), ("OS-SCH-HNT:scheduler_hints", HINTS)])
    .required(&["volume"])
    .closed();

const CREATE_STRICT: Schema = object(&[
    ("volume", NEW.closed()),
    ("OS-SCH-HNT:scheduler_hints", HINTS),
])
.required(&["volume"])
.closed();

/// `POST /volumes`.
pub(crate) const CREATE: Bodies = &[(V::MIN, &CREATE_LOOSE), (V::STRICT_BODIES, &CREATE_STRICT)];

const CHANGE: Schema = object(&[
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("display_name", TEXT_OR_NULL),
    ("display_description", TEXT_OR_NULL),
    ("metadata", METADATA),
])
.closed();

const SOMETHING: &[Schema] = &[
    OBJECT.required(&["name"]),
    OBJECT.required(&["description"]),
    OBJECT.required(&["display_name"]),
    OBJECT.required(&["display_description"]),
    OBJECT.required(&["metadata"]),
];

/// `PUT /volumes/{id}`.
pub(crate) const UPDATE: Bodies = &[
    (V::MIN, &only(&["volume"], &[("volume", CHANGE)])),
    (
        V::STRICT_BODIES,
        &only(&["volume"], &[("volume", CHANGE.and_any_of(SOMETHING))]),
    ),
];

/// `POST` and `PUT /volumes/{id}/metadata`.
pub(crate) const METADATA_BODY: Bodies =
    &[(V::MIN, &only(&["metadata"], &[("metadata", METADATA)]))];

/// `PUT /volumes/{id}/metadata/{key}`.
pub(crate) const META_BODY: Bodies = &[(
    V::MIN,
    &only(
        &["meta"],
        &[("meta", map(METADATA_KEY, &SHORT).entries(1, 1))],
    ),
)];

/// An action whose value says nothing.
pub(crate) const SILENT: Bodies = &[(V::MIN, &ANY)];

/// `os-extend`.
pub(crate) const EXTEND: Bodies = &[(V::MIN, &only(&["new_size"], &[("new_size", SIZE)]))];

/// `os-reset_status`.
pub(crate) const RESET_STATUS: Bodies = &[(
    V::MIN,
    &object(&[
        ("status", SHORT_OR_NULL),
        ("attach_status", SHORT_OR_NULL),
        ("migration_status", SHORT_OR_NULL),
    ])
    .closed(),
)];

/// `os-set_bootable`.
pub(crate) const SET_BOOTABLE: Bodies = &[(V::MIN, &only(&["bootable"], &[("bootable", SAID)]))];

/// What is remembered of an image: longer than what users say.
const OF_IMAGE: Schema = map(METADATA_KEY, &text().length(0, 65_535));

/// `os-set_image_metadata`.
pub(crate) const SET_IMAGE_METADATA: Bodies =
    &[(V::MIN, &only(&["metadata"], &[("metadata", OF_IMAGE)]))];

/// `os-unset_image_metadata`.
pub(crate) const UNSET_IMAGE_METADATA: Bodies = &[(V::MIN, &only(&["key"], &[("key", NAME)]))];

/// `revert`.
pub(crate) const REVERT: Bodies = &[(V::MIN, &object(&[("snapshot_id", TEXT_OR_NULL)]).closed())];

/// The formats of images that volumes become.
const DISK_FORMAT: Schema = text().words(&[
    Word::Text("raw"),
    Word::Text("vmdk"),
    Word::Text("vdi"),
    Word::Text("qcow2"),
    Word::Text("vhd"),
    Word::Text("vhdx"),
    Word::Text("ploop"),
]);

/// Who sees an image.
const VISIBILITY: Schema = text().words(&[
    Word::Text("community"),
    Word::Text("public"),
    Word::Text("private"),
    Word::Text("shared"),
]);

/// `os-volume_upload_image`.
pub(crate) const UPLOAD: Bodies = &[(
    V::MIN,
    &only(
        &["image_name"],
        &[
            ("image_name", NAME),
            ("force", SAID),
            ("disk_format", DISK_FORMAT),
            ("container_format", SHORT),
            ("visibility", VISIBILITY.since(V::UPLOAD_OPTIONS)),
            ("protected", SAID.since(V::UPLOAD_OPTIONS)),
        ],
    ),
)];

/// `os-reimage`.
pub(crate) const REIMAGE: Bodies = &[(
    V::MIN,
    &only(
        &["image_id"],
        &[("image_id", ID), ("reimage_reserved", SAID)],
    ),
)];

/// `os-update_readonly_flag`.
pub(crate) const SET_READONLY: Bodies = &[(V::MIN, &only(&["readonly"], &[("readonly", SAID)]))];

/// `os-initialize_connection`.
pub(crate) const INITIALIZE: Bodies = &[(V::MIN, &only(&["connector"], &[("connector", OBJECT)]))];

/// The connector of a host that disconnects, which need not be known any more.
const LEFT: Schema = of(&[Kind::Text, Kind::Object, Kind::Null]);

/// `os-terminate_connection`.
pub(crate) const TERMINATE: Bodies = &[(V::MIN, &only(&["connector"], &[("connector", LEFT)]))];

/// `os-attach`.
pub(crate) const ATTACH: Bodies = &[(
    V::MIN,
    &object(&[
        ("instance_uuid", ID),
        ("mountpoint", NAME),
        ("host_name", SHORT),
        ("mode", MODE),
    ])
    .required(&["mountpoint"])
    .closed()
    .and_any_of(&[
        OBJECT.required(&["instance_uuid"]),
        OBJECT.required(&["host_name"]),
    ]),
)];

/// `os-detach`.
pub(crate) const DETACH: Bodies = &[(
    V::MIN,
    &object(&[("attachment_id", ID_OR_NULL)])
        .kinds(&[Kind::Object, Kind::Null])
        .closed(),
)];

/// `os-force_detach`.
pub(crate) const FORCE_DETACH: Bodies = &[(
    V::MIN,
    &object(&[("connector", LEFT), ("attachment_id", ID_OR_NULL)]).closed(),
)];

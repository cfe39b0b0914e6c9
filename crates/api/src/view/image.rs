//! A volume that becomes an image, in the answer that says so.

use firebrick_cloud::{Image, Visibility};
use firebrick_control::UploadDetail;
use firebrick_vocabulary::{QosId, TypeId, VolumeId};
use serde::Serialize;
use uuid::Uuid;

use super::Nothing;
use super::shape::{TIME, TIME_OR_NULL, WHOLE};
use super::time::Moment;
use crate::schema::{FLAG, ID, ID_OR_NULL, NULL, Schema, TEXT, TEXT_OR_NULL, any_of, object};

/// The image, and what of the volume clients look at.
#[derive(Serialize)]
pub(crate) struct Uploading<'a> {
    id: VolumeId,
    updated_at: Option<Moment>,
    status: &'static str,
    display_description: Option<&'a str>,
    size: u32,
    volume_type: Option<Kind<'a>>,
    image_id: Uuid,
    container_format: Option<&'a str>,
    disk_format: Option<&'a str>,
    image_name: Option<&'a str>,
    protected: bool,
    visibility: Visibility,
}

/// The type, of which clients want the name.
#[derive(Serialize)]
struct Kind<'a> {
    id: TypeId,
    name: &'a str,
    description: Option<&'a str>,
    is_public: bool,
    qos_specs_id: Option<QosId>,
    created_at: Moment,
    updated_at: Option<Moment>,
    deleted: bool,
    deleted_at: Nothing,
}

const KIND: Schema = object(&[
    ("id", ID),
    ("name", TEXT),
    ("description", TEXT_OR_NULL),
    ("is_public", FLAG),
    ("qos_specs_id", ID_OR_NULL),
    ("created_at", TIME),
    ("updated_at", TIME_OR_NULL),
    ("deleted", FLAG),
    ("deleted_at", NULL),
])
.closed();

const UPLOAD: Schema = object(&[
    ("id", ID),
    ("updated_at", TIME_OR_NULL),
    ("status", TEXT),
    ("display_description", TEXT_OR_NULL),
    ("size", WHOLE),
    ("volume_type", any_of(&[KIND, NULL])),
    ("image_id", ID),
    ("container_format", TEXT_OR_NULL),
    ("disk_format", TEXT_OR_NULL),
    ("image_name", TEXT_OR_NULL),
    ("protected", FLAG),
    ("visibility", TEXT),
])
.required(&["id", "status", "size", "volume_type", "image_id"])
.closed();

/// `os-volume_upload_image`.
pub(crate) const UPLOADING: Schema = object(&[("os-volume_upload_image", UPLOAD)])
    .required(&["os-volume_upload_image"])
    .closed();

/// A volume that becomes an image.
pub(crate) fn uploading(detail: &UploadDetail) -> Uploading<'_> {
    let UploadDetail {
        volume,
        volume_type,
        image,
    } = detail;
    let Image {
        container_format,
        disk_format,
        name,
        ..
    } = image;
    Uploading {
        id: volume.id,
        updated_at: volume.updated_at.map(Moment),
        status: volume.shown_status().as_str(),
        display_description: volume.description.as_deref(),
        size: volume.size,
        volume_type: volume_type.as_ref().map(|kind| Kind {
            id: kind.id,
            name: &kind.name,
            description: kind.description.as_deref(),
            is_public: kind.is_public,
            qos_specs_id: kind.qos_specs,
            created_at: Moment(kind.created_at),
            updated_at: kind.updated_at.map(Moment),
            deleted: false,
            deleted_at: None,
        }),
        image_id: image.id,
        container_format: container_format.as_deref(),
        disk_format: disk_format.as_deref(),
        image_name: name.as_deref(),
        protected: image.protected,
        visibility: image.visibility,
    }
}

//! Attachments in answers.

use firebrick_control::{AttachmentDetail, ConnectionInfo, Object};
use firebrick_vocabulary::{AttachmentId, VolumeId};
use serde::Serialize;
use serde_json::Value;

use super::shape::{LINKS, TIME};
use super::time::Moment;
use crate::schema::{
    ID, OBJECT, Schema, TEXT, TEXT_OR_NULL, Word, any_of, array, object, only, text,
};

/// An attachment in a list without details.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    id: AttachmentId,
    status: &'static str,
    instance: Option<&'a str>,
    volume_id: VolumeId,
}

/// An attachment with details.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    #[serde(flatten)]
    brief: Brief<'a>,
    attached_at: String,
    detached_at: &'static str,
    attach_mode: &'static str,
    connection_info: Object,
}

/// An attachment in a list without details.
pub(crate) fn brief(detail: &AttachmentDetail) -> Brief<'_> {
    let attachment = &detail.attachment;
    Brief {
        id: attachment.id,
        status: attachment.status.as_str(),
        instance: attachment.instance.as_deref(),
        volume_id: attachment.volume,
    }
}

/// An attachment that is shown, or listed with details.
pub(crate) fn full(detail: &AttachmentDetail) -> Full<'_> {
    let attachment = &detail.attachment;
    let info = detail.connection_info.as_ref();
    Full {
        brief: brief(detail),
        attached_at: attachment
            .attached_at
            .map(|at| Moment(at).to_string())
            .unwrap_or_default(),
        detached_at: "",
        attach_mode: attachment.mode.as_str(),
        connection_info: info
            .map(|info| connection(info, attachment.id))
            .unwrap_or_default(),
    }
}

/// How the host reaches the volume, in one object as attachments have it.
fn connection(info: &ConnectionInfo, id: AttachmentId) -> Object {
    let mut object = info.data.clone();
    let kind = Value::String(info.driver_volume_type.clone());
    object.insert("driver_volume_type".to_owned(), kind);
    object.insert("attachment_id".to_owned(), Value::String(id.to_string()));
    object
}

const SHAPE: Schema = object(&[
    ("id", ID),
    ("status", TEXT),
    ("instance", TEXT_OR_NULL),
    ("volume_id", ID),
    ("attached_at", SOMETIMES),
    ("detached_at", SOMETIMES),
    ("attach_mode", TEXT_OR_NULL),
    ("connection_info", OBJECT),
])
.required(&["id", "status", "instance", "volume_id"])
.closed();

/// A time, or an empty text where it has not come.
const SOMETIMES: Schema = any_of(&[TIME, text().words(&[Word::Text("")])]);

/// The shape of an attachment that was created or changed, or is shown.
pub(crate) const ONE: Schema = only(&["attachment"], &[("attachment", SHAPE)]);

/// The shape of lists.
pub(crate) const LIST: Schema =
    object(&[("attachments", array(&SHAPE)), ("attachments_links", LINKS)])
        .required(&["attachments"])
        .closed();

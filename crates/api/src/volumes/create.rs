//! `POST /volumes`.

use axum::extract::State;
use firebrick_control::{Control, CreateVolume, ImageRef};
use firebrick_vocabulary::{BackupId, GroupId, SnapshotUuid, VolumeId};
use serde_json::Value;

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, accepted};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion;
use crate::{ids, view};

/// Where scheduler hints stand in the body.
const HINTS: &str = "OS-SCH-HNT:scheduler_hints";

/// The most volumes in one hint.
const MAX_HINTED: usize = 100;

pub(crate) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let root = body.root()?;
    let mut request = read(&call, root.object("volume")?)?;
    if let Some(hints) = root.object_or_null(HINTS)? {
        request.local_to_instance = hints.uuid_or_null("local_to_instance")?;
        request.query = condition(&hints);
        request.same_host = hinted(&hints, "same_host")?;
        request.different_host = hinted(&hints, "different_host")?;
    }
    let detail = control.create_volume(&call.context, request).await?;
    accepted(view::one("volume", view::volume::changed(&call, &detail)))
}

fn read(call: &Call, fields: Fields<'_>) -> Result<CreateVolume, Fault> {
    if fields.has("multiattach") && fields.boolean("multiattach")? == Some(true) {
        return Err(Fault::bad_request(
            "multiattach parameter has been removed. The default behavior is to use multiattach \
             enabled volume types. Contact your administrator to create a multiattach enabled \
             volume type and use it to create multiattach volumes.",
        ));
    }
    let snapshot = fields.uuid_or_null("snapshot_id")?.map(SnapshotUuid);
    let source = fields.uuid_or_null("source_volid")?.map(VolumeId);
    let size = fields.size("size", true)?;
    let backup = if call.at(Microversion::CREATE_FROM_BACKUP) {
        fields.uuid_or_null("backup_id")?.map(BackupId)
    } else {
        None
    };
    let image = image(&fields)?;
    Ok(CreateVolume {
        size,
        name: fields.trimmed(["name", "display_name"], "name")?.flatten(),
        description: fields
            .trimmed(["description", "display_description"], "description")?
            .flatten(),
        volume_type: fields
            .text_or_null("volume_type", 0)?
            .flatten()
            .filter(|t| !t.is_empty()),
        availability_zone: fields.text_or_null("availability_zone", 1)?.flatten(),
        metadata: fields
            .map("metadata", Keys::Metadata, true)?
            .unwrap_or_default(),
        snapshot,
        source,
        image,
        follow_mapping: call.at(Microversion::EMPTY_IMAGES),
        backup,
        group: group(call, &fields)?,
        same_host: Vec::new(),
        different_host: Vec::new(),
        local_to_instance: None,
        query: None,
    })
}

/// The image, by either of its names; `image_id` goes first.
fn image(fields: &Fields<'_>) -> Result<Option<ImageRef>, Fault> {
    let key = if fields.has("image_id") {
        "image_id"
    } else {
        "imageRef"
    };
    let given = fields.text_or_null(key, 0)?.flatten();
    Ok(given.map(ImageRef::new))
}

/// The group that the volume is to belong to, by either of its names.
fn group(call: &Call, fields: &Fields<'_>) -> Result<Option<GroupId>, Fault> {
    let legacy = fields.uuid_or_null("consistencygroup_id")?.map(GroupId);
    let named = if call.at(Microversion::GROUPS) {
        fields.text_or_null("group_id", 0)?.flatten()
    } else {
        None
    };
    match named {
        Some(id) => ids::group(&id).map(Some),
        None => Ok(legacy),
    }
}

/// The volumes of a hint: one id or a list.
fn hinted(hints: &Fields<'_>, key: &str) -> Result<Vec<VolumeId>, Fault> {
    let ids = hints.uuids(key, MAX_HINTED)?;
    Ok(ids.into_iter().map(VolumeId).collect())
}

/// The hint `query`: JSON, as a text or as it is.
fn condition(hints: &Fields<'_>) -> Option<String> {
    match hints.get("query") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    }
}

//! `POST` of what is to be taken over.

use axum::extract::State;
use firebrick_control::{Control, ManageSnapshot, ManageVolume, Reference};
use firebrick_vocabulary::{ImageId, VolumeId};
use serde_json::Value;
use uuid::Uuid;

use super::one_of;
use crate::body::{Body, Fields, Keys};
use crate::call::{Call, accepted};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::view;

/// A volume. Cinder answers in the shape of its oldest version, whichever is asked for.
pub(super) async fn volume(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = read_volume(&call, &body.only("volume")?)?;
    let detail = control.manage_volume(&call.context, request).await?;
    let call = oldest(call);
    accepted(view::one("volume", view::volume::changed(&call, &detail)))
}

/// A snapshot, in the same way.
pub(super) async fn snapshot(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = read_snapshot(&body.only("snapshot")?)?;
    let detail = control.manage_snapshot(&call.context, request).await?;
    let call = oldest(call);
    accepted(view::one(
        "snapshot",
        view::snapshot::changed(&call, &detail),
    ))
}

fn oldest(call: Call) -> Call {
    Call {
        version: V::MIN,
        ..call
    }
}

fn read_volume(call: &Call, fields: &Fields<'_>) -> Result<ManageVolume, Fault> {
    let text = |key| Ok::<_, Fault>(fields.text_or_null(key, 0)?.flatten());
    let (host, cluster) = (text("host")?, text("cluster")?);
    let clusters = call.at(V::MIGRATE_TO_CLUSTER);
    Ok(ManageVolume {
        at: one_of(host.as_deref(), cluster.as_deref(), clusters)?,
        reference: reference(fields)?,
        name: said(fields, "name")?,
        description: said(fields, "description")?,
        volume_type: text("volume_type")?.filter(|kind| !kind.is_empty()),
        availability_zone: text("availability_zone")?.filter(|zone| !zone.is_empty()),
        metadata: fields
            .map("metadata", Keys::Metadata, true)?
            .unwrap_or_default(),
        bootable: fields.boolean("bootable")?.unwrap_or(false),
    })
}

fn read_snapshot(fields: &Fields<'_>) -> Result<ManageSnapshot, Fault> {
    let volume = fields.uuid("volume_id")?.ok_or_else(Fault::malformed)?;
    let Reference::Name(source) = reference(fields)? else {
        return Err(unusable());
    };
    Ok(ManageSnapshot {
        volume: VolumeId(volume),
        source,
        name: said(fields, "name")?,
        description: said(fields, "description")?,
        metadata: fields
            .map("metadata", Keys::Metadata, true)?
            .unwrap_or_default(),
    })
}

/// A text without the blanks around it; empty is none.
fn said(fields: &Fields<'_>, key: &'static str) -> Result<Option<String>, Fault> {
    let text = fields.trimmed([key, key], key)?.flatten();
    Ok(text.filter(|text| !text.is_empty()))
}

/// `ref`: `source-name` or `source-id`, the one key of an object.
fn reference(fields: &Fields<'_>) -> Result<Reference, Fault> {
    let given = fields.get("ref").and_then(Value::as_object);
    let given = given.ok_or_else(unusable)?;
    let text = |key| given.get(key).and_then(Value::as_str);
    if let Some(name) = text("source-name").filter(|name| (1..=255).contains(&name.len())) {
        return Ok(Reference::Name(name.to_owned()));
    }
    let id = text("source-id").and_then(|id| Uuid::parse_str(id).ok());
    id.map(|id| Reference::Id(ImageId(id))).ok_or_else(unusable)
}

fn unusable() -> Fault {
    Fault::bad_request(
        "Manage existing volume failed due to invalid backend reference: Reference must contain \
         source-name element.",
    )
}

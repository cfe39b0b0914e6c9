//! The actions by which older clients attach and detach.

use axum::http::StatusCode;
use firebrick_control::{AttachMode, ForceDetach, LegacyAttach};
use firebrick_vocabulary::AttachmentId;
use serde_json::{Map, Value};

use super::action::Asked;
use crate::body::Fields;
use crate::call::{empty, ok};
use crate::fault::{Answer, Fault};
use crate::view;

pub(super) async fn reserve(asked: &Asked) -> Answer {
    asked.control.reserve(&asked.call.context, asked.id).await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn unreserve(asked: &Asked) -> Answer {
    asked
        .control
        .unreserve(&asked.call.context, asked.id)
        .await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn begin_detaching(asked: &Asked) -> Answer {
    asked
        .control
        .begin_detaching(&asked.call.context, asked.id)
        .await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn roll_detaching(asked: &Asked) -> Answer {
    asked
        .control
        .roll_detaching(&asked.call.context, asked.id)
        .await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn initialize(asked: &Asked, fields: Fields<'_>) -> Answer {
    let action = fields.object("os-initialize_connection")?;
    let connector = action.object("connector")?.entries().clone();
    let context = &asked.call.context;
    let info = asked
        .control
        .initialize_connection(context, asked.id, connector)
        .await?;
    ok(view::one("connection_info", info.to_json()))
}

pub(super) async fn terminate(asked: &Asked, fields: Fields<'_>) -> Answer {
    let action = fields.object("os-terminate_connection")?;
    let connector = connector(&action)?.unwrap_or_default();
    asked
        .control
        .terminate_connection(&asked.call.context, asked.id, connector)
        .await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn attach(asked: &Asked, fields: Fields<'_>) -> Answer {
    let fields = fields.object("os-attach")?;
    let request = LegacyAttach {
        instance: fields.uuid("instance_uuid")?.map(|id| id.to_string()),
        host: fields.text("host_name", 0)?,
        mountpoint: fields.text("mountpoint", 1)?,
        mode: mode(&fields)?,
    };
    asked
        .control
        .attach(&asked.call.context, asked.id, request)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// `mode` in a body.
pub(crate) fn mode(fields: &Fields<'_>) -> Result<Option<AttachMode>, Fault> {
    let word = fields.one_of("mode", &["rw", "ro"])?;
    Ok(word.map(|word| {
        if word == "ro" {
            AttachMode::ReadOnly
        } else {
            AttachMode::ReadWrite
        }
    }))
}

pub(super) async fn detach(asked: &Asked, fields: Fields<'_>) -> Answer {
    let mut attachment = None;
    if let Some(fields) = fields.object_or_null("os-detach")? {
        attachment = fields.uuid_or_null("attachment_id")?.map(AttachmentId);
    }
    asked
        .control
        .detach(&asked.call.context, asked.id, attachment)
        .await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn force_detach(asked: &Asked, fields: Fields<'_>) -> Answer {
    let fields = fields.object("os-force_detach")?;
    let connector = connector(&fields)?;
    let attachment = fields.uuid_or_null("attachment_id")?.map(AttachmentId);
    let request = ForceDetach {
        attachment,
        connector,
    };
    asked
        .control
        .force_detach(&asked.call.context, asked.id, request)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// The connector of a host that disconnects, which need not be known any more.
fn connector(fields: &Fields<'_>) -> Result<Option<Map<String, Value>>, Fault> {
    match fields.get("connector") {
        // Some clients print a missing connector instead of leaving it out.
        None | Some(Value::Null | Value::String(_)) => Ok(None),
        Some(_) => Ok(Some(fields.object("connector")?.entries().clone())),
    }
}

//! The story of an export: the site serves the volume, and the attachment says how it is reached.

use firebrick_backend::{Access, ExportAddress};
use firebrick_db::{Activity, AttachMode, Attachment, attachments, volumes};
use firebrick_state::AttachmentStatus;
use firebrick_vocabulary::AttachmentId;
use serde_json::{Value, json};
use tracing::info;

use super::{export_key, settle};
use crate::control::Inner;
use crate::story::{Step, Stop};

/// What the attachment's host must know, in the form of `os-initialize_connection`.
pub(crate) fn connection_info(attachment: &Attachment, address: &ExportAddress) -> Value {
    json!({
        "driver_volume_type": address.protocol,
        "data": {
            "uri": address.uri,
            "export": address.export,
            "access_mode": attachment.mode.as_str(),
            "volume_id": attachment.volume.to_string(),
            "attachment_id": attachment.id.to_string(),
            "encrypted": false,
            "qos_specs": null,
            "cacheable": false,
            "discard": true,
        },
    })
}

pub(crate) const fn access(mode: AttachMode) -> Access {
    match mode {
        AttachMode::ReadWrite => Access::ReadWrite,
        AttachMode::ReadOnly => Access::ReadOnly,
    }
}

/// Exports the volume and notes the address.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let asker = activity.input.get("asker").and_then(Value::as_str);
    if asker != Some(inner.owner.as_str()) {
        return undo(
            inner,
            activity,
            "the control plane was restarted before the answer",
        )
        .await;
    }
    let id = AttachmentId(activity.resource);
    let found = attachments::get(&mut *inner.db.read().await?, id).await?;
    let Some(mut attachment) = found.filter(|attachment| attachment.connector.is_some()) else {
        return inner
            .finish_alone(activity, Err("the attachment is gone"))
            .await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, attachment.volume).await?;
    let host = volume.and_then(|volume| volume.host);
    let host = host.ok_or_else(|| Stop::Never("the volume has no host".to_owned()))?;
    let site = inner.site_of(&host).await?;
    let image = attachment.volume.image_id();
    let address = site
        .export(image, export_key(&attachment), access(attachment.mode))
        .await?;
    attachment.connection_info = Some(connection_info(&attachment, &address));
    if attachment.status == AttachmentStatus::Reserved {
        attachment.status = AttachmentStatus::Attaching;
    }
    let mut tx = inner.db.begin().await?;
    let there = attachments::update(&mut tx, &attachment).await?;
    settle(&mut tx, attachment.volume).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    tx.commit().await?;
    if !there {
        site.unexport(image, export_key(&attachment)).await?;
    }
    Ok(())
}

/// Ends the export; the attachment is what it was before the request.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &str) -> Step {
    let id = AttachmentId(activity.resource);
    let made = activity
        .input
        .get("made")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    let found = attachments::get(&mut *inner.db.read().await?, id).await?;
    let Some(mut attachment) = found else {
        return inner.finish_alone(activity, Err(why)).await;
    };
    withdraw(inner, &attachment).await?;
    let mut tx = inner.db.begin().await?;
    if made {
        attachments::remove(&mut tx, id).await?;
    } else {
        attachment.connector = None;
        attachment.connection_info = None;
        attachment.status = AttachmentStatus::Reserved;
        attachments::update(&mut tx, &attachment).await?;
    }
    settle(&mut tx, attachment.volume).await?;
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}

/// Ends the export where its site can be asked; the reconciler ends those of a site that comes back.
pub(super) async fn withdraw(inner: &Inner, attachment: &Attachment) -> Step {
    let volume = volumes::get(&mut *inner.db.read().await?, attachment.volume).await?;
    let Some(host) = volume.and_then(|volume| volume.host) else {
        return Ok(());
    };
    let site = inner.site_of(&host).await?;
    let ended = site
        .unexport(attachment.volume.image_id(), export_key(attachment))
        .await;
    if let Err(fault) = ended {
        info!(volume = %attachment.volume, %fault, "an export is ended when its site is back");
    }
    Ok(())
}

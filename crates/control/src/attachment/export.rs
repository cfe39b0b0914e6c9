//! The story of an export: the site serves the volume, and the attachment says how it is reached.

use firebrick_backend::{Access, ExportAddress};
use firebrick_db::{Activity, AttachMode, Attachment, attachments, now, volumes};
use firebrick_state::AttachmentStatus;
use firebrick_vocabulary::AttachmentId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tracing::info;

use super::{export_key, settle};
use crate::control::Inner;
use crate::qos::front::for_host;
use crate::request::Object;
use crate::story::{Step, Stop, noted};
use crate::why::Why;

/// How an export is reached, as `data` of what a host must know says it.
fn reached(address: &ExportAddress) -> Map<String, Value> {
    let mut data = address.details.clone();
    if data.is_empty() {
        data.insert("uri".to_owned(), json!(address.uri));
        data.insert("export".to_owned(), json!(address.export));
    }
    data
}

/// What a host must know that attaches an export which is no attachment's.
pub fn bare_info(address: &ExportAddress) -> Value {
    json!({ "driver_volume_type": address.protocol, "data": reached(address) })
}

/// What the attachment's host must know, in the form of `os-initialize_connection`. What it is told of
/// a QoS spec is what holds when it attaches, as in Cinder.
pub(crate) fn connection_info(
    attachment: &Attachment,
    address: &ExportAddress,
    qos_specs: &Value,
    encrypted: bool,
) -> Value {
    let mut data = reached(address);
    let mut say = |key: &str, value: Value| data.insert(key.to_owned(), value);
    say("access_mode", json!(attachment.mode.as_str()));
    say("volume_id", json!(attachment.volume));
    say("attachment_id", json!(attachment.id));
    say("encrypted", json!(encrypted));
    say("qos_specs", qos_specs.clone());
    say("cacheable", json!(false));
    say("discard", json!(true));
    json!({ "driver_volume_type": address.protocol, "data": data })
}

/// [`connection_info`] of an attachment whose export is reached in another way than before.
pub(crate) fn moved_info(attachment: &Attachment, address: &ExportAddress) -> Value {
    let known = attachment.connection_info.as_ref();
    let qos_specs = known.and_then(|info| info.pointer("/data/qos_specs"));
    let encrypted = known.and_then(|info| info.pointer("/data/encrypted"));
    connection_info(
        attachment,
        address,
        qos_specs.unwrap_or(&Value::Null),
        encrypted == Some(&Value::Bool(true)),
    )
}

pub(crate) const fn access(mode: AttachMode) -> Access {
    match mode {
        AttachMode::ReadWrite | AttachMode::Unsaid => Access::ReadWrite,
        AttachMode::ReadOnly => Access::ReadOnly,
    }
}

/// Whether somebody may still wait for the end: this process, or one of another node that has just asked. An
/// earlier life of this node does not.
fn is_awaited(inner: &Inner, activity: &Activity) -> bool {
    let asker = activity.input.get("asker").and_then(Value::as_str);
    let asker = asker.unwrap_or_default();
    let elsewhere = asker.split_once('/').map(|(node, _)| node) != Some(&inner.options.node);
    asker == inner.owner || elsewhere && now() - activity.created_at <= inner.options.runner.wait
}

/// Exports the volume and notes the address.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    if !is_awaited(inner, activity) {
        return undo(
            inner,
            activity,
            &"the control plane was restarted before the answer".into(),
        )
        .await;
    }
    let id = AttachmentId(activity.resource);
    let found = attachments::get(&mut *inner.db.read().await?, id).await?;
    let Some(attachment) = found.filter(|attachment| attachment.connector.is_some()) else {
        return inner
            .finish_alone(activity, Err(&"the attachment is gone".into()))
            .await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, attachment.volume).await?;
    let volume = volume.ok_or_else(|| Stop::never("the volume is gone".to_owned()))?;
    let home = inner.home(&volume).await?;
    let image = volume.image();
    let qos_specs = for_host(&mut *inner.db.read().await?, &volume).await?;
    let address = home
        .site
        .export(image, export_key(&attachment), access(attachment.mode))
        .await?;
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    volumes::get_locked(&mut tx, attachment.volume).await?;
    let there = attachments::get_locked(&mut tx, id).await?;
    let gone = there.is_none();
    if let Some(mut attachment) = there {
        let encrypted = volume.encryption_key.is_some();
        let info = connection_info(&attachment, &address, &qos_specs, encrypted);
        attachment.connection_info = Some(info);
        if attachment.status == AttachmentStatus::Reserved {
            attachment.status = AttachmentStatus::Attaching;
            attachment.attached_at = Some(now());
        }
        noted(attachments::update(&mut tx, &attachment).await?, id);
    }
    settle(&mut tx, attachment.volume).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    tx.commit().await?;
    if gone {
        home.site.unexport(image, export_key(&attachment)).await?;
    }
    Ok(())
}

/// What an attachment said of its host before a request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Former {
    connector: Object,
    host: Option<String>,
    mountpoint: Option<String>,
}

impl Former {
    /// `None` where it had no host.
    pub(super) fn of(attachment: &Attachment) -> Option<Self> {
        let connector = attachment.connector.clone()?;
        Some(Self {
            connector,
            host: attachment.host.clone(),
            mountpoint: attachment.mountpoint.clone(),
        })
    }
}

/// Ends the export; the attachment is what it was before the request. One that was exported before
/// stays so: a server may be using it.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
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
    let former = activity.input.get("former").cloned().unwrap_or_default();
    let former: Option<Former> = serde_json::from_value(former).unwrap_or_default();
    if former.is_none() {
        withdraw(inner, &attachment).await?;
    }
    let mut tx = inner.db.begin().await?;
    volumes::get_locked(&mut tx, attachment.volume).await?;
    if made {
        attachments::remove(&mut tx, id).await?;
    } else if let Some(former) = former {
        attachment.connector = Some(former.connector);
        attachment.host = former.host;
        attachment.mountpoint = former.mountpoint;
        noted(attachments::update(&mut tx, &attachment).await?, id);
    } else {
        attachment.connector = None;
        attachment.connection_info = None;
        attachment.attached_at = None;
        attachment.status = AttachmentStatus::Reserved;
        noted(attachments::update(&mut tx, &attachment).await?, id);
    }
    settle(&mut tx, attachment.volume).await?;
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}

/// Ends the export where its site can be asked; the reconciler ends those of a site that comes back.
pub(super) async fn withdraw(inner: &Inner, attachment: &Attachment) -> Step {
    let volume = volumes::get(&mut *inner.db.read().await?, attachment.volume).await?;
    let Some(volume) = volume.filter(|volume| volume.host.is_some()) else {
        return Ok(());
    };
    let home = inner.home(&volume).await?;
    let ended = home
        .site
        .unexport(volume.image(), export_key(attachment))
        .await;
    if let Err(fault) = ended {
        info!(volume = %attachment.volume, %fault, "an export is ended when its site is back");
    }
    Ok(())
}

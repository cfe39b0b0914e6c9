//! The story of a detachment: the site stops serving, and the attachment goes.

use firebrick_backend::FaultKind;
use firebrick_db::{Activity, Attachment, attachments, volumes};
use firebrick_vocabulary::AttachmentId;
use serde_json::Value;

use super::{export_key, settle};
use crate::control::Inner;
use crate::home::Home;
use crate::story::{Step, noted};
use crate::why::Why;

/// Ends the export, then the attachment.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = AttachmentId(activity.resource);
    let Some(attachment) = attachments::get(&mut *inner.db.read().await?, id).await? else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, attachment.volume).await?;
    let mut home = None;
    if let Some(volume) = volume.filter(|volume| volume.host.is_some()) {
        let home = home.insert(inner.home(&volume).await?);
        match home
            .site
            .unexport(volume.image(), export_key(&attachment))
            .await
        {
            Ok(()) => {}
            Err(fault) if fault.kind == FaultKind::NotFound => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    end(inner, activity, home.as_ref(), attachment).await
}

/// A site that does not answer keeps nobody: the attachment goes, and the reconciler ends the export
/// when the site is back.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    tracing::warn!(attachment = %activity.resource, %why, "an export is ended when its site is back");
    let id = AttachmentId(activity.resource);
    let found = attachments::get(&mut *inner.db.read().await?, id).await?;
    match found {
        Some(attachment) => end(inner, activity, None, attachment).await,
        None => inner.finish_alone(activity, Ok(())).await,
    }
}

async fn end(
    inner: &Inner,
    activity: &Activity,
    home: Option<&Home>,
    mut attachment: Attachment,
) -> Step {
    let remove = activity
        .input
        .get("remove")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let mut tx = inner.db.begin().await?;
    if let Some(home) = home {
        home.stays(&mut tx).await?;
    }
    volumes::get_locked(&mut tx, attachment.volume).await?;
    if remove {
        attachments::remove(&mut tx, attachment.id).await?;
        settle(&mut tx, attachment.volume).await?;
    } else {
        attachment.connector = None;
        attachment.connection_info = None;
        let swapped = attachments::update(&mut tx, &attachment).await?;
        noted(swapped, attachment.id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

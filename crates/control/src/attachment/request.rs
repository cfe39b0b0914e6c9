//! Attachments by the newer way (3.27): made, given a connector, deleted.

use firebrick_db::{AttachMode, Attachment, Tx, Volume, attachments, now, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, AttachmentStatus, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{ActivityId, AttachmentId};
use serde_json::{Value, json};

use super::ending::{Ending, left_by_its_server};
use super::export::Former;
use super::look::locked;
use super::settle;
use crate::control::Control;
use crate::detail::AttachmentDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, CreateAttachment, Object};
use crate::volume::hold;

impl Control {
    /// `POST /attachments`: a reservation, and with a connector the export at once.
    pub async fn create_attachment(
        &self,
        context: &Context,
        request: CreateAttachment,
    ) -> Result<AttachmentDetail> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let volume = hold(&mut tx, context, request.volume).await?;
        context.allow_for(Rule::VolumeAttachmentCreate, &volume)?;
        if volume.multiattach && volume.bootable && volume.status == VolumeStatus::InUse {
            context.allow_for(Rule::VolumeMultiattachBootableVolume, &volume)?;
        }
        let others = attachments::of_volume(&mut tx, volume.id).await?;
        check_free(&volume, &others, request.instance.as_deref())?;
        let attachment = Attachment {
            id: AttachmentId::random(),
            volume: volume.id,
            project: volume.project.clone(),
            instance: request.instance,
            host: None,
            mountpoint: None,
            mode: mode(&volume, request.mode, request.connector.as_ref())?,
            status: AttachmentStatus::Reserved,
            connector: None,
            connection_info: None,
            legacy: false,
            created_at: now(),
            attached_at: None,
            detached_at: None,
        };
        attachments::insert(&mut tx, &attachment).await?;
        settle(&mut tx, volume.id).await?;
        let Some(connector) = request.connector else {
            tx.commit().await?;
            return Ok(attachment.into());
        };
        let activity = self
            .connect(&mut tx, context, attachment.clone(), connector, true)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        inner.wait(activity, volume.id).await?;
        self.attachment(context, attachment.id).await
    }

    /// `PUT /attachments/{id}`: the connector of a reservation, and the export.
    pub async fn update_attachment(
        &self,
        context: &Context,
        id: AttachmentId,
        connector: Object,
    ) -> Result<AttachmentDetail> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let (mut attachment, volume) = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeAttachmentUpdate, &attachment)?;
        if !context.sees(&volume.project) {
            return Err(Error::no_volume(volume.id));
        }
        if volume.status.as_str().contains("error") {
            let text = format!("Volume {} is in the status {}.", volume.id, volume.status);
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        attachment.mode = mode(&volume, reserved(&attachment, &connector), Some(&connector))?;
        let activity = self
            .connect(&mut tx, context, attachment, connector, false)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        inner.wait(activity, volume.id).await?;
        self.attachment(context, id).await
    }

    /// Notes the connector and begins the activity that exports. `made` says that the attachment
    /// was made by the same request.
    pub(super) async fn connect(
        &self,
        tx: &mut Tx,
        context: &Context,
        mut attachment: Attachment,
        connector: Object,
        made: bool,
    ) -> Result<ActivityId> {
        let text = |key: &str| {
            connector
                .get(key)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let former = Former::of(&attachment).filter(|_| !made);
        attachment.host = text("host");
        attachment.mountpoint = text("mountpoint").or(attachment.mountpoint);
        attachment.connector = Some(connector);
        if !attachments::update(tx, &attachment).await?.won() {
            return Err(Error::no_attachment(attachment.id));
        }
        // A client whose request died with this process never hears of what came of it.
        let input = json!({ "asker": self.inner.owner, "made": made, "former": former });
        let kind = ActivityKind::Attach;
        self.inner
            .begin_for(tx, context, kind, attachment.id.0, attachment.volume, input)
            .await
    }

    /// `DELETE /attachments/{id}`: returns those that remain.
    pub async fn delete_attachment(
        &self,
        context: &Context,
        id: AttachmentId,
    ) -> Result<Vec<AttachmentDetail>> {
        let ending = Ending::asked(&[Rule::VolumeAttachmentDelete]);
        self.end_attachment(context, ending, id).await
    }

    /// Ends an attachment for whoever may: returns those that remain.
    pub(super) async fn end_attachment(
        &self,
        context: &Context,
        ending: Ending<'_>,
        id: AttachmentId,
    ) -> Result<Vec<AttachmentDetail>> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let (attachment, _) = locked(&mut tx, context, id).await?;
        for rule in ending.rules {
            context.allow_for(*rule, &attachment)?;
        }
        if !ending.forced {
            left_by_its_server(context, std::slice::from_ref(&attachment))?;
        }
        let activity = self.disconnect(&mut tx, context, &attachment, true).await?;
        tx.commit().await?;
        inner.work.notify_one();
        inner.wait(activity, attachment.volume).await?;
        let connection = &mut *inner.db.read().await?;
        let rest = attachments::of_volume(connection, attachment.volume).await?;
        Ok(rest.into_iter().map(AttachmentDetail::from).collect())
    }

    /// Begins the activity that ends an export, and with `remove` the attachment.
    pub(super) async fn disconnect(
        &self,
        tx: &mut Tx,
        context: &Context,
        attachment: &Attachment,
        remove: bool,
    ) -> Result<ActivityId> {
        if remove
            && let Some(mut volume) = volumes::get_locked(tx, attachment.volume).await?
            && volume.status == VolumeStatus::InUse
        {
            volume.status = VolumeStatus::Detaching;
            let rest = attachments::of_volume(tx, attachment.volume).await?;
            let from = [VolumeStatus::InUse];
            if rest.len() == 1 && !volumes::swap(tx, &from, &volume).await?.won() {
                return Err(Error::lost(format_args!("Volume {}", volume.id)));
            }
        }
        let input = json!({ "remove": remove });
        self.inner
            .begin_for(
                tx,
                context,
                ActivityKind::Detach,
                attachment.id.0,
                attachment.volume,
                input,
            )
            .await
    }
}

/// Whether one more attachment may be made: the volume is free, or may have several, or the same
/// server moves.
fn check_free(volume: &Volume, others: &[Attachment], instance: Option<&str>) -> Result<()> {
    let same = instance.is_some()
        && others
            .iter()
            .any(|attachment| attachment.instance.as_deref() == instance);
    let busy = matches!(
        volume.status,
        VolumeStatus::InUse | VolumeStatus::Reserved | VolumeStatus::Attaching
    );
    if volume.status.allows(VolumeOperation::Attach) || (busy && (volume.multiattach || same)) {
        return Ok(());
    }
    let wanted = if volume.multiattach {
        "available or in-use"
    } else {
        "available or downloading"
    };
    Err(Error::invalid_volume(format!(
        "Volume {} status must be {wanted} to reserve, but the current status is {}.",
        volume.id, volume.status
    )))
}

/// What the reservation said, where the connector is silent: who reserved for reading only must not
/// come to write by a connector that names no mode.
fn reserved(attachment: &Attachment, connector: &Object) -> Option<AttachMode> {
    let silent = !connector.contains_key("mode");
    (silent && attachment.mode == AttachMode::ReadOnly).then_some(AttachMode::ReadOnly)
}

/// What an attachment allows: what was asked for, and never more than the volume.
fn mode(
    volume: &Volume,
    asked: Option<AttachMode>,
    connector: Option<&Object>,
) -> Result<AttachMode> {
    let said = connector
        .and_then(|connector| connector.get("mode"))
        .and_then(Value::as_str);
    let asked = asked.or(match said {
        Some("ro") => Some(AttachMode::ReadOnly),
        Some("rw") => Some(AttachMode::ReadWrite),
        Some(_) | None => None,
    });
    match (volume.readonly == Some(true), asked) {
        (true, Some(AttachMode::ReadWrite)) => Err(Error::invalid_volume(format!(
            "Volume {} is read-only.",
            volume.id
        ))),
        (true, _) | (false, Some(AttachMode::ReadOnly)) => Ok(AttachMode::ReadOnly),
        (false, None | Some(AttachMode::Unsaid)) if connector.is_none() => Ok(AttachMode::Unsaid),
        (false, _) => Ok(AttachMode::ReadWrite),
    }
}

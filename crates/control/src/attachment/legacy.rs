//! The older actions: reserve, initialize, attach, begin detaching, terminate, detach.

use firebrick_db::{AttachMode, Attachment, Swapped, Tx, Volume, attachments, now, volumes};
use firebrick_policy::Rule;
use firebrick_state::{AttachStatus, AttachmentStatus, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{AttachmentId, VolumeId};

use super::ending::{Ending, left_by_its_server};
use super::settle;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{ConnectionInfo, Context, ForceDetach, LegacyAttach, Object};
use crate::volume::{hold, is_moving, look_at};

impl Control {
    /// `os-reserve`.
    pub async fn reserve(&self, context: &Context, id: VolumeId) -> Result<()> {
        let rule = Rule::VolumeActionsReserve;
        self.step(context, rule, id, VolumeOperation::Reserve, "reserve")
            .await
    }

    /// `os-unreserve`.
    pub async fn unreserve(&self, context: &Context, id: VolumeId) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeActionsUnreserve, &volume)?;
        let rows = attachments::of_volume(&mut tx, id).await?;
        let attached = rows
            .iter()
            .any(|row| row.status == AttachmentStatus::Attached);
        volume.status = if attached {
            VolumeStatus::InUse
        } else {
            VolumeStatus::Available
        };
        // As in Cinder, one that is not reserved is no error, and stays as it is.
        let sources = VolumeOperation::Unreserve.sources();
        match volumes::swap(&mut tx, sources, &volume).await? {
            Swapped::Won | Swapped::Lost => Ok(tx.commit().await?),
        }
    }

    /// `os-begin_detaching`.
    pub async fn begin_detaching(&self, context: &Context, id: VolumeId) -> Result<()> {
        let rule = Rule::VolumeActionsBeginDetaching;
        self.step(context, rule, id, VolumeOperation::BeginDetaching, "detach")
            .await
    }

    /// `os-roll_detaching`.
    pub async fn roll_detaching(&self, context: &Context, id: VolumeId) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeActionsRollDetaching, &volume)?;
        volume.status = VolumeStatus::InUse;
        // As in Cinder, one that is not being detached is no error, and stays as it is.
        let sources = VolumeOperation::RollDetaching.sources();
        match volumes::swap(&mut tx, sources, &volume).await? {
            Swapped::Won | Swapped::Lost => Ok(tx.commit().await?),
        }
    }

    async fn step(
        &self,
        context: &Context,
        rule: Rule,
        id: VolumeId,
        operation: VolumeOperation,
        what: &str,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(rule, &volume)?;
        let from = volume.status;
        volume.status = operation.target().unwrap_or(from);
        let swapped = volumes::swap(&mut tx, operation.sources(), &volume).await?;
        if !swapped.won() {
            let wanted: Vec<&str> = operation
                .sources()
                .iter()
                .map(|status| status.as_str())
                .collect();
            return Err(Error::invalid_volume(format!(
                "Volume {id} status must be {} to {what}, but the current status is {from}.",
                wanted.join(" or ")
            )));
        }
        Ok(tx.commit().await?)
    }

    /// `os-initialize_connection`: exports the volume and says how it is reached.
    pub async fn initialize_connection(
        &self,
        context: &Context,
        id: VolumeId,
        connector: Object,
    ) -> Result<ConnectionInfo> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeActionsInitializeConnection, &volume)?;
        if volume.status == VolumeStatus::Maintenance {
            return Err(Error::invalid_volume(
                "The volume connection cannot be initialized in maintenance mode.",
            ));
        }
        if is_moving(&volume) && volume.status != VolumeStatus::Available {
            // Nobody looks any more at what is written to it.
            return Err(Error::invalid_volume(
                "The volume connection cannot be initialized while the volume is moved.",
            ));
        }
        let (attachment, made) = match legacy_of(&mut tx, id).await? {
            Some(attachment) => (attachment, false),
            None => (self.legacy_row(&mut tx, &volume).await?, true),
        };
        let key = attachment.id;
        let activity = self
            .connect(&mut tx, context, attachment, connector, made)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        inner.wait(activity, id).await?;
        let detail = self.attachment(context, key).await?;
        detail.connection_info.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("Volume {id} has no connection."),
            )
        })
    }

    async fn legacy_row(&self, tx: &mut Tx, volume: &Volume) -> Result<Attachment> {
        let mode = if volume.readonly == Some(true) {
            AttachMode::ReadOnly
        } else {
            AttachMode::ReadWrite
        };
        let attachment = Attachment {
            id: AttachmentId::random(),
            volume: volume.id,
            project: volume.project.clone(),
            instance: None,
            host: None,
            mountpoint: None,
            mode,
            status: AttachmentStatus::Attaching,
            connector: None,
            connection_info: None,
            legacy: true,
            created_at: now(),
            attached_at: None,
            detached_at: None,
        };
        attachments::insert(tx, &attachment).await?;
        Ok(attachment)
    }

    /// `os-terminate_connection`: ends the export.
    pub async fn terminate_connection(
        &self,
        context: &Context,
        id: VolumeId,
        _connector: Object,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeActionsTerminateConnection, &volume)?;
        // Also where what the server has is no concern of this action: whoever asks thinks it is.
        left_by_its_server(context, &attachments::of_volume(&mut tx, id).await?)?;
        let Some(attachment) = legacy_of(&mut tx, id).await? else {
            return Ok(());
        };
        // One that was never attached has nothing else that could end it.
        let remove = attachment.status != AttachmentStatus::Attached;
        let activity = self
            .disconnect(&mut tx, context, &attachment, remove)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        inner.wait(activity, id).await
    }

    /// `os-attach`: the volume is in use.
    pub async fn attach(
        &self,
        context: &Context,
        id: VolumeId,
        request: LegacyAttach,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeActionsAttach, &volume)?;
        let from = volume.status;
        let mode = request.mode.unwrap_or(AttachMode::ReadWrite);
        if volume.readonly == Some(true) && mode == AttachMode::ReadWrite {
            return Err(Error::invalid_volume(format!("Volume {id} is read-only.")));
        }
        volume.status = VolumeStatus::InUse;
        volume.attach_status = AttachStatus::Attached;
        let sources = VolumeOperation::LegacyAttach.sources();
        if !volumes::swap(&mut tx, sources, &volume).await?.won() {
            return Err(Error::invalid_volume(format!(
                "Volume {id} status must be available or attaching to attach, but the current \
                 status is {from}."
            )));
        }
        let mut attachment = match legacy_of(&mut tx, id).await? {
            Some(attachment) => attachment,
            None => self.legacy_row(&mut tx, &volume).await?,
        };
        attachment.status = AttachmentStatus::Attached;
        attachment.instance = request.instance;
        attachment.host = request.host.or(attachment.host);
        attachment.mountpoint = request.mountpoint;
        attachment.mode = mode;
        attachment.attached_at = Some(now());
        if !attachments::update(&mut tx, &attachment).await?.won() {
            return Err(Error::no_attachment(attachment.id));
        }
        Ok(tx.commit().await?)
    }

    /// `os-detach`: the attachment ends; without an id the only one.
    pub async fn detach(
        &self,
        context: &Context,
        id: VolumeId,
        attachment: Option<AttachmentId>,
    ) -> Result<()> {
        let ending = Ending::asked(&[Rule::VolumeActionsDetach]);
        self.end(context, ending, id, attachment).await
    }

    async fn end(
        &self,
        context: &Context,
        ending: Ending<'_>,
        id: VolumeId,
        attachment: Option<AttachmentId>,
    ) -> Result<()> {
        let rows = self.rows(context, ending.rules, id).await?;
        if attachment.is_none() && !ending.forced {
            left_by_its_server(context, &rows)?;
        }
        let chosen = match attachment {
            Some(key) => rows.iter().find(|row| row.id == key),
            None if rows.len() > 1 => {
                return Err(Error::invalid_volume(format!(
                    "Detach volume failed: More than one attachment, but no attachment_id provided \
                     for volume {id}."
                )));
            }
            None => rows.first(),
        };
        match (chosen, attachment) {
            (Some(row), _) => {
                let ending = Ending {
                    rules: &[],
                    ..ending
                };
                self.end_attachment(context, ending, row.id).await.map(drop)
            }
            (None, Some(key)) => Err(Error::no_attachment(key)),
            (None, None) => {
                let mut tx = self.inner.db.begin().await?;
                settle(&mut tx, id).await?;
                Ok(tx.commit().await?)
            }
        }
    }

    /// `os-force_detach`.
    pub async fn force_detach(
        &self,
        context: &Context,
        id: VolumeId,
        request: ForceDetach,
    ) -> Result<()> {
        let rules = [
            Rule::VolumeAdminActionsForceDetach,
            Rule::VolumeActionsDetach,
        ];
        let ending = Ending {
            rules: &rules,
            forced: true,
        };
        self.end(context, ending, id, request.attachment).await
    }

    async fn rows(
        &self,
        context: &Context,
        rules: &[Rule],
        id: VolumeId,
    ) -> Result<Vec<Attachment>> {
        let connection = &mut *self.inner.db.read().await?;
        let volume = look_at(connection, context, id).await?;
        for rule in rules {
            context.allow_for(*rule, &volume)?;
        }
        Ok(attachments::of_volume(connection, id).await?)
    }
}

async fn legacy_of(tx: &mut Tx, id: VolumeId) -> Result<Option<Attachment>> {
    let rows = attachments::of_volume(tx, id).await?;
    Ok(rows.into_iter().find(|row| row.legacy))
}

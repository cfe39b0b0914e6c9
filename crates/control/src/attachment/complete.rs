//! An attachment is in use.

use firebrick_db::{attachments, now};
use firebrick_policy::Rule;
use firebrick_state::AttachmentStatus;
use firebrick_vocabulary::AttachmentId;

use super::look::locked;
use super::settle;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::request::Context;

impl Control {
    /// `os-complete` (3.44): the host is connected.
    pub async fn complete_attachment(&self, context: &Context, id: AttachmentId) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let (mut attachment, _) = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeAttachmentComplete, &attachment)?;
        // As in Cinder: a client that lost the first answer asks again.
        if attachment.status == AttachmentStatus::Attached {
            return Ok(());
        }
        if attachment.status != AttachmentStatus::Attaching {
            let text = format!(
                "Attachment {id} status must be attaching to be completed, but it is {}.",
                attachment.status
            );
            return Err(Error::invalid_volume(text));
        }
        attachment.status = AttachmentStatus::Attached;
        attachment.attached_at = attachment.attached_at.or_else(|| Some(now()));
        if !attachments::update(&mut tx, &attachment).await?.won() {
            return Err(Error::no_attachment(id));
        }
        settle(&mut tx, attachment.volume).await?;
        Ok(tx.commit().await?)
    }
}

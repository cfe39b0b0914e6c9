//! Looking at attachments.

use firebrick_db::{Attachment, Connection, Tx, Volume, attachments, volumes};
use firebrick_vocabulary::AttachmentId;

use crate::control::Control;
use crate::detail::AttachmentDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, Query};

impl Control {
    /// `GET /attachments/{id}`.
    pub async fn attachment(
        &self,
        context: &Context,
        id: AttachmentId,
    ) -> Result<AttachmentDetail> {
        let connection = &mut *self.inner.db.read().await?;
        Ok(visible(connection, context, id).await?.into())
    }

    /// `GET /attachments` and `/attachments/detail`.
    pub async fn attachments(
        &self,
        context: &Context,
        query: Query,
    ) -> Result<Vec<AttachmentDetail>> {
        let listing = context.narrowed(query);
        let found = attachments::list(&mut *self.inner.db.read().await?, &listing).await?;
        let Some(found) = found else {
            let marker = listing.marker.unwrap_or_default();
            let text = format!("marker {marker} could not be found.");
            return Err(Error::new(ErrorKind::NotFound, text));
        };
        Ok(found.into_iter().map(AttachmentDetail::from).collect())
    }
}

/// The attachment, if it exists for whoever asks, with its volume: both are held until the transaction
/// ends.
pub(crate) async fn locked(
    tx: &mut Tx,
    context: &Context,
    id: AttachmentId,
) -> Result<(Attachment, Volume)> {
    let key = visible(tx, context, id).await?.volume;
    let volume = volumes::get_locked(tx, key).await?;
    let volume = volume.ok_or_else(|| Error::no_volume(key))?;
    let found = attachments::get_locked(tx, id).await?;
    let attachment = found.ok_or_else(|| Error::no_attachment(id))?;
    Ok((attachment, volume))
}

/// The attachment, if it exists for whoever asks.
pub(crate) async fn visible(
    connection: &mut Connection,
    context: &Context,
    id: AttachmentId,
) -> Result<Attachment> {
    let found = attachments::get(connection, id).await?;
    let found = found.filter(|attachment| context.sees(&attachment.project));
    found.ok_or_else(|| Error::no_attachment(id))
}

//! Names, descriptions and flags of volumes.

use firebrick_db::{properties, volumes};
use firebrick_policy::Rule;
use firebrick_state::VolumeOperation;
use firebrick_vocabulary::VolumeId;

use super::look::{detailed, locked, visible};
use crate::control::Control;
use crate::detail::VolumeDetail;
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::request::{Context, Rename};

impl Control {
    /// `PUT /volumes/{id}`.
    pub async fn update_volume(
        &self,
        context: &Context,
        id: VolumeId,
        change: Rename,
    ) -> Result<VolumeDetail> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeUpdate, &volume)?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        volume.name = change.name.unwrap_or(volume.name);
        volume.description = change.description.unwrap_or(volume.description);
        if let Some(metadata) = change.metadata {
            properties::clear(&mut tx, id.0).await?;
            properties::merge(&mut tx, id.0, &metadata).await?;
            volume.metadata = metadata;
        }
        if !volumes::rename(&mut tx, &volume).await?.won() {
            return Err(Error::no_volume(id));
        }
        let mut details = detailed(&mut tx, vec![volume]).await?;
        tx.commit().await?;
        details.pop().ok_or_else(|| Error::no_volume(id))
    }

    /// `os-set_bootable`.
    pub async fn set_bootable(
        &self,
        context: &Context,
        id: VolumeId,
        bootable: bool,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let volume = visible(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeUpdate, &volume)?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        if !volumes::set_bootable(&mut tx, id, bootable).await?.won() {
            return Err(Error::no_volume(id));
        }
        Ok(tx.commit().await?)
    }

    /// `os-update_readonly_flag`: attachments made from here on are read-only.
    pub async fn set_readonly(
        &self,
        context: &Context,
        id: VolumeId,
        readonly: bool,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeUpdateReadonlyFlag, &volume)?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let status = volume.status;
        volume.readonly = Some(readonly);
        let sources = VolumeOperation::SetReadonly.sources();
        if !volumes::swap(&mut tx, sources, &volume).await?.won() {
            return Err(Error::invalid_volume(format!(
                "Volume {id} status must be available to update readonly flag, but current status \
                 is: {status}."
            )));
        }
        Ok(tx.commit().await?)
    }
}

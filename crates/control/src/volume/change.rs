//! Names, descriptions and flags of volumes.

use firebrick_db::{Volume, properties, volumes};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;

use super::look::{detailed, visible};
use crate::control::Control;
use crate::detail::VolumeDetail;
use crate::error::{Error, Result};
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
        let mut volume = visible(&mut tx, context, id).await?;
        volume.name = change.name.unwrap_or(volume.name);
        volume.description = change.description.unwrap_or(volume.description);
        if let Some(metadata) = change.metadata {
            properties::clear(&mut tx, id.0).await?;
            properties::merge(&mut tx, id.0, &metadata).await?;
            volume.metadata = metadata;
        }
        volumes::swap(&mut tx, VolumeStatus::ALL, &volume).await?;
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
        self.set_flag(context, id, |volume| volume.bootable = bootable)
            .await
    }

    /// `os-update_readonly_flag`: attachments made from here on are read-only.
    pub async fn set_readonly(
        &self,
        context: &Context,
        id: VolumeId,
        readonly: bool,
    ) -> Result<()> {
        let status = self.volume(context, id).await?.volume.status;
        if status != VolumeStatus::Available {
            return Err(Error::invalid_volume(format!(
                "Volume {id} status must be available to update readonly flag, but current status \
                 is: {status}."
            )));
        }
        self.set_flag(context, id, |volume| volume.readonly = Some(readonly))
            .await
    }

    async fn set_flag(
        &self,
        context: &Context,
        id: VolumeId,
        set: impl FnOnce(&mut Volume),
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = visible(&mut tx, context, id).await?;
        set(&mut volume);
        volumes::swap(&mut tx, VolumeStatus::ALL, &volume).await?;
        Ok(tx.commit().await?)
    }
}

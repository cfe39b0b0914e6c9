//! What volumes remember of the images that were written into them.

use firebrick_db::{Volume, image_properties};
use firebrick_policy::Rule;
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;

use super::look::{locked, visible};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::request::{Context, Metadata};

impl Control {
    /// `os-show_image_metadata`.
    pub async fn image_metadata(&self, context: &Context, id: VolumeId) -> Result<Metadata> {
        let connection = &mut *self.inner.db.read().await?;
        let volume = visible(connection, context, id).await?;
        context.allow_for(Rule::VolumeGetVolumeMetadata, &volume)?;
        Ok(image_properties::of(connection, id.0).await?)
    }

    /// `os-set_image_metadata`: other keys stay; returns all.
    pub async fn set_image_metadata(
        &self,
        context: &Context,
        id: VolumeId,
        metadata: Metadata,
    ) -> Result<Metadata> {
        let mut tx = self.inner.db.begin().await?;
        let volume = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeImageMetadataSet, &volume)?;
        context.allow_for(Rule::VolumeUpdateVolumeMetadata, &volume)?;
        refuse_read(&volume, "Updating")?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        image_properties::merge(&mut tx, id.0, &metadata).await?;
        let all = image_properties::of(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// `os-unset_image_metadata`.
    pub async fn unset_image_metadata(
        &self,
        context: &Context,
        id: VolumeId,
        key: &str,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let volume = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeImageMetadataRemove, &volume)?;
        context.allow_for(Rule::VolumeDeleteVolumeMetadata, &volume)?;
        refuse_read(&volume, "Deleting")?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        if !image_properties::remove(&mut tx, id.0, key).await? {
            let text = format!("Glance metadata for volume/snapshot {id} cannot be found.");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(tx.commit().await?)
    }
}

/// An image that is being made of the volume gets the metadata, too.
fn refuse_read(volume: &Volume, doing: &str) -> Result<()> {
    let status = volume.shown_status();
    if matches!(status, VolumeStatus::Maintenance | VolumeStatus::Uploading) {
        let text =
            format!("{doing} volume metadata is not allowed for volumes in {status} status.");
        return Err(Error::invalid_volume(text));
    }
    Ok(())
}

//! Metadata of volumes.

use firebrick_db::properties;
use firebrick_policy::Rule;
use firebrick_vocabulary::VolumeId;

use super::look::{locked, visible};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::request::{Context, Metadata, MetadataWrite};

impl Control {
    /// `GET /volumes/{id}/metadata`.
    pub async fn volume_metadata(&self, context: &Context, id: VolumeId) -> Result<Metadata> {
        let connection = &mut *self.inner.db.read().await?;
        let volume = visible(connection, context, id).await?;
        context.allow_for(Rule::VolumeGetVolumeMetadata, &volume)?;
        Ok(volume.metadata)
    }

    /// `POST` and `PUT /volumes/{id}/metadata`; returns all of it.
    pub async fn set_volume_metadata(
        &self,
        context: &Context,
        id: VolumeId,
        metadata: Metadata,
        how: MetadataWrite,
    ) -> Result<Metadata> {
        let mut tx = self.inner.db.begin().await?;
        let volume = locked(&mut tx, context, id).await?;
        let rule = match how {
            MetadataWrite::Merge => Rule::VolumeCreateVolumeMetadata,
            MetadataWrite::One | MetadataWrite::Replace => Rule::VolumeUpdateVolumeMetadata,
        };
        context.allow_for(rule, &volume)?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        if how == MetadataWrite::Replace {
            properties::clear(&mut tx, id.0).await?;
        }
        properties::merge(&mut tx, id.0, &metadata).await?;
        let all = properties::of(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// `DELETE /volumes/{id}/metadata/{key}`.
    pub async fn delete_volume_metadata(
        &self,
        context: &Context,
        id: VolumeId,
        key: &str,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let volume = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeDeleteVolumeMetadata, &volume)?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        if !properties::remove(&mut tx, id.0, key).await? {
            let text = format!("Volume {id} has no metadata with key {key}.");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(tx.commit().await?)
    }
}

//! How the volumes of a type are encrypted. Their hosts do that, with keys of a key manager; here is
//! what they are told.

use firebrick_db::{Connection, Tx, TypeEncryption, VolumeType, now, type_encryption, types};
use firebrick_policy::Rule;
use firebrick_vocabulary::{TypeId, VolumeId};
use uuid::Uuid;

use super::look::{is_used, locked};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{ControlOptions, FIXED_KEY};
use crate::request::{Context, CreateEncryption, UpdateEncryption};
use crate::volume::look_at as visible_volume;
use crate::volume::wants;

impl Control {
    /// `GET /types/{id}/encryption`; none where its volumes are not encrypted.
    pub async fn type_encryption(
        &self,
        context: &Context,
        id: TypeId,
    ) -> Result<Option<TypeEncryption>> {
        context.allow(Rule::VolumeTypeEncryptionGet)?;
        let connection = &mut *self.inner.db.read().await?;
        let found = types::get(connection, id).await?;
        found.ok_or_else(|| Error::no_type(id))?;
        Ok(type_encryption::get(connection, id).await?)
    }

    /// `POST /types/{id}/encryption`; refused while volumes have the type.
    pub async fn create_type_encryption(
        &self,
        context: &Context,
        id: TypeId,
        request: CreateEncryption,
    ) -> Result<TypeEncryption> {
        context.allow(Rule::VolumeTypeEncryptionCreate)?;
        let mut tx = self.inner.db.begin().await?;
        unused(&mut tx, id, "create").await?;
        if type_encryption::get(&mut tx, id).await?.is_some() {
            let text = format!("Volume type encryption for type {id} already exists.");
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let encryption = TypeEncryption {
            volume_type: id,
            id: Uuid::new_v4(),
            provider: request.provider,
            cipher: request.cipher,
            key_size: request.key_size,
            control_location: request.control_location,
            created_at: now(),
            updated_at: None,
        };
        type_encryption::insert(&mut tx, &encryption).await?;
        tx.commit().await?;
        Ok(encryption)
    }

    /// `PUT /types/{id}/encryption/{encryption}`; refused while volumes have the type.
    pub async fn update_type_encryption(
        &self,
        context: &Context,
        id: TypeId,
        change: UpdateEncryption,
    ) -> Result<()> {
        context.allow(Rule::VolumeTypeEncryptionUpdate)?;
        let mut tx = self.inner.db.begin().await?;
        unused(&mut tx, id, "update").await?;
        let found = type_encryption::get_locked(&mut tx, id).await?;
        let mut encryption = found.ok_or_else(|| missing(id))?;
        encryption.provider = change.provider.unwrap_or(encryption.provider);
        encryption.cipher = change.cipher.unwrap_or(encryption.cipher);
        encryption.key_size = change.key_size.unwrap_or(encryption.key_size);
        let location = change.control_location;
        encryption.control_location = location.unwrap_or(encryption.control_location);
        if !type_encryption::update(&mut tx, &encryption).await?.won() {
            return Err(missing(id));
        }
        Ok(tx.commit().await?)
    }

    /// `DELETE /types/{id}/encryption/{encryption}`; refused while volumes have the type.
    pub async fn delete_type_encryption(&self, context: &Context, id: TypeId) -> Result<()> {
        context.allow(Rule::VolumeTypeEncryptionDelete)?;
        let mut tx = self.inner.db.begin().await?;
        unused(&mut tx, id, "delete").await?;
        if !type_encryption::remove(&mut tx, id).await? {
            return Err(missing(id));
        }
        Ok(tx.commit().await?)
    }

    /// `GET /volumes/{id}/encryption`: the id of the key, if the volume has one, and how its type is
    /// encrypted.
    pub async fn volume_encryption(
        &self,
        context: &Context,
        id: VolumeId,
    ) -> Result<(Option<Uuid>, Option<TypeEncryption>)> {
        let connection = &mut *self.inner.db.read().await?;
        let volume = visible_volume(connection, context, id).await?;
        context.allow_for(Rule::VolumeEncryptionMetadata, &volume)?;
        let encryption = type_encryption::get(connection, volume.volume_type).await?;
        Ok((volume.encryption_key, encryption))
    }
}

/// The id of the key for a new volume of that type; none where its volumes are not encrypted.
pub(crate) async fn key_for(
    connection: &mut Connection,
    options: &ControlOptions,
    kind: &VolumeType,
) -> Result<Option<Uuid>> {
    if type_encryption::get(connection, kind.id).await?.is_none() {
        return Ok(None);
    }
    if wants(kind, "multiattach") {
        return Err(Error::invalid_input(
            "Multiattach cannot be used with encrypted volumes.",
        ));
    }
    if !options.has_fixed_key {
        return Err(Error::invalid_input(format_args!(
            "Volumes of type {} are encrypted, and no key manager is configured for their keys.",
            kind.name
        )));
    }
    Ok(Some(FIXED_KEY))
}

/// That there is none.
fn missing(id: TypeId) -> Error {
    let text = format!("Volume type encryption for type {id} does not exist.");
    Error::new(ErrorKind::NotFound, text)
}

/// Locks the type, which no volume may have, as what was written would be read in another way.
async fn unused(tx: &mut Tx, id: TypeId, doing: &str) -> Result<()> {
    locked(tx, id).await?;
    if is_used(tx, id).await? {
        let text = format!("Cannot {doing} encryption specs. Volume type in use.");
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    Ok(())
}

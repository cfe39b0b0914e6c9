//! Volume types.

use firebrick_db::{
    PrivateType, Tx, VolumeType, default_types, now, pairs, type_encryption, types,
};
use firebrick_policy::Rule;
use firebrick_vocabulary::TypeId;

use super::look::{check_replicated, is_used, locked, visible};
use crate::control::Control;
use crate::detail::TypeDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::replication::rpo::check_rpo_target;
use crate::replication::way::{check_mirror_way, check_own_names};
use crate::request::{Context, CreateType, Metadata, UpdateType};

/// Makes the default type where there is none.
pub(crate) async fn ensure_default(tx: &mut Tx, name: &str) -> Result<()> {
    if types::named(tx, name).await?.is_none() {
        let kind = VolumeType {
            id: TypeId::random(),
            name: name.to_owned(),
            description: Some("Default Volume Type".to_owned()),
            is_public: true,
            extra_specs: Metadata::new(),
            qos_specs: None,
            created_at: now(),
            updated_at: None,
        };
        types::insert(tx, &kind).await?;
    }
    Ok(())
}

fn taken(name: &str) -> impl FnOnce(firebrick_db::Error) -> Error {
    let message = format!("Volume Type {name} already exists.");
    move |error| match error.kind {
        firebrick_db::ErrorKind::Exists => Error::new(ErrorKind::Conflict, message),
        _ => error.into(),
    }
}

impl Control {
    /// `GET /types`, the newest first: public ones, and private ones that were given to the project.
    /// Administrators see all.
    pub async fn types(&self, context: &Context) -> Result<Vec<TypeDetail>> {
        context.allow(Rule::TypeGetAll)?;
        let connection = &mut *self.inner.db.read().await?;
        let given = pairs::given_to(connection, &context.project).await?;
        let details = types::all(connection)
            .await?
            .into_iter()
            .map(|volume_type| TypeDetail {
                given: given.contains(&volume_type.id),
                volume_type,
            });
        Ok(details
            .filter(|kind| kind.given || kind.volume_type.is_public || context.is_admin())
            .collect())
    }

    /// `GET /types/{id}`.
    pub async fn volume_type(&self, context: &Context, id: TypeId) -> Result<TypeDetail> {
        context.allow(Rule::TypeGet)?;
        let volume_type = visible(&mut *self.inner.db.read().await?, context, id).await?;
        Ok(volume_type.into())
    }

    /// `POST /types`.
    pub async fn create_type(&self, context: &Context, request: CreateType) -> Result<TypeDetail> {
        context.allow(Rule::TypeCreate)?;
        check_replicated(&request.extra_specs)?;
        check_rpo_target(&request.extra_specs)?;
        check_own_names(&request.extra_specs)?;
        check_mirror_way(&request.extra_specs)?;
        let volume_type = VolumeType {
            id: TypeId::random(),
            name: request.name,
            description: request.description,
            is_public: request.is_public,
            extra_specs: request.extra_specs,
            qos_specs: None,
            created_at: now(),
            updated_at: None,
        };
        let mut tx = self.inner.db.begin().await?;
        types::insert(&mut tx, &volume_type)
            .await
            .map_err(taken(&volume_type.name))?;
        tx.commit().await?;
        Ok(volume_type.into())
    }

    /// `PUT /types/{id}`.
    pub async fn update_type(
        &self,
        context: &Context,
        id: TypeId,
        change: UpdateType,
    ) -> Result<TypeDetail> {
        context.allow(Rule::TypeUpdate)?;
        let mut tx = self.inner.db.begin().await?;
        let mut kind = locked(&mut tx, id).await?;
        kind.name = change.name.unwrap_or(kind.name);
        kind.description = change.description.unwrap_or(kind.description);
        kind.is_public = change.is_public.unwrap_or(kind.is_public);
        types::update(&mut tx, &kind)
            .await
            .map_err(taken(&kind.name))?;
        tx.commit().await?;
        Ok(kind.into())
    }

    /// `DELETE /types/{id}`; refused while volumes have it, and for the default.
    pub async fn delete_type(&self, context: &Context, id: TypeId) -> Result<()> {
        context.allow(Rule::TypeDelete)?;
        let mut tx = self.inner.db.begin().await?;
        let kind = locked(&mut tx, id).await?;
        let named = kind.name == self.inner.options.default_volume_type;
        if named || default_types::is_any(&mut tx, id).await? {
            let text =
                format!("The volume type {id} is a default volume type and cannot be deleted.");
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        if is_used(&mut tx, id).await? || pairs::is_of_group(&mut tx, id).await? {
            return Err(Error::new(
                ErrorKind::Invalid,
                "Target volume type is still in use.",
            ));
        }
        pairs::clear_access(&mut tx, PrivateType::Volume(id)).await?;
        type_encryption::remove(&mut tx, id).await?;
        types::remove(&mut tx, id).await?;
        Ok(tx.commit().await?)
    }
}

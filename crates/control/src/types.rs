//! Volume types and their extra specs.

use firebrick_db::{Column, Listing, Tx, VolumeType, now, properties, types, volumes};
use firebrick_policy::Rule;
use firebrick_vocabulary::TypeId;

use crate::control::Control;
use crate::detail::TypeDetail;
use crate::error::{Error, ErrorKind, Result};
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
    /// `GET /types`, the newest first. Private types are for administrators.
    pub async fn types(&self, context: &Context) -> Result<Vec<TypeDetail>> {
        context.allow(Rule::TypeGetAll)?;
        let mut found = types::all(&mut *self.inner.db.read().await?).await?;
        found.retain(|kind| kind.is_public || context.is_admin());
        Ok(found
            .into_iter()
            .map(|volume_type| TypeDetail { volume_type })
            .collect())
    }

    /// `GET /types/{id}`.
    pub async fn volume_type(&self, context: &Context, id: TypeId) -> Result<TypeDetail> {
        context.allow(Rule::TypeGet)?;
        self.visible_type(context, id).await
    }

    async fn visible_type(&self, context: &Context, id: TypeId) -> Result<TypeDetail> {
        let found = types::get(&mut *self.inner.db.read().await?, id).await?;
        let visible = found.filter(|kind| kind.is_public || context.is_admin());
        let volume_type = visible.ok_or_else(|| Error::no_type(id))?;
        Ok(TypeDetail { volume_type })
    }

    /// `GET /types/default`.
    pub async fn default_type(&self, context: &Context) -> Result<TypeDetail> {
        context.allow(Rule::TypeGet)?;
        let name = &self.inner.options.default_volume_type;
        let found = types::named(&mut *self.inner.db.read().await?, name).await?;
        let missing = || Error::new(ErrorKind::NotFound, "Default volume type can not be found.");
        Ok(TypeDetail {
            volume_type: found.ok_or_else(missing)?,
        })
    }

    /// `POST /types`.
    pub async fn create_type(&self, context: &Context, request: CreateType) -> Result<TypeDetail> {
        context.allow(Rule::TypeCreate)?;
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
        Ok(TypeDetail { volume_type })
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
        let mut kind = types::get_locked(&mut tx, id)
            .await?
            .ok_or_else(|| Error::no_type(id))?;
        kind.name = change.name.unwrap_or(kind.name);
        kind.description = change.description.unwrap_or(kind.description);
        kind.is_public = change.is_public.unwrap_or(kind.is_public);
        types::update(&mut tx, &kind)
            .await
            .map_err(taken(&kind.name))?;
        tx.commit().await?;
        Ok(TypeDetail { volume_type: kind })
    }

    /// `DELETE /types/{id}`; refused while volumes have it, and for the default.
    pub async fn delete_type(&self, context: &Context, id: TypeId) -> Result<()> {
        context.allow(Rule::TypeDelete)?;
        let mut tx = self.inner.db.begin().await?;
        let kind = types::get_locked(&mut tx, id)
            .await?
            .ok_or_else(|| Error::no_type(id))?;
        if kind.name == self.inner.options.default_volume_type {
            let text =
                format!("The volume type {id} is a default volume type and cannot be deleted.");
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let (used, _) = volumes::total(&mut tx, &Listing::of(Column::VolumeType, &id)).await?;
        if used > 0 {
            return Err(Error::new(
                ErrorKind::Invalid,
                "Target volume type is still in use.",
            ));
        }
        types::remove(&mut tx, id).await?;
        Ok(tx.commit().await?)
    }

    /// `GET /types/{id}/extra_specs`.
    pub async fn extra_specs(&self, context: &Context, id: TypeId) -> Result<Metadata> {
        context.allow(Rule::TypesExtraSpecsIndex)?;
        Ok(self
            .visible_type(context, id)
            .await?
            .volume_type
            .extra_specs)
    }

    /// `GET /types/{id}/extra_specs/{key}`: that one, if it is there.
    pub async fn extra_spec(&self, context: &Context, id: TypeId, key: &str) -> Result<Metadata> {
        context.allow(Rule::TypesExtraSpecsShow)?;
        let mut specs = self
            .visible_type(context, id)
            .await?
            .volume_type
            .extra_specs;
        specs.retain(|name, _| name == key);
        Ok(specs)
    }

    /// `POST /types/{id}/extra_specs`: sets these, others stay.
    pub async fn set_extra_specs(
        &self,
        context: &Context,
        id: TypeId,
        specs: Metadata,
    ) -> Result<Metadata> {
        context.allow(Rule::TypesExtraSpecsCreate)?;
        self.merge_extra_specs(id, specs).await
    }

    /// `PUT /types/{id}/extra_specs/{key}`: sets that one, others stay.
    pub async fn set_extra_spec(
        &self,
        context: &Context,
        id: TypeId,
        spec: Metadata,
    ) -> Result<Metadata> {
        context.allow(Rule::TypesExtraSpecsUpdate)?;
        self.merge_extra_specs(id, spec).await
    }

    async fn merge_extra_specs(&self, id: TypeId, specs: Metadata) -> Result<Metadata> {
        let mut tx = self.inner.db.begin().await?;
        let kind = types::get_locked(&mut tx, id)
            .await?
            .ok_or_else(|| Error::no_type(id))?;
        properties::merge(&mut tx, kind.id.0, &specs).await?;
        tx.commit().await?;
        Ok(specs)
    }

    /// `DELETE /types/{id}/extra_specs/{key}`.
    pub async fn delete_extra_spec(&self, context: &Context, id: TypeId, key: &str) -> Result<()> {
        context.allow(Rule::TypesExtraSpecsDelete)?;
        let mut tx = self.inner.db.begin().await?;
        let kind = types::get_locked(&mut tx, id)
            .await?
            .ok_or_else(|| Error::no_type(id))?;
        if !properties::remove(&mut tx, kind.id.0, key).await? {
            let text = format!("Volume Type {id} has no extra specs with key {key}.");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(tx.commit().await?)
    }
}

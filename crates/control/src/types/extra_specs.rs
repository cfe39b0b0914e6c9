//! The extra specs of volume types.

use firebrick_db::properties;
use firebrick_policy::Rule;
use firebrick_vocabulary::TypeId;

use super::look::{check_replicated, locked, visible};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::replication::rpo::check_rpo_target;
use crate::replication::way::{check_mirror_way, check_own_names};
use crate::request::{Context, Metadata};

impl Control {
    /// `GET /types/{id}/extra_specs`.
    pub async fn extra_specs(&self, context: &Context, id: TypeId) -> Result<Metadata> {
        context.allow(Rule::TypesExtraSpecsIndex)?;
        let connection = &mut *self.inner.db.read().await?;
        Ok(visible(connection, context, id).await?.extra_specs)
    }

    /// `GET /types/{id}/extra_specs/{key}`: that one, if it is there.
    pub async fn extra_spec(&self, context: &Context, id: TypeId, key: &str) -> Result<Metadata> {
        context.allow(Rule::TypesExtraSpecsShow)?;
        let connection = &mut *self.inner.db.read().await?;
        let mut specs = visible(connection, context, id).await?.extra_specs;
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
        check_replicated(&specs)?;
        check_rpo_target(&specs)?;
        check_own_names(&specs)?;
        let mut tx = self.inner.db.begin().await?;
        let kind = locked(&mut tx, id).await?;
        let mut all = kind.extra_specs;
        all.extend(specs.clone());
        check_mirror_way(&all)?;
        properties::merge(&mut tx, kind.id.0, &specs).await?;
        tx.commit().await?;
        Ok(specs)
    }

    /// `DELETE /types/{id}/extra_specs/{key}`.
    pub async fn delete_extra_spec(&self, context: &Context, id: TypeId, key: &str) -> Result<()> {
        context.allow(Rule::TypesExtraSpecsDelete)?;
        let mut tx = self.inner.db.begin().await?;
        let kind = locked(&mut tx, id).await?;
        if !properties::remove(&mut tx, kind.id.0, key).await? {
            let text = format!("Volume Type {id} has no extra specs with key {key}.");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(tx.commit().await?)
    }
}

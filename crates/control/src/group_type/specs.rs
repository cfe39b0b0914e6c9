//! The specs of group types.

use firebrick_db::properties;
use firebrick_policy::Rule;
use firebrick_vocabulary::GroupTypeId;

use super::look::{locked, visible};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, Metadata};

impl Control {
    /// `GET /group_types/{id}/group_specs`.
    pub async fn group_specs(&self, context: &Context, id: GroupTypeId) -> Result<Metadata> {
        context.allow(Rule::GroupTypesSpecsGetAll)?;
        let connection = &mut *self.inner.db.read().await?;
        Ok(visible(connection, context, id).await?.group_specs)
    }

    /// `GET /group_types/{id}/group_specs/{key}`: its value.
    pub async fn group_spec(
        &self,
        context: &Context,
        id: GroupTypeId,
        key: &str,
    ) -> Result<String> {
        context.allow(Rule::GroupTypesSpecsGet)?;
        let connection = &mut *self.inner.db.read().await?;
        let mut specs = visible(connection, context, id).await?.group_specs;
        specs.remove(key).ok_or_else(|| {
            let shown: String = key.chars().take(255).collect();
            let text = format!("Group Type {id} has no extra spec with key {shown}.");
            Error::new(ErrorKind::NotFound, text)
        })
    }

    /// `POST /group_types/{id}/group_specs`: sets these, others stay.
    pub async fn set_group_specs(
        &self,
        context: &Context,
        id: GroupTypeId,
        specs: &Metadata,
    ) -> Result<()> {
        context.allow(Rule::GroupTypesSpecsCreate)?;
        self.merge_group_specs(id, specs).await
    }

    /// `PUT /group_types/{id}/group_specs/{key}`: sets that one, others stay.
    pub async fn set_group_spec(
        &self,
        context: &Context,
        id: GroupTypeId,
        spec: &Metadata,
    ) -> Result<()> {
        context.allow(Rule::GroupTypesSpecsUpdate)?;
        self.merge_group_specs(id, spec).await
    }

    async fn merge_group_specs(&self, id: GroupTypeId, specs: &Metadata) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        locked(&mut tx, id).await?;
        properties::merge(&mut tx, id.0, specs).await?;
        Ok(tx.commit().await?)
    }

    /// `DELETE /group_types/{id}/group_specs/{key}`.
    pub async fn delete_group_spec(
        &self,
        context: &Context,
        id: GroupTypeId,
        key: &str,
    ) -> Result<()> {
        context.allow(Rule::GroupTypesSpecsDelete)?;
        let mut tx = self.inner.db.begin().await?;
        locked(&mut tx, id).await?;
        if !properties::remove(&mut tx, id.0, key).await? {
            let shown: String = key.chars().take(255).collect();
            let text = format!("Group Type {id} has no specs with key {shown}.");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(tx.commit().await?)
    }
}

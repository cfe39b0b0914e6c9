//! The type that volumes get where none is named: the project's own, else the configuration's.

use firebrick_cloud::{KeystoneError, ProjectAnswer};
use firebrick_db::{Connection, VolumeType, default_types, types};
use firebrick_policy::Rule;
use firebrick_vocabulary::{ProjectId, TypeId};

use super::look::{by_id_or_name, sees};
use crate::control::{Control, Inner};
use crate::detail::TypeDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;

/// The default type of the project that asks; none where it may not use that one either.
pub(crate) async fn for_new(
    inner: &Inner,
    connection: &mut Connection,
    context: &Context,
) -> Result<Option<VolumeType>> {
    let kind = match default_types::get(connection, &context.project).await? {
        Some(id) => types::get(connection, id).await?,
        None => types::named(connection, &inner.options.default_volume_type).await?,
    };
    match kind {
        Some(kind) if sees(connection, context, &kind).await? => Ok(Some(kind)),
        Some(_) | None => Ok(None),
    }
}

impl Control {
    /// `GET /types/default`.
    pub async fn default_type(&self, context: &Context) -> Result<TypeDetail> {
        context.allow(Rule::TypeGet)?;
        let connection = &mut *self.inner.db.read().await?;
        let found = for_new(&self.inner, connection, context).await?;
        let missing = || Error::new(ErrorKind::NotFound, "Default volume type can not be found.");
        Ok(found.ok_or_else(missing)?.into())
    }

    /// `GET /default-types`: the default types that were set, by project.
    pub async fn default_types(&self, context: &Context) -> Result<Vec<(ProjectId, TypeId)>> {
        allow(context, Rule::DefaultTypeGetAll)?;
        Ok(default_types::all(&mut *self.inner.db.read().await?).await?)
    }

    /// `GET /default-types/{project}`.
    pub async fn default_type_of(&self, context: &Context, project: &ProjectId) -> Result<TypeId> {
        allow(context, Rule::DefaultTypeGet)?;
        self.inner.has_project(context, project).await?;
        let found = default_types::get(&mut *self.inner.db.read().await?, project).await?;
        found.ok_or_else(|| {
            let text = format!("Default type for project {project} not found.");
            Error::new(ErrorKind::NotFound, text)
        })
    }

    /// `PUT /default-types/{project}`; the type is named by its id or its name.
    pub async fn set_default_type(
        &self,
        context: &Context,
        project: &ProjectId,
        kind: &str,
    ) -> Result<TypeId> {
        allow(context, Rule::DefaultTypeSet)?;
        self.inner.has_project(context, project).await?;
        let mut tx = self.inner.db.begin().await?;
        let missing = || {
            let text = format!("Volume type with name {kind} could not be found.");
            Error::new(ErrorKind::Invalid, text)
        };
        let id = by_id_or_name(&mut tx, kind).await?.ok_or_else(missing)?.id;
        // It is not deleted before it is the default.
        types::get_shared(&mut tx, id).await?.ok_or_else(missing)?;
        default_types::set(&mut tx, project, id).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// `DELETE /default-types/{project}`, whether one was set or not, and also where the project has
    /// gone meanwhile.
    pub async fn unset_default_type(&self, context: &Context, project: &ProjectId) -> Result<()> {
        allow(context, Rule::DefaultTypeUnset)?;
        let mut tx = self.inner.db.begin().await?;
        default_types::remove(&mut tx, project).await?;
        Ok(tx.commit().await?)
    }
}

impl Inner {
    /// Refuses a project that Keystone does not have. Without a Keystone there is nobody to ask.
    async fn has_project(&self, context: &Context, project: &ProjectId) -> Result<()> {
        let (Some(keystone), Some(token)) = (&self.options.identity, context.access.token()) else {
            return Ok(());
        };
        match keystone.project(token, project.as_str()).await {
            Ok(ProjectAnswer::There) => Ok(()),
            Ok(ProjectAnswer::Missing) => {
                let text = format!("Project with id {project} not found.");
                Err(Error::new(ErrorKind::NotFound, text))
            }
            // A token that has ended is let in with that of a service, which says nothing here.
            Ok(ProjectAnswer::Forbidden) | Err(KeystoneError::Refused) => Err(forbidden()),
            Err(error @ (KeystoneError::Unavailable(_) | KeystoneError::Options(_))) => {
                Err(Error::new(ErrorKind::Unavailable, &error).because(error))
            }
        }
    }
}

fn allow(context: &Context, rule: Rule) -> Result<()> {
    context.may(rule).then_some(()).ok_or_else(forbidden)
}

/// The words that Cinder has for this resource alone.
fn forbidden() -> Error {
    let text = "You are not authorized to perform this operation.";
    Error::new(ErrorKind::Forbidden, text)
}

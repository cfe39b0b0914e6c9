//! Who may use private volume types.

use firebrick_db::{PrivateType, pairs, types};
use firebrick_policy::Rule;
use firebrick_vocabulary::{ProjectId, TypeId};

use super::look::locked;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;

impl Control {
    /// `GET /types/{id}/os-volume-type-access`: the projects that may use a private type.
    pub async fn type_access(&self, context: &Context, id: TypeId) -> Result<Vec<ProjectId>> {
        context.allow(Rule::VolumeTypeAccessGetAllForType)?;
        let connection = &mut *self.inner.db.read().await?;
        let found = types::get(connection, id).await?;
        if found.ok_or_else(|| Error::no_type(id))?.is_public {
            let text = "Access list not available for public volume types.";
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(pairs::projects_of(connection, PrivateType::Volume(id)).await?)
    }

    /// `addProjectAccess`.
    pub async fn add_type_access(
        &self,
        context: &Context,
        id: TypeId,
        project: &ProjectId,
    ) -> Result<()> {
        context.allow(Rule::VolumeTypeAccessAddProjectAccess)?;
        let mut tx = self.inner.db.begin().await?;
        refuse_public(locked(&mut tx, id).await?.is_public)?;
        if !pairs::add_access(&mut tx, PrivateType::Volume(id), project).await? {
            let text =
                format!("Volume type access for {id} / {project} combination already exists.");
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        Ok(tx.commit().await?)
    }

    /// `removeProjectAccess`. Volumes that have the type keep it.
    pub async fn remove_type_access(
        &self,
        context: &Context,
        id: TypeId,
        project: &ProjectId,
    ) -> Result<()> {
        context.allow(Rule::VolumeTypeAccessRemoveProjectAccess)?;
        let mut tx = self.inner.db.begin().await?;
        refuse_public(locked(&mut tx, id).await?.is_public)?;
        if !pairs::remove_access(&mut tx, PrivateType::Volume(id), project).await? {
            let text = format!("Volume type access not found for {id} / {project} combination.");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(tx.commit().await?)
    }
}

fn refuse_public(is_public: bool) -> Result<()> {
    if is_public {
        let text = "Invalid volume type: Type access modification is not applicable to public \
                    volume type.";
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    Ok(())
}

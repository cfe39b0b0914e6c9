//! Group types themselves.

use firebrick_db::{Column, GroupType, Listing, Test, Tx, group_types, groups, now};
use firebrick_policy::Rule;
use firebrick_vocabulary::GroupTypeId;

use super::look::{locked, no_group_type, visible};
use super::{CONSISTENCY, CONSISTENT_SNAPSHOTS, CreateGroupType, UpdateGroupType};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;

/// Makes the type of consistency groups where there is none.
pub(crate) async fn ensure_default(tx: &mut Tx) -> Result<()> {
    if group_types::named(tx, CONSISTENCY).await?.is_none() {
        let specs = [(CONSISTENT_SNAPSHOTS.to_owned(), "<is> True".to_owned())];
        let kind = GroupType {
            id: GroupTypeId::random(),
            name: CONSISTENCY.to_owned(),
            description: Some("Default group type for consistency groups".to_owned()),
            is_public: true,
            group_specs: specs.into(),
            created_at: now(),
            updated_at: None,
        };
        group_types::insert(tx, &kind).await?;
    }
    Ok(())
}

fn taken(name: &str) -> impl FnOnce(firebrick_db::Error) -> Error {
    let message = format!("Group Type {name} already exists.");
    move |error| match error.kind {
        firebrick_db::ErrorKind::Exists => Error::new(ErrorKind::Conflict, message),
        _ => error.into(),
    }
}

impl Control {
    /// `GET /group_types`: public ones; administrators see the private ones too, where the listing
    /// does not leave them out.
    pub async fn group_types(&self, context: &Context, listing: Listing) -> Result<Vec<GroupType>> {
        let listing = if context.is_admin() {
            listing
        } else {
            listing.and(Column::IsPublic, Test::Number(1))
        };
        let connection = &mut *self.inner.db.read().await?;
        let found = group_types::list(connection, &listing).await?;
        found.ok_or_else(|| no_group_type(listing.marker.unwrap_or_default()))
    }

    /// `GET /group_types/{id}`.
    pub async fn group_type(&self, context: &Context, id: GroupTypeId) -> Result<GroupType> {
        visible(&mut *self.inner.db.read().await?, context, id).await
    }

    /// `GET /group_types/default`: the type that the configuration names.
    pub async fn default_group_type(&self) -> Result<GroupType> {
        let connection = &mut *self.inner.db.read().await?;
        let found = match &self.inner.options.default_group_type {
            Some(name) => group_types::named(connection, name).await?,
            None => None,
        };
        let missing = || Error::new(ErrorKind::NotFound, "Default group type can not be found.");
        found.ok_or_else(missing)
    }

    /// `POST /group_types`.
    pub async fn create_group_type(
        &self,
        context: &Context,
        request: CreateGroupType,
    ) -> Result<GroupType> {
        context.allow(Rule::GroupTypesCreate)?;
        let kind = GroupType {
            id: GroupTypeId::random(),
            name: request.name,
            description: request.description,
            is_public: request.is_public,
            group_specs: request.group_specs,
            created_at: now(),
            updated_at: None,
        };
        let mut tx = self.inner.db.begin().await?;
        let inserted = group_types::insert(&mut tx, &kind).await;
        inserted.map_err(taken(&kind.name))?;
        tx.commit().await?;
        Ok(kind)
    }

    /// `PUT /group_types/{id}`.
    pub async fn update_group_type(
        &self,
        context: &Context,
        id: GroupTypeId,
        change: UpdateGroupType,
    ) -> Result<GroupType> {
        context.allow(Rule::GroupTypesUpdate)?;
        let mut tx = self.inner.db.begin().await?;
        let mut kind = locked(&mut tx, id).await?;
        kind.name = change.name.unwrap_or(kind.name);
        kind.description = change.description.or(kind.description);
        kind.is_public = change.is_public.unwrap_or(kind.is_public);
        let updated = group_types::update(&mut tx, &kind).await;
        if !updated.map_err(taken(&kind.name))?.won() {
            return Err(no_group_type(id));
        }
        tx.commit().await?;
        Ok(kind)
    }

    /// `DELETE /group_types/{id}`; refused while groups have it.
    pub async fn delete_group_type(&self, context: &Context, id: GroupTypeId) -> Result<()> {
        context.allow(Rule::GroupTypesDelete)?;
        let mut tx = self.inner.db.begin().await?;
        locked(&mut tx, id).await?;
        if groups::total(&mut tx, &Listing::of(Column::GroupType, &id)).await? > 0 {
            let text = "Target group type is still in use.";
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        group_types::remove(&mut tx, id).await?;
        Ok(tx.commit().await?)
    }
}

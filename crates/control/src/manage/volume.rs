//! An image of a site is asked to become a volume.

use firebrick_db::{Activity, Column, Listing, Test, Tx, VolumeType, activities, services, types};
use firebrick_db::{type_encryption, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ActivityStatus, VolumeStatus};
use firebrick_vocabulary::{HostName, VolumeId};
use serde_json::json;

use super::request::{ManageVolume, Reference};
use crate::control::{Control, VOLUME};
use crate::detail::VolumeDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::options::POOL;
use crate::quota::{self, Wanted};
use crate::request::{Context, CreateVolume};
use crate::types::default_for_new;
use crate::types::look::{by_id_or_name, sees};
use crate::volume::detailed;

impl Control {
    /// `POST /manageable_volumes`: the volume is `managing`, and an activity goes on from there. Its
    /// size is 0 until its image is known.
    pub async fn manage_volume(
        &self,
        context: &Context,
        request: ManageVolume,
    ) -> Result<VolumeDetail> {
        context.allow(Rule::VolumeManage)?;
        let inner = &self.inner;
        let project = context.owner()?;
        let service = inner.service_there(&request.at).await?;
        let service = service.ok_or_else(|| {
            let (kind, name) = (request.at.kind(), request.at.name());
            Error::new(ErrorKind::Unavailable, format!("{kind} '{name}' not found"))
        })?;
        inner.refuse_unavailable(&service)?;
        self.check_zone(request.availability_zone.as_deref())?;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(project).await?;
        // Whoever wants an image of this backend comes one after the other.
        refuse_frozen(&mut tx, Some(&service.host)).await?;
        services::get_locked(&mut tx, VOLUME, &service.host).await?;
        let host = service.host.with_pool(POOL);
        refuse_taken(&mut tx, &request.reference, &host).await?;
        let kind = self.type_to_manage(&mut tx, context, &request).await?;
        let wanted = Wanted::volume(0, kind.id);
        quota::check(&mut tx, &inner.options.quotas, project, wanted).await?;
        let zone = request.availability_zone;
        let cluster = service.cluster_of(&host);
        let input = json!({ "reference": request.reference, "host": host });
        let row = CreateVolume {
            name: request.name,
            description: request.description,
            availability_zone: Some(zone.unwrap_or(service.availability_zone)),
            metadata: request.metadata,
            ..CreateVolume::default()
        };
        let mut volume = self.new_row(context, row, None, &kind, 0);
        volume.status = VolumeStatus::Managing;
        volume.cluster = cluster;
        volume.host = Some(host);
        volume.service = Some(service.id);
        volume.bootable = request.bootable;
        volumes::insert(&mut tx, &volume).await?;
        let story = ActivityKind::ManageVolume;
        inner
            .begin(&mut tx, context, story, volume.id.0, input)
            .await?;
        let mut details = detailed(&mut tx, vec![volume]).await?;
        tx.commit().await?;
        inner.work.notify_one();
        details
            .pop()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "The managed volume is gone."))
    }

    async fn type_to_manage(
        &self,
        tx: &mut Tx,
        context: &Context,
        request: &ManageVolume,
    ) -> Result<VolumeType> {
        let found = match &request.volume_type {
            Some(text) => by_id_or_name(tx, text).await?,
            None => default_for_new(&self.inner, tx, context).await?,
        };
        let found = match found {
            Some(kind) => types::get_shared(tx, kind.id).await?,
            None => None,
        };
        let missing = || {
            let text = request.volume_type.as_deref().unwrap_or("(default)");
            invalid_type(format_args!("Cannot find requested '{text}' volume type"))
        };
        let kind = found.ok_or_else(missing)?;
        if !sees(tx, context, &kind).await? {
            return Err(missing());
        }
        if type_encryption::get(tx, kind.id).await?.is_some() {
            return Err(invalid_type(
                "Managing to an encrypted volume type is not supported.",
            ));
        }
        Ok(kind)
    }
}

fn invalid_type(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format_args!("Invalid volume type: {why}"),
    )
}

/// Refuses what is a volume already, or is about to become one.
async fn refuse_taken(tx: &mut Tx, reference: &Reference, host: &HostName) -> Result<()> {
    let taken =
        || Error::invalid_volume("Unable to manage existing volume. The volume is already managed");
    let service = host.without_pool();
    let rows = volumes::of_service(tx, &service).await?;
    let is_taken = match reference {
        // The images of volumes are called after them.
        Reference::Name(name) => {
            let id = name.strip_prefix("volume-").and_then(|id| id.parse().ok());
            id.is_some_and(|id: VolumeId| rows.iter().any(|row| row.id == id))
        }
        Reference::Id(id) => rows.iter().any(|row| row.image() == *id),
    };
    if is_taken {
        return Err(taken());
    }
    let running = Test::OneOf(vec![ActivityStatus::Running.as_str().to_owned()]);
    let listing = Listing::of(Column::Kind, &ActivityKind::ManageVolume);
    let listing = listing.and(Column::Status, running);
    let others = activities::list(tx, &listing).await?.unwrap_or_default();
    let (reference, host) = (json!(reference), json!(host));
    let same =
        |other: &Activity| other.input["reference"] == reference && other.input["host"] == host;
    if others.iter().any(same) {
        return Err(taken());
    }
    Ok(())
}

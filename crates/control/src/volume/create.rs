//! A volume is made: empty, from a snapshot, a backup or an image, or from another volume.

use firebrick_backend::{ImageInfo, NewImage, Origin, PromoteMode, PromoteOutcome};
use firebrick_cloud::Image;
use firebrick_db::{
    Activity, Connection, Tx, Volume, VolumeType, image_properties, now, snapshots, types, volumes,
};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, AttachStatus, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{BackupId, Gibibytes, HostName, ImageId, Role, VolumeId};
use serde_json::{Value, json};
use tracing::info;

use super::look::{detailed, visible};
use super::source::{Source, fits, of_backup, of_image, one_source, size, source};
use super::zone::zone_for;
use crate::backup::restore;
use crate::control::{Control, Inner};
use crate::detail::VolumeDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::group::join;
use crate::home::{Home, moves, refuse_apart};
use crate::image::cache::{self, Beginning};
use crate::image::{self, BootSnapshot, Pinned};
use crate::place::{elsewhere, place};
use crate::qos::limit::limits_of;
use crate::quota::{self, Wanted};
use crate::replication::way::set_way;
use crate::request::{Context, CreateVolume};
use crate::story::{Step, Stop, noted};
use crate::types::look::asks;
use crate::types::look::{by_id_or_name, sees};
use crate::types::{check_size, default_for_new, key_for};
use crate::why::Why;

/// The statuses of a volume that is being made.
const MAKING: [VolumeStatus; 2] = [VolumeStatus::Creating, VolumeStatus::Downloading];

impl Control {
    /// `POST /volumes`: the volume is `creating`, and an activity goes on from there.
    pub async fn create_volume(
        &self,
        context: &Context,
        mut request: CreateVolume,
    ) -> Result<VolumeDetail> {
        context.allow(match &request.image {
            Some(_) => Rule::VolumeCreateFromImage,
            None => Rule::VolumeCreate,
        })?;
        let inner = &self.inner;
        one_source(&request)?;
        let image = asked_image(inner, context, &mut request).await?;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(context.owner()?).await?;
        let backup = match request.backup {
            Some(id) => Some(restore::source(inner, &mut tx, context, id).await?),
            None => None,
        };
        // A group is held before its volumes.
        let group = join::named(&mut tx, context, request.group).await?;
        let source = match (&backup, &image) {
            (Some(backup), _) => Some(of_backup(&mut tx, backup).await?),
            (None, Some(image)) => Some(of_image(&mut tx, image).await?),
            (None, None) => source(&mut tx, context, &request).await?,
        };
        let size = size(&request, source.as_ref())?;
        let pinned = match image {
            Some(image) => {
                image::check(&image, size)?;
                Some(Pinned::new(inner, context, image)?.to_json()?)
            }
            None => None,
        };
        let kind = self
            .type_for(&mut tx, context, &request, source.as_ref())
            .await?;
        check_size(&kind, size)?;
        if let Some(group) = group {
            let origin = source.as_ref().and_then(|source| source.host.as_ref());
            join::check(&mut tx, &group, kind.id, origin).await?;
            request.availability_zone = Some(group.availability_zone);
        }
        let asked = request.availability_zone.take();
        request.availability_zone = zone_for(&inner.options, asked, source.as_ref(), &kind)?;
        let wanted = Wanted::volume(size, kind.id);
        quota::check(&mut tx, &inner.options.quotas, &context.project, wanted).await?;
        let mut input = hints(&mut tx, context, &request, source.as_ref()).await?;
        input["image"] = json!(pinned);
        let key = key_for(&mut tx, &inner.options, &kind).await?;
        fits(source.as_ref(), &kind, key.is_some())?;
        let mut volume = self.new_row(context, request, source.as_ref(), &kind, size);
        volume.encryption_key = key;
        refuse_apart(&mut tx, &volume).await?;
        volumes::insert(&mut tx, &volume).await?;
        let origin = (volume.snapshot.map(|id| id.0)).or(volume.source.map(|id| id.0));
        if let Some(origin) = origin {
            image_properties::copy(&mut tx, origin, volume.id.0).await?;
        }
        if let Some(backup) = backup {
            restore::take(&mut tx, backup, volume.id).await?;
        }
        let story = ActivityKind::CreateVolume;
        inner
            .begin(&mut tx, context, story, volume.id.0, input)
            .await?;
        let mut details = detailed(&mut tx, vec![volume]).await?;
        tx.commit().await?;
        inner.work.notify_one();
        details
            .pop()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "The new volume is gone."))
    }

    pub(crate) fn new_row(
        &self,
        context: &Context,
        request: CreateVolume,
        source: Option<&Source>,
        kind: &VolumeType,
        size: u32,
    ) -> Volume {
        let zone = request.availability_zone;
        Volume {
            id: VolumeId::random(),
            project: context.project.clone(),
            user: context.user.clone(),
            name: request.name,
            description: request.description,
            size,
            status: VolumeStatus::Creating,
            shown: None,
            previous_status: None,
            attach_status: AttachStatus::Detached,
            migration_status: None,
            is_migration_target: false,
            host: None,
            cluster: None,
            availability_zone: zone.unwrap_or_else(|| self.inner.options.usual_zone().to_owned()),
            volume_type: kind.id,
            snapshot: request.snapshot,
            source: request.source,
            group: request.group,
            site: None,
            image: None,
            provider_id: None,
            encryption_key: None,
            bootable: source.is_some_and(|source| source.bootable),
            readonly: None,
            multiattach: wants(kind, "multiattach"),
            consumes_quota: true,
            replication_status: Some(if wants(kind, "replication_enabled") {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::Disabled
            }),
            service: None,
            metadata: request.metadata,
            created_at: now(),
            updated_at: None,
            launched_at: None,
        }
    }

    async fn type_for(
        &self,
        tx: &mut Tx,
        context: &Context,
        request: &CreateVolume,
        source: Option<&Source>,
    ) -> Result<VolumeType> {
        let found = match (
            &request.volume_type,
            source.and_then(|source| source.volume_type),
        ) {
            (Some(text), _) => by_id_or_name(tx, text).await?,
            (None, Some(id)) => types::get(tx, id).await?,
            (None, None) => default_for_new(&self.inner, tx, context).await?,
        };
        // It is not removed before the volume that has it is there.
        let found = match found {
            Some(kind) => types::get_shared(tx, kind.id).await?,
            None => None,
        };
        let missing = || {
            let text = request.volume_type.as_deref().unwrap_or("(default)");
            let message = format!("Volume type with name {text} could not be found.");
            Error::new(ErrorKind::NotFound, message)
        };
        let kind = found.ok_or_else(missing)?;
        if !sees(tx, context, &kind).await? {
            return Err(missing());
        }
        if wants(&kind, "multiattach") {
            context.allow(Rule::VolumeMultiattach)?;
        }
        Ok(kind)
    }

    pub(crate) fn check_zone(&self, zone: Option<&str>) -> Result<()> {
        match zone {
            Some(zone) if !self.inner.options.has_zone(zone) => Err(Error::invalid_input(format!(
                "Availability zone '{zone}' is invalid."
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether the type asks for a capability with `<is> True`.
pub(crate) fn wants(kind: &VolumeType, key: &str) -> bool {
    asks(&kind.extra_specs, key)
}

/// The image that the request names, with nothing held while another service is asked. One that stands for
/// a snapshot is none: the request names the snapshot then.
async fn asked_image(
    inner: &Inner,
    context: &Context,
    request: &mut CreateVolume,
) -> Result<Option<Image>> {
    let Some(named) = &request.image else {
        return Ok(None);
    };
    let image = image::named(inner, context, named).await?;
    let boot = BootSnapshot::of(&image).filter(|_| request.follow_mapping);
    let Some(boot) = boot else {
        return Ok(Some(image));
    };
    context.allow(Rule::VolumeCreate)?;
    let snapshot = boot.find(&mut *inner.db.read().await?, context).await?;
    request.snapshot = Some(snapshot.id);
    Ok(None)
}

/// What the request says about the place, and of what the volume is made.
async fn hints(
    tx: &mut Tx,
    context: &Context,
    request: &CreateVolume,
    source: Option<&Source>,
) -> Result<Value> {
    Ok(json!({
        "availability_zone": request.availability_zone,
        "same_host": hosts(tx, context, &request.same_host).await?,
        "different_host": others(tx, context, &request.different_host).await?,
        "local_to_instance": request.local_to_instance,
        "query": request.query,
        "backup": request.backup,
        "only": source.and_then(|source| source.host.clone()),
    }))
}

async fn hosts(tx: &mut Tx, context: &Context, ids: &[VolumeId]) -> Result<Vec<HostName>> {
    let mut hosts = Vec::new();
    for id in ids {
        hosts.extend(visible(tx, context, *id).await?.host);
    }
    Ok(hosts)
}

/// Where volumes are that a new one is to keep away from. One that is gone is nowhere, so that clients may
/// go on to name it, as they do with Cinder.
async fn others(tx: &mut Tx, context: &Context, ids: &[VolumeId]) -> Result<Vec<HostName>> {
    let mut found = Vec::new();
    for id in ids {
        match visible(tx, context, *id).await {
            Ok(volume) => found.extend(volume.host),
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The story: choose a pool, make the image, say so.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(mut volume) = found.filter(|volume| MAKING.contains(&volume.status)) else {
        let tx = inner.db.begin().await?;
        return end(inner, tx, activity, Ok(())).await;
    };
    if volume.host.is_none() {
        volume = place(inner, activity, volume).await?;
    }
    let pinned = Pinned::of(activity)?;
    let beginning = match &pinned {
        Some(pinned) => cache::begin(inner, &volume, pinned).await?,
        None => Beginning::Blank,
    };
    let blank = matches!(beginning, Beginning::Blank);
    let (home, whole) = match beginning {
        Beginning::Whole(home) => (home, true),
        Beginning::Blank | Beginning::Unknown => {
            let origin = origin(&mut *inner.db.read().await?, &volume).await?;
            (build(inner, &volume, origin).await?, false)
        }
    };
    let backup = backup_of(activity);
    let restored = match backup {
        Some(backup) => {
            let image = volume.image();
            Some((
                backup,
                restore::fill(inner, activity, &home, image, backup, true).await?,
            ))
        }
        None => None,
    };
    if let Some(pinned) = pinned.as_ref().filter(|_| !whole) {
        // What an earlier run has written may be something else.
        let new = blank && volume.status == VolumeStatus::Creating;
        downloading(inner, &mut volume).await?;
        image::fill(inner, activity, &home, &volume, pinned, new).await?;
        cache::keep(inner, activity, &home, &volume, pinned).await?;
    }
    let mut tx = inner.db.begin().await?;
    if let Err(stop) = home.stays(&mut tx).await {
        // The next run makes it primary where it will live; this copy must not be one then.
        if let Err(fault) = home.site.demote(&[volume.image()]).await {
            info!(volume = %id, %fault, "the copy of a new volume is given up where it was made");
        }
        return Err(stop);
    }
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.status = VolumeStatus::Available;
        volume.replication_status = Some(home.replication_status());
        volume.launched_at = Some(now());
        volume.bootable |= pinned.is_some();
        noted(volumes::swap(&mut tx, &MAKING, &volume).await?, id);
    }
    if let Some((backup, notes)) = restored {
        restore::mark(&mut tx, id, backup, notes).await?;
    }
    if let Some(pinned) = pinned {
        let known = if whole {
            image::remembered(&pinned.image)
        } else {
            image::remembered_of_new(inner.images()?, &pinned.image)
        };
        image_properties::merge(&mut tx, id.0, &known).await?;
    }
    end(inner, tx, activity, Ok(())).await
}

/// There is an image, and its bytes come from the image service.
async fn downloading(inner: &Inner, volume: &mut Volume) -> Step {
    if volume.status == VolumeStatus::Downloading {
        return Ok(());
    }
    let mut tx = inner.db.begin().await?;
    if let Some(newer) = volumes::get_locked(&mut tx, volume.id).await? {
        *volume = newer;
    }
    volume.status = VolumeStatus::Downloading;
    let from = [VolumeStatus::Creating];
    if !volumes::swap(&mut tx, &from, volume).await?.won() {
        return Err(Stop::always("the volume changed while its image was made"));
    }
    Ok(tx.commit().await?)
}

/// Makes the image of a volume where it lives, with the limits of its type.
pub(crate) async fn build(inner: &Inner, volume: &Volume, origin: Option<Origin>) -> Step<Home> {
    let home = inner.home(volume).await?;
    inner.beside(&home, volume).await?;
    let image = NewImage {
        id: volume.image(),
        name: volume.id.image_name(),
        size: Gibibytes(volume.size).bytes(),
        origin,
        mirrored: moves(volume),
    };
    let held = make_primary(&home, image).await?.limits;
    let limits = limits_of(&mut *inner.db.read().await?, volume, volume.size).await?;
    if held != limits {
        home.site.set_limits(volume.image(), limits).await?;
    }
    if moves(volume) {
        set_way(inner, &home.site, volume).await?;
    }
    Ok(home)
}

/// The end of the story: the backup that the volume was to be made of is free again.
async fn end(
    inner: &Inner,
    mut tx: Tx,
    activity: &Activity,
    outcome: std::result::Result<(), &Why>,
) -> Step {
    if let Some(backup) = backup_of(activity) {
        restore::give_back(&mut tx, backup).await?;
    }
    inner.finish(&mut tx, activity, outcome).await?;
    Ok(tx.commit().await?)
}

/// The backup that the volume is made of.
fn backup_of(activity: &Activity) -> Option<BackupId> {
    let text = activity.input.get("backup").and_then(Value::as_str);
    text.and_then(|text| text.parse().ok())
}

/// Makes the image. Where an earlier run made it at the other site before the backend moved, this one
/// has a copy, which nobody has ever written to but its origin: it is simply taken over.
async fn make_primary(home: &Home, image: NewImage) -> Step<ImageInfo> {
    let id = image.id;
    let made = home.site.create_image(image).await?;
    if made.role == Role::Primary {
        return Ok(made);
    }
    let outcomes = home.site.promote(&[id], PromoteMode::Forced).await?;
    match outcomes.into_iter().find(|outcome| outcome.image == id) {
        Some(PromoteOutcome { result: Ok(_), .. }) => Ok(made),
        refused => Err(Stop::later(format!(
            "{id} cannot be made primary: {refused:?}"
        ))),
    }
}

async fn origin(connection: &mut Connection, volume: &Volume) -> Step<Option<Origin>> {
    if let Some(id) = volume.snapshot {
        let snapshot = snapshots::get(connection, id).await?;
        let gone = || Stop::never(format!("snapshot {id} is gone"));
        let snapshot = snapshot.ok_or_else(gone)?;
        return Ok(Some(Origin {
            image: image_of(connection, snapshot.volume).await?,
            snapshot: Some(snapshot.image_name()),
        }));
    }
    let Some(id) = volume.source else {
        return Ok(None);
    };
    Ok(Some(Origin {
        image: image_of(connection, id).await?,
        snapshot: None,
    }))
}

/// The image of a volume that may be gone meanwhile: then the site says whether that matters.
pub(crate) async fn image_of(connection: &mut Connection, id: VolumeId) -> Step<ImageId> {
    let found = volumes::get(connection, id).await?;
    Ok(found.map_or(id.image_id(), |volume| volume.image()))
}

/// Nobody needs the half of an image. What cannot be removed now goes with the volume.
async fn discard(inner: &Inner, activity: &Activity, id: VolumeId) -> Step {
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Downloading) else {
        return Ok(());
    };
    let home = inner.home(&volume).await?;
    if let Err(fault) = home.site.remove_image(volume.image()).await {
        info!(volume = %id, %fault, "the half of an image stays for now");
    }
    cache::forget(inner, activity, &home).await
}

/// Removes what may have been made. Where no other pool can be tried, the volume is an error.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    if let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Creating)
        && elsewhere(inner, activity, volume, why).await?
    {
        return Err(Stop::always(format!("another pool is tried ({why})")));
    }
    discard(inner, activity, id).await?;
    let mut tx = inner.db.begin().await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.status = VolumeStatus::Error;
        noted(volumes::swap(&mut tx, &MAKING, &volume).await?, id);
    }
    end(inner, tx, activity, Err(why)).await
}

//! The story of an image that becomes a volume.

use firebrick_backend::{Backend, FaultKind, ImageInfo};
use firebrick_db::{Activity, Volume, now, services, volumes};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::{Gibibytes, ImageId, ImageName, Role, VolumeId};
use tracing::info;

use super::request::Reference;
use super::whole;
use crate::control::{Inner, VOLUME};
use crate::home::{Home, moves};
use crate::place::{refused_at, wanted};
use crate::qos::limit::limits_of;
use crate::quota::{self, Wanted};
use crate::replication::way::set_way;
use crate::story::{Step, Stop, noted};
use crate::why::Why;

/// The story: the image is found and claimed, then made what a volume's image is.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Managing) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let home = inner.home(&volume).await?;
    let image = sought(&*home.site, activity, &volume).await?;
    let volume = match volume.image {
        Some(_) => volume,
        None => claim(inner, volume, &image).await?,
    };
    make_own(inner, &home, &volume, &image).await?;
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.status = VolumeStatus::Available;
        volume.replication_status = Some(home.replication_status());
        volume.launched_at = Some(now());
        let from = [VolumeStatus::Managing];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// A story that cannot go on, and what the user is told of it.
fn refuse<T>(why: &str) -> Step<T> {
    Err(Stop::never(Why::from(why).noting(why)))
}

fn reference(activity: &Activity) -> Step<Reference> {
    let given = activity.input.get("reference").cloned().unwrap_or_default();
    serde_json::from_value(given).map_err(|error| Stop::never(error.to_string()))
}

/// The image that is meant. Once it is claimed it goes by its id, as its name changes.
async fn sought(site: &dyn Backend, activity: &Activity, volume: &Volume) -> Step<ImageInfo> {
    let found = match (volume.image, reference(activity)?) {
        (Some(id), _) | (None, Reference::Id(id)) => match site.image(id).await {
            Err(fault) if fault.kind == FaultKind::NotFound => None,
            image => Some(image?),
        },
        (None, Reference::Name(name)) => {
            let images = site.images().await?;
            images.into_iter().find(|image| image.name.as_str() == name)
        }
    };
    let Some(image) = found else {
        return refuse("the backend has no such image");
    };
    if image.role == Role::Secondary {
        return refuse("the image is a copy, whose original is at another site");
    }
    let exports = site.exports().await?;
    if exports.iter().any(|export| export.image == image.id) {
        return refuse("the image is in use");
    }
    Ok(image)
}

/// The image becomes this volume's and nobody else's. What it takes of quotas is known only now.
async fn claim(inner: &Inner, volume: Volume, image: &ImageInfo) -> Step<Volume> {
    let (id, size) = (volume.id, whole(image.size).max(1));
    let Some(host) = volume.host.clone() else {
        return refuse("the volume has no host");
    };
    let request = wanted(&mut *inner.db.read().await?, &volume).await?;
    if let Some(why) = refused_at(inner, request, &host).await? {
        return Err(Stop::never(why));
    }
    let mut tx = inner.db.begin().await?;
    let more = Wanted {
        gigabytes: i64::from(size),
        size,
        kind: Some(volume.volume_type),
        ..Wanted::default()
    };
    quota::check(&mut tx, &inner.options.quotas, &volume.project, more).await?;
    let service = host.without_pool();
    services::get_locked(&mut tx, VOLUME, &service).await?;
    let rows = volumes::of_service(&mut tx, &service).await?;
    if rows
        .iter()
        .any(|row| row.id != id && row.image() == image.id)
    {
        return refuse("the image is managed already");
    }
    let mut volume = volumes::get_locked(&mut tx, id).await?.unwrap_or(volume);
    volume.image = Some(image.id);
    volume.size = size;
    let from = [VolumeStatus::Managing];
    if !volumes::swap(&mut tx, &from, &volume).await?.won() {
        return Err(Stop::always(
            "the volume changed while its image was claimed",
        ));
    }
    tx.commit().await?;
    Ok(volume)
}

/// Size, mirroring, limits and name are those of the volume.
async fn make_own(inner: &Inner, home: &Home, volume: &Volume, image: &ImageInfo) -> Step {
    let (site, id) = (&home.site, image.id);
    let size = Gibibytes(volume.size).bytes();
    if image.size != size {
        site.extend_image(id, size).await?;
    }
    if moves(volume) && !image.mirrored {
        site.set_mirroring(id, true).await?;
    } else if image.mirrored && !moves(volume) {
        inner.end_mirroring(volume, home).await?;
    }
    if moves(volume) {
        set_way(inner, site, volume).await?;
    }
    let limits = limits_of(&mut *inner.db.read().await?, volume, volume.size).await?;
    if image.limits != limits {
        site.set_limits(id, limits).await?;
    }
    Ok(site.rename_image(id, volume.id.image_name()).await?)
}

/// The image gets its name back and belongs to nobody; the volume says that it could not be.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let managing = found.filter(|volume| volume.status == VolumeStatus::Managing);
    if let Some((volume, image)) = managing.and_then(|it| it.image.map(|image| (it, image)))
        && let Err(Stop::Later(why) | Stop::Always(why) | Stop::Never(why)) =
            name_again(inner, activity, &volume, image).await
    {
        info!(volume = %id, %why, "an image that is not managed keeps its new name");
    }
    let mut tx = inner.db.begin().await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.status = VolumeStatus::ErrorManaging;
        // Its deletion must never find the image.
        volume.image = None;
        let from = [VolumeStatus::Managing];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}

async fn name_again(inner: &Inner, activity: &Activity, volume: &Volume, id: ImageId) -> Step {
    let Reference::Name(name) = reference(activity)? else {
        return Ok(());
    };
    let name = ImageName::new(name).map_err(|error| Stop::never(error.to_string()))?;
    let home = inner.home(volume).await?;
    Ok(home.site.rename_image(id, name).await?)
}

//! Volumes that hold images which were written once already: hidden ones of the internal project, from which the
//! next volumes of the same images are cloned.

use firebrick_backend::{FaultKind, NewImage, Origin};
use firebrick_db::{
    Activity, CachedImage, Tx, Volume, image_cache, image_properties, now, volumes,
};
use firebrick_state::{ActivityKind, AttachStatus, VolumeStatus};
use firebrick_vocabulary::{Gibibytes, HostName, ImageId, VolumeId};
use serde_json::json;
use tracing::{info, warn};
use uuid::Uuid;

use super::wanted::{Pinned, is_encrypted, remembered};
use crate::access::Access;
use crate::control::Inner;
use crate::home::{Home, moves};
use crate::options::CacheOptions;
use crate::request::{Began, Context};
use crate::story::{Step, Stop};

/// The name of what makes the ids of hidden volumes.
const HIDDEN: &[u8] = b"image cache";

/// The cache of the volume's backend, and who owns what is in it; none where it has none, or where what hosts
/// encrypt would be shared.
fn cache<'a>(
    inner: &'a Inner,
    volume: &Volume,
    pinned: &Pinned,
) -> Option<(&'a CacheOptions, HostName)> {
    let host = volume.host.as_ref()?;
    let options = inner.options.images.as_ref()?;
    options.internal.as_ref()?;
    let backend = inner.backend_of(host).ok()?;
    let cache = options.caches.get(&backend.name)?;
    let shared = volume.encryption_key.is_none() && !is_encrypted(&pinned.image);
    shared.then(|| (cache, host.without_pool()))
}

/// The hidden volume of which a new one can be cloned.
pub(crate) async fn find(
    inner: &Inner,
    home: &Home,
    volume: &Volume,
    pinned: &Pinned,
) -> Step<Option<Origin>> {
    let Some((_, host)) = cache(inner, volume, pinned) else {
        return Ok(None);
    };
    // What an earlier run has made may have no bytes yet: a clone is made at once, or not at all.
    match home.site.image(volume.image()).await {
        Ok(_) => return Ok(None),
        Err(fault) if fault.kind == FaultKind::NotFound => {}
        Err(fault) => return Err(fault.into()),
    }
    let mut tx = inner.db.begin().await?;
    let Some(cached) = image_cache::get(&mut tx, &host, pinned.image.id).await? else {
        return Ok(None);
    };
    let hidden = volumes::get(&mut tx, cached.volume).await?;
    let whole = hidden.filter(|hidden| hidden.status == VolumeStatus::Available);
    let Some(hidden) = whole.filter(|_| cached.image_updated_at == pinned.image.updated_at) else {
        info!(image = %pinned.image.id, "a cached image is of no use any more");
        drop_one(inner, &mut tx, cached.volume).await?;
        tx.commit().await?;
        inner.work.notify_one();
        return Ok(None);
    };
    // It lives at another site then, or does not fit.
    if moves(&hidden) != moves(volume) || hidden.size > volume.size {
        return Ok(None);
    }
    match home.site.image(hidden.image()).await {
        Ok(_) => {}
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault.into()),
    }
    image_cache::touch(&mut tx, hidden.id, now()).await?;
    tx.commit().await?;
    Ok(Some(Origin {
        image: hidden.image(),
        snapshot: None,
    }))
}

/// The hidden volume that the story may make.
fn hidden_id(activity: &Activity) -> VolumeId {
    VolumeId(Uuid::new_v5(&activity.id.0, HIDDEN))
}

/// Keeps what has just been written into `volume`, which nobody else has written to yet. Where that does not
/// work the volume is good nevertheless.
pub(crate) async fn keep(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    volume: &Volume,
    pinned: &Pinned,
) -> Step {
    let Some((options, host)) = cache(inner, volume, pinned) else {
        return Ok(());
    };
    match kept(inner, activity, home, (volume, host), pinned, options).await {
        Err(Stop::Later(why) | Stop::Never(why)) => {
            warn!(image = %pinned.image.id, %why, "an image is not cached");
            forget(inner, activity, home).await
        }
        other => other,
    }
}

async fn kept(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    (volume, host): (&Volume, HostName),
    pinned: &Pinned,
    options: &CacheOptions,
) -> Step {
    let image = pinned.image.id;
    let found = image_cache::get(&mut *inner.db.read().await?, &host, image).await?;
    if found.is_some() || !make_room(inner, &host, volume.size, options).await? {
        return Ok(());
    }
    inner.progress(activity, "caching", 0, 0).await?;
    let id = hidden_id(activity);
    let clone = NewImage {
        id: id.image_id(),
        name: id.image_name(),
        size: Gibibytes(volume.size).bytes(),
        origin: Some(Origin {
            image: volume.image(),
            snapshot: None,
        }),
        mirrored: moves(volume),
    };
    home.site.create_image(clone).await?;
    let Some((project, user)) = inner.images()?.internal.clone() else {
        return Ok(());
    };
    let present = now();
    let row = Volume {
        id,
        project,
        user,
        name: Some(format!("image-{image}")),
        description: None,
        status: VolumeStatus::Available,
        shown: None,
        previous_status: None,
        attach_status: AttachStatus::Detached,
        snapshot: None,
        source: None,
        group: None,
        image: None,
        bootable: true,
        multiattach: false,
        consumes_quota: false,
        replication_status: Some(home.replication_status()),
        metadata: std::collections::BTreeMap::new(),
        created_at: present,
        updated_at: None,
        launched_at: Some(present),
        ..volume.clone()
    };
    let cached = CachedImage {
        image,
        host,
        volume: id,
        size: volume.size,
        image_updated_at: pinned.image.updated_at,
        used_at: present,
    };
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    if image_cache::get(&mut tx, &cached.host, image)
        .await?
        .is_some()
    {
        // Another volume of it was first.
        drop(tx);
        return forget(inner, activity, home).await;
    }
    volumes::insert(&mut tx, &row).await?;
    image_properties::merge(&mut tx, id.0, &remembered(&pinned.image)).await?;
    image_cache::insert(&mut tx, &cached).await?;
    Ok(tx.commit().await?)
}

/// Removes what [`keep`] has made, where nothing knows of it.
pub(crate) async fn forget(inner: &Inner, activity: &Activity, home: &Home) -> Step {
    let id = hidden_id(activity);
    if volumes::get(&mut *inner.db.read().await?, id)
        .await?
        .is_some()
    {
        return Ok(());
    }
    let image: ImageId = id.image_id();
    match home.site.remove_image(image).await {
        Ok(()) => {}
        Err(fault) if fault.kind == FaultKind::NotFound => {}
        Err(fault) => info!(%image, %fault, "the image of a cached one stays"),
    }
    Ok(())
}

/// Lets those go that were not used for the longest time, so that another one of `size` GiB fits; whether it
/// does.
async fn make_room(
    inner: &Inner,
    host: &HostName,
    size: u32,
    options: &CacheOptions,
) -> Step<bool> {
    let fits = |count: u64, gigabytes: u64| {
        (options.max_count == 0 || count <= options.max_count)
            && (options.max_gigabytes == 0 || gigabytes <= options.max_gigabytes)
    };
    if !fits(1, size.into()) {
        return Ok(false);
    }
    let mut tx = inner.db.begin().await?;
    let there = image_cache::of_host(&mut tx, host).await?;
    let mut count = there.len() as u64 + 1;
    let sizes: u64 = there.iter().map(|cached| u64::from(cached.size)).sum();
    let mut gigabytes = sizes + u64::from(size);
    for cached in there {
        if fits(count, gigabytes) {
            break;
        }
        info!(image = %cached.image, "a cached image makes room for another");
        drop_one(inner, &mut tx, cached.volume).await?;
        count -= 1;
        gigabytes -= u64::from(cached.size);
    }
    tx.commit().await?;
    inner.work.notify_one();
    Ok(true)
}

/// The entry goes at once, the hidden volume by an activity.
async fn drop_one(inner: &Inner, tx: &mut Tx, id: VolumeId) -> Step {
    image_cache::remove(tx, id).await?;
    let Some(mut volume) = volumes::get_locked(tx, id).await? else {
        return Ok(());
    };
    let from = [volume.status];
    volume.status = VolumeStatus::Deleting;
    if from[0] == VolumeStatus::Deleting || !volumes::swap(tx, &from, &volume).await?.won() {
        return Ok(());
    }
    let context = Context {
        access: Access::own(&volume.user, &volume.project),
        project: volume.project,
        user: volume.user,
        request_id: format!("req-{}", Uuid::new_v4()),
        began: Began::default(),
    };
    let (kind, input) = (ActivityKind::DeleteVolume, json!({ "force": false }));
    inner.begin(tx, &context, kind, id.0, input).await?;
    Ok(())
}

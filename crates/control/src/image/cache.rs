//! Volumes that hold images which were written once already: hidden ones of the internal project, from which the
//! next volumes of the same images are cloned.

use firebrick_backend::{FaultKind, NewImage, Origin};
use firebrick_db::{Activity, CachedImage, Volume, image_cache, image_properties, now, volumes};
use firebrick_state::{AttachStatus, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{Gibibytes, HostName, ImageId, Role, VolumeId};
use tracing::{info, warn};
use uuid::Uuid;

use super::evict::{dismiss, drop_one, is_own, make_room};
use super::wanted::{Pinned, is_encrypted, remembered};
use crate::control::Inner;
use crate::home::{Home, moves};
use crate::options::CacheOptions;
use crate::story::{Step, Stop};
use crate::volume::create::build;

/// The name of what makes the ids of hidden volumes.
const HIDDEN: &[u8] = b"image cache";

/// How a volume of an image begins.
pub(crate) enum Beginning {
    /// With everything: it is a clone of what is cached.
    Whole(Home),
    /// With nothing that anybody has written.
    Blank,
    /// With whatever an earlier run has left.
    Unknown,
}

/// The cache of the volume's backend, and who owns what is in it; none where it has none, where what hosts
/// encrypt would be shared, or where nobody could tell that the image has changed.
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
    let shared = volume.encryption_key.is_none()
        && !is_encrypted(&pinned.image)
        && pinned.image.updated_at.is_some();
    shared.then(|| (cache, host.without_pool()))
}

/// Clones what is cached, where something is. Whatever goes wrong with that, the image can be read instead.
pub(crate) async fn begin(inner: &Inner, volume: &Volume, pinned: &Pinned) -> Step<Beginning> {
    let Some((_, host)) = cache(inner, volume, pinned) else {
        return Ok(Beginning::Blank);
    };
    let home = inner.home(volume).await?;
    // What an earlier run has made may have no bytes yet: a clone is made at once, or not at all.
    match home.site.image(volume.image()).await {
        Ok(_) => return Ok(Beginning::Unknown),
        Err(fault) if fault.kind == FaultKind::NotFound => {}
        Err(fault) => return Err(fault.into()),
    }
    let cloned = match find(inner, &home, &host, volume, pinned).await {
        Ok(None) => return Ok(Beginning::Blank),
        Ok(Some(origin)) => build(inner, volume, Some(origin)).await,
        Err(stop) => Err(stop),
    };
    match cloned {
        Ok(home) => Ok(Beginning::Whole(home)),
        Err(Stop::Later(why) | Stop::Never(why)) => {
            warn!(image = %pinned.image.id, %why, "a cached image cannot be cloned");
            Ok(Beginning::Unknown)
        }
        Err(stop @ (Stop::Always(_) | Stop::Lost)) => Err(stop),
    }
}

/// The hidden volume of which a new one can be cloned. One that is of no use any more goes.
async fn find(
    inner: &Inner,
    home: &Home,
    host: &HostName,
    volume: &Volume,
    pinned: &Pinned,
) -> Step<Option<Origin>> {
    let (cached, hidden) = {
        let connection = &mut *inner.db.read().await?;
        let Some(cached) = image_cache::get(connection, host, pinned.image.id).await? else {
            return Ok(None);
        };
        let hidden = volumes::get(connection, cached.volume).await?;
        (cached, hidden)
    };
    let good = hidden.filter(|hidden| is_good(inner, &cached, hidden, pinned));
    let Some(hidden) = good else {
        info!(image = %pinned.image.id, "a cached image is of no use any more");
        dismiss(inner, &cached).await?;
        return Ok(None);
    };
    // Somebody is busy with it, it lives at another site, or it does not fit.
    if hidden.status != VolumeStatus::Available
        || moves(&hidden) != moves(volume)
        || hidden.size > volume.size
    {
        return Ok(None);
    }
    match home.site.image(hidden.image()).await {
        Ok(there) if there.role == Role::Primary => {}
        Ok(_) => return Ok(None),
        Err(fault) if fault.kind == FaultKind::NotFound => {
            dismiss(inner, &cached).await?;
            return Ok(None);
        }
        Err(fault) => return Err(fault.into()),
    }
    let mut tx = inner.db.begin().await?;
    image_cache::touch(&mut tx, hidden.id, now()).await?;
    tx.commit().await?;
    Ok(Some(Origin {
        image: hidden.image(),
        snapshot: None,
    }))
}

/// Whether the hidden volume has what the image has now, or will have it when nobody is busy with it.
fn is_good(inner: &Inner, cached: &CachedImage, hidden: &Volume, pinned: &Pinned) -> bool {
    let there = hidden.host.as_ref().map(HostName::without_pool);
    let sound = hidden.status.allows(VolumeOperation::Clone) || hidden.status.is_transient();
    cached.image_updated_at == pinned.image.updated_at
        && sound
        && is_own(inner, hidden)
        && there.as_ref() == Some(&cached.host)
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
        Ok(true) => Ok(()),
        // An earlier run may have come further.
        Ok(false) => forget(inner, activity, home).await,
        Err(Stop::Later(why) | Stop::Never(why)) => {
            warn!(image = %pinned.image.id, %why, "an image is not cached");
            forget(inner, activity, home).await
        }
        Err(stop @ (Stop::Always(_) | Stop::Lost)) => Err(stop),
    }
}

/// Whether it is in the cache because of this story.
async fn kept(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    (volume, host): (&Volume, HostName),
    pinned: &Pinned,
    options: &CacheOptions,
) -> Step<bool> {
    let image = pinned.image.id;
    let found = image_cache::get(&mut *inner.db.read().await?, &host, image).await?;
    if found.is_some_and(|found| found.size <= volume.size)
        || !make_room(inner, &host, volume.size, options).await?
    {
        return Ok(false);
    }
    inner.progress(activity, "caching", 0, 0).await?;
    let row = row(inner, activity, home, volume, image)?;
    if !home.is_with(&inner.home(&row).await?) {
        // The volume lives with its group, elsewhere than all others of the backend.
        return Ok(false);
    }
    let clone = NewImage {
        id: row.image(),
        name: row.id.image_name(),
        size: Gibibytes(row.size).bytes(),
        origin: Some(Origin {
            image: volume.image(),
            snapshot: None,
        }),
        mirrored: moves(volume),
    };
    home.site.create_image(clone).await?;
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    match image_cache::get(&mut tx, &host, image).await? {
        None => {}
        // Smaller volumes can be cloned of the new one.
        Some(found) if found.size > volume.size => drop_one(inner, &mut tx, found.volume).await?,
        Some(_) => return Ok(false),
    }
    let cached = CachedImage {
        image,
        host,
        volume: row.id,
        size: row.size,
        image_updated_at: pinned.image.updated_at,
        used_at: now(),
    };
    let inserted = match volumes::insert(&mut tx, &row).await {
        Ok(()) => image_cache::insert(&mut tx, &cached).await,
        Err(error) => Err(error),
    };
    match inserted {
        Ok(()) => {}
        // Another volume of it was first, or what an earlier run has kept is about to go.
        Err(error) if error.kind == firebrick_db::ErrorKind::Exists => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    image_properties::merge(&mut tx, row.id.0, &remembered(&pinned.image)).await?;
    tx.commit().await?;
    if let Some(pool) = &row.host {
        inner.consume(pool, row.size);
    }
    inner.work.notify_one();
    Ok(true)
}

/// The hidden volume that is like `volume`, and to be read only.
fn row(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    volume: &Volume,
    image: Uuid,
) -> Step<Volume> {
    let internal = inner.images()?.internal.clone();
    let (project, user) = internal.ok_or_else(|| Stop::never("nobody owns what is cached"))?;
    let present = now();
    Ok(Volume {
        id: hidden_id(activity),
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
        site: None,
        image: None,
        bootable: true,
        readonly: Some(true),
        multiattach: false,
        consumes_quota: false,
        replication_status: Some(home.replication_status()),
        metadata: std::collections::BTreeMap::new(),
        created_at: present,
        updated_at: None,
        launched_at: Some(present),
        ..volume.clone()
    })
}

/// Removes what [`keep`] has made, where nothing knows of it.
pub(crate) async fn forget(inner: &Inner, activity: &Activity, home: &Home) -> Step {
    if inner
        .options
        .images
        .as_ref()
        .is_none_or(|options| options.caches.is_empty())
    {
        return Ok(());
    }
    let id = hidden_id(activity);
    let known = volumes::get(&mut *inner.db.read().await?, id).await?;
    if known.is_some() {
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

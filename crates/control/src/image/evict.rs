//! What is cached goes: to make room, or because it is of no use any more.

use firebrick_db::{CachedImage, Tx, Volume, attachments, image_cache, snapshots, volumes};
use firebrick_state::{ActivityKind, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{HostName, VolumeId};
use serde_json::json;
use tracing::{info, warn};
use uuid::Uuid;

use crate::access::Access;
use crate::control::Inner;
use crate::options::CacheOptions;
use crate::request::{Began, Context};
use crate::story::Step;
use crate::volume::is_moving;

/// Whether nobody was given the hidden volume.
pub(super) fn is_own(inner: &Inner, hidden: &Volume) -> bool {
    let options = inner.options.images.as_ref();
    let internal = options.and_then(|options| options.internal.as_ref());
    internal.is_some_and(|(project, _)| *project == hidden.project)
}

/// Lets those go that were not used for the longest time, so that another one of `size` GiB fits; whether it
/// does.
pub(super) async fn make_room(
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

/// Lets one go.
pub(super) async fn dismiss(inner: &Inner, cached: &CachedImage) -> Step {
    let mut tx = inner.db.begin().await?;
    drop_one(inner, &mut tx, cached.volume).await?;
    tx.commit().await?;
    inner.work.notify_one();
    Ok(())
}

/// The entry goes at once, the hidden volume by an activity. What somebody was given, uses or has made snapshots
/// of is theirs.
pub(super) async fn drop_one(inner: &Inner, tx: &mut Tx, id: VolumeId) -> Step {
    image_cache::remove(tx, id).await?;
    let Some(mut volume) = volumes::get_locked(tx, id).await? else {
        return Ok(());
    };
    let free = volume.status.allows(VolumeOperation::Delete)
        && is_own(inner, &volume)
        && volume.shown.is_none()
        && volume.group.is_none()
        && !is_moving(&volume)
        && attachments::of_volume(tx, id).await?.is_empty()
        && snapshots::of_volume(tx, id).await?.is_empty();
    if !free {
        warn!(volume = %id, status = %volume.status, "it is cached no more, and stays");
        return Ok(());
    }
    let from = [volume.status];
    volume.status = VolumeStatus::Deleting;
    if !volumes::swap(tx, &from, &volume).await?.won() {
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

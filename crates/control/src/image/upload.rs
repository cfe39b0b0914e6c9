//! A volume becomes an image. It stays free meanwhile: what is uploaded is a snapshot of its image that the API
//! does not show.

use std::path::Path;

use firebrick_backend::{Content, Fault, FaultKind, Reader, ViewOf};
use firebrick_cloud::{GlanceError, ImageStatus, NewImage, Upload, Visibility};
use firebrick_db::{Activity, Volume, VolumeType, image_properties, types, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, MessageDetail, VolumeOperation};
use firebrick_vocabulary::{Bytes, ImageId, SnapshotName, VolumeId};
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use super::fill::{step, unless_cancelled};
use super::format::DiskFormat;
use super::room::broken;
use super::wanted::{Pinned, custom};
use super::{failed, qemu, refused};
use crate::control::{Control, Inner};
use crate::detail::UploadDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::home::Home;
use crate::options::FIXED_KEY;
use crate::request::{Context, UploadImage};
use crate::story::{Step, Stop};
use crate::volume::{hold, look_at};
use crate::why::Why;

/// What the names of the snapshots begin with that are uploaded.
const HIDDEN: &str = "image-";
/// So many bytes are copied between two looks at whether a user wants it to end.
const ASK_EVERY: u64 = 64 << 20;
/// So much is sent at once.
const CHUNK: usize = 1 << 20;

impl Control {
    /// `os-volume_upload_image`. The image is there, without data, when this returns.
    pub async fn upload_volume(
        &self,
        context: &Context,
        id: VolumeId,
        request: UploadImage,
    ) -> Result<UploadDetail> {
        let inner = &self.inner;
        let new = {
            let connection = &mut *inner.db.read().await?;
            let volume = look_at(connection, context, id).await?;
            context.allow_for(Rule::VolumeActionsUploadImage, &volume)?;
            if request.visibility == Some(Visibility::Public) {
                context.allow_for(Rule::VolumeActionsUploadPublic, &volume)?;
            }
            let options = inner.images()?;
            check(&volume, &request, options.force_upload)?;
            let known = image_properties::of(connection, id.0).await?;
            described(&volume, &request, custom(known))
        };
        let options = inner.images()?;
        let token = context.access.token();
        let made = options.glance.create(token, &new).await.map_err(refused)?;
        let (image, forced) = (made.id, options.force_upload);
        let begun = self.begin_upload(context, id, &request, forced, made.clone());
        match begun.await {
            Ok((volume, volume_type)) => Ok(UploadDetail {
                volume,
                volume_type,
                image: made,
            }),
            Err(error) => {
                if let Err(why) = options.glance.delete(token, image).await {
                    tracing::warn!(%image, %why, "an image without data stays");
                }
                Err(error)
            }
        }
    }

    async fn begin_upload(
        &self,
        context: &Context,
        id: VolumeId,
        request: &UploadImage,
        force_upload: bool,
        made: firebrick_cloud::Image,
    ) -> Result<(Volume, Option<VolumeType>)> {
        let inner = &self.inner;
        let image = made.id;
        let pinned = Pinned::new(inner, context, made)?.to_json()?;
        let mut tx = inner.db.begin().await?;
        let volume = hold(&mut tx, context, id).await?;
        check(&volume, request, force_upload)?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let (kind, input) = (ActivityKind::UploadVolume, json!({ "image": pinned }));
        inner
            .begin_for(&mut tx, context, kind, image, id, input)
            .await?;
        let kind = types::get(&mut tx, volume.volume_type).await?;
        // Its row says now what it shows.
        let volume = volumes::get(&mut tx, id).await?;
        let volume = volume.ok_or_else(|| Error::no_volume(id))?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok((volume, kind))
    }
}

/// Whether the volume can be uploaded now, in that form.
fn check(volume: &Volume, request: &UploadImage, force_upload: bool) -> Result<()> {
    let force = request.force && force_upload;
    let operation = if force {
        VolumeOperation::UploadForced
    } else {
        VolumeOperation::Upload
    };
    if !volume.status.allows(operation) {
        let statuses = if force {
            "available or in-use"
        } else {
            "available"
        };
        let text = format!("Volume {} status must be {statuses}", volume.id);
        return Err(Error::invalid_volume(text));
    }
    let plain = request.container_format == "bare";
    if volume.encryption_key.is_some() && (request.disk_format != "raw" || !plain) {
        let text = "An encrypted volume uploaded as an image must use 'raw' disk_format and 'bare' \
                    container_format, which are the defaults for these options.";
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    if DiskFormat::of_image(&request.disk_format).is_none() || !plain {
        return Err(Error::invalid_input(format_args!(
            "no image of disk_format {} and container_format {} is made here.",
            request.disk_format, request.container_format
        )));
    }
    Ok(())
}

fn described(
    volume: &Volume,
    request: &UploadImage,
    mut properties: std::collections::BTreeMap<String, String>,
) -> NewImage {
    if volume.encryption_key == Some(FIXED_KEY) {
        let key = "cinder_encryption_key_id".to_owned();
        properties.insert(key, FIXED_KEY.to_string());
        let policy = "cinder_encryption_key_deletion_policy".to_owned();
        properties.insert(policy, "on_image_deletion".to_owned());
    }
    NewImage {
        name: request.name.clone(),
        disk_format: request.disk_format.clone(),
        container_format: request.container_format.clone(),
        visibility: request.visibility,
        protected: request.protected,
        min_disk: None,
        min_ram: None,
        properties,
    }
}

/// The snapshot that becomes the image.
fn hidden_name(image: Uuid) -> Step<SnapshotName> {
    let name = SnapshotName::new(format!("{HIDDEN}{image}"));
    name.map_err(|error| Stop::never(error.to_string()))
}

/// Whether a snapshot of that name is one that is uploaded.
pub(crate) fn is_hidden(name: &SnapshotName) -> bool {
    let id = name.as_str().strip_prefix(HIDDEN);
    id.is_some_and(|id| id.parse::<Uuid>().is_ok())
}

/// Removes what uploads that came to no end have left: the image goes.
pub(crate) async fn remove_hidden(
    site: &dyn firebrick_backend::Backend,
    image: ImageId,
) -> std::result::Result<(), Fault> {
    for snapshot in site.snapshots(image).await? {
        if is_hidden(&snapshot.name) {
            gone_is_fine(site.remove_snapshot(image, snapshot.name).await)?;
        }
    }
    Ok(())
}

fn gone_is_fine(removed: std::result::Result<(), Fault>) -> std::result::Result<(), Fault> {
    match removed {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        removed => removed,
    }
}

async fn volume_of(inner: &Inner, activity: &Activity) -> Step<Option<Volume>> {
    let Some(id) = activity.volume else {
        return Ok(None);
    };
    Ok(volumes::get(&mut *inner.db.read().await?, id).await?)
}

/// The story: a snapshot of the image, its bytes, and nothing of the snapshot.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let volume = volume_of(inner, activity).await?;
    let volume = volume.ok_or_else(|| Stop::never("its volume is gone"))?;
    let pinned = Pinned::of(activity)?.ok_or_else(|| Stop::never("its image is not known"))?;
    let options = inner.images()?;
    let token = pinned.token(options)?;
    let home = inner.home(&volume).await?;
    let (site, image) = (&home.site, volume.image());
    let name = hidden_name(pinned.image.id)?;
    // An earlier run may have come to the end without being able to say so.
    let shown = options.glance.show(token.as_ref(), pinned.image.id).await;
    if shown.map_err(|error| failed(&error))?.status != ImageStatus::Active {
        inner.progress(activity, "snapshot", 0, 0).await?;
        site.create_snapshot(image, name.clone()).await?;
        send(inner, activity, &home, image, name.clone(), &pinned).await?;
    }
    gone_is_fine(site.remove_snapshot(image, name).await)?;
    inner.finish_alone(activity, Ok(())).await
}

async fn send(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    image: ImageId,
    name: SnapshotName,
    pinned: &Pinned,
) -> Step {
    let options = inner.images()?;
    let format = pinned.image.disk_format.as_deref().unwrap_or_default();
    let format = DiskFormat::of_image(format);
    let format = format.ok_or_else(|| Stop::never("nobody knows its format"))?;
    let of = ViewOf::Snapshot(name);
    let reader = home.site.reader(image, of, None, 0).await?;
    if format == DiskFormat::Raw {
        let upload = begin(inner, pinned, reader.size().0).await?;
        return raw(inner, activity, reader, upload).await;
    }
    inner.progress(activity, "waiting", 0, 0).await?;
    let room = &inner.room;
    let mut place = room
        .place(options, &inner.options.node, activity.id)
        .await?;
    let size = reader.size();
    place.reserve(size.0)?;
    let (disk, file) = place.file("raw")?;
    written(inner, activity, reader, file, size).await?;
    place.written(size.0);
    place.reserve(size.0)?;
    let into = place.path("image");
    inner.progress(activity, "converting", 0, 0).await?;
    let converting = qemu::convert(options, (DiskFormat::Raw, &disk), (format, &into));
    unless_cancelled(inner, activity, converting).await?;
    place.written(size.0);
    sent(inner, activity, &into, pinned).await
}

async fn begin(inner: &Inner, pinned: &Pinned, size: u64) -> Step<Upload> {
    let options = inner.images()?;
    let token = pinned.token(options)?;
    let id = pinned.image.id;
    let begun = options.glance.upload(token.as_ref(), id, Some(size)).await;
    begun.map_err(|error| put_failed(&error))
}

/// Glance takes some time to see that an earlier upload has ended.
fn put_failed(error: &GlanceError) -> Stop {
    match error {
        GlanceError::Conflict => Stop::later(error.to_string()),
        error => failed(error),
    }
}

/// The bytes of the snapshot are those of the image; its holes are zeroes.
async fn raw(
    inner: &Inner,
    activity: &Activity,
    mut reader: Box<dyn Reader>,
    mut upload: Upload,
) -> Step {
    let total = reader.size().0;
    let (mut at, mut ask_at) = (0, ASK_EVERY);
    inner.progress(activity, "uploading", 0, total).await?;
    loop {
        let next = reader.next().await?;
        let until = next.as_ref().map_or(total, |extent| extent.offset);
        while at < until {
            let len = (until - at).min(CHUNK as u64);
            give(&mut upload, vec![0; len as usize]).await?;
            at += len;
            step(inner, activity, "uploading", at, total, &mut ask_at).await?;
        }
        match next.map(|extent| extent.content) {
            Some(Content::Data(data)) => {
                at += data.len() as u64;
                give(&mut upload, data).await?;
            }
            // It is filled up before the next one.
            Some(Content::Hole(_)) => {}
            None => break,
        }
        step(inner, activity, "uploading", at, total, &mut ask_at).await?;
    }
    inner.cancelled(activity).await?;
    upload.finish().await.map_err(|error| put_failed(&error))
}

async fn give(upload: &mut Upload, data: Vec<u8>) -> Step {
    let given = upload.write(data).await;
    given.map_err(|error| put_failed(&error))
}

/// Writes the snapshot into a file, with its holes.
async fn written(
    inner: &Inner,
    activity: &Activity,
    mut reader: Box<dyn Reader>,
    mut file: File,
    size: Bytes,
) -> Step {
    file.set_len(size.0).await.map_err(|why| broken(&why))?;
    let mut ask_at = ASK_EVERY;
    while let Some(extent) = reader.next().await? {
        let at = extent.offset;
        if let Content::Data(data) = extent.content {
            let place = std::io::SeekFrom::Start(at);
            file.seek(place).await.map_err(|why| broken(&why))?;
            file.write_all(&data).await.map_err(|why| broken(&why))?;
        }
        step(inner, activity, "reading", at, size.0, &mut ask_at).await?;
    }
    file.flush().await.map_err(|why| broken(&why))
}

/// Sends a file.
async fn sent(inner: &Inner, activity: &Activity, path: &Path, pinned: &Pinned) -> Step {
    let mut file = File::open(path).await.map_err(|why| broken(&why))?;
    file.set_max_buf_size(CHUNK);
    let total = file.metadata().await.map_err(|why| broken(&why))?.len();
    let mut upload = begin(inner, pinned, total).await?;
    let (mut at, mut ask_at) = (0, ASK_EVERY);
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await.map_err(|why| broken(&why))?;
        if read == 0 {
            break;
        }
        chunk.truncate(read);
        give(&mut upload, chunk).await?;
        at += read as u64;
        step(inner, activity, "uploading", at, total, &mut ask_at).await?;
    }
    inner.cancelled(activity).await?;
    upload.finish().await.map_err(|error| put_failed(&error))
}

/// Removes the snapshot, and the image that got no data.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    if let Some(volume) = volume_of(inner, activity).await?
        && volume.host.is_some()
    {
        let home = inner.home(&volume).await?;
        let name = hidden_name(activity.resource)?;
        let removed = home.site.remove_snapshot(volume.image(), name).await;
        if let Err(fault) = gone_is_fine(removed) {
            tracing::info!(volume = %volume.id, %fault, "a hidden snapshot stays for now");
        }
    }
    if let Err(Stop::Later(left) | Stop::Always(left) | Stop::Never(left)) =
        forget(inner, activity).await
    {
        tracing::warn!(image = %activity.resource, why = %left, "an image without data stays");
    }
    let detailed = why.clone();
    let usual = detailed.detail_or(MessageDetail::FailedToUploadVolume);
    inner
        .finish_alone(activity, Err(&detailed.detail(usual)))
        .await
}

async fn forget(inner: &Inner, activity: &Activity) -> Step {
    let Some(pinned) = Pinned::of(activity)? else {
        return Ok(());
    };
    let options = inner.images()?;
    let token = pinned.token(options)?;
    let (glance, id) = (&options.glance, pinned.image.id);
    if pinned.image.protected {
        let unprotected = glance.unprotect(token.as_ref(), id).await;
        unprotected.map_err(|error| failed(&error))?;
    }
    let deleted = glance.delete(token.as_ref(), id).await;
    deleted.map_err(|error| failed(&error))
}

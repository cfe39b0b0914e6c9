//! The data of an image get into a volume: straight on, or through a file and `qemu-img`.

use std::path::Path;

use firebrick_backend::Writer;
use firebrick_cloud::Image;
use firebrick_db::{Activity, Volume};
use firebrick_state::MessageDetail;
use firebrick_vocabulary::{Bytes, Gibibytes};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::format::{DiskFormat, LOOK, inspect};
use super::room::{Place, broken};
use super::sink::Sink;
use super::wanted::{Pinned, is_signed};
use super::{failed, qemu, unacceptable};
use crate::control::Inner;
use crate::home::Home;
use crate::options::ImageOptions;
use crate::story::{Step, Stop};
use crate::why::Why;

/// So many bytes are copied between two looks at whether a user wants it to end.
pub(super) const ASK_EVERY: u64 = 64 << 20;
/// So much of a file is read at once.
const CHUNK: usize = 1 << 20;

/// Writes the image into the volume. `new` says that nothing has ever been in it.
pub(crate) async fn fill(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    volume: &Volume,
    pinned: &Pinned,
    new: bool,
) -> Step {
    trusted(inner.images()?, &pinned.image)?;
    let size = Gibibytes(volume.size).bytes();
    let format = pinned.image.disk_format.as_deref().unwrap_or_default();
    let format = DiskFormat::of_image(format);
    let format = format.ok_or_else(|| unacceptable("nobody knows its format"))?;
    let writer = || home.site.writer(volume.image());
    if format == DiskFormat::Raw {
        let sink = Sink::new(writer().await?, size, new).await?;
        return stream(inner, activity, pinned, sink).await;
    }
    let options = inner.images()?;
    inner.progress(activity, "waiting", 0, 0).await?;
    let place = inner
        .room
        .place(options, &inner.options.node, activity.id)
        .await?;
    let mut place = asked(inner, activity, place).await?;
    let path = fetch(inner, activity, pinned, &mut place).await?;
    let raw = converted(inner, activity, &mut place, (format, &path), size).await?;
    let writer: Box<dyn Writer> = writer().await?;
    let sink = Sink::new(writer, size, new).await?;
    pour(inner, activity, &raw, sink).await
}

/// A signature counts for nothing unless it is checked against a certificate, which a key manager would have.
fn trusted(options: &ImageOptions, image: &Image) -> Step {
    if !options.verify_signatures || !is_signed(image) {
        return Ok(());
    }
    let why = Why::from("the image is signed, and there is no key manager with its certificate");
    let note = why.to_string();
    let why = why.detail(MessageDetail::SignatureVerificationFailed);
    Err(Stop::Never(why.noting(note)))
}

/// The place, if nobody has cancelled while it was waited for.
async fn asked<'a>(inner: &Inner, activity: &Activity, place: Place<'a>) -> Step<Place<'a>> {
    inner.cancelled(activity).await?;
    Ok(place)
}

/// The data as they come are those of the disk.
async fn stream(inner: &Inner, activity: &Activity, pinned: &Pinned, mut sink: Sink) -> Step {
    let options = inner.images()?;
    let token = pinned.token(options)?;
    let opened = options.glance.download(token.as_ref(), &pinned.image).await;
    let mut download = opened.map_err(|error| failed(&error))?;
    let (total, mut ask_at) = (pinned.image.size.unwrap_or(0), ASK_EVERY);
    inner.progress(activity, "downloading", 0, total).await?;
    while let Some(chunk) = download.next().await.map_err(|error| failed(&error))? {
        sink.add(&chunk).await?;
        step(
            inner,
            activity,
            "downloading",
            sink.came(),
            total,
            &mut ask_at,
        )
        .await?;
    }
    inner.cancelled(activity).await?;
    sink.finish().await
}

/// Says how far it is, and asks now and then whether to go on.
pub(super) async fn step(
    inner: &Inner,
    activity: &Activity,
    phase: &'static str,
    at: u64,
    total: u64,
    ask_at: &mut u64,
) -> Step {
    if at >= *ask_at {
        inner.cancelled(activity).await?;
        *ask_at = at + ASK_EVERY;
    }
    inner.progress(activity, phase, at, total.max(at)).await
}

/// The image as a file.
async fn fetch(
    inner: &Inner,
    activity: &Activity,
    pinned: &Pinned,
    place: &mut Place<'_>,
) -> Step<std::path::PathBuf> {
    let options = inner.images()?;
    // What has no size could fill the folder, and others' room with it.
    let total = pinned.image.size;
    let total = total.ok_or_else(|| unacceptable("the image service does not say its size"))?;
    place.reserve(total)?;
    let (path, mut file) = place.file("image")?;
    let token = pinned.token(options)?;
    let opened = options.glance.download(token.as_ref(), &pinned.image).await;
    let mut download = opened.map_err(|error| failed(&error))?;
    let (mut at, mut ask_at) = (0, ASK_EVERY);
    inner.progress(activity, "downloading", 0, total).await?;
    while let Some(chunk) = download.next().await.map_err(|error| failed(&error))? {
        file.write_all(&chunk).await.map_err(|why| broken(&why))?;
        at += chunk.len() as u64;
        step(inner, activity, "downloading", at, total, &mut ask_at).await?;
    }
    file.flush().await.map_err(|why| broken(&why))?;
    place.written(total);
    Ok(path)
}

/// The disk in the file at `path`, as a file of its bytes.
async fn converted(
    inner: &Inner,
    activity: &Activity,
    place: &mut Place<'_>,
    (format, path): (DiskFormat, &Path),
    size: Bytes,
) -> Step<std::path::PathBuf> {
    let options = inner.images()?;
    let (head, tail) = ends(path).await.map_err(|why| broken(&why))?;
    inspect(format, &head, &tail, &options.vmdk_types).map_err(unacceptable)?;
    let disk = qemu::disk_size(options, format, path).await?;
    if disk > size.0 {
        let why = Why::from(format!("a disk of {disk} bytes is larger than the volume"));
        let why = why.noting("the disk in the image is larger than the volume");
        return Err(Stop::Never(
            why.detail(MessageDetail::NotEnoughSpaceForImage),
        ));
    }
    inner.cancelled(activity).await?;
    inner.progress(activity, "converting", 0, 0).await?;
    place.reserve(disk)?;
    let into = place.path("raw");
    let converting = qemu::convert(options, (format, path), (DiskFormat::Raw, &into));
    unless_cancelled(inner, activity, converting).await?;
    place.written(disk);
    Ok(into)
}

/// Waits for `work`, or until a user wants it to end.
pub(crate) async fn unless_cancelled(
    inner: &Inner,
    activity: &Activity,
    work: impl Future<Output = Step>,
) -> Step {
    let asking = async {
        loop {
            tokio::time::sleep(inner.options.runner.poll).await;
            if let Err(stop) = inner.cancelled(activity).await {
                return stop;
            }
        }
    };
    tokio::select! {
        done = work => done,
        stop = asking => Err(stop),
    }
}

async fn ends(path: &Path) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = File::open(path).await?;
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    (&mut file).take(LOOK as u64).read_to_end(&mut head).await?;
    let len = file.metadata().await?.len();
    let from = len.saturating_sub(LOOK as u64);
    file.seek(std::io::SeekFrom::Start(from)).await?;
    file.take(LOOK as u64).read_to_end(&mut tail).await?;
    Ok((head, tail))
}

/// The bytes of the file get into the volume.
async fn pour(inner: &Inner, activity: &Activity, path: &Path, mut sink: Sink) -> Step {
    let mut file = File::open(path).await.map_err(|why| broken(&why))?;
    file.set_max_buf_size(CHUNK);
    let total = file.metadata().await.map_err(|why| broken(&why))?.len();
    let (mut ask_at, mut chunk) = (ASK_EVERY, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk).await.map_err(|why| broken(&why))?;
        if read == 0 {
            break;
        }
        sink.add(chunk.get(..read).unwrap_or_default()).await?;
        step(inner, activity, "writing", sink.came(), total, &mut ask_at).await?;
    }
    inner.cancelled(activity).await?;
    sink.finish().await
}

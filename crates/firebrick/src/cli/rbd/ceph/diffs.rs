//! `diff`, `export-diff`, `import-diff`.

use std::io::{self, Read as _, Write as _};

use firebrick_ceph::tool::{OpenImage, Quiet, SnapOf};

use super::site::{Ceph, Doing as _};
use super::spec::Spec;
use crate::cli::rbd::apply::{Input, broken, open_input};
use crate::cli::rbd::args::{DiffArgs, ExportDiffArgs, ImportDiffArgs, Since};
use crate::cli::rbd::diff::{Output, open_output};
use crate::cli::rbd::error::{EEXIST, EINVAL, failed, io as io_failed, refuse};
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::show;
use crate::cli::rbd::show::extents::Extent;
use crate::cli::rbd::spec::Words;
use crate::cli::rbd::stream::{self, Record, Version};
use crate::exit::Failure;

/// The most bytes that are read or written at once.
pub(super) const PART: usize = 4 << 20;

/// The snapshot since which, which a place in a log cannot be.
fn since(since: &Since) -> Result<Option<&str>, Failure> {
    if since.from_position.is_some() {
        let text = "rbd: --from-position is for sites of Firebrick; use --from-snap";
        return Err(refuse(EINVAL, text));
    }
    Ok(since.from_snap.as_deref())
}

/// `rbd diff`
pub(super) fn print(ceph: &Ceph, args: &DiffArgs) -> Result<(), Failure> {
    const DOING: &str = "diff error";
    let spec = Spec::of(&ceph.common, &args.spec)?;
    let since = since(&args.since)?;
    let image = ceph.look(&spec)?;
    let size = image.size().doing(DOING)?;
    let found = image.extents(since, size, args.since.whole_object);
    let extents = found.doing(DOING)?.into_iter().map(|found| Extent {
        offset: found.offset,
        len: found.len,
        data: found.exists,
    });
    let extents: Vec<Extent> = extents.collect();
    show::extents::print(&ceph.common, &extents);
    Ok(())
}

/// `rbd export-diff`
pub(super) fn export(ceph: &Ceph, args: &ExportDiffArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&ceph.common, &args.spec, &mut words)?;
    let path = words.need(args.path.as_deref(), "path")?;
    words.end()?;
    let since = since(&args.since)?;
    let image = ceph.look(&spec)?;
    let mut out = open_output(path)?;
    let mut progress = Progress::new(&ceph.common, "Exporting image");
    let from = since.map(|name| Record::From(name.to_owned()));
    let to = spec.maybe_snapshot();
    let to = to.map(|name| Record::To(name.to_owned()));
    let head: Vec<Record> = from.into_iter().chain(to).collect();
    let whole = args.since.whole_object;
    write(
        &image,
        (since, whole),
        (&mut out, Version::One),
        head,
        &mut progress,
    )?;
    let flushed = out.flush();
    flushed.map_err(|error| io_failed("export-diff error", &error))?;
    progress.done();
    Ok(())
}

/// Writes a difference of the state that is set: `head`, the size, and what differs.
pub(super) fn write(
    image: &OpenImage,
    (since, whole): (Option<&str>, bool),
    (out, version): (&mut Output, Version),
    mut head: Vec<Record>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    const DOING: &str = "export-diff error";
    let failed_with = |error: io::Error| io_failed(DOING, &error);
    let size = image.size().doing(DOING)?;
    stream::begin(out, version).map_err(failed_with)?;
    head.push(Record::Size(size));
    for record in &head {
        stream::put(out, version, record).map_err(failed_with)?;
    }
    let mut buffer = vec![0; PART];
    for found in image.extents(since, size, whole).doing(DOING)? {
        let end = found.offset + found.len;
        let mut at = found.offset;
        while at < end {
            let len = usize::try_from(end - at).map_or(PART, |len| len.min(PART));
            let data = &mut buffer[..len];
            if found.exists {
                let read = image.read(at, data).doing(DOING)?;
                data[read..].fill(0);
            }
            let zero = !found.exists || data.iter().all(|byte| *byte == 0);
            let written = if zero {
                stream::put(out, version, &Record::Zero(at, len as u64))
            } else {
                let put = stream::put(out, version, &Record::Data(at, len as u64));
                put.and_then(|()| out.write_all(data))
            };
            written.map_err(failed_with)?;
            at += len as u64;
        }
        progress.at(end, size);
    }
    stream::put(out, version, &Record::End).map_err(failed_with)
}

/// `rbd import-diff`
pub(super) fn import(ceph: &Ceph, args: &ImportDiffArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let path = words.need(args.path.as_deref(), "path")?;
    let spec = Spec::first(&ceph.common, &args.spec, &mut words)?;
    words.end()?;
    spec.only_image()?;
    let image = ceph.change(&spec)?;
    let mut input = open_input(path)?;
    let mut progress = Progress::new(&ceph.common, "Importing image diff");
    apply(&image, &mut input, &mut progress, "import-diff failed")?;
    progress.done();
    Ok(())
}

/// Applies one difference, and takes its snapshot.
pub(super) fn apply(
    image: &OpenImage,
    input: &mut Input,
    progress: &mut Progress,
    doing: &str,
) -> Result<(), Failure> {
    let torn = |error: io::Error| broken(doing, &error);
    let version = stream::read_banner(input).map_err(torn)?;
    let mut size = image.size().doing(doing)?;
    let (mut to, mut protected) = (None, false);
    loop {
        match stream::read(input, version).map_err(torn)? {
            Record::From(name) => check_from(image, &name, doing)?,
            Record::To(name) => to = Some(check_to(image, name, doing)?),
            Record::Protected(is) => protected = is,
            Record::Size(bytes) => {
                if bytes != size {
                    image.resize(bytes, true, &mut Quiet).doing(doing)?;
                    size = bytes;
                }
            }
            Record::Data(offset, len) => {
                within(offset, len, size, doing)?;
                copy(image, input, (offset, len), doing)?;
                progress.at(offset + len, size);
            }
            Record::Zero(offset, len) => {
                within(offset, len, size, doing)?;
                zero(image, offset, len, doing)?;
                progress.at(offset + len, size);
            }
            Record::End => break,
        }
    }
    image.flush().doing(doing)?;
    let Some(name) = to else { return Ok(()) };
    image.take(&name, &mut Quiet).doing(doing)?;
    if protected {
        image.protect(&name, true).doing(doing)?;
    }
    Ok(())
}

fn within(offset: u64, len: u64, size: u64, doing: &str) -> Result<(), Failure> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        Some(_) | None => {
            let text = format!(
                "rbd: {doing}: {len} bytes from {offset} on are beyond the end of the image"
            );
            Err(refuse(EINVAL, text))
        }
    }
}

fn zero(image: &OpenImage, offset: u64, len: u64, doing: &str) -> Result<(), Failure> {
    const MOST: u64 = 1 << 30;
    let end = offset + len;
    let mut at = offset;
    while at < end {
        let part = (end - at).min(MOST);
        image.zero(at, part as usize).doing(doing)?;
        at += part;
    }
    Ok(())
}

/// Takes bytes of a stream over into the image.
fn copy(
    image: &OpenImage,
    input: &mut Input,
    (offset, len): (u64, u64),
    doing: &str,
) -> Result<(), Failure> {
    let end = offset + len;
    let mut at = offset;
    let mut part = vec![0; PART.min(usize::try_from(len).unwrap_or(PART))];
    while at < end {
        let some = usize::try_from(end - at).map_or(part.len(), |left| left.min(part.len()));
        let data = &mut part[..some];
        let read = input.read_exact(data);
        read.map_err(|error| broken(doing, &error))?;
        image.write(at, data).doing(doing)?;
        at += some as u64;
    }
    Ok(())
}

fn has(image: &OpenImage, name: &str, doing: &str) -> Result<bool, Failure> {
    let taken = image.snapshots().doing(doing)?;
    let is_it = |of: &SnapOf| *of == SnapOf::User;
    Ok(taken
        .iter()
        .any(|taken| taken.name == name && is_it(&taken.of)))
}

fn check_from(image: &OpenImage, name: &str, doing: &str) -> Result<(), Failure> {
    if has(image, name, doing)? {
        return Ok(());
    }
    let failed = failed(doing, EINVAL);
    let text = format!("start snapshot '{name}' does not exist in the image, aborting\n{failed}");
    Err(refuse(EINVAL, text))
}

fn check_to(image: &OpenImage, name: String, doing: &str) -> Result<String, Failure> {
    if !has(image, &name, doing)? {
        return Ok(name);
    }
    let failed = failed(doing, EEXIST);
    let text = format!("end snapshot '{name}' already exists, aborting\n{failed}");
    Err(refuse(EEXIST, text))
}

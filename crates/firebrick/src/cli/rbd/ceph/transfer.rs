//! `export`, `import`.

use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;
use std::sync::Arc;

use firebrick_ceph::tool::{
    ImageAt, NewImage, OpenImage, OpenPool, Quiet, SnapOf, SnapshotRemoval,
};

use super::diffs::{PART, apply, write};
use super::site::{Ceph, Doing as _};
use super::spec::{Place, Spec};
use crate::cli::rbd::apply::{Input, broken};
use crate::cli::rbd::args::{ExportArgs, ImportArgs};
use crate::cli::rbd::diff::open_output;
use crate::cli::rbd::error::io as io_failed;
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::spec::Words;
use crate::cli::rbd::stream::{self, Header, Layout, Record, Version};
use crate::cli::rbd::transfer::{Out, full_runs, open_input};
use crate::exit::Failure;

const EXPORT: &str = "export error";
const IMPORT: &str = "import failed";
/// By which an image grows whose size is not known before.
const GROWTH: u64 = 64 << 20;
/// Features that users choose; the others follow from what an image is.
const CHOSEN: u64 = 0b0111_1101;

/// `rbd export`
pub(super) fn export(ceph: &Ceph, args: &ExportArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&ceph.common, &args.spec, &mut words)?;
    let path = words.or_next(args.path.as_deref());
    words.end()?;
    let path = path.unwrap_or(spec.image()?);
    let image = ceph.look(&spec)?;
    let mut progress = Progress::new(&ceph.common, "Exporting image");
    if args.export_format == 2 {
        export_whole(&image, &spec, path, &mut progress)?;
    } else {
        export_bytes(&image, path, &mut progress)?;
    }
    progress.done();
    Ok(())
}

fn export_bytes(image: &OpenImage, path: &str, progress: &mut Progress) -> Result<(), Failure> {
    let torn = |error: io::Error| io_failed(EXPORT, &error);
    let size = image.size().doing(EXPORT)?;
    let found = image.extents(None, size, true).doing(EXPORT)?;
    let mut out = Out::open(path).map_err(torn)?;
    let mut buffer = vec![0; PART];
    for found in found.into_iter().filter(|found| found.exists) {
        let end = found.offset + found.len;
        let mut at = found.offset;
        while at < end {
            let len = usize::try_from(end - at).map_or(PART, |len| len.min(PART));
            let read = image.read(at, &mut buffer[..len]).doing(EXPORT)?;
            for (start, data) in full_runs(&buffer[..read]) {
                out.put(at + start, data).map_err(torn)?;
            }
            at += len as u64;
            progress.at(at, size);
        }
    }
    out.end(size).map_err(torn)
}

/// With snapshots and all that is known of the image.
fn export_whole(
    image: &OpenImage,
    spec: &Spec,
    path: &str,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let torn = |error: io::Error| io_failed(EXPORT, &error);
    let facts = image.facts().doing(EXPORT)?;
    let mut taken = image.snapshots().doing(EXPORT)?;
    taken.retain(|taken| taken.of == SnapOf::User);
    let asked = spec.maybe_snapshot();
    if let Some(last) = taken
        .iter()
        .position(|taken| Some(taken.name.as_str()) == asked)
    {
        taken.truncate(last + 1);
    }
    let header = Header {
        features: Some(facts.features),
        layout: Layout {
            order: u64::from(facts.order),
            stripe_unit: facts.striping.unit,
            stripe_count: facts.striping.count,
        },
        notes: image.notes().doing(EXPORT)?.into_iter().collect(),
    };
    let mut out = open_output(path)?;
    let count = taken.len() as u64 + 1;
    stream::put_header(&mut out, &header, count).map_err(torn)?;
    let mut since: Option<String> = None;
    for taken in taken {
        image.look_at(Some(&taken.name)).doing(EXPORT)?;
        let from = since.clone().map(Record::From);
        let to = [
            Record::To(taken.name.clone()),
            Record::Protected(taken.protected),
        ];
        let head = from.into_iter().chain(to).collect();
        let whole = (since.as_deref(), false);
        write(image, whole, (&mut out, Version::Two), head, progress)?;
        since = Some(taken.name);
    }
    // The newest state comes last, under no name; of a snapshot that is the snapshot again.
    image.look_at(asked).doing(EXPORT)?;
    let head = since.clone().map(Record::From).into_iter().collect();
    let whole = (since.as_deref(), false);
    write(image, whole, (&mut out, Version::Two), head, progress)?;
    out.flush().map_err(torn)
}

/// `rbd import`
pub(super) fn import(ceph: &Ceph, args: &ImportArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let path = words.need(args.path.as_deref(), "path")?;
    let spec = destination(ceph, args, path, words)?;
    let name = spec.only_image()?;
    let mut like = args.layout.of_image()?;
    let opened = open_input(path);
    let (input, known) =
        opened.map_err(|error| io_failed(&format!("error opening {path}"), &error))?;
    let pool = ceph.pool(&spec.place)?;
    let mut input: Input = BufReader::with_capacity(PART, input);
    let mut progress = Progress::new(&ceph.common, "Importing image");
    let whole = if args.export_format == 2 {
        let header = stream::read_header(&mut input);
        Some(header.map_err(|error| broken(IMPORT, &error))?)
    } else {
        None
    };
    if let Some((header, _)) = &whole {
        as_header_says(&mut like, header);
    }
    let made = pool.create(name, known.filter(|_| whole.is_none()).unwrap_or(0), &like);
    made.doing("image creation failed")?;
    let image = pool.change(ImageAt::Name(name));
    let filled = image
        .doing(&format!("error opening image {name}"))
        .and_then(|image| match whole {
            Some((header, diffs)) => fill_whole(&image, &header, diffs, &mut input, &mut progress),
            None => fill(&image, input, known, &mut progress),
        });
    if filled.is_err() {
        discard_half(&pool, name);
    }
    filled?;
    progress.done();
    Ok(())
}

/// What the command line leaves open is as the file says.
fn as_header_says(like: &mut NewImage, header: &Header) {
    let layout = header.layout;
    like.order.get_or_insert(layout.order);
    if let Some(features) = header.features.map(|features| features & CHOSEN) {
        like.features.get_or_insert(features);
    }
    let plain = layout.stripe_count <= 1;
    if like.striping.is_none() && !plain {
        like.striping = Some((layout.stripe_unit, layout.stripe_count));
    }
}

/// The image that is to be made: it has the name of the file where nobody names it.
fn destination<'a>(
    ceph: &Ceph,
    args: &'a ImportArgs,
    path: &'a str,
    mut words: Words<'a>,
) -> Result<Spec, Failure> {
    let mut place = Place::of(&ceph.common);
    if let Some(pool) = &args.dest_pool {
        place.pool.clone_from(pool);
    }
    if let Some(namespace) = &args.dest_namespace {
        place.namespace.clone_from(namespace);
    }
    let named = args.dest.as_deref().or(args.spec.image.as_deref());
    let file_name = Path::new(path).file_name().and_then(|name| name.to_str());
    let dest = words.or_next(named);
    words.end()?;
    let dest = dest.or(file_name.filter(|name| *name != "-"));
    Spec::within(place, dest, args.spec.snap.as_deref())
}

fn fill(
    image: &OpenImage,
    mut input: Input,
    known: Option<u64>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut size = known.unwrap_or(0);
    let mut at = 0;
    loop {
        let mut part = Vec::with_capacity(PART);
        let read = (&mut input).take(PART as u64).read_to_end(&mut part);
        let read = read.map_err(|error| io_failed(IMPORT, &error))? as u64;
        if read == 0 {
            break;
        }
        if at + read > size {
            size = (size * 2).max(at + read + GROWTH);
            image.resize(size, false, &mut Quiet).doing(IMPORT)?;
        }
        for (start, data) in full_runs(&part) {
            image.write(at + start, data).doing(IMPORT)?;
        }
        at += read;
        progress.at(at, known.unwrap_or(size));
    }
    if size != at {
        image.resize(at, true, &mut Quiet).doing(IMPORT)?;
    }
    image.flush().doing(IMPORT)
}

fn fill_whole(
    image: &OpenImage,
    header: &Header,
    diffs: u64,
    input: &mut Input,
    progress: &mut Progress,
) -> Result<(), Failure> {
    for _ in 0..diffs {
        apply(image, input, progress, IMPORT)?;
    }
    for (key, value) in &header.notes {
        image.set_note(key, value).doing(IMPORT)?;
    }
    Ok(())
}

/// Half an image is none, and a name that is taken is in the way of the next attempt.
fn discard_half(pool: &Arc<OpenPool>, name: &str) {
    if let Ok(image) = pool.change(ImageAt::Name(name)) {
        for taken in image.snapshots().unwrap_or_default() {
            drop(image.remove_snapshot(&taken.name, SnapshotRemoval::Force, &mut Quiet));
        }
    }
    drop(pool.remove(name, &mut Quiet));
}

//! `rbd export`, `import`.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use firebrick_backend::{Backend as _, Fault, NewImage};
use firebrick_site::admin::{TRANSFER_MAX, ToolImage, ToolRequest, ToolSnapshot, ViewOf};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, MIB};

use super::apply::{self, Import, Input};
use super::args::{ExportArgs, ImportArgs};
use super::diff::{self, Compared, Output, open_output};
use super::error::{EEXIST, ENOENT, failed, fault, io as io_failed};
use super::meta::note;
use super::progress::Progress;
use super::site::Rbd;
use super::size::whole_blocks;
use super::snap::is_of_mirroring;
use super::spec::{Place, Spec, Words};
use super::stream::{self, Header, Record, Version};
use crate::exit::Failure;

const BLOCK: usize = BLOCK_SIZE as usize;
/// The least by which an image grows whose size is not known before.
const GROWTH: u64 = 64 * MIB;

impl Rbd {
    /// Writes into an image, at most [`TRANSFER_MAX`] bytes.
    pub(super) async fn write(
        &mut self,
        image: &ToolImage,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Fault> {
        let request = ToolRequest::Write {
            image: image.id,
            offset,
            len: data.len(),
        };
        self.transfer(request, data).await.map(drop)
    }
}

/// `rbd export`
pub(super) async fn export(mut rbd: Rbd, args: &ExportArgs) -> Result<(), Failure> {
    const DOING: &str = "export error";
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&rbd.common, &args.spec, &mut words)?;
    let path = words.or_next(args.path.as_deref());
    words.end()?;
    let image = rbd.open(spec.image()?).await?;
    if args.export_format == 2 {
        return export_whole(rbd, &spec, image, path).await;
    }
    let state = match &spec.snapshot {
        None => ViewOf::Head,
        Some(name) => {
            let doing = format!("error setting snapshot context: {name}");
            let found = rbd.snapshot(image.id, name).await;
            let found = found.map_err(|error| fault(&doing, &error))?;
            ViewOf::Snapshot(found.ok_or_else(|| failed(&doing, ENOENT))?.name)
        }
    };
    let (view, size) = rbd
        .view(image.id, state)
        .await
        .map_err(|error| fault(DOING, &error))?;
    let broken = |error: io::Error| io_failed(DOING, &error);
    let mut out = Out::open(path.unwrap_or(image.name.base())).map_err(broken)?;
    let mut progress = Progress::new(&rbd.common, "Exporting image");
    let mut next = Some(0);
    while let Some(from) = next {
        let part = rbd.changes(view, None, from, true).await;
        let (part, bytes) = part.map_err(|error| fault(DOING, &error))?;
        let mut rest = bytes.as_slice();
        for run in part.runs.iter().filter(|run| run.data) {
            let (data, behind) = rest.split_at((run.blocks * BLOCK_SIZE) as usize);
            rest = behind;
            out.put(run.block * BLOCK_SIZE, data).map_err(broken)?;
            progress.at((run.block + run.blocks) * BLOCK_SIZE, size.0);
        }
        next = part.next;
    }
    out.end(size.0).map_err(broken)?;
    progress.done();
    Ok(())
}

/// `rbd export --export-format 2`: with snapshots and all that is known of the image.
async fn export_whole(
    mut rbd: Rbd,
    spec: &Spec,
    image: ToolImage,
    path: Option<&str>,
) -> Result<(), Failure> {
    const DOING: &str = "export error";
    let failed_with = |error: Fault| fault(DOING, &error);
    let taken = rbd.snapshots(image.id).await.map_err(failed_with)?;
    let mut states: Vec<Option<ToolSnapshot>> = taken
        .into_iter()
        .filter(|taken| !taken.divergent && taken.group.is_none() && !is_of_mirroring(&taken.name))
        .map(Some)
        .collect();
    let named = |taken: &Option<ToolSnapshot>| {
        let taken = taken.as_ref().map(|taken| &taken.name);
        taken.is_some() && taken == spec.snapshot.as_ref()
    };
    match (states.iter().position(named), &spec.snapshot) {
        (Some(place), _) => states.truncate(place + 1),
        (None, None) => {}
        (None, Some(name)) => {
            return Err(failed(
                &format!("error setting snapshot context: {name}"),
                ENOENT,
            ));
        }
    }
    // The newest state comes last, under no name; of a snapshot that is the snapshot again.
    states.push(None);
    let mut out = open_output(path.unwrap_or(image.name.base()))?;
    let mut progress = Progress::new(&rbd.common, "Exporting image");
    let header = Header {
        features: Some(image.features.mask()),
        layout: stream::Layout::default(),
        notes: image.metadata.clone().into_iter().collect(),
    };
    let broken = |error: io::Error| io_failed(DOING, &error);
    stream::put_header(&mut out, &header, states.len() as u64).map_err(broken)?;
    export_states(&mut rbd, (&image, spec), states, &mut out, &mut progress).await?;
    out.flush().map_err(broken)?;
    progress.done();
    Ok(())
}

/// Writes states, each as what differs from the one before.
async fn export_states(
    rbd: &mut Rbd,
    (image, spec): (&ToolImage, &Spec),
    states: Vec<Option<ToolSnapshot>>,
    out: &mut Output,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let failed_with = |error: Fault| fault("export error", &error);
    let mut older: Option<(u32, String)> = None;
    for taken in states {
        let state = match (&taken, &spec.snapshot) {
            (Some(taken), _) => ViewOf::Snapshot(taken.name.clone()),
            (None, Some(name)) => ViewOf::Snapshot(name.clone()),
            (None, None) => ViewOf::Head,
        };
        let (view, size) = rbd.view(image.id, state).await.map_err(failed_with)?;
        let compared = Compared {
            view,
            older: older.as_ref().map(|(view, _)| *view),
            size,
            whole_object: false,
        };
        let mut head: Vec<Record> = Vec::new();
        head.extend(older.as_ref().map(|(_, name)| Record::From(name.clone())));
        if let Some(taken) = &taken {
            head.push(Record::To(taken.name.to_string()));
            head.push(Record::Protected(taken.protected));
        }
        diff::write(rbd, &compared, (&mut *out, Version::Two), head, progress).await?;
        let name = taken.map(|taken| taken.name.to_string());
        if let Some((view, _)) = older.replace((view, name.unwrap_or_default())) {
            let closed = rbd.order(ToolRequest::Close { view }).await;
            closed.map_err(failed_with)?;
        }
    }
    Ok(())
}

/// `rbd import --export-format 2`
async fn import_whole(mut rbd: Rbd, name: &ImageName, path: &str) -> Result<(), Failure> {
    const DOING: &str = "import failed";
    let mut input = apply::open_input(path)?;
    let header = stream::read_header(&mut input);
    let (header, diffs) = header.map_err(|error| apply::broken(DOING, &error))?;
    let mut progress = Progress::new(&rbd.common, "Importing image");
    let image = make(&mut rbd, name, Bytes::ZERO).await?;
    let filled = fill_whole(&mut rbd, &image, (header, diffs), &mut input, &mut progress).await;
    if filled.is_err() {
        discard_half(&mut rbd, image.id).await;
    }
    filled?;
    progress.done();
    Ok(())
}

async fn fill_whole(
    rbd: &mut Rbd,
    image: &ToolImage,
    (header, diffs): (Header, u64),
    input: &mut Input,
    progress: &mut Progress,
) -> Result<(), Failure> {
    const DOING: &str = "import failed";
    let mut import = Import {
        rbd: &mut *rbd,
        size: image.size,
        image: image.clone(),
        doing: DOING,
    };
    for _ in 0..diffs {
        import.diff(input, progress).await?;
    }
    for (key, value) in header.notes {
        note(rbd, image, &key, Some(value), DOING).await?;
    }
    Ok(())
}

/// Half an image is none, and a name that is taken is in the way of the next attempt.
pub(super) async fn discard_half(rbd: &mut Rbd, image: ImageId) {
    for taken in rbd.snapshots(image).await.unwrap_or_default() {
        let (snapshot, protected) = (taken.name.clone(), false);
        let free = ToolRequest::Protect {
            image,
            snapshot,
            protected,
        };
        drop(rbd.order(free).await);
        drop(rbd.backend.remove_snapshot(image, taken.name).await);
    }
    drop(rbd.backend.remove_image(image).await);
}

/// Where an image goes: a file with holes, or a stream with zeroes.
pub(super) enum Out {
    File(File),
    Stream { out: io::Stdout, at: u64 },
}

impl Out {
    pub(super) fn open(path: &str) -> io::Result<Self> {
        if path == "-" {
            return Ok(Self::Stream {
                out: io::stdout(),
                at: 0,
            });
        }
        File::options()
            .write(true)
            .create_new(true)
            .open(path)
            .map(Self::File)
    }

    pub(super) fn put(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => {
                file.seek(SeekFrom::Start(offset))?;
                file.write_all(data)
            }
            Self::Stream { out, at } => {
                io::copy(&mut io::repeat(0).take(offset - *at), out)?;
                *at = offset + data.len() as u64;
                out.write_all(data)
            }
        }
    }

    pub(super) fn end(&mut self, size: u64) -> io::Result<()> {
        match self {
            Self::File(file) => {
                file.set_len(size)?;
                file.sync_all()
            }
            Self::Stream { out, at } => {
                io::copy(&mut io::repeat(0).take(size.saturating_sub(*at)), out)?;
                out.flush()
            }
        }
    }
}

/// `rbd import`
pub(super) async fn import(mut rbd: Rbd, args: &ImportArgs) -> Result<(), Failure> {
    const DOING: &str = "import failed";
    let mut words = Words::new(&args.spec.words);
    args.layout.refuse()?;
    let path = words.need(args.path.as_deref(), "path")?;
    let name = destination(&rbd, args, path, words)?;
    rbd.check_namespace(name.namespace()).await?;
    if args.export_format == 2 {
        let found = rbd.find(&name).await;
        if found.map_err(|error| fault(DOING, &error))?.is_some() {
            return Err(failed("image creation failed", EEXIST));
        }
        return import_whole(rbd, &name, path).await;
    }
    let opened = open_input(path);
    let (input, known) =
        opened.map_err(|error| io_failed(&format!("error opening {path}"), &error))?;
    let found = rbd.find(&name).await;
    if found.map_err(|error| fault(DOING, &error))?.is_some() {
        return Err(failed("image creation failed", EEXIST));
    }
    let mut progress = Progress::new(&rbd.common, "Importing image");
    let image = make(&mut rbd, &name, whole_blocks(known.unwrap_or(0))).await?;
    let filled = fill(&mut rbd, &image, input, known, &mut progress).await;
    if filled.is_err() {
        discard_half(&mut rbd, image.id).await;
    }
    filled?;
    progress.done();
    Ok(())
}

/// The image that is to be made: it has the name of the file where nobody names it.
fn destination<'a>(
    rbd: &Rbd,
    args: &'a ImportArgs,
    path: &'a str,
    mut words: Words<'a>,
) -> Result<ImageName, Failure> {
    let here = rbd.common.place();
    let place = Place {
        pool: args.dest_pool.as_deref().or(here.pool),
        namespace: args.dest_namespace.as_deref().or(here.namespace),
    };
    let named = args.dest.as_deref().or(args.spec.image.as_deref());
    let file_name = Path::new(path).file_name().and_then(|name| name.to_str());
    let dest = words.or_next(named);
    words.end()?;
    let dest = dest.or(file_name.filter(|name| *name != "-"));
    Spec::within(place, dest, args.spec.snap.as_deref())?
        .only_image()
        .cloned()
}

/// The input, and its size where that is known before.
pub(super) fn open_input(path: &str) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let mut file = File::open(path)?;
    // For block devices too, whose metadata do not say how large they are.
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    Ok((Box::new(file), Some(size)))
}

async fn make(rbd: &mut Rbd, name: &ImageName, size: Bytes) -> Result<ToolImage, Failure> {
    let image = NewImage {
        id: ImageId::random(),
        name: name.clone(),
        size,
        origin: None,
        mirrored: false,
    };
    let made = rbd.backend.create_image(image).await;
    made.map_err(|error| fault("image creation failed", &error))?;
    rbd.open(name).await
}

async fn fill(
    rbd: &mut Rbd,
    image: &ToolImage,
    input: Box<dyn Read + Send>,
    known: Option<u64>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    const DOING: &str = "import failed";
    let failed_with = |error: Fault| fault(DOING, &error);
    let mut input = BufReader::with_capacity(TRANSFER_MAX, input);
    let mut size = image.size;
    let mut at = 0;
    loop {
        let mut part = Vec::with_capacity(TRANSFER_MAX);
        let read = (&mut input)
            .take(TRANSFER_MAX as u64)
            .read_to_end(&mut part);
        let read = read.map_err(|error| io_failed(DOING, &error))? as u64;
        if read == 0 {
            break;
        }
        part.resize(whole_blocks(read).0 as usize, 0);
        let end = at + part.len() as u64;
        if end > size.0 {
            // Doubles, so that a long stream takes few records.
            size = whole_blocks((size.0 * 2).max(end + GROWTH));
            resize(rbd, image, size).await.map_err(failed_with)?;
        }
        for (start, data) in full_runs(&part) {
            rbd.write(image, at + start, data)
                .await
                .map_err(failed_with)?;
        }
        at = end;
        progress.at(at, known.unwrap_or(size.0));
    }
    if known.is_none() && size.0 != at {
        resize(rbd, image, Bytes(at)).await.map_err(failed_with)?;
    }
    rbd.order(ToolRequest::Flush).await.map_err(failed_with)
}

async fn resize(rbd: &mut Rbd, image: &ToolImage, size: Bytes) -> Result<(), Fault> {
    let request = ToolRequest::Resize {
        image: image.id,
        size,
    };
    rbd.order(request).await
}

/// The blocks that are not all zeroes, neighbours together, and where they begin.
pub(super) fn full_runs(part: &[u8]) -> Vec<(u64, &[u8])> {
    let empty = |block: &[u8]| block.iter().all(|byte| *byte == 0);
    let mut runs = Vec::new();
    let mut start = None;
    for (i, block) in part.chunks(BLOCK).enumerate() {
        match (start, empty(block)) {
            (None, false) => start = Some(i),
            (Some(first), true) => {
                runs.push(((first * BLOCK) as u64, &part[first * BLOCK..i * BLOCK]));
                start = None;
            }
            (None, true) | (Some(_), false) => {}
        }
    }
    if let Some(first) = start {
        runs.push(((first * BLOCK) as u64, &part[first * BLOCK..]));
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroes_are_not_written() {
        let mut part = vec![0; 5 * BLOCK];
        part[BLOCK] = 1;
        part[3 * BLOCK - 1] = 1;
        part[4 * BLOCK] = 1;
        let runs: Vec<(u64, usize)> = full_runs(&part)
            .into_iter()
            .map(|(start, data)| (start / BLOCK_SIZE, data.len() / BLOCK))
            .collect();
        assert_eq!(runs, [(1, 2), (4, 1)]);
        assert!(full_runs(&[0; BLOCK]).is_empty());
    }
}

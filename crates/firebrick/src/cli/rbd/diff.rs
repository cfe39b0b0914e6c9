//! `rbd diff`, `export-diff`.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use firebrick_backend::Fault;
use firebrick_site::admin::{Run, TRANSFER_MAX, ToolImage, ViewOf};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, SnapshotName};

use super::args::{DiffArgs, ExportDiffArgs, Since};
use super::error::{EINVAL, ENOENT, failed, fault, io as io_failed, refuse};
use super::look::OBJECT;
use super::progress::Progress;
use super::show;
use super::site::Rbd;
use super::spec::{Spec, Words};
use super::stream::{self, Record, Version};
use crate::exit::Failure;

/// Takes a run and, where they are wanted, its bytes.
type Visit<'a> = dyn FnMut(Run, &[u8]) -> Result<(), Failure> + Send + 'a;

const OBJECT_BLOCKS: u64 = OBJECT / BLOCK_SIZE;

/// What is compared with what.
pub(super) struct Compared {
    pub(super) view: u32,
    pub(super) older: Option<u32>,
    pub(super) size: Bytes,
    pub(super) whole_object: bool,
}

/// Opens both sides.
async fn open(rbd: &mut Rbd, spec: &Spec, since: &Since) -> Result<Compared, Failure> {
    let failed_with = |error: &Fault| fault("diff error", error);
    let image = rbd.open(spec.image()?).await?;
    let older = match (&since.from_snap, since.from_position) {
        (Some(name), _) => Some(ViewOf::Snapshot(existing(rbd, &image, name).await?)),
        (None, Some(at)) => {
            let record = rbd.record(at).await;
            Some(ViewOf::At(record.map_err(|error| failed_with(&error))?))
        }
        (None, None) => None,
    };
    let newer = match &spec.snapshot {
        Some(name) => ViewOf::Snapshot(existing(rbd, &image, name.as_str()).await?),
        None => ViewOf::Head,
    };
    let (view, size) = rbd
        .view(image.id, newer)
        .await
        .map_err(|error| failed_with(&error))?;
    let older = match older {
        None => None,
        Some(state) => {
            let opened = rbd.view(image.id, state).await;
            Some(opened.map_err(|error| failed_with(&error))?.0)
        }
    };
    Ok(Compared {
        view,
        older,
        size,
        whole_object: since.whole_object,
    })
}

/// A snapshot that must be there.
async fn existing(rbd: &mut Rbd, image: &ToolImage, name: &str) -> Result<SnapshotName, Failure> {
    let doing = format!("error setting snapshot context: {name}");
    let parsed =
        SnapshotName::new(name).map_err(|error| refuse(EINVAL, format!("rbd: {error}")))?;
    let found = rbd.snapshot(image.id, &parsed).await;
    match found.map_err(|error| fault(&doing, &error))? {
        Some(_) => Ok(parsed),
        None => Err(failed(&doing, ENOENT)),
    }
}

impl Compared {
    /// Visits what differs, in order, with the bytes of data if they are wanted.
    async fn walk(&self, rbd: &mut Rbd, data: bool, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let end = self.size.0.div_ceil(BLOCK_SIZE);
        let mut next = Some(0);
        while let Some(from) = next {
            let exact = data && !self.whole_object;
            let part = rbd.changes(self.view, self.older, from, exact).await;
            let (part, bytes) = part.map_err(|error| fault("diff error", &error))?;
            next = part.next;
            if !self.whole_object {
                hand_over(&part.runs, &bytes, end, visit)?;
                continue;
            }
            for object in objects(&part.runs) {
                // An object that the next part begins with is not visited twice.
                next = next.map(|next| next.max((object + 1) * OBJECT_BLOCKS));
                self.object(rbd, object, data, visit).await?;
            }
        }
        Ok(())
    }

    /// Visits a whole object: what of it is there, or that nothing is.
    async fn object(
        &self,
        rbd: &mut Rbd,
        object: u64,
        data: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Failure> {
        let first = object * OBJECT_BLOCKS;
        let end = (first + OBJECT_BLOCKS).min(self.size.0.div_ceil(BLOCK_SIZE));
        if first >= end {
            return Ok(());
        }
        // No part is longer than an object, so the first one holds all of it.
        let there = rbd.changes(self.view, None, first, data).await;
        let (there, bytes) = there.map_err(|error| fault("diff error", &error))?;
        let mut whole = Vec::new();
        let mut rest = bytes.as_slice();
        let within = |run: &&Run| run.data && run.block < end;
        let mut mapped = false;
        for run in there.runs.iter().filter(within) {
            mapped = true;
            if !data {
                break;
            }
            whole.resize(((end - first) * BLOCK_SIZE) as usize, 0);
            let taken = (run.blocks.min(end - run.block) * BLOCK_SIZE) as usize;
            let start = ((run.block - first) * BLOCK_SIZE) as usize;
            whole[start..start + taken].copy_from_slice(&rest[..taken]);
            rest = rest
                .get((run.blocks * BLOCK_SIZE) as usize..)
                .unwrap_or_default();
        }
        let run = Run {
            block: first,
            blocks: end - first,
            data: mapped,
        };
        visit(run, &whole)
    }
}

/// The objects that the runs touch, each once.
fn objects(runs: &[Run]) -> Vec<u64> {
    let touched = runs
        .iter()
        .flat_map(|run| run.block / OBJECT_BLOCKS..=(run.block + run.blocks - 1) / OBJECT_BLOCKS);
    let mut objects: Vec<u64> = touched.collect();
    objects.dedup();
    objects
}

/// Visits runs up to block `end`: what lies behind, a smaller size has cut off, and the size says that.
fn hand_over(runs: &[Run], bytes: &[u8], end: u64, visit: &mut Visit<'_>) -> Result<(), Failure> {
    let mut rest = bytes;
    for run in runs.iter().filter(|run| run.block < end) {
        let run = &Run {
            blocks: run.blocks.min(end - run.block),
            ..*run
        };
        let len = if run.data && !bytes.is_empty() {
            (run.blocks * BLOCK_SIZE) as usize
        } else {
            0
        };
        let (data, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        rest = behind;
        visit(*run, data)?;
    }
    Ok(())
}

/// `rbd diff`
pub(super) async fn print(mut rbd: Rbd, args: &DiffArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let compared = open(&mut rbd, &spec, &args.since).await?;
    let mut extents: Vec<Run> = Vec::new();
    let mut add = |run: Run, _: &[u8]| {
        match extents.last_mut() {
            // Parts end anywhere.
            Some(last) if last.block + last.blocks == run.block && last.data == run.data => {
                last.blocks += run.blocks;
            }
            Some(_) | None => extents.push(run),
        }
        Ok(())
    };
    compared.walk(&mut rbd, false, &mut add).await?;
    let extent = |run: Run| show::extents::Extent {
        offset: run.block * BLOCK_SIZE,
        len: run.blocks * BLOCK_SIZE,
        data: run.data,
    };
    let extents: Vec<_> = extents.into_iter().map(extent).collect();
    show::extents::print(&rbd.common, &extents);
    Ok(())
}

/// `rbd export-diff`
pub(super) async fn export(mut rbd: Rbd, args: &ExportDiffArgs) -> Result<(), Failure> {
    const DOING: &str = "export-diff error";
    let mut words = Words::new(&args.spec.words);
    let spec = Spec::first(&rbd.common, &args.spec, &mut words)?;
    let path = words.need(args.path.as_deref(), "path")?;
    words.end()?;
    let compared = open(&mut rbd, &spec, &args.since).await?;
    let broken = |error: io::Error| io_failed(DOING, &error);
    let mut out = open_output(path)?;
    let mut progress = Progress::new(&rbd.common, "Exporting image");
    let from = args.since.from_snap.clone().map(Record::From);
    let to = spec
        .snapshot
        .as_ref()
        .map(|taken| Record::To(taken.to_string()));
    let head: Vec<Record> = from.into_iter().chain(to).collect();
    write(
        &mut rbd,
        &compared,
        (&mut out, Version::One),
        head,
        &mut progress,
    )
    .await?;
    out.flush().map_err(broken)?;
    progress.done();
    Ok(())
}

/// What somebody writes to.
pub(super) type Output = BufWriter<Box<dyn Write + Send>>;

/// Makes a file, which must not be there, or opens standard output for `-`.
pub(super) fn open_output(path: &str) -> Result<Output, Failure> {
    let out: Box<dyn Write + Send> = if path == "-" {
        Box::new(io::stdout())
    } else {
        let file = File::options().write(true).create_new(true).open(path);
        Box::new(file.map_err(|error| io_failed(&format!("error opening {path}"), &error))?)
    };
    Ok(BufWriter::with_capacity(TRANSFER_MAX, out))
}

/// Writes a difference: `head`, the size, and what differs.
pub(super) async fn write(
    rbd: &mut Rbd,
    compared: &Compared,
    (out, version): (&mut Output, Version),
    mut head: Vec<Record>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let broken = |error: io::Error| io_failed("export error", &error);
    stream::begin(out, version).map_err(broken)?;
    head.push(Record::Size(compared.size.0));
    for record in &head {
        stream::put(out, version, record).map_err(broken)?;
    }
    let mut write = |run: Run, data: &[u8]| {
        let (offset, len) = (run.block * BLOCK_SIZE, run.blocks * BLOCK_SIZE);
        let written = if run.data {
            let put = stream::put(out, version, &Record::Data(offset, len));
            put.and_then(|()| out.write_all(data))
        } else {
            stream::put(out, version, &Record::Zero(offset, len))
        };
        progress.at(offset + len, compared.size.0);
        written.map_err(broken)
    };
    compared.walk(rbd, true, &mut write).await?;
    stream::put(out, version, &Record::End).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_smaller_size_cut_off_is_no_difference() {
        let run = |block, blocks, data| Run {
            block,
            blocks,
            data,
        };
        let runs = [run(0, 1, true), run(2, 4, false), run(9, 1, false)];
        let mut seen = Vec::new();
        let mut visit = |run: Run, data: &[u8]| {
            seen.push((run.block, run.blocks, data.len()));
            Ok(())
        };
        hand_over(&runs, &[7; 4096], 4, &mut visit).unwrap();
        assert_eq!(seen, [(0, 1, 4096), (2, 2, 0)]);
    }

    #[test]
    fn each_touched_object_counts_once() {
        let run = |block, blocks| Run {
            block,
            blocks,
            data: true,
        };
        let runs = [run(0, 1), run(3, 1), run(1023, 2), run(5000, 1)];
        assert_eq!(objects(&runs), [0, 1, 4]);
    }
}

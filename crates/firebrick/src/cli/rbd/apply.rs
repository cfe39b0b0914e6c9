//! `rbd import-diff`, and what `rbd import` has in common with it.

use std::fs::File;
use std::io::{self, BufReader, Read};

use firebrick_backend::Backend as _;
use firebrick_site::admin::{TRANSFER_MAX, ToolImage, ToolRequest};
use firebrick_vocabulary::{Bytes, SnapshotName};

use super::args::ImportDiffArgs;
use super::error::{EBADMSG, EEXIST, EINVAL, fault, io as io_failed, refuse};
use super::progress::Progress;
use super::site::Rbd;
use super::size::whole_blocks;
use super::spec::{Spec, Words};
use super::stream::{self, Record};
use crate::exit::Failure;

/// What somebody reads from.
pub(super) type Input = BufReader<Box<dyn Read + Send>>;

/// Opens a file, or standard input for `-`.
pub(super) fn open_input(path: &str) -> Result<Input, Failure> {
    let input: Box<dyn Read + Send> = if path == "-" {
        Box::new(io::stdin())
    } else {
        let file = File::open(path);
        Box::new(file.map_err(|error| io_failed(&format!("error opening {path}"), &error))?)
    };
    Ok(BufReader::with_capacity(TRANSFER_MAX, input))
}

/// `rbd import-diff`
pub(super) async fn import(mut rbd: Rbd, args: &ImportDiffArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.spec.words);
    let path = words.need(args.path.as_deref(), "path")?;
    let spec = Spec::first(&rbd.common, &args.spec, &mut words)?;
    words.end()?;
    let image = rbd.open(spec.only_image()?).await?;
    let mut input = open_input(path)?;
    let mut progress = Progress::new(&rbd.common, "Importing image diff");
    let mut import = Import {
        rbd: &mut rbd,
        size: image.size,
        image,
        doing: "import-diff failed",
    };
    import.diff(&mut input, &mut progress).await?;
    progress.done();
    Ok(())
}

/// Differences on their way into an image.
pub(super) struct Import<'a> {
    pub(super) rbd: &'a mut Rbd,
    pub(super) image: ToolImage,
    /// The size that it has by now.
    pub(super) size: Bytes,
    pub(super) doing: &'static str,
}

impl Import<'_> {
    /// Applies one difference, and takes its snapshot.
    pub(super) async fn diff(
        &mut self,
        input: &mut Input,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let broken = |error| broken(self.doing, &error);
        let version = stream::read_banner(input).map_err(broken)?;
        let mut to = None;
        let mut protected = false;
        loop {
            match stream::read(input, version).map_err(|error| self.broken(&error))? {
                Record::From(name) => self.check_from(&name).await?,
                Record::To(name) => to = Some(self.check_to(name).await?),
                Record::Protected(is) => protected = is,
                Record::Size(bytes) => self.resize(whole_blocks(bytes)).await?,
                Record::Data(offset, len) => {
                    self.within(offset, len)?;
                    self.copy(input, offset, len).await?;
                    progress.at(offset + len, self.size.0);
                }
                Record::Zero(offset, len) => {
                    self.within(offset, len)?;
                    let image = self.image.id;
                    self.order(ToolRequest::Discard { image, offset, len })
                        .await?;
                    progress.at(offset + len, self.size.0);
                }
                Record::End => break,
            }
        }
        self.order(ToolRequest::Flush).await?;
        let Some(name) = to else { return Ok(()) };
        let taken = self
            .rbd
            .backend
            .create_snapshot(self.image.id, name.clone());
        taken.await.map_err(|error| fault(self.doing, &error))?;
        if protected {
            self.order(ToolRequest::Protect {
                image: self.image.id,
                snapshot: name,
                protected,
            })
            .await?;
        }
        Ok(())
    }

    async fn order(&mut self, request: ToolRequest) -> Result<(), Failure> {
        let done = self.rbd.order(request).await;
        done.map_err(|error| fault(self.doing, &error))
    }

    async fn resize(&mut self, size: Bytes) -> Result<(), Failure> {
        if size != self.size {
            let image = self.image.id;
            self.order(ToolRequest::Resize { image, size }).await?;
            self.size = size;
        }
        Ok(())
    }

    /// Takes `len` bytes of a stream over into the image.
    async fn copy(&mut self, input: &mut Input, offset: u64, len: u64) -> Result<(), Failure> {
        let mut at = offset;
        while at < offset + len {
            let mut part = vec![0; TRANSFER_MAX.min((offset + len - at) as usize)];
            input
                .read_exact(&mut part)
                .map_err(|error| self.broken(&error))?;
            let written = self.rbd.write(&self.image, at, &part).await;
            written.map_err(|error| fault(self.doing, &error))?;
            at += part.len() as u64;
        }
        Ok(())
    }

    fn broken(&self, error: &io::Error) -> Failure {
        broken(self.doing, error)
    }

    async fn check_from(&mut self, name: &str) -> Result<(), Failure> {
        let found = match SnapshotName::new(name).ok() {
            Some(name) => self.rbd.snapshot(self.image.id, &name).await,
            None => Ok(None),
        };
        if found.map_err(|error| fault(self.doing, &error))?.is_some() {
            return Ok(());
        }
        let text = format!(
            "start snapshot '{name}' does not exist in the image, aborting\n\
             rbd: {}: ({EINVAL}) Invalid argument",
            self.doing
        );
        Err(refuse(EINVAL, text))
    }

    async fn check_to(&mut self, name: String) -> Result<SnapshotName, Failure> {
        let doing = self.doing;
        let parsed = SnapshotName::new(name.clone());
        let parsed = parsed.map_err(|error| refuse(EINVAL, format!("rbd: {doing}: {error}")))?;
        let found = self.rbd.snapshot(self.image.id, &parsed).await;
        if found.map_err(|error| fault(doing, &error))?.is_none() {
            return Ok(parsed);
        }
        let text = format!(
            "end snapshot '{name}' already exists, aborting\n\
             rbd: {doing}: ({EEXIST}) File exists"
        );
        Err(refuse(EEXIST, text))
    }

    fn within(&self, offset: u64, len: u64) -> Result<(), Failure> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size.0 => Ok(()),
            Some(_) | None => {
                let text = format!(
                    "rbd: {}: {len} bytes from {offset} on are beyond the end of the image",
                    self.doing
                );
                Err(refuse(EINVAL, text))
            }
        }
    }
}

/// The failure for a stream that cannot be read.
pub(super) fn broken(doing: &str, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let text = format!("rbd: {doing}: the stream ends too soon");
        return refuse(EBADMSG, text);
    }
    io_failed(doing, error)
}

//! A backup is written: extents become chunks, chunks become objects, and the manifest comes last.

use firebrick_backend::{Content, Extent, Fault, FaultKind};
use firebrick_vocabulary::{BackupId, Bytes};

use crate::CHUNK_BYTES;
use crate::chain::{Chain, LINKS_MAX};
use crate::digest::Digest;
use crate::manifest::{Manifest, Object, Parent};
use crate::names::{Container, Part, name, parse};
use crate::object::{Chunk, ENTRIES_MAX, Hole, Table};
use crate::repository::SharedRepository;

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the backup comes to lie.
    pub container: Container,
    /// Its id.
    pub id: BackupId,
    /// What it builds upon; without, it is a full one.
    pub parent: Option<Parent>,
    /// Whether the extents are only what differs from the parent. Otherwise they are all data of the
    /// image, and what the parent has already is found by its checksums.
    pub differences: bool,
    /// The size of the image.
    pub size: Bytes,
    /// An object is closed once it has as many bytes of data. Up to [`CHUNK_BYTES`] more are held in
    /// memory.
    pub object_bytes: u64,
    /// What is written down with it.
    pub notes: serde_json::Value,
}

/// A backup that is there now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Finished {
    /// How many objects it has.
    pub objects: usize,
}

/// A backup that is being written. Extents come in their order.
pub struct Writing {
    repository: SharedRepository,
    plan: Plan,
    parent: Option<Chain>,
    objects: Vec<Object>,
    /// Of the object that is open.
    data: Vec<u8>,
    chunks: Vec<Chunk>,
    holes: Vec<Hole>,
    /// Neighbouring data of one cell that is no chunk yet.
    run: Vec<u8>,
    run_at: u64,
    /// Everything before is in chunks, holes, the run, or needs nothing.
    next: u64,
}

impl Writing {
    /// Begins, or goes on where a writer died: behind the last object that is there. The same plan but
    /// for [`Plan::differences`] is wanted then, and the same state of the image.
    pub async fn begin(repository: &SharedRepository, plan: Plan) -> Result<Self, Fault> {
        let parent = match &plan.parent {
            Some(Parent { container, id }) => Some(Chain::open(repository, container, *id).await?),
            None => None,
        };
        if parent
            .as_ref()
            .is_some_and(|parent| parent.links() >= LINKS_MAX)
        {
            let why = format!("{LINKS_MAX} backups build upon each other already");
            return Err(Fault::new(FaultKind::Invalid, "begin a backup", why));
        }
        let mut writing = Self {
            repository: SharedRepository::clone(repository),
            plan,
            parent,
            objects: Vec::new(),
            data: Vec::new(),
            chunks: Vec::new(),
            holes: Vec::new(),
            run: Vec::new(),
            run_at: 0,
            next: 0,
        };
        writing.find().await?;
        Ok(writing)
    }

    /// Takes up the objects that are there, up to the first that is missing or of no use.
    async fn find(&mut self) -> Result<(), Fault> {
        let (container, id) = (self.plan.container.clone(), self.plan.id);
        let listed = self.repository.list(&container).await?;
        let mut numbers: Vec<u32> = listed
            .iter()
            .filter_map(|name| match parse(name) {
                Some((of, Part::Object(number))) if of == id => Some(number),
                Some(_) | None => None,
            })
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            if number as usize != self.objects.len() {
                break;
            }
            let name = name(&container, id, Part::Object(number));
            let Ok((table, sha256)) = Table::read(&*self.repository, &name).await else {
                break;
            };
            if (table.backup, table.number) != (id, number) {
                break;
            }
            self.next = table.next;
            self.objects.push(Object { number, sha256 });
        }
        Ok(())
    }

    /// The first byte of the image that is not there yet: from where to read.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Takes what the image has next.
    pub async fn add(&mut self, extent: Extent) -> Result<(), Fault> {
        let (offset, end) = (extent.offset, extent.end());
        if offset < self.next || end > self.plan.size.0 {
            let why = format!("bytes {offset} to {end} come behind byte {}", self.next);
            return Err(Fault::new(FaultKind::Invalid, "write a backup", why));
        }
        if offset > self.next {
            self.end_run().await?;
            self.pass(offset);
        }
        match extent.content {
            Content::Hole(length) => {
                self.end_run().await?;
                self.hole(offset, length);
                self.next = end;
            }
            Content::Data(data) => self.take(&data).await?,
        }
        Ok(())
    }

    async fn take(&mut self, mut data: &[u8]) -> Result<(), Fault> {
        while !data.is_empty() {
            if self.run.is_empty() {
                self.run_at = self.next;
            }
            let room = CHUNK_BYTES - self.next % CHUNK_BYTES;
            let (part, rest) = data.split_at(data.len().min(room as usize));
            self.run.extend_from_slice(part);
            self.next += part.len() as u64;
            data = rest;
            if self.next.is_multiple_of(CHUNK_BYTES) {
                self.end_run().await?;
            }
        }
        Ok(())
    }

    /// What no extent covered, up to `to`: it is as in the parent, or (where all data comes) zeroes.
    fn pass(&mut self, to: u64) {
        let from = self.next;
        if !self.plan.differences {
            self.hole(from, to - from);
        }
        self.next = to;
    }

    fn hole(&mut self, offset: u64, length: u64) {
        let parent = self.parent.as_ref();
        if parent.is_some_and(|parent| parent.merged().has_data(offset, offset + length)) {
            self.holes.push(Hole { offset, length });
        }
    }

    async fn end_run(&mut self) -> Result<(), Fault> {
        if self.run.is_empty() {
            return Ok(());
        }
        let (offset, length) = (self.run_at, self.run.len());
        let sha256 = Digest::of(&self.run);
        let known = self
            .parent
            .as_ref()
            .and_then(|parent| parent.merged().exactly(offset, offset + length as u64));
        if self.run.iter().all(|byte| *byte == 0) {
            self.hole(offset, length as u64);
        } else if known != Some(sha256) {
            self.chunks.push(Chunk {
                offset,
                length: length as u32,
                at: self.data.len() as u64,
                sha256,
            });
            self.data.append(&mut self.run);
        }
        self.run.clear();
        let entries = self.chunks.len() + self.holes.len();
        if self.data.len() as u64 >= self.plan.object_bytes || entries >= ENTRIES_MAX {
            self.close().await?;
        }
        Ok(())
    }

    /// Puts the open object into the repository.
    async fn close(&mut self) -> Result<(), Fault> {
        let number = self.objects.len() as u32;
        let table = Table {
            backup: self.plan.id,
            number,
            next: self.next,
            chunks: std::mem::take(&mut self.chunks),
            holes: std::mem::take(&mut self.holes),
        };
        let name = name(&self.plan.container, self.plan.id, Part::Object(number));
        let closed = table.close(std::mem::take(&mut self.data));
        let (bytes, sha256) =
            closed.map_err(|error| Fault::new(FaultKind::Internal, "close an object", error))?;
        self.repository.put(&name, bytes).await?;
        self.objects.push(Object { number, sha256 });
        Ok(())
    }

    /// Writes what is left, then the manifest: from here on the backup is there.
    pub async fn finish(mut self) -> Result<Finished, Fault> {
        self.end_run().await?;
        self.pass(self.plan.size.0);
        if !self.chunks.is_empty() || !self.holes.is_empty() {
            self.close().await?;
        }
        let digest = self.parent.as_ref().map(Chain::digest);
        let objects = self.objects.len();
        let manifest = Manifest::new(
            self.plan.id,
            self.plan.size,
            self.plan.parent.zip(digest),
            self.objects,
            self.plan.notes,
        );
        // All objects are durable by now: what the manifest names is there whenever it is.
        manifest
            .write(&*self.repository, &self.plan.container)
            .await?;
        Ok(Finished { objects })
    }
}

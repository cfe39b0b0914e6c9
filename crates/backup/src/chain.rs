//! A backup with all that it builds upon, read as the one image that it was.

use std::collections::VecDeque;

use async_trait::async_trait;
use firebrick_backend::{Content, Extent, Fault, Reader};
use firebrick_vocabulary::{BackupId, Bytes};

use crate::digest::Digest;
use crate::manifest::{Manifest, Parent};
use crate::merged::{Merged, Source};
use crate::names::{Container, Part, name};
use crate::object::Table;
use crate::repository::{SharedRepository, damaged};

/// The most backups that build upon each other.
pub(crate) const LINKS_MAX: usize = 1000;

/// A backup with all that it builds upon. As a `Reader` it hands out data alone, each byte once; every
/// chunk is checked, and a damaged one is refused with the name of its object.
pub struct Chain {
    repository: SharedRepository,
    manifest: Manifest,
    digest: Digest,
    /// The names of all objects, and how many backups there are.
    objects: Vec<String>,
    links: usize,
    merged: Merged,
    at: u64,
    /// The chunk that was read last, as ranges of one chunk often follow each other.
    held: Option<(Source, Vec<u8>)>,
}

impl Chain {
    /// Reads what the backup consists of. `NotFound` where it or one that it builds upon is missing,
    /// `Io` where one of them is damaged.
    pub async fn open(
        repository: &SharedRepository,
        container: &Container,
        id: BackupId,
    ) -> Result<Self, Fault> {
        let (manifest, digest) = Manifest::read_with(&**repository, container, id).await?;
        let mut links = VecDeque::from([(container.clone(), id, manifest.clone())]);
        while let Some((_, _, oldest)) = links.front()
            && let Some(Parent { container, id }) = oldest.parent().cloned()
        {
            let name = name(&container, id, Part::Manifest);
            if links.len() >= LINKS_MAX {
                return Err(damaged(
                    &name,
                    format!("more than {LINKS_MAX} backups build upon it"),
                ));
            }
            let wanted = oldest.parent_sha256();
            let (parent, digest) = Manifest::read_with(&**repository, &container, id).await?;
            if wanted != Some(digest) {
                return Err(damaged(&name, "it is not the one that was built upon"));
            }
            links.push_front((container, id, parent));
        }
        let mut chain = Self {
            repository: SharedRepository::clone(repository),
            manifest,
            digest,
            objects: Vec::new(),
            links: links.len(),
            merged: Merged::default(),
            at: 0,
            held: None,
        };
        for (container, id, manifest) in links {
            chain.add(&container, id, &manifest).await?;
        }
        let size = chain.manifest.size().0;
        chain.merged.clear(size, u64::MAX);
        Ok(chain)
    }

    async fn add(
        &mut self,
        container: &Container,
        id: BackupId,
        manifest: &Manifest,
    ) -> Result<(), Fault> {
        // An image that was smaller once had nothing behind its end.
        self.merged.clear(manifest.size().0, u64::MAX);
        for object in &manifest.objects {
            let name = name(container, id, Part::Object(object.number));
            let (table, digest) = Table::read(&*self.repository, &name).await?;
            if digest != object.sha256 || (table.backup, table.number) != (id, object.number) {
                return Err(damaged(
                    &name,
                    "it is another object than the manifest says",
                ));
            }
            for hole in &table.holes {
                let end = hole.offset + hole.length;
                self.merged.clear(hole.offset, end);
            }
            for chunk in table.chunks {
                self.merged.put(self.objects.len(), chunk);
            }
            self.objects.push(name);
        }
        Ok(())
    }

    /// The manifest of the newest.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many backups build upon each other here, this one included.
    pub const fn links(&self) -> usize {
        self.links
    }

    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) const fn merged(&self) -> &Merged {
        &self.merged
    }

    async fn chunk(&mut self, source: Source) -> Result<&[u8], Fault> {
        if self.held.as_ref().is_none_or(|(held, _)| *held != source) {
            let (name, chunk) = (&self.objects[source.object], source.chunk);
            let length = chunk.length as usize;
            let bytes = self.repository.read(name, chunk.at, length).await?;
            if Digest::of(&bytes) != chunk.sha256 {
                let why = format!(
                    "the chunk at byte {} (byte {} of the image) fails its checksum",
                    chunk.at, chunk.offset
                );
                return Err(damaged(name, why));
            }
            self.held = Some((source, bytes));
        }
        Ok(self.held.as_ref().map_or(&[], |(_, bytes)| bytes))
    }
}

#[async_trait]
impl Reader for Chain {
    fn size(&self) -> Bytes {
        self.manifest.size()
    }

    async fn next(&mut self) -> Result<Option<Extent>, Fault> {
        let Some((start, end, source)) = self.merged.next(self.at) else {
            return Ok(None);
        };
        let from = (start - source.chunk.offset) as usize;
        let to = (end - source.chunk.offset) as usize;
        let data = self.chunk(source).await?[from..to].to_vec();
        self.at = end;
        Ok(Some(Extent {
            offset: start,
            content: Content::Data(data),
        }))
    }
}

//! What a backup consists of. It is written last: without it there is no backup.

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::{BackupId, Bytes};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{Container, Part, name};
use crate::repository::{Repository, damaged};

/// The format that this release writes, and the only one so far.
const VERSION: u32 = 1;
/// The longest manifest that is read, in bytes.
const MANIFEST_MAX: u64 = 256 << 20;

/// The backup that an incremental one builds upon.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    /// Where it lies.
    pub container: Container,
    /// Which it is.
    pub id: BackupId,
}

/// An object of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) number: u32,
    /// The digest of its table.
    pub(crate) sha256: Digest,
}

/// What a backup consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    id: BackupId,
    /// The size of the image.
    size: Bytes,
    parent: Option<Parent>,
    /// The digest of the parent's manifest.
    parent_sha256: Option<Digest>,
    pub(crate) objects: Vec<Object>,
    /// Words of whoever made the backup, which mean nothing here.
    notes: serde_json::Value,
}

impl Manifest {
    pub(crate) fn new(
        id: BackupId,
        size: Bytes,
        parent: Option<(Parent, Digest)>,
        objects: Vec<Object>,
        notes: serde_json::Value,
    ) -> Self {
        let (parent, parent_sha256) = parent.unzip();
        Self {
            version: VERSION,
            id,
            size,
            parent,
            parent_sha256,
            objects,
            notes,
        }
    }

    /// The size of the image.
    pub const fn size(&self) -> Bytes {
        self.size
    }

    /// What it builds upon.
    pub const fn parent(&self) -> Option<&Parent> {
        self.parent.as_ref()
    }

    /// How many objects it has.
    pub const fn objects(&self) -> usize {
        self.objects.len()
    }

    /// What whoever made the backup wrote down with it.
    pub const fn notes(&self) -> &serde_json::Value {
        &self.notes
    }

    pub(crate) const fn parent_sha256(&self) -> Option<Digest> {
        self.parent_sha256
    }

    /// The manifest of a backup, checked; `NotFound` where there is no such backup (yet).
    pub async fn read(
        repository: &dyn Repository,
        container: &Container,
        id: BackupId,
    ) -> Result<Self, Fault> {
        Ok(Self::read_with(repository, container, id).await?.0)
    }

    /// The same with its digest.
    pub(crate) async fn read_with(
        repository: &dyn Repository,
        container: &Container,
        id: BackupId,
    ) -> Result<(Self, Digest), Fault> {
        let name = name(container, id, Part::Manifest);
        let len = repository.len(&name).await?;
        if len > MANIFEST_MAX {
            return Err(damaged(&name, "it is too long for a manifest"));
        }
        let bytes = repository.read(&name, 0, len as usize).await?;
        let text = std::str::from_utf8(&bytes).map_err(|error| damaged(&name, error))?;
        let (body, digest) = text
            .trim_end()
            .rsplit_once('\n')
            .ok_or_else(|| damaged(&name, "it has no checksum"))?;
        let found = Digest::of(body.as_bytes());
        if Digest::parse(digest) != Some(found) {
            return Err(damaged(&name, "it fails its checksum"));
        }
        let manifest: Self = serde_json::from_str(body).map_err(|error| damaged(&name, error))?;
        if manifest.version != VERSION {
            let why = format!("it is of version {}, not {VERSION}", manifest.version);
            return Err(damaged(&name, why));
        }
        if manifest.id != id {
            return Err(damaged(&name, "it is of another backup"));
        }
        Ok((manifest, found))
    }

    pub(crate) async fn write(
        &self,
        repository: &dyn Repository,
        container: &Container,
    ) -> Result<(), Fault> {
        let name = name(container, self.id, Part::Manifest);
        let body = serde_json::to_string(self)
            .map_err(|error| Fault::new(FaultKind::Internal, format!("write {name}"), error))?;
        let digest = Digest::of(body.as_bytes());
        let text = format!("{body}\n{digest}\n");
        repository.put(&name, text.into_bytes()).await
    }
}

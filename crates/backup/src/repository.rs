//! Where backups are kept.

use std::sync::Arc;

use async_trait::async_trait;
use firebrick_backend::{Fault, FaultKind};

use crate::names::Container;

/// A repository, whatever it is.
pub type SharedRepository = Arc<dyn Repository>;

/// Keeps objects: bytes that are written once, under names of the form `CONTAINER/OBJECT`.
///
/// Faults: `NotFound` where there is no such object, `NoSpace` where there is no more room, `Io` for
/// anything else that the repository does not do.
#[async_trait]
pub trait Repository: Send + Sync + 'static {
    /// What the API calls it: Cinder's name of the driver.
    fn service(&self) -> &str;

    /// Keeps an object. Afterwards all of it is durable; before, or where it fails, what had the name
    /// has it still.
    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Fault>;

    /// The length of an object, in bytes.
    async fn len(&self, name: &str) -> Result<u64, Fault>;

    /// Exactly `len` bytes of an object from `offset` on.
    async fn read(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>, Fault>;

    /// The objects of a container without its name, sorted; none where there is no such container.
    async fn list(&self, container: &Container) -> Result<Vec<String>, Fault>;

    /// Removes objects of one container, durably; those that are not there are no error.
    async fn remove(&self, container: &Container, objects: &[String]) -> Result<(), Fault>;
}

/// What is in a repository is not what was put there.
pub(crate) fn damaged(name: &str, why: impl std::fmt::Display) -> Fault {
    Fault::new(FaultKind::Io, format!("read {name} of the backup"), why)
}

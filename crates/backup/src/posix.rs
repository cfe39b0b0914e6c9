//! A folder as a repository.
//!
//! An object is written under another name, synced, renamed, and the folder synced, in this order: a name
//! that ends as those of objects do never stands for less than the whole object. Removing ends with a
//! sync of the folder too.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use async_trait::async_trait;
use firebrick_backend::{Fault, FaultKind};
use firebrick_edge::Disk;

use crate::names::Container;
use crate::repository::Repository;

/// What an object is called while it is being written.
const UNFINISHED: &str = ".part";

/// Objects in a folder.
#[derive(Clone)]
pub struct Posix {
    disk: Arc<dyn Disk>,
}

impl Posix {
    /// The repository in the folder that `disk` is.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: String,
        work: impl FnOnce(&dyn Disk) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let disk = Arc::clone(&self.disk);
        match tokio::task::spawn_blocking(move || work(&*disk)).await {
            Ok(done) => done.map_err(|error| fault(&doing, &error)),
            Err(error) => Err(Fault::new(FaultKind::Internal, doing, error)),
        }
    }
}

fn fault(doing: &str, error: &io::Error) -> Fault {
    let kind = match error.kind() {
        ErrorKind::NotFound => FaultKind::NotFound,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FaultKind::NoSpace,
        _ => FaultKind::Io,
    };
    Fault::new(kind, doing, error)
}

fn gone_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn put(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (folder, _) = name.split_once('/').unwrap_or(("", name));
    disk.create_dir(folder)?;
    // The folder's own name first: without it what is in it would be lost with it.
    disk.sync_dir("")?;
    let unfinished = format!("{name}{UNFINISHED}");
    // A writer that died may have left one.
    gone_is_fine(disk.remove(&unfinished))?;
    let file = disk.create(&unfinished)?;
    file.write_at(&[IoSlice::new(bytes)], 0)?;
    // The bytes before the name, so that no crash leaves the name without them.
    file.sync()?;
    disk.rename(&unfinished, name)?;
    disk.sync_dir(folder)
}

#[async_trait]
impl Repository for Posix {
    fn service(&self) -> &'static str {
        "cinder.backup.drivers.posix.PosixBackupDriver"
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Fault> {
        let (doing, name) = (format!("keep {name}"), name.to_owned());
        self.blocking(doing, move |disk| {
            let done = put(disk, &name, &bytes);
            if done.is_err() {
                // What was written takes room that others may need.
                let _ = disk.remove(&format!("{name}{UNFINISHED}"));
            }
            done
        })
        .await
    }

    async fn len(&self, name: &str) -> Result<u64, Fault> {
        let (doing, name) = (format!("look at {name}"), name.to_owned());
        self.blocking(doing, move |disk| disk.open(&name)?.len())
            .await
    }

    async fn read(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>, Fault> {
        let (doing, name) = (format!("read {name}"), name.to_owned());
        self.blocking(doing, move |disk| {
            let mut bytes = vec![0; len];
            disk.open(&name)?.read_at(&mut bytes, offset)?;
            Ok(bytes)
        })
        .await
    }

    async fn list(&self, container: &Container) -> Result<Vec<String>, Fault> {
        let container = container.to_string();
        let doing = format!("list {container}");
        self.blocking(doing, move |disk| match disk.list(&container) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        })
        .await
    }

    async fn remove(&self, container: &Container, objects: &[String]) -> Result<(), Fault> {
        if objects.is_empty() {
            return Ok(());
        }
        let (container, objects) = (container.to_string(), objects.to_vec());
        let doing = format!("remove {} objects of {container}", objects.len());
        self.blocking(doing, move |disk| {
            for object in objects {
                gone_is_fine(disk.remove(&format!("{container}/{object}")))?;
            }
            disk.sync_dir(&container)
        })
        .await
    }
}

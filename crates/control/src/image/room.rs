//! `image_conversion_dir`: how many images are in it at once, how much room they have, and that none of
//! their files stays.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use firebrick_state::MessageDetail;
use firebrick_vocabulary::ActivityId;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{info, warn};

use crate::options::ImageOptions;
use crate::story::{Step, Stop};
use crate::why::Why;

/// The folder, as all stories of this process share it.
pub(crate) struct Room {
    places: Semaphore,
    /// Bytes that stories may still write.
    promised: Mutex<u64>,
}

/// A place in the folder: its files go with it.
pub(super) struct Place<'a> {
    room: &'a Room,
    folder: &'a Path,
    name: String,
    promised: u64,
    files: Vec<PathBuf>,
    _permit: SemaphorePermit<'a>,
}

impl Room {
    /// Of a process that may convert so many images at once. What an earlier life of it has left goes.
    pub(crate) fn new(options: Option<&ImageOptions>, node: &str) -> Self {
        if let Some(options) = options {
            sweep(&options.conversion_dir, node);
        }
        Self {
            places: Semaphore::new(options.map_or(0, |options| options.at_once)),
            promised: Mutex::new(0),
        }
    }

    /// Waits for a place.
    pub(super) async fn place<'a>(
        &'a self,
        options: &'a ImageOptions,
        node: &str,
        activity: ActivityId,
    ) -> Step<Place<'a>> {
        let permit = self.places.acquire().await;
        let permit = permit.map_err(|_| Stop::always("this process ends"))?;
        let folder = options.conversion_dir.as_path();
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(|why| broken(&why))?;
        Ok(Place {
            room: self,
            folder,
            name: format!("{}{activity}", prefix(node)),
            promised: 0,
            files: Vec::new(),
            _permit: permit,
        })
    }
}

impl Place<'_> {
    /// Refused where there is no room for so many bytes more beside what others were promised.
    pub(super) fn reserve(&mut self, bytes: u64) -> Step {
        let there = rustix::fs::statvfs(self.folder).map_err(|why| broken(&why.into()))?;
        let free = there.f_bavail.saturating_mul(there.f_frsize);
        let mut promised = self.room.promised.lock();
        if promised.saturating_add(bytes) > free {
            info!(free, bytes, promised = *promised, "no room for an image");
            return Err(full());
        }
        *promised += bytes;
        self.promised += bytes;
        Ok(())
    }

    /// What was promised is on the disk now.
    pub(super) fn written(&mut self, bytes: u64) {
        let bytes = bytes.min(self.promised);
        self.promised -= bytes;
        *self.room.promised.lock() -= bytes;
    }

    /// A file of that kind, not made yet.
    pub(super) fn path(&mut self, kind: &str) -> PathBuf {
        let path = self.folder.join(format!("{}.{kind}", self.name));
        self.files.push(path.clone());
        path
    }

    /// An empty file of that kind, which nobody else may read.
    pub(super) fn file(&mut self, kind: &str) -> Step<(PathBuf, tokio::fs::File)> {
        let path = self.path(kind);
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path);
        Ok((
            path,
            tokio::fs::File::from_std(opened.map_err(|why| broken(&why))?),
        ))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        for path in &self.files {
            remove(path);
        }
        *self.room.promised.lock() -= self.promised;
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(path = %path.display(), %error, "a file of an image stays"),
    }
}

fn prefix(node: &str) -> String {
    format!("{node}-")
}

/// Removes what an earlier life of `node` has left.
fn sweep(folder: &Path, node: &str) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            warn!(folder = %folder.display(), %error, "image_conversion_dir cannot be read");
            return;
        }
    };
    let prefix = prefix(node);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        let id = ours.and_then(|rest| rest.split_once('.')).map(|(id, _)| id);
        if id.is_some_and(|id| id.parse::<ActivityId>().is_ok()) {
            info!(file = ?name, "a file of an image is removed that an earlier life has left");
            remove(&entry.path());
        }
    }
}

/// There is no room for an image.
pub(super) fn full() -> Stop {
    let why = Why::from("image_conversion_dir has no room for the image");
    let why = why.noting("there is no room to convert the image now");
    Stop::Never(why.detail(MessageDetail::NotEnoughSpaceForImage))
}

/// The folder is of no use.
pub(super) fn broken(why: &io::Error) -> Stop {
    if why.kind() == io::ErrorKind::StorageFull {
        return full();
    }
    Stop::never(format!("image_conversion_dir: {why}"))
}

#[cfg(test)]
mod tests {
    use firebrick_cloud::{Glance, GlanceOptions};

    use super::*;

    #[tokio::test]
    async fn a_place_has_the_room_that_no_other_was_promised_and_takes_its_files_along() {
        let folder = tempfile::TempDir::new().unwrap();
        let glance = Glance::new(GlanceOptions {
            servers: vec!["http://localhost".to_owned()],
            ..GlanceOptions::default()
        });
        let options = ImageOptions {
            at_once: 2,
            ..ImageOptions::new(glance.unwrap(), folder.path().join("a"))
        };
        let room = Room::new(Some(&options), "node");
        let place = async || room.place(&options, "node", ActivityId::random()).await;
        let (mut one, mut other) = (place().await.unwrap(), place().await.unwrap());
        let there = rustix::fs::statvfs(&options.conversion_dir).unwrap();
        let free = there.f_bavail * there.f_frsize;
        one.reserve(free / 4 * 3).unwrap();
        assert!(matches!(other.reserve(free / 2), Err(Stop::Never(_))));
        one.written(free / 4 * 3);
        other.reserve(free / 2).unwrap();
        assert!(other.reserve(free / 4 * 3).is_err());
        drop(other);
        let third = tokio::time::timeout(std::time::Duration::from_secs(10), place()).await;
        let mut third = third.unwrap().unwrap();
        third.reserve(free / 2).unwrap();
        let (path, _file) = third.file("image").unwrap();
        assert!(path.exists());
        drop(third);
        assert!(!path.exists() && options.conversion_dir.exists());
        assert_eq!(*room.promised.lock(), 0);
        drop(one);
    }
}

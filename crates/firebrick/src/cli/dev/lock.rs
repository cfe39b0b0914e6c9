//! One `dev` to a folder.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::exit::Failure;

/// Takes the folder for this process, until the file is closed or the process ends, however it does.
pub(super) fn take(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("dev.lock");
    let doing = || format!("lock {}", path.display());
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|error| Failure::new(doing(), error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Failure::Failed(format!(
            "a dev runs already in {}",
            dir.display()
        ))),
        Err(error) => Err(Failure::new(doing(), error)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_folder_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = super::take(dir.path()).unwrap();
        let second = super::take(dir.path()).unwrap_err().to_string();
        assert!(second.contains("runs already"), "{second}");
        drop(first);
        assert!(super::take(dir.path()).is_ok());
    }
}

//! The machine's own disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, FlockOperation};
use rustix::io::{Errno, ReadWriteFlags};

use crate::around::Around;
use crate::cache;
use crate::disk::{Disk, DiskFile, DiskLock, DiskSpace};
use crate::parts::{self, Part};

/// The most slices that one `pwritev` takes (`IOV_MAX`).
const SLICES_MAX: usize = 1024;

/// A folder of the file system.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// The folder `root`, made where it does not exist.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

struct RealFile {
    file: File,
    around: Around,
}

impl RealFile {
    fn new(file: File) -> Arc<Self> {
        let around = Around::default();
        Arc::new(Self { file, around })
    }
}

struct RealLock(#[allow(dead_code, reason = "the lock ends when the file closes")] File);

impl DiskLock for RealLock {}

impl Disk for RealDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path(name))?;
        Ok(RealFile::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(name))?;
        Ok(RealFile::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(dir))? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(dir))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.path(dir))?.sync_all()
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path(name))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(RealLock(file)))
    }

    fn space(&self) -> io::Result<DiskSpace> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(DiskSpace {
            total: stat.f_blocks * stat.f_frsize,
            free: stat.f_bavail * stat.f_frsize,
        })
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut slices = [IoSliceMut::new(buffer)];
        match rustix::io::preadv2(&self.file, &mut slices, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read),
            // A file system without RWF_NOWAIT answers OPNOTSUPP: then every read may wait.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn read_cached_parts_at(&self, parts: &mut [Part<'_>], offset: u64) -> io::Result<usize> {
        parts::read_cached(&self.file, parts, offset)
    }

    fn read_around_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.around.read(&self.file, buffer, offset)? {
            return Ok(());
        }
        self.read_at(buffer, offset)
    }

    fn is_cached(&self, offset: u64, len: u64) -> bool {
        cache::holds(&self.file, offset, len)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut at = offset;
        for group in parts.chunks(SLICES_MAX) {
            at += write_group(&self.file, group, at)?;
        }
        Ok(())
    }

    fn write_around_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        if self.around.write(&self.file, parts, offset)? {
            return Ok(());
        }
        self.write_at(parts, offset)?;
        // So much at once would keep whoever wants a sync waiting, and pages that nobody has written out yet are
        // of no use to those who need memory.
        let len = parts.iter().map(|part| part.len() as u64).sum();
        cache::begin_write_out(&self.file, offset, len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn begin_sync(&self, offset: u64, len: u64) {
        cache::begin_write_out(&self.file, offset, len);
    }

    fn forget_cached(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed)?)
    }

    fn give_up_cached(&self, offset: u64, len: u64) {
        cache::give_up(&self.file, offset, len);
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP) => self.file.set_len(len.max(self.file.metadata()?.len())),
            Err(error) => Err(error.into()),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

/// Writes one group of slices whole and returns its length; after a short write the rest follows.
fn write_group(file: &File, group: &[IoSlice<'_>], offset: u64) -> io::Result<u64> {
    let total: usize = group.iter().map(|part| part.len()).sum();
    let mut done = 0;
    while done < total {
        let wrote = if done == 0 {
            rustix::io::pwritev(file, group, offset)
        } else {
            let (index, skip) = slice_at(group, done);
            rustix::io::pwrite(file, &group[index][skip..], offset + done as u64)
        };
        match wrote {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(total as u64)
}

/// The slice that holds byte `done` of the group, and the byte's place in it.
fn slice_at(group: &[IoSlice<'_>], done: usize) -> (usize, usize) {
    let mut before = 0;
    for (index, part) in group.iter().enumerate() {
        if done < before + part.len() {
            return (index, done - before);
        }
        before += part.len();
    }
    (group.len().saturating_sub(1), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_of_many_slices_arrive_whole() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(dir.path()).unwrap();
        let file = disk.create("f").unwrap();
        let bytes: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
        let parts: Vec<IoSlice<'_>> = bytes.chunks(2).map(IoSlice::new).collect();
        file.write_at(&parts, 7).unwrap();
        let mut back = vec![0; bytes.len()];
        file.read_at(&mut back, 7).unwrap();
        assert_eq!(back, bytes);
    }

    #[test]
    fn a_cached_read_says_how_far_it_came() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(dir.path()).unwrap();
        let file = disk.create("f").unwrap();
        file.write_at(&[IoSlice::new(&[5; 6000])], 0).unwrap();
        let mut back = [0; 8192];
        let read = file.read_cached_at(&mut back, 0).unwrap();
        // A file system may not be able to.
        assert!(read == 6000 || read == 4096 || read == 0, "{read}");
        assert!(back[..read].iter().all(|byte| *byte == 5));
    }

    #[test]
    fn a_locked_folder_refuses_a_second_lock() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(dir.path()).unwrap();
        let held = disk.lock("lock").unwrap();
        assert!(disk.lock("lock").is_err());
        drop(held);
        assert!(disk.lock("lock").is_ok());
    }
}

//! One open file of a simulated disk.

use std::io::{self, IoSlice};
use std::sync::Arc;

use firebrick_edge::DiskFile;
use parking_lot::Mutex;

use crate::disk::Inner;
use crate::faults::Fate;
use crate::names::FileId;

/// A handle of a file, which outlives its name.
pub(crate) struct SimulatedFile {
    pub(crate) disk: Arc<Mutex<Inner>>,
    pub(crate) id: FileId,
    /// The name by which it was opened.
    pub(crate) name: String,
}

impl SimulatedFile {
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let fate = disk.faults.begin()?;
        disk.faults.writes.next()?;
        disk.make_room(self.id, len)?;
        disk.files[self.id].set_len(len);
        fate.answer()
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        if let Some(pause) = disk.faults.before_read(&self.name) {
            drop(disk);
            (pause.act)();
            disk = self.disk.lock();
        }
        disk.faults.powered()?;
        if disk.files[self.id].read(buffer, offset) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(buffer, offset)?;
        let most = self.disk.lock().faults.cached.unwrap_or(usize::MAX);
        let here = buffer.len().min(most);
        buffer[here..].fill(0xee);
        Ok(here)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut bytes: Vec<u8> = Vec::new();
        for part in parts {
            bytes.extend_from_slice(part);
        }
        let mut disk = self.disk.lock();
        let fate = disk.faults.begin()?;
        if let Err(error) = disk.faults.writes.next() {
            // A write that fails may have got half of its way.
            bytes.truncate(bytes.len() / 2);
            let end = disk.files[self.id].len();
            if offset + bytes.len() as u64 <= end {
                disk.files[self.id].write(offset, bytes);
            }
            return Err(error);
        }
        disk.make_room(self.id, offset + bytes.len() as u64)?;
        disk.files[self.id].write(offset, bytes);
        fate.answer()
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let fate = disk.faults.begin()?;
        if let Err(error) = disk.faults.syncs.next() {
            disk.files[self.id].lose_unsynced();
            return Err(error);
        }
        let ignored = disk
            .faults
            .ignores_sync(&self.name, disk.files[self.id].bytes());
        if fate == Fate::Done && !ignored {
            disk.files[self.id].sync();
        }
        fate.answer()
    }

    fn forget_cached(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.faults.powered()?;
        disk.files[self.id].forget_cached();
        Ok(())
    }

    fn give_up_cached(&self, offset: u64, len: u64) {
        let range = (self.name.clone(), offset..offset + len);
        self.disk.lock().given_up.push(range);
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.set_len(len.max(self.len()?))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        let disk = self.disk.lock();
        disk.faults.powered()?;
        Ok(disk.files[self.id].len())
    }
}

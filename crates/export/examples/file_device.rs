//! Serves a plain file by NBD: what a [`Device`] has to do at the least, and a measure of what the
//! protocol itself costs, without a store behind it.
//!
//! ```text
//! truncate -s 1G disk.img
//! cargo run --release -p firebrick_export --example file_device -- disk.img disk.sock
//! nbdinfo 'nbd+unix:///disk?socket=disk.sock'
//! ```
//!
//! It serves until its standard input ends.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use firebrick_export::{
    Device, DeviceError, DeviceWrite, ExportServer, ExportServerOptions, Extent, ExtentState,
};
use firebrick_vocabulary::{ByteRange, Bytes};
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// A file of a fixed size.
struct FileDevice {
    file: File,
    size: u64,
}

impl Device for FileDevice {
    fn size(&self) -> Bytes {
        Bytes(self.size)
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|_| DeviceError::Io)
    }

    fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DeviceError> {
        let buffer = &mut [io::IoSliceMut::new(buffer)];
        match preadv2(&self.file, buffer, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read),
            Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP) => Ok(0),
            Err(_) => Err(DeviceError::Io),
        }
    }

    fn write(&self, writes: &[DeviceWrite<'_>]) -> Result<(), DeviceError> {
        for write in writes {
            self.file
                .write_all_at(write.data, write.offset)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::StorageFull => DeviceError::NoSpace,
                    _ => DeviceError::Io,
                })?;
        }
        Ok(())
    }

    fn discard(&self, range: ByteRange) -> Result<(), DeviceError> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&self.file, flags, range.offset, range.len).map_err(|_| DeviceError::Io)
    }

    fn write_zeroes(&self, range: ByteRange) -> Result<(), DeviceError> {
        self.discard(range)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.file.sync_data().map_err(|_| DeviceError::Io)
    }

    fn extents(&self, range: ByteRange, most: usize) -> Result<Vec<Extent>, DeviceError> {
        let end = range.offset + range.len;
        let mut extents = Vec::new();
        let mut at = range.offset;
        while at < end && extents.len() < most {
            let data = match seek(&self.file, SeekFrom::Data(at)) {
                Ok(data) => data,
                // No data from here to the end of the file.
                Err(Errno::NXIO) => end,
                Err(_) => return Err(DeviceError::Io),
            };
            let (state, next) = if data > at {
                (ExtentState::Hole, data)
            } else {
                let hole = seek(&self.file, SeekFrom::Hole(at)).map_err(|_| DeviceError::Io)?;
                (ExtentState::Data, hole)
            };
            let next = next.min(end);
            extents.push(Extent {
                len: next - at,
                state,
            });
            at = next;
        }
        Ok(extents)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(socket)) = (arguments.next(), arguments.next()) else {
        return Err("usage: file_device FILE SOCKET".into());
    };
    let file = File::options().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let server = ExportServer::start(ExportServerOptions::new(socket))?;
    server.add("disk", Arc::new(FileDevice { file, size }), false);
    writeln!(io::stdout(), "serving")?;
    io::copy(&mut io::stdin().by_ref(), &mut io::sink())?;
    server.stop();
    Ok(())
}

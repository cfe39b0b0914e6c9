//! Small files that a site keeps beside its identity, each written whole or not at all.
//!
//! The new text becomes durable under another name, then takes the place of the old one, and that is durable
//! before anybody acts upon it or is told of it. So after a crash at any instant there is the old text or
//! the new one, and whoever got an answer finds the new one.

use std::io;
use std::io::IoSlice;

use firebrick_edge::Disk;

/// More than such a text ever has, in bytes.
const BYTES_MAX: u64 = 4 << 20;

/// The text of that name; `None` where there has never been one.
pub(super) fn read(disk: &dyn Disk, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = file.len()?;
    if len > BYTES_MAX {
        return Err(invalid(format!("it has {len} bytes")));
    }
    let mut text = vec![0; len as usize];
    file.read_at(&mut text, 0)?;
    Ok(Some(text))
}

/// Puts `text` in the place of the former one; durable on return.
pub(super) fn write(disk: &dyn Disk, name: &str, text: &[u8]) -> io::Result<()> {
    if text.len() as u64 > BYTES_MAX {
        return Err(invalid(format!("it would have {} bytes", text.len())));
    }
    let beside = format!("{name}.new");
    // Left by a crash.
    match disk.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = disk.create(&beside)?;
    file.write_at(&[IoSlice::new(text)], 0)?;
    // Before the name: it must never stand for a text that is not there.
    file.sync()?;
    disk.rename(&beside, name)?;
    // Before the answer: who was told of it finds it after a crash.
    disk.sync_dir("")
}

/// What is wrong with such a text.
pub(super) fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

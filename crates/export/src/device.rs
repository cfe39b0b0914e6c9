//! What an export serves: a block device.

use std::sync::{Arc, Weak};

use firebrick_vocabulary::{ByteRange, Bytes};

use crate::throttle::Throttle;

/// Why the device did not do what a client asked; each is one NBD error.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// The image is not primary here, or the export is read-only: `NBD_EPERM`.
    #[error("not writable here")]
    NotWritable,
    /// The store is full: `NBD_ENOSPC`.
    #[error("no space left in the store")]
    NoSpace,
    /// The range lies beyond the end of the image: `NBD_EINVAL` (reads, trims) or `NBD_ENOSPC`
    /// (writes), as the protocol document asks.
    #[error("beyond the end of the image")]
    OutOfRange,
    /// A disk error, or a block that fails its checksum: `NBD_EIO`.
    #[error("input/output error")]
    Io,
    /// The image was removed, or the store is closing: the session ends without an answer, so that
    /// the client may reconnect.
    #[error("the device is gone")]
    Gone,
}

/// What a range of the device holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExtentState {
    /// Data in the log.
    Data,
    /// Nothing: reads as zeroes and takes no room (`NBD_STATE_HOLE | NBD_STATE_ZERO`).
    Hole,
}

/// A range of the device in one state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// How many bytes, counted from the end of the extent before.
    pub len: u64,
    /// What they hold.
    pub state: ExtentState,
}

/// One write of a batch.
#[derive(Clone, Copy, Debug)]
pub struct DeviceWrite<'a> {
    /// First byte.
    pub offset: u64,
    /// What to write.
    pub data: &'a [u8],
}

/// Who waits for the answer to a flush.
pub trait Flushed: Send + Sync {
    /// The answer; never waits.
    fn answer(&self, result: Result<(), DeviceError>);
}

/// A block device behind an export. All calls may block unless they say otherwise, any number may run
/// at once, and each is atomic against the others for each block of 4 KiB.
pub trait Device: Send + Sync + 'static {
    /// The size now.
    fn size(&self) -> Bytes;
    /// What people are told about it, in a line; empty for nothing.
    fn description(&self) -> String {
        String::new()
    }
    /// Whether writes can succeed now.
    fn is_writable(&self) -> bool;
    /// Fills `buffer` from `offset`.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError>;
    /// As [`Self::read`], but only as far as that needs no wait for the disk: how many bytes from
    /// `offset` on that is.
    fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DeviceError>;
    /// Performs the writes in their order as one unit of the log; durable only after a flush.
    fn write(&self, writes: &[DeviceWrite<'_>]) -> Result<(), DeviceError>;
    /// Whether [`Self::write`] waits now for longer than it takes.
    fn is_slowed(&self) -> bool {
        false
    }
    /// Frees the range: it reads as zeroes afterwards.
    fn discard(&self, range: ByteRange) -> Result<(), DeviceError>;
    /// Makes the range read as zeroes; takes no room.
    fn write_zeroes(&self, range: ByteRange) -> Result<(), DeviceError>;
    /// Returns once everything acknowledged before the call is durable.
    fn flush(&self) -> Result<(), DeviceError>;
    /// Whether clients get the answer to a flush only once others have what it covers. Does not wait.
    fn is_synchronous(&self) -> bool {
        false
    }
    /// Has `flushed` hear once, from whatever thread, what clients get as the answer to a flush that has returned: as
    /// soon as others have what it covers. Whoever is not there any more by then hears nothing. Does not wait.
    fn hold_flush(&self, flushed: Weak<dyn Flushed>) {
        if let Some(flushed) = flushed.upgrade() {
            flushed.answer(Ok(()));
        }
    }
    /// A flush will probably follow soon: what it must wait for can begin. Does not wait itself.
    fn begin_flush(&self) {}
    /// What `range` holds, from its start on; at most `most` extents, neighbours differ.
    fn extents(&self, range: ByteRange, most: usize) -> Result<Vec<Extent>, DeviceError>;
    /// What all clients of the device must pass before each request; without it nothing is limited.
    fn throttle(&self) -> Option<&Arc<Throttle>> {
        None
    }
}

//! An image as the device behind an export.

use std::sync::Arc;

use firebrick_engine::{Error, ErrorKind, Image, Write};
use firebrick_export::{Device, DeviceError, DeviceWrite, Extent, ExtentState, Throttle};
use firebrick_vocabulary::{ByteRange, Bytes};

/// An image of the engine, seen by a guest.
pub(super) struct ImageDevice {
    image: Arc<Image>,
    throttle: Arc<Throttle>,
}

impl ImageDevice {
    /// The device of `image`, whose requests all pass `throttle`.
    pub(super) fn new(image: Arc<Image>, throttle: Arc<Throttle>) -> Self {
        Self { image, throttle }
    }

    /// What the guest is told; what it cannot be told goes to the journal.
    fn refuse(&self, doing: &'static str, error: &Error) -> DeviceError {
        match error.kind {
            ErrorKind::NotPrimary | ErrorKind::Fenced => DeviceError::NotWritable,
            ErrorKind::NoSpace => DeviceError::NoSpace,
            ErrorKind::OutOfRange => DeviceError::OutOfRange,
            ErrorKind::NotFound | ErrorKind::Closed => DeviceError::Gone,
            ErrorKind::Exists
            | ErrorKind::Busy
            | ErrorKind::Limit
            | ErrorKind::Inconsistent
            | ErrorKind::Invalid
            | ErrorKind::Poisoned
            | ErrorKind::Damaged
            | ErrorKind::NoIndex
            | ErrorKind::DamagedIndex
            | ErrorKind::Locked
            | ErrorKind::Io => {
                tracing::error!(image = %self.image.id(), doing, %error, "a guest's request failed");
                DeviceError::Io
            }
        }
    }
}

impl Device for ImageDevice {
    fn size(&self) -> Bytes {
        self.image.size()
    }

    fn description(&self) -> String {
        format!("Firebrick image {}", self.image.info().name)
    }

    fn is_writable(&self) -> bool {
        self.image.is_writable()
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.image
            .read(offset, buffer)
            .map_err(|error| self.refuse("read", &error))
    }

    fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DeviceError> {
        self.image
            .read_cached(offset, buffer)
            .map_err(|error| self.refuse("read", &error))
    }

    fn write(&self, writes: &[DeviceWrite<'_>]) -> Result<(), DeviceError> {
        let writes: Vec<_> = writes
            .iter()
            .map(|write| Write {
                offset: write.offset,
                data: write.data,
            })
            .collect();
        self.image
            .write(&writes)
            .map_err(|error| self.refuse("write", &error))
    }

    fn is_slowed(&self) -> bool {
        self.image.is_slowed()
    }

    fn discard(&self, range: ByteRange) -> Result<(), DeviceError> {
        self.image
            .discard(range.offset, range.len)
            .map_err(|error| self.refuse("discard", &error))
    }

    fn write_zeroes(&self, range: ByteRange) -> Result<(), DeviceError> {
        let done = self.image.write_zeroes(range.offset, range.len);
        done.map_err(|error| self.refuse("write zeroes", &error))
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.image
            .flush()
            .map_err(|error| self.refuse("flush", &error))
    }

    fn begin_flush(&self) {
        self.image.begin_flush();
    }

    fn extents(&self, range: ByteRange, most: usize) -> Result<Vec<Extent>, DeviceError> {
        let found = self.image.extents(range.offset, range.len, most);
        let found = found.map_err(|error| self.refuse("map", &error))?;
        let extents = found.into_iter().map(|extent| Extent {
            len: extent.len,
            state: if extent.data {
                ExtentState::Data
            } else {
                ExtentState::Hole
            },
        });
        Ok(extents.collect())
    }

    fn throttle(&self) -> Option<&Arc<Throttle>> {
        Some(&self.throttle)
    }
}

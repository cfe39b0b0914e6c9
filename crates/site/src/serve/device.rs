//! An image as the device behind an export.

use std::sync::{Arc, Weak};

use firebrick_engine::{Error, ErrorKind, Image, Write};
use firebrick_export::{Device, DeviceError, DeviceWrite, Extent, ExtentState, Flushed, Throttle};
use firebrick_mirror::{Mirror, Settled, Waiter};
use firebrick_vocabulary::{ByteRange, Bytes};

/// An image of the engine, seen by a guest.
pub(super) struct ImageDevice {
    image: Arc<Image>,
    throttle: Arc<Throttle>,
    mirror: Arc<Mirror>,
}

impl ImageDevice {
    /// The device of `image`, whose requests all pass `throttle`, and whose flushes wait for the peers of `mirror`
    /// where the image is in sync mode.
    pub(super) fn new(image: Arc<Image>, throttle: Arc<Throttle>, mirror: Arc<Mirror>) -> Self {
        Self {
            image,
            throttle,
            mirror,
        }
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

/// A client that waits for the answer to a flush.
struct Waiting(Weak<dyn Flushed>);

impl Waiter for Waiting {
    fn is_there(&self) -> bool {
        self.0.strong_count() > 0
    }

    fn settle(&self, outcome: Settled) {
        let Some(flushed) = self.0.upgrade() else {
            return;
        };
        flushed.answer(match outcome {
            Settled::Held(_) => Ok(()),
            Settled::NotPrimary => Err(DeviceError::NotWritable),
        });
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

    fn is_synchronous(&self) -> bool {
        self.image.is_synchronous()
    }

    fn hold_flush(&self, flushed: Weak<dyn Flushed>) {
        let waiting = Waiting(flushed);
        match self.image.sync_point() {
            Some(point) => self
                .mirror
                .hold_flush(self.image.id(), point, Box::new(waiting)),
            // It is primary elsewhere by now, where nobody knows of what was flushed here.
            None if self.image.is_synchronous() => waiting.settle(Settled::NotPrimary),
            None => waiting.settle(Settled::Held(Vec::new())),
        }
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

//! An open log.

use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::{Clock, Disk};
use firebrick_vocabulary::{Position, Sequence, StoreId};

use crate::entry::{Appended, Entry, Frame, LogOptions};
use crate::error::Error;
use crate::record::{Applied, Location};

/// An open log. All methods may be called from any thread.
pub struct Log {}

/// A store that has been found and locked, whose tail has not been read yet.
pub struct Recovery {}

/// Reads frames in order, as they are appended.
pub struct Reader {}

impl Log {
    /// Makes an empty store in the folder: superblock, folders and first segment, all durable.
    /// Refuses with [`ErrorKind::Exists`](crate::ErrorKind::Exists) where there is one.
    pub fn create(disk: &Arc<dyn Disk>, store: StoreId, options: LogOptions) -> Result<(), Error> {
        todo!()
    }

    /// Finds and locks the store; what it holds is read by [`Recovery::replay`].
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Recovery, Error> {
        todo!()
    }

    /// The id of the store.
    pub fn store(&self) -> StoreId {
        todo!()
    }

    /// Appends one frame: its records get consecutive sequences, and after a crash all of them are
    /// there or none. Not durable before a later [`Self::flush`]. Where the file system is full
    /// ([`ErrorKind::NoSpace`](crate::ErrorKind::NoSpace)) nothing was appended.
    pub fn append(
        &self,
        entries: &[Entry<'_>],
        applied: Option<Applied>,
    ) -> Result<Appended, Error> {
        todo!()
    }

    /// The sequence that the first record of the next frame gets. Certain only while the caller
    /// keeps others from appending.
    pub fn next_sequence(&self) -> Sequence {
        todo!()
    }

    /// The last appended record.
    pub fn head(&self) -> Position {
        todo!()
    }

    /// The last record that is durable.
    pub fn durable(&self) -> Position {
        todo!()
    }

    /// Frames appended from here on carry the next epoch of the store.
    pub fn raise_epoch(&self) {
        todo!()
    }

    /// Makes everything durable that was appended before the call, and says up to where. Calls that
    /// come together share one sync.
    pub fn flush(&self) -> Result<Position, Error> {
        todo!()
    }

    /// Reads the whole blocks of `buffer` from `at` on; they must lie in one record's data.
    /// The checksums are the caller's to check.
    pub fn read(&self, at: Location, buffer: &mut [u8]) -> Result<(), Error> {
        todo!()
    }

    /// As [`Self::read`], but only if that needs no wait for the disk; `false` where it would.
    pub fn read_cached(&self, at: Location, buffer: &mut [u8]) -> Result<bool, Error> {
        todo!()
    }

    /// A reader whose first frame is the one that holds record `from` (perhaps in its middle).
    pub fn reader(&self, from: Sequence) -> Result<Reader, Error> {
        todo!()
    }

    /// Waits until the head is beyond `sequence`, at most `timeout`; whether it is.
    pub fn wait_beyond(&self, sequence: Sequence, timeout: Duration) -> bool {
        todo!()
    }

    /// The bytes of all frames appended since the log was opened.
    pub fn bytes_appended(&self) -> u64 {
        todo!()
    }

    /// The number of segment files.
    pub fn segment_count(&self) -> usize {
        todo!()
    }

    /// The bytes that the segment files take.
    pub fn segment_bytes(&self) -> u64 {
        todo!()
    }

    /// Flushes, then lets others open the store; every later append fails.
    pub fn close(&self) -> Result<(), Error> {
        todo!()
    }
}

impl Recovery {
    /// The id of the store.
    pub fn store(&self) -> StoreId {
        todo!()
    }

    /// Visits every frame from the one that holds record `from` on (`from - 1` is what the newest
    /// checkpoint holds, and must have been durable), each verified whole, then makes the log ready
    /// for appending: what lies behind the last whole frame is gone for good, and what was visited
    /// is durable.
    pub fn replay<E: From<Error>>(
        self,
        from: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), E>,
    ) -> Result<Log, E> {
        todo!()
    }
}

impl Reader {
    /// The next frame, without its data; `None` at the head (ask again later).
    pub fn next(&mut self) -> Result<Option<Frame>, Error> {
        todo!()
    }
}

//! Large frames are written side by side: each gets its place, then all go to the disk at once.
//!
//! A frame that was reserved follows on the one before, whether that has been written or not. So they
//! are published in the order of their places, and a frame that could not be written takes those
//! behind it with it. Nothing is lost by that: none of them has been acknowledged, and a crash that
//! comes first ends the log before the first one that is not whole. While any is reserved nothing else
//! is appended, and they stay in one segment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use firebrick_edge::DiskFile;
use firebrick_vocabulary::{BLOCK_SIZE, Sequence};

use crate::entry::{Appended, Entry};
use crate::error::{Error, ErrorKind};
use crate::frame;
use crate::log::Log;
use crate::record::Checksum;
use crate::segment::Segment;
use crate::supply::Right;

const DOING: &str = "append to the log";

/// A frame that has its place in the log.
pub struct Reserved {
    head: Vec<u8>,
    segment: Arc<Segment>,
    file: Arc<dyn DiskFile>,
    offset: u64,
    /// What the frame follows on.
    chain: Checksum,
    frame_len: u64,
    data_len: u64,
    appended: Appended,
}

impl Log {
    /// Gives a frame its place behind all others, reserved ones too; [`Self::fill`] writes it, then
    /// [`Self::publish`] must follow, in the order of the places, or [`Self::withdraw`]. `None` where
    /// it does not pay, or does not fit into the segment: then [`Self::append`] it, once nothing is
    /// reserved.
    pub fn reserve(&self, entries: &[Entry<'_>]) -> Result<Option<Reserved>, Error> {
        let shared = &*self.shared;
        let mut head = Vec::new();
        let data_len = frame::table(entries, &mut head)?;
        let around = shared.around_min;
        if data_len < around {
            return Ok(None);
        }
        let mut writer = shared.writer.lock();
        shared.may_append(&mut writer, Right::Guest)?;
        let offset = writer.offset;
        let padded = frame::padded(head.len(), data_len, offset, around);
        if offset + padded + data_len > writer.segment.len() {
            return Ok(None);
        }
        let heading = shared.heading(&writer, None);
        let chain = writer.chain;
        let encoded = frame::seal(&heading, entries.len(), padded, data_len, &mut head);
        let appended = writer.place(entries, &heading, padded);
        writer.pass(&encoded, entries.len());
        writer.reserved += 1;
        Ok(Some(Reserved {
            head,
            segment: Arc::clone(&writer.segment),
            file: Arc::clone(&writer.file),
            offset,
            chain,
            frame_len: encoded.frame_len,
            data_len,
            appended,
        }))
    }

    /// Writes a frame to its place; `entries` are those it was reserved for. May be called by many at
    /// once.
    pub fn fill(&self, reserved: &Reserved, entries: &[Entry<'_>]) -> Result<(), Error> {
        let shared = &*self.shared;
        shared.refuse_poisoned(DOING)?;
        let Reserved {
            head,
            file,
            offset,
            segment,
            ..
        } = reserved;
        let data = frame::data(entries);
        let place = (*offset, segment.len());
        let written = frame::write(&**file, head, &data, place, shared.around_min);
        written.map_err(|error| {
            let error = Error::io(DOING, error);
            // After anything but a want of room nobody knows what is there.
            if error.kind == ErrorKind::Io {
                shared.flusher.poison();
            }
            error
        })
    }

    /// A frame that has been written is part of the log: all before it must have been published.
    pub fn publish(&self, reserved: Reserved) -> Result<Appended, Error> {
        let shared = &*self.shared;
        let mut writer = shared.writer.lock();
        self.take_turn(&reserved)?;
        writer.reserved -= 1;
        writer.remains = false;
        // A flush may have taken the segment up since the place was given.
        writer.dirty = true;
        let end = reserved.offset + reserved.frame_len;
        let blocks = reserved.data_len / BLOCK_SIZE;
        reserved.segment.fill(end, blocks, &reserved.appended);
        let bytes = &shared.bytes;
        bytes.fetch_add(reserved.frame_len, Ordering::Relaxed);
        *shared.head.lock() = reserved.appended.position;
        drop(writer);
        shared.grown.notify_all();
        Ok(reserved.appended)
    }

    /// Gives up a frame that could not be written, and with it its place: those reserved behind it
    /// must be withdrawn, too.
    pub fn withdraw(&self, reserved: &Reserved) {
        let mut writer = self.shared.writer.lock();
        writer.reserved -= 1;
        if reserved.appended.first < writer.next {
            writer.remains = true;
            writer.offset = reserved.offset;
            writer.next = reserved.appended.first;
            writer.chain = reserved.chain;
        }
    }

    /// Called with the writer's lock held.
    fn take_turn(&self, reserved: &Reserved) -> Result<(), Error> {
        let head = self.shared.head.lock().sequence;
        if reserved.appended.first == Sequence(head.0 + 1) {
            return Ok(());
        }
        self.shared.flusher.poison();
        let why = "frames were not published in their order";
        Err(Error::new(ErrorKind::Invalid(why), DOING))
    }
}

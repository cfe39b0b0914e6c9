//! Which segments there are, which may go, and how much room is left.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use firebrick_vocabulary::Sequence;

use crate::catalog::{Catalog, SegmentInfo};
use crate::entry::Room;
use crate::error::{Error, ErrorKind};
use crate::log::Log;

impl Log {
    /// The record from which on the log can be read in order: nothing behind it was freed.
    pub fn contiguous_from(&self) -> Sequence {
        self.shared.segments.read().contiguous
    }

    /// Log segments wholly before this record may be freed: what [`Self::trim`] was told.
    pub fn kept_from(&self) -> Sequence {
        self.shared.segments.read().keep_from
    }

    /// Says that nobody will read the log in order before `keep_from` any more; what is not durable
    /// stays in any case, and what was said before is never taken back.
    pub fn trim(&self, keep_from: Sequence) {
        let durable = self.durable().sequence;
        let mut segments = self.shared.segments.write();
        let keep_from = keep_from.min(Sequence(durable.0 + 1));
        segments.keep_from = segments.keep_from.max(keep_from);
    }

    /// Gives a segment back: one of the log wholly before what [`Self::trim`] said, or a packed one;
    /// never one that is being written ([`ErrorKind::Invalid`]). That nothing refers to it any more
    /// must be durable already. Its file is used again or removed once no reader holds it.
    pub fn free(&self, number: u32) -> Result<(), Error> {
        let refused = |why| Err(Error::new(ErrorKind::Invalid(why), "free a segment"));
        // The packer's lock keeps it from becoming or staying the current one meanwhile.
        let packer = self.shared.packer.lock();
        if packer.current() == Some(number) {
            return refused("the segment is being written");
        }
        let mut segments = self.shared.segments.write();
        let segment = if let Some(segment) = segments.packed.remove(&number) {
            segment
        } else {
            let Some(behind) = segments.following(number).map(|segment| segment.first) else {
                return refused("the segment is being written, or there is none");
            };
            if behind > segments.keep_from {
                return refused("the segment may still be read in order");
            }
            let Some(segment) = segments.log.remove(&number) else {
                return refused("there is no such segment");
            };
            segments.contiguous = segments.contiguous.max(behind);
            segment
        };
        drop(segments);
        drop(packer);
        self.shared.supply.retire(segment)
    }

    /// The segments that are full and durable, for the next start. Cheap.
    pub fn catalog(&self) -> Catalog {
        let shared = &*self.shared;
        let next = shared.supply.next_number();
        let durable = self.durable().sequence;
        let packer = shared.packer.lock();
        let segments = shared.segments.read();
        // What is not durable may be gone after a crash, and its number be used again.
        let log = segments.log.values().zip(segments.log.values().skip(1));
        let log = log.filter(|(_, behind)| behind.first.0 <= durable.0 + 1);
        let packed = segments.packed.values();
        let packed = packed.filter(|segment| packer.is_synced(segment.number));
        let mut found: Vec<SegmentInfo> = log
            .map(|(segment, _)| segment.info())
            .chain(packed.map(|segment| segment.info()))
            .collect();
        found.sort_unstable_by_key(|segment| segment.number);
        Catalog {
            segments: found,
            next,
        }
    }

    /// All segments, those being written among them, in the order of their numbers.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let all = self.shared.segments.read().all();
        all.iter().map(|segment| segment.info()).collect()
    }

    /// One segment; `None` where there is none of that number.
    pub fn segment_info(&self, number: u32) -> Option<SegmentInfo> {
        let segments = self.shared.segments.read();
        segments.get(number).map(|segment| segment.info())
    }

    /// The size of a segment, as it was chosen when the store was made.
    pub fn segment_size(&self) -> u64 {
        self.shared.options.segment_bytes
    }

    /// How much room there is.
    pub fn room(&self) -> Result<Room, Error> {
        let current = {
            let writer = self.shared.writer.lock();
            if writer.guests {
                writer.segment.len().saturating_sub(writer.offset)
            } else {
                0
            }
        };
        let left_to_pack = self.shared.packer.lock().left();
        self.shared.supply.room(current, left_to_pack)
    }

    /// The number of segments, without spares.
    pub fn segment_count(&self) -> usize {
        let segments = self.shared.segments.read();
        segments.log.len() + segments.packed.len()
    }

    /// The bytes that the segment files take, without spares.
    pub fn segment_bytes(&self) -> u64 {
        let segments = self.shared.segments.read();
        let all = segments.log.values().chain(segments.packed.values());
        all.map(|segment| segment.len()).sum()
    }

    /// Lets the system's cache forget segments of which nothing will be read soon: those that are
    /// durable and for which `is_live` is false. They stay where they are.
    pub fn forget_dead(&self, is_live: impl Fn(u32) -> bool) -> Result<(), Error> {
        let durable = self.durable().sequence;
        let dead: Vec<_> = {
            let segments = self.shared.segments.read();
            let pairs = segments.log.values().zip(segments.log.values().skip(1));
            pairs
                .filter(|(_, behind)| behind.first.0 <= durable.0 + 1)
                .map(|(segment, _)| Arc::clone(segment))
                .filter(|segment| !segment.forgotten.load(Ordering::Relaxed))
                .collect()
        };
        for segment in dead {
            // One that is not even open is hardly worth the opening.
            if let Some(file) = segment.open_file()
                && !is_live(segment.number)
            {
                segment.forgotten.store(true, Ordering::Relaxed);
                let forgotten = file.forget_cached();
                forgotten.map_err(|error| Error::io("forget a segment", error))?;
            }
        }
        Ok(())
    }
}

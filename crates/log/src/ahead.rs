//! Zeroes ahead of the end of the log, where somebody flushes often.
//!
//! A file system notes in its journal that reserved blocks have been written for the first time, and
//! a sync waits for that: it takes several times as long as one of blocks that had been written
//! before. So where little is written between two flushes, a stretch ahead is written at once, and
//! the flushes that follow have only data to wait for. Segments that are used again have been written
//! already. Zeroes are no frame, so recovery ends at them as at blocks that were never written.

use std::io::IoSlice;

use firebrick_edge::DiskFile;

/// How much is written ahead at once, in bytes.
const STRETCH: u64 = 256 << 10;
/// A flush of no more than that is one of many, in bytes.
const LITTLE: u64 = 64 << 10;

/// Up to where the blocks of the segment that is being written have been written before.
#[derive(Debug)]
pub(crate) struct Ahead {
    written: u64,
    /// The log's byte count at the last flush.
    flushed: u64,
}

impl Ahead {
    /// A segment whose blocks have been written up to `written`.
    pub(crate) const fn new(written: u64) -> Self {
        Self {
            written,
            flushed: 0,
        }
    }

    /// The log goes on in another segment.
    pub(crate) const fn turn(&mut self, written: u64) {
        self.written = written;
    }

    /// Called with the writer's lock held, before a flush syncs the file: the log has had `bytes` so
    /// far and ends at `offset` of `len` bytes.
    pub(crate) fn before_flush(&mut self, file: &dyn DiskFile, bytes: u64, offset: u64, len: u64) {
        let little = bytes - self.flushed <= LITTLE;
        self.flushed = bytes;
        self.written = self.written.max(offset);
        if !little || self.written >= len || self.written > offset + LITTLE {
            return;
        }
        let end = len.min(self.written + STRETCH);
        let zeroes = vec![0; (end - self.written) as usize];
        // Where this fails nothing is lost but time; the sync that follows finds what is wrong.
        if file
            .write_at(&[IoSlice::new(&zeroes)], self.written)
            .is_ok()
        {
            self.written = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firebrick_edge::Disk;
    use firebrick_simulate::SimulatedDisk;

    use super::*;

    #[test]
    fn only_who_flushes_often_gets_zeroes_and_never_over_what_is_there() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
        let file = disk.create("f").unwrap();
        let len = 1 << 20;
        let mut ahead = Ahead::new(4096);
        ahead.before_flush(&*file, 1 << 20, 512 << 10, len);
        assert_eq!(file.len().unwrap(), 0, "much was written");
        file.write_at(&[IoSlice::new(&[7; 4096])], 512 << 10)
            .unwrap();
        ahead.before_flush(&*file, (1 << 20) + 4096, 516 << 10, len);
        assert_eq!(file.len().unwrap(), (516 << 10) + STRETCH);
        ahead.before_flush(&*file, (1 << 20) + 8192, 520 << 10, len);
        assert_eq!(
            file.len().unwrap(),
            (516 << 10) + STRETCH,
            "there is enough"
        );
        let mut block = [0; 4096];
        file.read_at(&mut block, 512 << 10).unwrap();
        assert_eq!(block, [7; 4096]);
        ahead.before_flush(&*file, (1 << 20) + 9000, 1000 << 10, len);
        assert_eq!(file.len().unwrap(), len, "not beyond the segment");
    }
}

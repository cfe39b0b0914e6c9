//! What is read again so soon that it is worth a place in the system's cache.
//!
//! A read past the cache leaves a mark on what it read. The next one of the same finds it, and goes through the
//! cache, if so little was read between the two that it would still be there by then. Who reads more than there is
//! room for, from front to back and over again, would only ever lose what he needs next: he goes past the cache
//! each time.

use crate::locks::Mutex;

/// What is remembered is remembered for parts of this size, in bytes.
pub(crate) const PART: u64 = 256 << 10;

/// How much was read of all files together, in generations of half of what the cache has room for.
#[derive(Debug)]
pub(crate) struct Turnover(Mutex<Passed>);

#[derive(Debug)]
struct Passed {
    generation: u64,
    /// In this generation.
    bytes: u64,
}

impl Turnover {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Passed {
            generation: 0,
            bytes: 0,
        }))
    }

    /// Counts a read of `len` bytes that were not in the cache, which has room for `room`; its generation.
    pub(crate) fn count(&self, len: u64, room: u64) -> u64 {
        let mut passed = self.0.lock();
        passed.bytes = passed.bytes.saturating_add(len);
        if passed.bytes > room / 2 {
            passed.generation += 1;
            passed.bytes = 0;
        }
        passed.generation
    }
}

/// Which parts of a file were read in this generation and in the one before.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    generation: u64,
    new: Bits,
    old: Bits,
}

impl Marks {
    /// Whether one of the parts that begin in the range has a mark. Then the marks go, else each gets one. Of
    /// reads one behind the other each finds parts of its own, if they are not smaller than a part.
    pub(crate) fn meet(&mut self, generation: u64, offset: u64, len: u64) -> bool {
        if generation != self.generation {
            self.old = std::mem::take(&mut self.new);
            if generation != self.generation + 1 {
                self.old = Bits::default();
            }
            self.generation = generation;
        }
        let parts = offset.div_ceil(PART)..(offset + len).div_ceil(PART);
        let met = parts
            .clone()
            .any(|part| self.new.has(part) || self.old.has(part));
        for part in parts {
            self.new.set(part, !met);
            self.old.set(part, false);
        }
        met
    }
}

/// A bit for each part.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn has(&self, part: u64) -> bool {
        let word = self.0.get((part / 64) as usize);
        word.is_some_and(|word| word & (1 << (part % 64)) != 0)
    }

    fn set(&mut self, part: u64, value: bool) {
        let (word, bit) = ((part / 64) as usize, 1 << (part % 64));
        if value && word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        match self.0.get_mut(word) {
            Some(word) if value => *word |= bit,
            Some(word) => *word &= !bit,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_marked_by_the_read_in_which_it_begins() {
        let mut marks = Marks::default();
        for offset in (0..64 * PART).step_by(PART as usize) {
            assert!(!marks.meet(0, offset + 4096, PART), "{offset}");
        }
        assert!(marks.meet(0, PART, 8 * PART));
        assert!(!marks.meet(0, PART, 8 * PART));
        assert!(!marks.meet(0, 1 << 40, PART));
    }

    #[test]
    fn marks_last_for_the_generation_behind_theirs() {
        let read = |generations: &[u64]| {
            let mut marks = Marks::default();
            let met = generations.iter().map(|now| marks.meet(*now, 0, PART));
            met.collect::<Vec<bool>>()
        };
        assert_eq!(read(&[0, 1]), [false, true]);
        assert_eq!(read(&[0, 2]), [false, false]);
        assert_eq!(read(&[5, 6, 7, 8]), [false, true, false, true]);
    }

    #[test]
    fn who_reads_more_than_there_is_room_for_meets_nothing() {
        let room = 64 * PART;
        let second_pass = |parts: u64| {
            let (turnover, mut marks) = (Turnover::new(), Marks::default());
            let mut pass = || {
                let read = (0..parts)
                    .filter(|part| marks.meet(turnover.count(PART, room), part * PART, PART));
                read.count() as u64
            };
            assert_eq!(pass(), 0);
            pass()
        };
        assert_eq!(second_pass(32), 32);
        assert_eq!(second_pass(66), 0);
        assert_eq!(second_pass(500), 0);
    }
}

//! What the guest wrote, in order, so that any prefix of it can be recognised.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The size of a write, in bytes.
pub(super) const BLOCK: u64 = 16 << 10;
/// Over how many blocks of the volume the writes go.
pub(super) const SLOTS: u64 = 8192;

/// A write: its number, from 1, and in which life of the guest it was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    pub(super) number: u64,
    pub(super) life: u64,
}

impl Stamp {
    /// The block of the volume that the write goes to: all over the place, and many twice.
    pub(super) fn slot(self) -> u64 {
        self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % SLOTS
    }

    /// What is written: the stamp, and then what follows from it.
    pub(super) fn block(self) -> Vec<u8> {
        let mut state = self.number ^ (self.life << 56) | 1;
        let mut block = Vec::with_capacity(BLOCK as usize);
        block.extend(self.number.to_le_bytes());
        block.extend(self.life.to_le_bytes());
        while (block.len() as u64) < BLOCK {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend(state.to_le_bytes());
        }
        block
    }

    /// The stamp that a block carries; `None` for one that was never written.
    pub(super) fn of(block: &[u8]) -> Option<Self> {
        let (number, rest) = block.split_first_chunk()?;
        let (life, _) = rest.split_first_chunk()?;
        let number = u64::from_le_bytes(*number);
        (number != 0).then_some(Self {
            number,
            life: u64::from_le_bytes(*life),
        })
    }
}

/// The writes in their order; the one with number `n` stands at `n - 1`.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Vec<Stamp>);

impl History {
    /// How many writes there were.
    pub(super) const fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Forgets all writes but the first `len`.
    pub(super) fn truncate(&mut self, len: u64) {
        self.0.truncate(len as usize);
    }

    /// What each block of the volume holds after the first `len` writes.
    pub(super) fn slots(&self, len: u64) -> Vec<Option<Stamp>> {
        let mut slots = vec![None; SLOTS as usize];
        for stamp in self.0.iter().take(len as usize) {
            slots[stamp.slot() as usize] = Some(*stamp);
        }
        slots
    }
}

/// What was sent and what was answered, while the guest writes.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Writes>);

#[derive(Debug, Default)]
struct Writes {
    history: History,
    answers: Vec<Instant>,
    before: u64,
}

impl Tally {
    /// Goes on after what was written before.
    pub(super) fn after(history: History) -> Self {
        Self(Mutex::new(Writes {
            before: history.len(),
            history,
            answers: Vec::new(),
        }))
    }

    /// The next write, which may arrive from now on.
    pub(super) fn next(&self, life: u64) -> Stamp {
        let mut writes = self.0.lock();
        let number = writes.history.len() + 1;
        let stamp = Stamp { number, life };
        writes.history.0.push(stamp);
        stamp
    }

    /// The server has answered the last write.
    pub(super) fn answer(&self) {
        self.0.lock().answers.push(Instant::now());
    }

    /// How many writes were answered.
    pub(super) fn answered(&self) -> u64 {
        let writes = self.0.lock();
        writes.before + writes.answers.len() as u64
    }

    /// All writes that were sent, the last perhaps without an answer.
    pub(super) fn history(&self) -> History {
        self.0.lock().history.clone()
    }
}

/// What a loss cost: the recovery point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    /// Answered writes that are gone, in bytes.
    pub(super) bytes: u64,
    /// How old the newest state that is left was when the site was lost.
    pub(super) age: Duration,
}

/// What is lost where only the first `held` writes are left of those answered before `lost_at`.
pub(super) fn lost(tally: &Tally, held: u64, lost_at: Instant) -> Lost {
    let writes = tally.0.lock();
    let answered = writes.before + writes.answers.len() as u64;
    let first_lost = writes
        .answers
        .get((held - writes.before.min(held)) as usize);
    Lost {
        bytes: answered.saturating_sub(held) * BLOCK,
        age: first_lost.map_or(Duration::ZERO, |at| lost_at.saturating_duration_since(*at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_tells_its_stamp_and_an_empty_one_none() {
        let stamp = Stamp { number: 7, life: 2 };
        assert_eq!(Stamp::of(&stamp.block()), Some(stamp));
        assert_eq!(stamp.block().len() as u64, BLOCK);
        assert_eq!(Stamp::of(&[0; 64]), None);
    }

    #[test]
    fn the_cost_of_a_loss_counts_from_the_first_lost_answer() {
        let tally = Tally::default();
        for _ in 0..3 {
            tally.next(1);
            tally.answer();
        }
        let later = Instant::now() + Duration::from_secs(1);
        assert_eq!(lost(&tally, 3, later).bytes, 0);
        assert_eq!(lost(&tally, 3, later).age, Duration::ZERO);
        let some = lost(&tally, 1, later);
        assert_eq!(some.bytes, 2 * BLOCK);
        assert!(some.age >= Duration::from_secs(1));
    }

    #[test]
    fn slots_hold_the_last_write_of_a_prefix() {
        let tally = Tally::default();
        for _ in 0..SLOTS * 2 {
            tally.next(1);
        }
        let history = tally.history();
        let all = history.slots(history.len());
        let newest = all.iter().flatten().map(|stamp| stamp.number).max();
        assert_eq!(newest, Some(SLOTS * 2));
        let few = history.slots(10);
        assert_eq!(few.iter().flatten().count(), 10);
    }
}

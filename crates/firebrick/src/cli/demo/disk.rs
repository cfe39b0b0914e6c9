//! The guest's disk: one writer in order, and the check of what is left of its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firebrick_export::{Guest, GuestError};
use tokio::task::JoinHandle;

use super::history::{BLOCK, History, SLOTS, Stamp, Tally};
use crate::exit::Failure;

/// After how many writes the guest flushes.
const FLUSH_EVERY: u64 = 64;

/// A guest that writes in the background.
pub(super) struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<(), GuestError>>,
}

/// Begins to write one block after the other, each once the one before was answered.
pub(super) fn write_until_told(uri: &str, tally: &Arc<Tally>, life: u64) -> Writer {
    let stop = Arc::new(AtomicBool::new(false));
    let (uri, tally, told) = (uri.to_owned(), Arc::clone(tally), Arc::clone(&stop));
    let task = tokio::task::spawn_blocking(move || write(&uri, &tally, life, &told));
    Writer { stop, task }
}

fn write(uri: &str, tally: &Tally, life: u64, stop: &AtomicBool) -> Result<(), GuestError> {
    let mut disk = Guest::open(uri)?;
    while !stop.load(Ordering::Acquire) {
        let stamp = tally.next(life);
        disk.write(stamp.slot() * BLOCK, &stamp.block())?;
        tally.answer();
        if stamp.number.is_multiple_of(FLUSH_EVERY) {
            disk.flush()?;
        }
    }
    disk.flush()?;
    disk.close();
    Ok(())
}

impl Writer {
    /// Ends the writing; all that was written is durable.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Release);
        self.ended().await?.map_err(failed)
    }

    /// Waits until the connection breaks.
    pub(super) async fn broken(self) -> Result<(), Failure> {
        match self.ended().await? {
            Err(GuestError::Broken(_)) => Ok(()),
            Err(error) => Err(failed(error)),
            Ok(()) => Err(Failure::Failed(
                "the guest stopped before its site was lost".to_owned(),
            )),
        }
    }

    async fn ended(self) -> Result<Result<(), GuestError>, Failure> {
        self.task
            .await
            .map_err(|error| Failure::new("write as a guest", error))
    }
}

fn failed(error: GuestError) -> Failure {
    Failure::new("use the volume as a guest", error)
}

/// Reads the first block, as a guest does that comes up.
pub(super) async fn read_first(uri: String) -> Result<(), Failure> {
    on_thread(move || {
        let mut disk = Guest::open(&uri).map_err(failed)?;
        disk.read(0, BLOCK as u32).map_err(failed)?;
        disk.close();
        Ok(())
    })
    .await
}

/// How many of the writes the volume holds; fails unless these are the first ones, each whole, and
/// nothing else is there.
pub(super) async fn verify(uri: String, history: History) -> Result<u64, Failure> {
    on_thread(move || {
        let mut disk = Guest::open(&uri).map_err(failed)?;
        let mut found = Vec::new();
        for slot in 0..SLOTS {
            let block = disk.read(slot * BLOCK, BLOCK as u32).map_err(failed)?;
            found.push(block);
        }
        disk.close();
        check(&found, &history)
    })
    .await
}

fn check(found: &[Vec<u8>], history: &History) -> Result<u64, Failure> {
    let stamps: Vec<_> = found.iter().map(|block| Stamp::of(block)).collect();
    let held = stamps.iter().flatten().map(|stamp| stamp.number).max();
    let held = held.unwrap_or_default();
    let expected = history.slots(held);
    for (slot, (block, expected)) in found.iter().zip(expected).enumerate() {
        let whole = match expected {
            Some(stamp) => *block == stamp.block(),
            None => block.iter().all(|byte| *byte == 0),
        };
        if !whole {
            let why = format!(
                "block {slot} holds {:?}, but after write {held} it was {expected:?}",
                Stamp::of(block)
            );
            return Err(Failure::new("the data does not match", why));
        }
    }
    Ok(held)
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::new("use the volume as a guest", error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(writes: &[Stamp]) -> Vec<Vec<u8>> {
        let mut image = vec![vec![0; BLOCK as usize]; SLOTS as usize];
        for stamp in writes {
            image[stamp.slot() as usize] = stamp.block();
        }
        image
    }

    #[test]
    fn a_prefix_matches_and_a_gap_or_a_torn_block_does_not() {
        let tally = Tally::default();
        let writes: Vec<_> = (0..20).map(|_| tally.next(1)).collect();
        let history = tally.history();
        assert_eq!(check(&image(&writes), &history).unwrap(), 20);
        assert_eq!(check(&image(&writes[..12]), &history).unwrap(), 12);
        assert_eq!(check(&image(&[]), &history).unwrap(), 0);
        let mut gap = writes.clone();
        gap.remove(5);
        assert!(check(&image(&gap), &history).is_err());
        let mut torn = image(&writes);
        let slot = writes[3].slot() as usize;
        torn[slot][5000] ^= 1;
        assert!(check(&torn, &history).is_err());
    }
}

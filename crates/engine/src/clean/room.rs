//! Room for a guest's write that was refused: what is dead is not always known to be yet.

use std::collections::BTreeMap;
use std::time::Duration;

use firebrick_vocabulary::Sequence;
use tracing::warn;

use crate::commit::Core;
use crate::keep::{Keep, readers};

/// How many checkpoints a guest waits for, each with a step of cleaning: what died since the last one
/// is freed behind the next; what an older one still held that was kept for a peer, behind the one after
/// it; and what was of an image that others were cloned from, when it has folded.
const ROUNDS: usize = 6;

/// What a guest gets that was refused for want of room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Made {
    /// Segments were freed.
    Some,
    /// There was room, so that nothing was done.
    Enough,
    /// There is nothing to win.
    Nothing,
}

/// How things stood when there was nothing to win: there is nothing as long as they do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Barren {
    /// The end of the log.
    head: Sequence,
    /// What all peers had confirmed.
    kept: Option<Sequence>,
}

impl Core {
    /// Cleans for a guest that was refused for want of room.
    pub(crate) fn make_room(&self) -> Made {
        let before = self.cleaning.state.lock().freed;
        let _one = self.cleaning.making_room.lock();
        let won = || self.cleaning.state.lock().freed > before;
        // The segment that is being written and the one made ahead are part of it.
        let enough = 3 * self.options.segment_bytes;
        let room = self.log.room();
        if !won() && room.is_ok_and(|room| room.free_for_guests >= enough) {
            return Made::Enough;
        }
        let known = self.cleaning.state.lock().barren;
        if !won() && known == Some(self.stand()) {
            return Made::Nothing;
        }
        let asked = self.log.head().sequence;
        let confirmed = self.stand().kept;
        self.clean_behind_checkpoints(won);
        // What a peer has yet to get is not dead for it: as a rule it is a moment behind. What it got
        // meanwhile may have come too late for the checkpoints that were taken.
        if !won() && confirmed.is_some_and(|confirmed| confirmed < asked) {
            self.wait_for_peers(self.options.room_patience);
            if self.stand().kept != confirmed {
                self.clean_behind_checkpoints(won);
            }
        }
        if won() {
            return Made::Some;
        }
        let stand = self.stand();
        self.cleaning.state.lock().barren = Some(stand);
        Made::Nothing
    }

    fn clean_behind_checkpoints(&self, won: impl Fn() -> bool) {
        for round in 0..ROUNDS {
            // Somebody else may have won some meanwhile.
            if won() || (round > 0 && self.checkpoint().is_err()) {
                return;
            }
            if let Err(error) = self.clean() {
                warn!(%error, "no room could be made");
            }
        }
    }

    fn stand(&self) -> Barren {
        Barren {
            head: self.log.head().sequence,
            kept: readers(&self.keep.lock()).min(),
        }
    }

    /// Waits until the peers have confirmed all that is there, and with it what the checkpoints that were taken
    /// keep for them.
    fn wait_for_peers(&self, patience: Duration) {
        let asked = self.log.head().sequence;
        let keep = self.keep.lock();
        let lacks = |keep: &mut BTreeMap<String, Keep>| {
            let mut confirmed = readers(keep);
            confirmed.any(|confirmed| confirmed < asked)
        };
        drop(self.confirmed.wait_while_for(keep, lacks, patience));
    }
}

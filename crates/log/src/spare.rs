//! The segment that waits to be used.
//!
//! To make a segment costs a commit of the file system's journal, which takes long where the disk is
//! busy. Made ahead, only its header has to become durable before frames go into it.

use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::Disk;
use parking_lot::{Condvar, Mutex};

use crate::error::Error;
use crate::segment::{Segment, SegmentHeader, Spare};

/// The place for it. Its lock is held while a segment is made or begun, so that of all segments only
/// the last one can lack a header.
pub(crate) struct SpareSlot {
    state: Mutex<State>,
    taken: Condvar,
}

struct State {
    /// The newest segment in use.
    current: u32,
    spare: Option<Spare>,
}

impl SpareSlot {
    pub(crate) fn new(current: u32) -> Self {
        let state = State {
            current,
            spare: None,
        };
        Self {
            state: Mutex::new(state),
            taken: Condvar::new(),
        }
    }

    /// Makes a spare segment where there is none.
    pub(crate) fn prepare(
        &self,
        disk: &Arc<dyn Disk>,
        len: u64,
        timeout: Duration,
    ) -> Result<bool, Error> {
        let mut state = self.state.lock();
        if state.spare.is_some() {
            self.taken.wait_for(&mut state, timeout);
        }
        if state.spare.is_some() {
            return Ok(false);
        }
        state.spare = Some(Spare::make(disk, state.current + 1, len)?);
        Ok(true)
    }

    /// Begins the segment of that header in the spare one, or in a new one where there is none.
    pub(crate) fn begin(
        &self,
        disk: &Arc<dyn Disk>,
        header: &SegmentHeader,
        len: u64,
    ) -> Result<Segment, Error> {
        let mut state = self.state.lock();
        let segment = match state.spare.take() {
            Some(spare) if spare.number == header.number => spare.begin(header, len)?,
            Some(_) | None => Segment::create(disk, header, len)?,
        };
        state.current = header.number;
        self.taken.notify_one();
        Ok(segment)
    }
}

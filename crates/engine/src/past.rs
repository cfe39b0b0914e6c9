//! What a store was at an earlier position: an older checkpoint and the log behind it.

use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_log::{Frame, Log, Recovery};
use firebrick_vocabulary::{ImageId, Sequence};

use crate::apply::{self, Past};
use crate::checkpoint;
use crate::error::Error;
use crate::state::{ImageState, State};

/// Where frames can be read from.
pub(crate) trait Frames {
    /// Visits the frames that hold the records from `from` to `upto`.
    fn scan(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), Error>,
    ) -> Result<(), Error>;
}

impl Frames for Recovery {
    fn scan(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Self::scan(self, from, upto, visit)
    }
}

impl Frames for Log {
    fn scan(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut reader = self.reader(from)?;
        while let Some(frame) = reader.next_frame()? {
            if frame.first > upto {
                break;
            }
            visit(&frame)?;
        }
        Ok(())
    }
}

/// The past as the log tells it.
pub(crate) struct LogPast<'a> {
    disk: &'a Arc<dyn Disk>,
    frames: &'a dyn Frames,
}

impl<'a> LogPast<'a> {
    pub(crate) const fn new(disk: &'a Arc<dyn Disk>, frames: &'a dyn Frames) -> Self {
        Self { disk, frames }
    }

    /// Everything as it was when record `upto` was the newest.
    fn state_at(&self, upto: Sequence) -> Result<State, Error> {
        let mut state = checkpoint::newest(self.disk, Some(upto))?.unwrap_or_default();
        let from = state.sequence.next();
        self.frames.scan(from, upto, &mut |frame| {
            apply::frame(
                &mut state,
                frame,
                from,
                upto,
                &mut LogPast::new(self.disk, self.frames),
            )
        })?;
        Ok(state)
    }
}

impl Past for LogPast<'_> {
    fn image_at(&mut self, image: ImageId, sequence: Sequence) -> Result<ImageState, Error> {
        let state = self.state_at(sequence)?;
        apply::found(&state, "look up an earlier state", image).map(|cell| cell.read().clone())
    }
}

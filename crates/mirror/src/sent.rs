//! Which records of a frame a peer gets.

use firebrick_engine::{SentRecords, Store};
use firebrick_vocabulary::{ImageId, Sequence};

/// Asks the store once for each image of a frame: it answers under the lock under which guests write.
pub(crate) struct Sent<'a> {
    store: &'a Store,
    last: Option<(ImageId, SentRecords)>,
}

impl<'a> Sent<'a> {
    /// For a frame that has been read already.
    pub(crate) const fn new(store: &'a Store) -> Self {
        Self { store, last: None }
    }

    /// Whether a peer gets record `sequence` of the frame, which is about `image`.
    pub(crate) fn has(&mut self, image: ImageId, sequence: Sequence) -> bool {
        let records = match self.last {
            Some((last, records)) if last == image => records,
            Some(_) | None => self.store.sent(image),
        };
        self.last = Some((image, records));
        records.has(sequence)
    }
}

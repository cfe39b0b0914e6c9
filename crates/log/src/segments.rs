//! The segments that can be found, by number.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use firebrick_vocabulary::Sequence;

use crate::segment::Segment;

/// All segments of an open log. Numbers may have gaps.
pub(crate) struct Segments {
    /// The ordered log; the last one is being written.
    pub(crate) log: BTreeMap<u32, Arc<Segment>>,
    /// What the cleaner wrote.
    pub(crate) packed: BTreeMap<u32, Arc<Segment>>,
    /// From this record on nothing was freed.
    pub(crate) contiguous: Sequence,
    /// Log segments wholly before this record may be freed.
    pub(crate) keep_from: Sequence,
}

impl Segments {
    pub(crate) fn get(&self, number: u32) -> Option<&Arc<Segment>> {
        self.log.get(&number).or_else(|| self.packed.get(&number))
    }

    /// The log segment behind that one.
    pub(crate) fn following(&self, number: u32) -> Option<&Arc<Segment>> {
        let mut behind = self.log.range((Excluded(number), Unbounded));
        behind.next().map(|(_, segment)| segment)
    }

    /// The log segment that holds record `sequence`, or would.
    pub(crate) fn holding(&self, sequence: Sequence) -> Option<&Arc<Segment>> {
        let mut newest_first = self.log.values().rev();
        newest_first.find(|segment| segment.first <= sequence)
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<Segment>> {
        let mut all: Vec<_> = self.log.values().chain(self.packed.values()).collect();
        all.sort_unstable_by_key(|segment| segment.number);
        all.into_iter().map(Arc::clone).collect()
    }
}

/// From which record on the log segments up to the one at `index` follow each other without a gap.
pub(crate) fn contiguous_from(log: &[Arc<Segment>], index: usize) -> Sequence {
    let mut oldest = index;
    while oldest > 0 && log[oldest].before == log[oldest - 1].number {
        oldest -= 1;
    }
    log[oldest].first
}

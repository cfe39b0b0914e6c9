//! Which segment files are open: a bounded number, so that a large store does not need a file
//! descriptor for each of its segments.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use firebrick_edge::Disk;
use firebrick_edge::Mutex;

use crate::segment::Segment;

/// The open files, the longest unused of which are closed where there are too many. Whoever uses a
/// file holds it, so closing means to let go of it here.
pub(crate) struct Files {
    pub(crate) disk: Arc<dyn Disk>,
    max: usize,
    /// Oldest first. Weak, as the number of holders says whether a segment is in use.
    open: Mutex<VecDeque<Weak<Segment>>>,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>, max: usize) -> Self {
        Self {
            disk,
            max: max.max(1),
            open: Mutex::default(),
        }
    }

    /// Takes note that the segment's file is open now, and closes others.
    pub(crate) fn opened(&self, segment: &Arc<Segment>) {
        let mut open = self.open.lock();
        open.push_back(Arc::downgrade(segment));
        // Each gets a second chance once, so that this ends.
        let mut chances = open.len();
        while open.len() > self.max {
            let Some(oldest) = open.pop_front() else {
                return;
            };
            let Some(segment) = oldest.upgrade() else {
                continue;
            };
            if chances > 0 && segment.was_used() {
                chances -= 1;
                open.push_back(oldest);
            } else {
                segment.close();
            }
        }
    }
}

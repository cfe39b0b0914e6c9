//! How far peers are behind: a light reader of the own log that counts what they have to get, of all of
//! it and of each image.

mod track;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firebrick_edge::{Runtime, Timestamp};
use firebrick_engine::Store;
use firebrick_log::{Change, Frame, FrameRecord, Reader};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, Lag, Sequence, StoreId};
use parking_lot::Mutex;
use tracing::warn;

use crate::relay::Sent;
use track::Track;

/// Frames remembered one by one; beyond, neighbours are counted together.
const MARKS_MAX: usize = 1 << 16;
/// The same for all images together, as long as each of them has few.
const IMAGE_MARKS_MAX: usize = 1 << 17;

/// From which store something came here; `None` for what is this site's own.
type Of = Option<StoreId>;

/// What peers may not have yet.
pub(crate) struct Backlog(Mutex<Marks>);

struct Marks {
    /// A peer lacks records that were not counted: everything behind this one is counted again.
    recount: Option<Sequence>,
    /// Behind this record everything is counted.
    from: Sequence,
    /// By the store that was followed when it was written; none for what is this site's own.
    all: BTreeMap<Of, Track>,
    images: BTreeMap<(ImageId, Of), Track>,
    /// The marks of all images.
    waiting: usize,
    /// With so many of them neighbours are counted together.
    most: usize,
}

/// What a frame has for peers, of one image.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Part {
    records: u64,
    bytes: u64,
}

/// What a frame has for peers.
#[derive(Debug, Default, Eq, PartialEq)]
struct Parts {
    all: Part,
    images: BTreeMap<ImageId, Part>,
}

impl Marks {
    fn new(from: Sequence) -> Self {
        Self {
            recount: None,
            from,
            all: BTreeMap::new(),
            images: BTreeMap::new(),
            waiting: 0,
            most: IMAGE_MARKS_MAX,
        }
    }
}

impl Backlog {
    /// Counts from record `head` on.
    pub(crate) fn new(head: Sequence) -> Self {
        Self(Mutex::new(Marks::new(head)))
    }

    /// Counts from record `head` on instead; nobody has counted anything before.
    pub(crate) fn begin(&self, head: Sequence) {
        *self.0.lock() = Marks::new(head);
    }

    /// A peer has come that holds everything up to `confirmed`.
    pub(crate) fn count_from(&self, confirmed: Sequence) {
        let mut marks = self.0.lock();
        let from = marks.recount.unwrap_or(marks.from);
        if confirmed < from {
            marks.recount = Some(confirmed);
        }
    }

    /// Where to count again from, if somebody needs it.
    fn recount(&self) -> Option<Sequence> {
        let mut marks = self.0.lock();
        let from = marks.recount.take()?;
        *marks = Marks::new(from);
        Some(from)
    }

    /// What a peer lacks at `now` that has everything up to `confirmed`, and gets that for which `gets` is true.
    pub(crate) fn behind(
        &self,
        confirmed: Sequence,
        now: Timestamp,
        gets: &dyn Fn(Of) -> bool,
    ) -> Lag {
        let marks = self.0.lock();
        let all = marks.all.iter().filter(|(of, _)| gets(**of));
        let lags = all.map(|(_, track)| track.behind(confirmed, now));
        lags.fold(Lag::NONE, both)
    }

    /// The same of one image.
    pub(crate) fn image_behind(
        &self,
        image: ImageId,
        confirmed: Sequence,
        now: Timestamp,
        gets: &dyn Fn(Of) -> bool,
    ) -> Lag {
        let marks = self.0.lock();
        let of_image = marks.images.range((image, None)..);
        let of_image = of_image.take_while(|((of, _), _)| *of == image);
        let tracks = of_image.filter(|((_, of), _)| gets(*of));
        let lags = tracks.map(|(_, track)| track.behind(confirmed, now));
        lags.fold(Lag::NONE, both)
    }

    /// The same of all images of which the peer lacks something.
    pub(crate) fn images_behind(
        &self,
        confirmed: Sequence,
        now: Timestamp,
        gets: &dyn Fn(Of) -> bool,
    ) -> BTreeMap<ImageId, Lag> {
        let marks = self.0.lock();
        let tracks = marks.images.iter().filter(|((_, of), _)| gets(*of));
        let mut behind = BTreeMap::new();
        for ((image, _), track) in tracks {
            let lag = track.behind(confirmed, now);
            if lag.records > 0 {
                let known = behind.entry(*image).or_insert(Lag::NONE);
                *known = both(*known, lag);
            }
        }
        behind
    }

    fn add(&self, frame: &Frame, parts: Parts) {
        let mut marks = self.0.lock();
        let (sequence, time) = (frame.position.sequence, frame.time);
        let of = frame.applied.map(|applied| applied.peer);
        let Part { records, bytes } = parts.all;
        let from = marks.from;
        let all = marks.all.entry(of).or_insert_with(|| Track::new(from));
        all.add(sequence, time, records, bytes);
        if all.len() >= MARKS_MAX {
            all.halve();
        }
        for (image, part) in parts.images {
            let track = marks.images.entry((image, of));
            let track = track.or_insert_with(|| Track::new(from));
            track.add(sequence, time, part.records, part.bytes);
            marks.waiting += 1;
        }
        if marks.waiting >= marks.most {
            marks.images.values_mut().for_each(Track::halve);
            marks.waiting = marks.images.values().map(Track::len).sum();
            // Where each image has one mark alone, there is nothing to put together.
            marks.most = IMAGE_MARKS_MAX.max(marks.waiting * 2);
        }
    }

    /// Forgets what every peer has.
    fn forget(&self, confirmed: Sequence) {
        let mut marks = self.0.lock();
        let head = marks.all.values().map(Track::head).max();
        let head = head.unwrap_or(marks.from);
        marks.from = marks.from.max(confirmed.min(head));
        for track in marks.all.values_mut() {
            track.forget(confirmed);
        }
        marks.images.retain(|_, track| {
            track.forget(confirmed);
            track.len() > 0
        });
        marks.waiting = marks.images.values().map(Track::len).sum();
    }
}

/// A reader of what lies behind record `from`, or behind what is gone: of that nothing can be counted.
fn open(store: &Store, from: Sequence) -> Result<(Sequence, Reader), firebrick_engine::Error> {
    let gone = Sequence(store.log_begins().0.saturating_sub(1));
    let from = from.max(gone);
    Ok((from, store.reader(from.next())?))
}

/// Follows the own log until `stop`.
pub(crate) async fn follow(
    store: &Arc<Store>,
    backlog: &Backlog,
    runtime: &dyn Runtime,
    lowest: &(dyn Fn() -> Sequence + Sync),
    stop: &AtomicBool,
) {
    const PAUSE: Duration = Duration::from_millis(200);
    // A guest's writes come one by one; to be woken for each would cost as much as the write.
    const GATHER: Duration = Duration::from_millis(2);
    let from = backlog.0.lock().from;
    let (mut at, mut reader) = match open(store, from) {
        Ok(opened) => opened,
        Err(error) => return warn!(%error, "how far peers are behind is not known"),
    };
    while !stop.load(Ordering::Acquire) {
        if let Some(from) = backlog.recount() {
            (at, reader) = match open(store, from) {
                Ok(opened) => opened,
                Err(error) => return warn!(%error, "how far peers are behind is not known"),
            };
        }
        match reader.next_frame() {
            Ok(Some(frame)) => {
                at = frame.position.sequence;
                let parts = sent(store, &frame);
                if parts.all.records > 0 {
                    backlog.add(&frame, parts);
                }
            }
            Ok(None) => {
                backlog.forget(lowest());
                let beyond = |most| store.wait_beyond(at, most);
                if runtime.block(PAUSE, &beyond).await {
                    runtime.pause(GATHER).await;
                }
            }
            // Peers that did not keep up were let go of, and this with them.
            Err(_) if !store.log_reaches(at.next()) => {
                (at, reader) = match open(store, at) {
                    Ok(opened) => opened,
                    Err(error) => return warn!(%error, "how far peers are behind is not known"),
                };
            }
            Err(error) => return warn!(%error, "how far peers are behind is not known any more"),
        }
    }
}

/// What somebody lacks who lacks both.
fn both(one: Lag, other: Lag) -> Lag {
    Lag {
        records: one.records + other.records,
        bytes: Bytes(one.bytes.0 + other.bytes.0),
        seconds: one.seconds.max(other.seconds),
    }
}

/// The records of a frame that peers get, and the bytes of their data.
fn sent(store: &Store, frame: &Frame) -> Parts {
    let mut parts = Parts::default();
    let mut sent = Sent::new(store, true);
    let own = frame.applied.is_none();
    let mut has = |image, sequence| {
        if own {
            sent.has(image, sequence)
        } else {
            sent.tells(image, sequence)
        }
    };
    for (i, record) in frame.records.iter().enumerate() {
        let sequence = frame.first.plus(i as u64);
        let (image, bytes) = match record {
            FrameRecord::Data { image, blocks, .. } => (*image, u64::from(*blocks) * BLOCK_SIZE),
            FrameRecord::Discard { image, .. } => (*image, 0),
            // Counted even where it is about an image that no peer has: a promotion that a peer has not
            // got yet must show, and they are few.
            FrameRecord::Change(change) => {
                let before = parts.images.len();
                for image in images_of(change) {
                    if has(image, sequence) {
                        parts.images.entry(image).or_default().records += 1;
                    }
                }
                if own || parts.images.len() > before {
                    parts.all.records += 1;
                }
                continue;
            }
        };
        if has(image, sequence) {
            parts.all.records += 1;
            parts.all.bytes += bytes;
            let part = parts.images.entry(image).or_default();
            part.records += 1;
            part.bytes += bytes;
        }
    }
    parts
}

/// The images that a peer gets such a change of.
fn images_of(change: &Change) -> Vec<ImageId> {
    match change {
        Change::Create { image, .. }
        | Change::Remove { image }
        | Change::Rename { image, .. }
        | Change::Resize { image, .. }
        | Change::SnapshotCreate { image, .. }
        | Change::SnapshotRemove { image, .. }
        | Change::Rollback { image, .. }
        | Change::Metadata { image, .. }
        | Change::Mirroring { image, .. }
        | Change::Follow { image, .. } => vec![*image],
        Change::Promote { images } => images.iter().map(|promotion| promotion.image).collect(),
        Change::Demote { images } => images.clone(),
        // These concern the one store alone.
        Change::Restore { .. }
        | Change::FallBack { .. }
        | Change::Yield { .. }
        | Change::Adopt { .. }
        | Change::Sync { .. }
        | Change::Base { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

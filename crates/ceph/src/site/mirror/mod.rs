//! Mirroring: on and off, demote, wait, promote.
//!
//! A demotion has arrived at a peer when the peer can read what was noted before it, and librbd agrees: the note
//! is a change of the image like any other, so whoever has it has everything before it, the primary's own
//! promotion included. Without that, a peer that lags may take an older demotion for the newest, and promote
//! an image whose primary lives: both would go ways of their own.
//!
//! A peer may become primary once the rbd-mirror of who is primary now reads its journal, too
//! ([`crate::journal`]): else the former primary could never follow it.

mod arrive;
mod demote;
mod promote;
mod rejoin;

use std::thread;
use std::time::{Duration, Instant};

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::ImageId;
use tracing::warn;

pub(super) use arrive::{arrival, ready};
pub(super) use demote::demote;
pub(super) use promote::promote;
pub(super) use rejoin::rejoin;

use super::part::{self, Part};
use super::{Shared, report, store};
use crate::fault::Doing;
use crate::ffi::{Cancel, Image, Opening, feature};
use crate::journal::Journal;
use crate::link::Link;
use crate::notes::Notes;
use crate::options::Mirroring;

/// How often something is looked for that rbd-mirror does.
const LOOK: Duration = Duration::from_millis(200);

/// How long peers have to find out whom they follow; rbd-mirror looks every 30 s.
const SETTLING: Duration = Duration::from_secs(75);

/// What rbd-mirror says of an image that went a way of its own.
pub(super) const SPLIT: &str = "split-brain";

/// Begins to mirror an image.
pub(super) fn begin(shared: &Shared, link: &Link, image: &Image, doing: &str) -> Result<(), Fault> {
    let options = shared.options();
    if !link.pool.mirrors().doing(doing)? {
        let why = format!(
            "mirroring is off in the pool {0}: run rbd mirror pool enable {0} image at both clusters",
            options.pool
        );
        return Err(Fault::new(FaultKind::Invalid, doing, why));
    }
    let known = Notes::of(image, doing)?;
    let primary = Some(store(link, options));
    if options.mirroring == Mirroring::Journal {
        let wanted = feature::EXCLUSIVE_LOCK | feature::JOURNALING;
        let lacking = wanted & !image.features().doing(doing)?;
        // First the note, so that nothing stays switched on that nobody knows of.
        let notes = Notes {
            borrowed: Some(lacking | known.borrowed.unwrap_or(0)),
            primary,
            ..known.clone()
        };
        notes.replace(&known, image, doing)?;
        for feature in [feature::EXCLUSIVE_LOCK, feature::JOURNALING] {
            if lacking & feature != 0 {
                image.set_features(feature, true).doing(doing)?;
            }
        }
    } else {
        let notes = Notes {
            primary,
            ..known.clone()
        };
        notes.replace(&known, image, doing)?;
    }
    image.mirror(options.mirroring.mode()).doing(doing)
}

/// Mirrors an image, or ends that.
pub(super) fn set(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    enabled: bool,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    let part = part::primary(link, &image, &notes, doing)?;
    if enabled && part == Part::Primary {
        return Ok(());
    }
    if part != Part::Alone {
        end(link, &image, cancel, doing)?;
    }
    if enabled {
        // The peer may not have what it is a clone of.
        if image.parent().doing(doing)?.is_some() {
            image.flatten(cancel).doing(doing)?;
        }
        return begin(shared, link, &image, doing);
    }
    let borrowed = notes.borrowed.unwrap_or(0) & image.features().doing(doing)?;
    for feature in [feature::JOURNALING, feature::EXCLUSIVE_LOCK] {
        if borrowed & feature != 0 {
            image.set_features(feature, false).doing(doing)?;
        }
    }
    let own = Notes {
        borrowed: None,
        primary: None,
        demoted: None,
        ..notes.clone()
    };
    own.replace(&notes, &image, doing)
}

/// Ends to mirror an image that is primary; rbd-mirror removes the copies at peers.
///
/// It does so only of a copy that knows whom it follows, and of any other never again. So peers that live get the
/// time to read that the image has become primary here.
fn end(link: &Link, image: &Image, cancel: &Cancel, doing: &str) -> Result<(), Fault> {
    let end = Instant::now() + SETTLING;
    while let Some(journal) = Journal::of(&link.pool, image, doing)? {
        if !journal.has_stragglers() || !report::is_heard(link, doing)? {
            break;
        }
        if cancel.is_asked() || Instant::now() >= end {
            warn!(
                doing,
                "a peer has not read that the image is primary here, and may keep its copy"
            );
            break;
        }
        thread::sleep(LOOK);
    }
    image.mirror_no_more(false).doing(doing)
}

/// Has the copies of an image get what was done to it. A journal is read all the time; else a mirror snapshot is due.
pub(super) fn send(shared: &Shared, link: &Link, id: ImageId, doing: &str) -> Result<(), Fault> {
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    let part = part::primary(link, &image, &notes, doing)?;
    let journaled = image.features().doing(doing)? & feature::JOURNALING != 0;
    if part != Part::Primary || journaled {
        return Ok(());
    }
    image.take_mirror_snap().doing(doing)
}

/// What came of a call that ran beside others.
fn ended<T>(call: Result<Result<T, Fault>, tokio::task::JoinError>) -> Result<T, Fault> {
    call.unwrap_or_else(|error| Err(Fault::new(FaultKind::Internal, "wait for calls", error)))
}

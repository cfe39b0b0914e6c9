//! Who takes over.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use firebrick_backend::{Fault, FaultKind, PromoteMode, PromoteOutcome, Reason};
use firebrick_vocabulary::{Epoch, ImageId, StoreId};
use tracing::warn;

use super::super::part::Part;
use super::super::{Shared, store};
use super::{LOOK, ended};
use crate::fault::{Doing, fault};
use crate::ffi::{Cancel, Errno, Image, Opening};
use crate::link::{Link, Pace};
use crate::notes::{Demoted, Notes};

/// How long a demotion may take to be read once what was noted before it has been.
const BEHIND_NOTE: Duration = Duration::from_secs(50);
/// How long rbd-mirror may take to let go of an image that was promoted.
const LETTING_GO: Duration = Duration::from_secs(10);

/// Makes images primary, several at once.
pub(in super::super) async fn promote(
    shared: &Arc<Shared>,
    ids: &[ImageId],
    mode: PromoteMode,
) -> Result<Vec<PromoteOutcome>, Fault> {
    let calls = ids.iter().map(|id| {
        let (shared, id) = (Arc::clone(shared), *id);
        let call = tokio::spawn(async move {
            let doing = format!("promote image {id}");
            let (all, what) = (Arc::clone(&shared), doing.clone());
            let work = move |link: &Link, cancel: &Cancel| {
                promote_one(&all, link, id, mode, cancel, &what)
            };
            shared.line.call(Pace::Quick, doing, work).await
        });
        (id, call)
    });
    let calls: Vec<_> = calls.collect();
    let mut outcomes = Vec::with_capacity(ids.len());
    for (image, call) in calls {
        let result = ended(call.await)?;
        outcomes.push(PromoteOutcome { image, result });
    }
    Ok(outcomes)
}

/// Behind the note of a demotion of another site comes the demotion itself. Where it does not for long, this
/// is no answer yet: somebody asks again.
fn planned(
    image: &Image,
    demoted: Demoted,
    own: StoreId,
    cancel: &Cancel,
    doing: &str,
) -> Result<Result<(), Errno>, Fault> {
    let end = Instant::now() + BEHIND_NOTE;
    loop {
        match image.promote(false) {
            Err(Errno(libc::EBUSY)) if demoted.by != own => {
                if cancel.is_asked() || Instant::now() >= end {
                    let why = "rbd-mirror has not read the demotion yet";
                    return Err(Fault::new(FaultKind::TimedOut, doing, why));
                }
                thread::sleep(LOOK);
            }
            result => return Ok(result),
        }
    }
}

fn promote_one(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    mode: PromoteMode,
    cancel: &Cancel,
    doing: &str,
) -> Result<Result<Epoch, Reason>, Fault> {
    let (image, _, notes) = match shared.names.open(link, id, Opening::Changing, doing) {
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(Err(Reason::NotFound)),
        found => found?,
    };
    let own = store(link, shared.options());
    match Part::of(link, &image, &notes, doing)? {
        Part::Alone => return Ok(Ok(notes.epoch())),
        // It may have been promoted before, by a call that could not write that down.
        Part::Primary => {
            drop(image);
            if notes.primary == Some(own) {
                return Ok(Ok(notes.epoch()));
            }
            return raise(shared, link, id, mode, cancel, doing).map(Ok);
        }
        Part::Ending | Part::Unfinished => return Ok(Err(Reason::Inconsistent)),
        Part::Copy => {}
    }
    let promoted = match (mode, notes.demoted) {
        (PromoteMode::Planned, None) => return Ok(Err(Reason::NotDemoted)),
        (PromoteMode::Planned, Some(demoted)) => planned(&image, demoted, own, cancel, doing)?,
        (PromoteMode::Forced, _) => image.promote(true),
    };
    match promoted {
        Ok(()) => {}
        Err(Errno(libc::EBUSY)) => return Ok(Err(Reason::NotDemoted)),
        Err(Errno(libc::EINVAL)) => return Ok(Err(Reason::Inconsistent)),
        Err(error) => return Err(fault(error, doing)),
    }
    drop(image);
    raise(shared, link, id, mode, cancel, doing).map(Ok)
}

/// Writes down that the image was promoted, and its epoch. For a moment rbd-mirror may hold it still, and nobody can
/// write to it; so once that is written, guests can. Where its primary died, rbd-mirror may wait for that, and hold the
/// image for as long: it is shut out, and comes back by itself.
fn raise(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    mode: PromoteMode,
    cancel: &Cancel,
    doing: &str,
) -> Result<Epoch, Fault> {
    let own = store(link, shared.options());
    let mut end = Instant::now() + LETTING_GO;
    let mut may_break = mode == PromoteMode::Forced;
    loop {
        let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
        let epoch = notes.epoch().next();
        let raised = Notes {
            epoch: Some(epoch),
            primary: Some(own),
            ..notes.clone()
        };
        match raised.replace(&notes, &image, doing) {
            Ok(()) => return Ok(epoch),
            Err(fault) if fault.kind == FaultKind::NotPrimary && !cancel.is_asked() => {
                if Instant::now() < end {
                    thread::sleep(LOOK);
                } else if may_break {
                    warn!(image = %id, "rbd-mirror does not let go of an image, and is shut out");
                    image.break_lock().doing(doing)?;
                    may_break = false;
                    end = Instant::now() + LETTING_GO;
                } else {
                    return Err(fault);
                }
            }
            Err(fault) => return Err(fault),
        }
    }
}

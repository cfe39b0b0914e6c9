//! Mirroring: on and off, demote, wait, promote.
//!
//! A demotion has arrived at a peer when the peer can read what was noted before it, and librbd agrees: the note
//! is a change of the image like any other, so whoever has it has everything before it, the primary's own
//! promotion included. Without that, a peer that lags may take an older demotion for the newest, and promote
//! an image whose primary lives: both would go ways of their own.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use firebrick_backend::{Fault, FaultKind, PromoteMode, PromoteOutcome, Reason};
use firebrick_vocabulary::{Epoch, ImageId, Position, Role, Sequence, StoreId};
use tracing::info;

use super::{Shared, images, store};
use crate::fault::{Doing, fault};
use crate::ffi::{Cancel, Errno, Image, Opening, Standing, feature};
use crate::link::{Link, Pace};
use crate::notes::{Demoted, Notes};
use crate::options::Mirroring;

/// How often arrival is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// How long a demotion may take to be read once what was noted before it has been.
const BEHIND_NOTE: Duration = Duration::from_secs(50);

/// What rbd-mirror says of an image that went a way of its own.
pub(super) const SPLIT: &str = "split-brain";
/// How long it has to say so before it is believed.
const LASTING: Duration = Duration::from_secs(10);

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
    if options.mirroring == Mirroring::Journal {
        let wanted = feature::EXCLUSIVE_LOCK | feature::JOURNALING;
        let lacking = wanted & !image.features().doing(doing)?;
        let known = Notes::of(image, doing)?;
        // First the note, so that nothing stays switched on that nobody knows of.
        let notes = Notes {
            borrowed: Some(lacking | known.borrowed.unwrap_or(0)),
            ..known.clone()
        };
        notes.replace(&known, image, doing)?;
        for feature in [feature::EXCLUSIVE_LOCK, feature::JOURNALING] {
            if lacking & feature != 0 {
                image.set_features(feature, true).doing(doing)?;
            }
        }
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
    images::primary(&image, doing)?;
    let now = image.mirror_info().doing(doing)?.enabled;
    if enabled {
        if now {
            return Ok(());
        }
        // The peer may not have what it is a clone of.
        if image.parent().doing(doing)?.is_some() {
            image.flatten(cancel).doing(doing)?;
        }
        return begin(shared, link, &image, doing);
    }
    if now {
        image.mirror_no_more().doing(doing)?;
    }
    let borrowed = notes.borrowed.unwrap_or(0) & image.features().doing(doing)?;
    for feature in [feature::JOURNALING, feature::EXCLUSIVE_LOCK] {
        if borrowed & feature != 0 {
            image.set_features(feature, false).doing(doing)?;
        }
    }
    let own = Notes {
        borrowed: None,
        demoted: None,
        ..notes.clone()
    };
    own.replace(&notes, &image, doing)
}

/// Makes images secondary, several at once. The position counts demotions: in microseconds of the clock, but
/// always more than the last one.
pub(super) async fn demote(shared: &Arc<Shared>, ids: &[ImageId]) -> Result<Position, Fault> {
    let now = std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_micros() as u64);
    let calls = ids.iter().map(|id| {
        let (shared, id) = (Arc::clone(shared), *id);
        tokio::spawn(async move {
            let doing = format!("demote image {id}");
            let (all, what) = (Arc::clone(&shared), doing.clone());
            let work = move |link: &Link, _: &_| demote_one(&all, link, id, now, &what);
            shared.line.call(Pace::Quick, doing, work).await
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut position = Position::ZERO;
    let mut failed = None;
    for call in calls {
        match ended(call.await) {
            Ok(at) => position.sequence = position.sequence.max(at),
            Err(fault) => failed = Some(fault),
        }
    }
    failed.map_or(Ok(position), Err)
}

fn ended<T>(call: Result<Result<T, Fault>, tokio::task::JoinError>) -> Result<T, Fault> {
    call.unwrap_or_else(|error| Err(Fault::new(FaultKind::Internal, "wait for calls", error)))
}

fn demote_one(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    now: u64,
    doing: &str,
) -> Result<Sequence, Fault> {
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    let own = store(link, shared.options());
    let mirroring = image.mirror_info().doing(doing)?;
    let last = notes.demoted.map_or(Sequence::ZERO, |demoted| demoted.at);
    if images::role(mirroring) == Role::Secondary {
        return Ok(last);
    }
    if !mirroring.enabled {
        let why = "it is not mirrored, so nobody could become primary instead";
        return Err(Fault::new(FaultKind::Invalid, doing, why));
    }
    let at = Sequence(now).max(last.next());
    let noted = Notes {
        demoted: Some(Demoted { by: own, at }),
        ..notes.clone()
    };
    // The order that all depends on: the note, then the demotion. See the head of this file.
    noted.replace(&notes, &image, doing)?;
    image.demote().doing(doing)?;
    Ok(at)
}

/// Waits until the demotions of these images have arrived here. [`Position::ZERO`] asks for less: that each is
/// a copy which follows.
pub(super) async fn arrival(
    shared: &Arc<Shared>,
    of: StoreId,
    position: Position,
    ids: &[ImageId],
    within: Duration,
) -> Result<(), Fault> {
    let end = Instant::now() + within;
    let doing = "wait for what the other site wrote";
    let mut left = ids.to_vec();
    loop {
        let (all, asked) = (Arc::clone(shared), left.clone());
        let look = move |link: &Link, _: &_| {
            let mut away = Vec::new();
            for id in asked {
                if let Some(why) = lacking(&all, link, id, (of, position), doing)? {
                    away.push((id, why));
                }
            }
            Ok(away)
        };
        let away = shared.line.call(Pace::Quick, doing, look).await?;
        let Some((id, why)) = away.first() else {
            return Ok(());
        };
        if Instant::now() >= end {
            let why = format!("{} images have not arrived; image {id}: {why}", away.len());
            return Err(Fault::new(FaultKind::TimedOut, doing, why));
        }
        left = away.iter().map(|(id, _)| *id).collect();
        tokio::time::sleep(LOOK).await;
    }
}

/// What an image lacks, if anything.
fn lacking(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    (of, position): (StoreId, Position),
    doing: &str,
) -> Result<Option<String>, Fault> {
    if of == store(link, shared.options()) {
        return Ok(None);
    }
    let found = shared.names.open(link, id, Opening::Looking, doing);
    let (image, _, notes) = match found {
        Err(fault) if fault.kind == FaultKind::NotFound => {
            return Ok(Some("it is not there".to_owned()));
        }
        found => found?,
    };
    if position == Position::ZERO {
        return following(&image, doing);
    }
    let wanted = Demoted {
        by: of,
        at: position.sequence,
    };
    Ok(match notes.demoted {
        Some(demoted) if demoted.by == wanted.by && demoted.at >= wanted.at => None,
        Some(_) | None => Some("its demotion has not been read".to_owned()),
    })
}

fn following(image: &Image, doing: &str) -> Result<Option<String>, Fault> {
    if images::role(image.mirror_info().doing(doing)?) == Role::Primary {
        return Ok(Some("it is primary there still".to_owned()));
    }
    let reports = image.mirror_reports().doing(doing)?;
    let own = reports.iter().find(|report| report.peer.is_none());
    Ok(match own {
        Some(own) if own.up && own.standing == Standing::Replaying => None,
        Some(own) => Some(format!(
            "rbd-mirror says {:?}: {}",
            own.standing, own.description
        )),
        None => Some("no rbd-mirror has said anything of it".to_owned()),
    })
}

/// Makes images that went a way of their own follow the site again that is primary now. What they have and it
/// does not is given up: all of each is copied anew.
pub(super) async fn rejoin(shared: &Arc<Shared>, ids: &[ImageId]) -> Result<(), Fault> {
    let doing = "make images follow again";
    let (all, ids) = (Arc::clone(shared), ids.to_vec());
    let work = move |link: &Link, _: &_| {
        for id in ids {
            rejoin_one(&all, link, id, doing)?;
        }
        Ok(())
    };
    shared.line.call(Pace::Slow, doing, work).await
}

fn rejoin_one(shared: &Shared, link: &Link, id: ImageId, doing: &str) -> Result<(), Fault> {
    let (image, _, _) = match shared.names.open(link, id, Opening::Changing, doing) {
        // It is being copied already.
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
        found => found?,
    };
    let mirroring = image.mirror_info().doing(doing)?;
    let strayed = match images::role(mirroring) {
        Role::Primary if !mirroring.enabled => return Ok(()),
        // From here on nobody writes to it, whatever he was told.
        Role::Primary => {
            image.demote().doing(doing)?;
            true
        }
        // rbd-mirror says so for a moment of images that are well, too.
        Role::Secondary => {
            has_split(&image, doing)? && {
                thread::sleep(LASTING);
                has_split(&image, doing)?
            }
        }
    };
    if strayed {
        info!(image = %id, "an image is copied anew from the site that is primary");
        image.resync().doing(doing)?;
    }
    Ok(())
}

/// Whether rbd-mirror has found that the image went a way of its own.
fn has_split(image: &Image, doing: &str) -> Result<bool, Fault> {
    let mut reports = image.mirror_reports().doing(doing)?.into_iter();
    let own = reports.find(|report| report.peer.is_none());
    Ok(own.is_some_and(|own| own.standing == Standing::Error && own.description.contains(SPLIT)))
}

/// Makes images primary, several at once.
pub(super) async fn promote(
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
    if images::role(image.mirror_info().doing(doing)?) == Role::Primary {
        return Ok(Ok(notes.epoch()));
    }
    let own = store(link, shared.options());
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
    let epoch = notes.epoch().next();
    let raised = Notes {
        epoch: Some(epoch),
        ..notes.clone()
    };
    raised.replace(&notes, &image, doing)?;
    Ok(Ok(epoch))
}

//! What must have come before a switch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::{Epoch, ImageId, Position, StoreId};

use super::super::part::Part;
use super::super::{Shared, store};
use super::LOOK;
use crate::fault::Doing;
use crate::ffi::{Image, MirrorPeer, Opening, Standing};
use crate::journal::{Journal, Owner};
use crate::link::{Link, Pace};
use crate::notes::{Demoted, Notes};

/// What is waited for.
#[derive(Clone, Copy)]
enum Event {
    /// Each image is a copy that follows, and could be followed.
    Ready,
    /// Each has this demotion.
    Demoted(Demoted),
}

/// Waits until the demotions of these images have arrived here. [`Position::ZERO`] asks for no demotion: see
/// [`ready`].
pub(in super::super) async fn arrival(
    shared: &Arc<Shared>,
    of: StoreId,
    position: Position,
    ids: &[ImageId],
    within: Duration,
) -> Result<(), Fault> {
    let doing = "wait for what the other site wrote";
    let own = move |shared: &Shared, link: &Link| of == store(link, shared.options());
    let event = if position == Position::ZERO {
        Event::Ready
    } else {
        let at = position.sequence;
        Event::Demoted(Demoted { by: of, at })
    };
    let images: Vec<_> = ids.iter().map(|id| (*id, Epoch::FIRST)).collect();
    wait(shared, event, &images, own, within, doing).await
}

/// Waits until each of these is a copy that follows its primary of that epoch, which would follow if they changed
/// places.
pub(in super::super) async fn ready(
    shared: &Arc<Shared>,
    images: &[(ImageId, Epoch)],
    within: Duration,
) -> Result<(), Fault> {
    let doing = "wait until images can change places with their copies";
    wait(shared, Event::Ready, images, |_, _| false, within, doing).await
}

async fn wait(
    shared: &Arc<Shared>,
    event: Event,
    images: &[(ImageId, Epoch)],
    done: impl Fn(&Shared, &Link) -> bool + Copy + Send + 'static,
    within: Duration,
    doing: &'static str,
) -> Result<(), Fault> {
    let end = Instant::now() + within;
    let mut left = images.to_vec();
    loop {
        let (all, asked) = (Arc::clone(shared), left.clone());
        let look = move |link: &Link, _: &_| {
            if done(&all, link) {
                return Ok(Vec::new());
            }
            let readers = readers(link, doing)?;
            let mut away = Vec::new();
            for image in asked {
                if let Some(why) = lacking(&all, link, image, event, &readers, doing)? {
                    away.push((image, why));
                }
            }
            Ok(away)
        };
        let away = shared.line.call(Pace::Quick, doing, look).await?;
        let Some(((id, _), why)) = away.first() else {
            return Ok(());
        };
        if Instant::now() >= end {
            let why = format!("{} images have not arrived; image {id}: {why}", away.len());
            return Err(Fault::new(FaultKind::TimedOut, doing, why));
        }
        left = away.iter().map(|(image, _)| *image).collect();
        tokio::time::sleep(LOOK).await;
    }
}

/// The mirror UUIDs of the peers that read this pool, or will. One that was never heard has none yet.
fn readers(link: &Link, doing: &str) -> Result<Vec<String>, Fault> {
    let peers = link.pool.peers().doing(doing)?.into_iter();
    let readers = peers.filter(MirrorPeer::reads);
    Ok(readers.map(|peer| peer.mirror_uuid).collect())
}

/// What an image lacks, if anything.
fn lacking(
    shared: &Shared,
    link: &Link,
    (id, epoch): (ImageId, Epoch),
    event: Event,
    readers: &[String],
    doing: &str,
) -> Result<Option<String>, Fault> {
    let found = shared.names.open(link, id, Opening::Looking, doing);
    let (image, _, notes) = match found {
        Err(fault) if fault.kind == FaultKind::NotFound => {
            return Ok(Some("it is not there".to_owned()));
        }
        found => found?,
    };
    let lacks = match event {
        Event::Ready => following(link, &image, &notes, doing)?,
        Event::Demoted(wanted) => unread(&notes, wanted),
    };
    if lacks.is_some() {
        return Ok(lacks);
    }
    let Some(journal) = Journal::of(&link.pool, &image, doing)? else {
        return Ok(None);
    };
    if let Some(peer) = journal.unregistered(readers) {
        return Ok(Some(format!(
            "the rbd-mirror of its primary ({peer}) does not read its journal yet"
        )));
    }
    Ok(match (event, journal.owner()) {
        // A former demotion is behind it in the journal still, and rbd-mirror would stop at that.
        (Event::Ready, Owner::Peer(_)) if notes.epoch() < epoch => {
            Some("it has not read of its primary's promotion".to_owned())
        }
        (Event::Ready, Owner::Peer(_)) | (Event::Demoted(_), Owner::Nobody) => None,
        (Event::Ready, _) => Some("it does not know yet whom it follows".to_owned()),
        (Event::Demoted(_), _) => Some("what came before its demotion has been read".to_owned()),
    })
}

fn unread(notes: &Notes, wanted: Demoted) -> Option<String> {
    match notes.demoted {
        Some(demoted) if demoted.by == wanted.by && demoted.at >= wanted.at => None,
        Some(_) | None => Some("its demotion has not been read".to_owned()),
    }
}

fn following(
    link: &Link,
    image: &Image,
    notes: &Notes,
    doing: &str,
) -> Result<Option<String>, Fault> {
    match Part::of(link, image, notes, doing)? {
        Part::Copy => {}
        Part::Unfinished => return Ok(Some("its copy is being made".to_owned())),
        Part::Alone | Part::Primary | Part::Ending => {
            return Ok(Some("it is primary there still".to_owned()));
        }
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

//! Where a journal begins: with the oldest record that is there, or where somebody let it begin anew.

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::ImageInfo;
use firebrick_vocabulary::{ImageId, Sequence};

use super::super::keys::JOURNAL_FROM;
use super::status::{infos, readers};
use crate::serve::fault::fault;
use crate::serve::mirroring::Mirroring;

const DOING: &str = "reset a journal";

/// The first record that belongs to the journal of an image.
pub(super) fn began(info: &ImageInfo) -> Sequence {
    let text = info.metadata.get(JOURNAL_FROM);
    Sequence(text.and_then(|text| text.parse().ok()).unwrap_or_default())
}

/// Lets the journals of images begin behind the newest record. The log keeps what peers need in any case, so
/// with `force` nothing is taken from them.
pub(super) fn reset(mirroring: &Mirroring, images: &[ImageId], force: bool) -> Result<(), Fault> {
    let infos = infos(mirroring, images)?;
    if !force {
        refuse_needed(mirroring, &infos)?;
    }
    let store = &mirroring.store;
    let done = store.alter(DOING, |alteration| {
        // Behind the records that say so.
        let next = store.log_span().head.sequence.plus(images.len() as u64 + 1);
        for image in images {
            alteration.changeable(*image)?;
            alteration.set(*image, JOURNAL_FROM, Some(&next.0.to_string()))?;
        }
        Ok(())
    });
    done.and_then(|()| store.flush().map(drop))
        .map_err(|error| fault(&error))
}

/// Refuses where a peer lacks some of the journal.
fn refuse_needed(mirroring: &Mirroring, infos: &[ImageInfo]) -> Result<(), Fault> {
    let last = infos.iter().map(|info| info.last_change).max();
    for (peer, held) in readers(mirroring, infos) {
        let why = match held {
            Some(held) if Some(held) >= last => continue,
            Some(held) => format!("has it up to record {held} only"),
            None => "has not said since the start of the site what it has".to_owned(),
        };
        let why = format!("{} still needs entries: it {why}", peer.name);
        return Err(Fault::new(FaultKind::Busy, DOING, why));
    }
    Ok(())
}

//! Who went a way of his own.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::ImageId;
use tracing::info;

use super::super::Shared;
use super::super::part::Part;
use super::SPLIT;
use crate::fault::Doing;
use crate::ffi::{Image, Opening, Standing};
use crate::link::{Link, Pace};
use crate::notes::Notes;

/// How long rbd-mirror has to say of an image that it went a way of its own before it is believed.
const LASTING: Duration = Duration::from_secs(10);

/// Makes images that went a way of their own follow the site again that is primary now. What they have and it
/// does not is given up: all of each is copied anew.
pub(in super::super) async fn rejoin(shared: &Arc<Shared>, ids: &[ImageId]) -> Result<(), Fault> {
    let doing = "make images follow again";
    let (all, ids) = (Arc::clone(shared), ids.to_vec());
    let work = move |link: &Link, _: &_| {
        let mut suspects = Vec::new();
        for id in ids {
            if rejoin_one(&all, link, id, doing)? {
                suspects.push(id);
            }
        }
        if suspects.is_empty() {
            return Ok(());
        }
        // rbd-mirror says so for a moment of images that are well, too.
        thread::sleep(LASTING);
        for id in suspects {
            let Some((image, _)) = open(&all, link, id, doing)? else {
                continue;
            };
            if has_split(&image, doing)? {
                copy_anew(&image, id, doing)?;
            }
        }
        Ok(())
    };
    shared.line.call(Pace::Slow, doing, work).await
}

/// The image with its notes, if it is not being copied anew already.
fn open(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    doing: &str,
) -> Result<Option<(Image, Notes)>, Fault> {
    match shared.names.open(link, id, Opening::Changing, doing) {
        Ok((image, _, notes)) => Ok(Some((image, notes))),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Whether rbd-mirror has to be asked again.
fn rejoin_one(shared: &Shared, link: &Link, id: ImageId, doing: &str) -> Result<bool, Fault> {
    let Some((image, notes)) = open(shared, link, id, doing)? else {
        return Ok(false);
    };
    match Part::of(link, &image, &notes, doing)? {
        Part::Alone | Part::Ending | Part::Unfinished => Ok(false),
        // From here on nobody writes to it, whatever he was told.
        Part::Primary => {
            image.demote().doing(doing)?;
            copy_anew(&image, id, doing)?;
            Ok(false)
        }
        Part::Copy => has_split(&image, doing),
    }
}

fn copy_anew(image: &Image, id: ImageId, doing: &str) -> Result<(), Fault> {
    info!(image = %id, "an image is copied anew from the site that is primary");
    image.resync().doing(doing)
}

/// Whether rbd-mirror has found that the image went a way of its own.
fn has_split(image: &Image, doing: &str) -> Result<bool, Fault> {
    let mut reports = image.mirror_reports().doing(doing)?.into_iter();
    let own = reports.find(|report| report.peer.is_none());
    Ok(own.is_some_and(|own| own.standing == Standing::Error && own.description.contains(SPLIT)))
}

//! A peer that holds nothing of a log whose beginning is gone already: it begins at the end of the log, and
//! is told what is mirrored by then. It asks for copies of that as of any other image.

use firebrick_engine::Store;
use firebrick_log::{Change, Promotion};
use firebrick_vocabulary::{Role, Sequence};

use crate::error::Error;
use crate::message;
use crate::wire::{self, Kind};

/// Where a peer begins that wants to read from record `from` on; `None` where it can do that.
pub(crate) fn begin(store: &Store, from: Sequence) -> Option<Sequence> {
    let beginning = Sequence::ZERO.next();
    (from == beginning && store.reader(from).is_err()).then(|| store.durable().sequence.next())
}

/// The batch that tells of all images which are mirrored from here, for a peer that begins at record `from`.
///
/// What changes while this looks comes again in the stream: a peer that knows an image does not begin it
/// twice, and what is written to it meanwhile is part of its copy.
pub(crate) fn inventory(store: &Store, from: Sequence) -> Result<Vec<u8>, Error> {
    let mut batch = wire::begin(Kind::Batch);
    message::put_batch(&mut batch, Sequence(from.0.saturating_sub(1)));
    for image in store.images() {
        let info = image.info();
        if !info.mirrored || info.role != Role::Primary {
            continue;
        }
        // One that is gone by now needs nothing.
        let Ok(described) = store.describe(info.id) else {
            continue;
        };
        message::put_describe(&mut batch, &described);
        // As a promotion: one that has the image from a former primary passed over what came before this, so it goes on
        // from nowhere, and gets what differs.
        let promotion = Promotion {
            image: info.id,
            epoch: info.epoch,
            origin: None,
            forced: true,
        };
        let images = vec![promotion];
        message::put_change(&mut batch, &Change::Promote { images });
    }
    // What a crash could take back must not reach the peer.
    store.flush()?;
    Ok(wire::seal(batch))
}

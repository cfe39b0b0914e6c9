//! A peer that holds nothing of a log whose beginning is gone already: it begins at the end of the log, and
//! is told what is mirrored by then. It asks for copies of that as of any other image.

use firebrick_engine::{Handover, Reign, Store, Turn};
use firebrick_log::{Change, Promotion};
use firebrick_vocabulary::{Role, Sequence};

use crate::error::Error;
use crate::message;
use crate::relay::Relay;
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
/// So it is told of all that has ended, as it may have that from a former primary, too; and so is who begins with the
/// first record, where it is not said any more whose the images were that end.
/// Of what follows another store, those images are part of it that the peer gets from here; `own` says whether this
/// site's own are. `None` where there is nothing to tell.
pub(crate) fn inventory(
    store: &Store,
    from: Sequence,
    relay: &Relay,
    own: bool,
) -> Result<Option<Vec<u8>>, Error> {
    let mut batch = wire::begin(Kind::Batch);
    message::put_batch(&mut batch, Sequence(from.0.saturating_sub(1)));
    let empty = batch.len();
    for image in store.images() {
        let info = image.info();
        let tells = match info.upstream {
            Some(of) => relay.tells(of, info.id) && info.sync.is_consistent(),
            None => own && info.role == Role::Primary,
        };
        if !info.mirrored || !tells {
            continue;
        }
        // One that is gone by now needs nothing.
        let Ok(described) = store.describe(info.id) else {
            continue;
        };
        if let (Some(leader), true) = (described.leader, info.upstream.is_some()) {
            let reign = Reign {
                epoch: described.epoch,
                leader,
            };
            let handover = Handover {
                image: info.id,
                described: Some(described),
                reign,
                after: None,
                turn: if own { Turn::Complete } else { Turn::There },
            };
            message::put_handover(&mut batch, &handover);
            continue;
        }
        message::put_describe(&mut batch, &described);
        // As a promotion: one that has the image from a former primary passed over what came before this, so it goes on
        // from nowhere, and gets what differs.
        let promotion = Promotion {
            image: info.id,
            epoch: info.epoch,
            origin: None,
            forced: true,
            after: None,
        };
        let images = vec![promotion];
        message::put_change(&mut batch, &Change::Promote { images });
    }
    let begins = from == Sequence::ZERO.next();
    if (own || begins) && relay.is_on() {
        for ended in store.ended_behind(Sequence::ZERO) {
            message::put_ended(&mut batch, &ended);
        }
    }
    if batch.len() == empty {
        return Ok(None);
    }
    // What a crash could take back must not reach the peer.
    store.flush()?;
    Ok(Some(wire::seal(batch)))
}

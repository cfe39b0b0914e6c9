//! Who gives way.

use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::{ImageId, Position, Role, Sequence};

use super::super::part::Part;
use super::super::{Shared, store};
use super::ended;
use crate::fault::Doing;
use crate::ffi::Opening;
use crate::link::{Link, Pace};
use crate::notes::{Demoted, Notes};

/// Makes images secondary, several at once. The position counts demotions: in microseconds of the clock, but
/// always more than the last one.
pub(in super::super) async fn demote(
    shared: &Arc<Shared>,
    ids: &[ImageId],
) -> Result<Position, Fault> {
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

fn demote_one(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    now: u64,
    doing: &str,
) -> Result<Sequence, Fault> {
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    let own = store(link, shared.options());
    let part = Part::of(link, &image, &notes, doing)?;
    let last = notes.demoted.map_or(Sequence::ZERO, |demoted| demoted.at);
    if part.role() == Role::Secondary {
        return Ok(last);
    }
    if part != Part::Primary {
        let why = "it is not mirrored, so nobody could become primary instead";
        return Err(Fault::new(FaultKind::Invalid, doing, why));
    }
    let at = Sequence(now).max(last.next());
    let noted = Notes {
        primary: None,
        demoted: Some(Demoted { by: own, at }),
        ..notes.clone()
    };
    // The order that all depends on: the note, then the demotion. See the head of the module.
    noted.replace(&notes, &image, doing)?;
    image.demote().doing(doing)?;
    Ok(at)
}

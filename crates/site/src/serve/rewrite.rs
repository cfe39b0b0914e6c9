//! Returning an image to an earlier state.
//!
//! An image that is not mirrored just begins anew at the former position. A mirrored one cannot, as its
//! peers know no such position: the difference is written as any guest would write it. Nobody may have the
//! image exported for writing meanwhile; where this ends early, doing it again completes it.

use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{Error, Image, MapView, Store, Write};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, Role, Sequence};

use super::exports::Exports;
use super::fault::fault;
use super::views::{Temporary, changes};

/// Makes `image` what it was at record `at`. Blocks for as long as the difference takes.
pub(super) fn roll_back_to(
    store: &Arc<Store>,
    exports: &Exports,
    image: ImageId,
    at: Sequence,
) -> Result<(), Fault> {
    let _alone = exports.reserve(image, "roll back")?;
    let handle = store.image(image).map_err(|error| fault(&error))?;
    let info = handle.info();
    // Said first: the records of this site are others than those that were meant.
    if info.role != Role::Primary {
        let why = "it is not primary here";
        return Err(Fault::new(
            FaultKind::NotPrimary,
            format!("roll back {}", info.name),
            why,
        ));
    }
    let done = if info.mirrored {
        rewrite(store, &handle, at)
    } else {
        store.roll_back_to(image, at)
    };
    done.and_then(|()| store.flush().map(drop))
        .map_err(|error| fault(&error))
}

fn rewrite(store: &Arc<Store>, image: &Image, at: Sequence) -> Result<(), Error> {
    let (_temporary, size, then) = Temporary::at(store, image.id(), at)?;
    if image.size() != size {
        store.resize_image(image.id(), size)?;
    }
    let now = image.map();
    let mut from = Some(0);
    while let Some(block) = from {
        from = step(image, &then, &now, block)?;
    }
    Ok(())
}

/// Writes a part of the difference; returns where the next one begins.
fn step(image: &Image, then: &MapView, now: &MapView, from: u64) -> Result<Option<u64>, Error> {
    let (part, bytes) = changes(then, Some(now), from, true)?;
    let mut rest = bytes.as_slice();
    for run in part.runs {
        let (offset, len) = (run.block * BLOCK_SIZE, run.blocks * BLOCK_SIZE);
        if !run.data {
            image.discard(offset, len)?;
            continue;
        }
        let (data, behind) = rest.split_at(len as usize);
        rest = behind;
        image.write(&[Write { offset, data }])?;
    }
    Ok(part.next)
}

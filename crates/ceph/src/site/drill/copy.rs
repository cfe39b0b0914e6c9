//! A copy of an image of which nobody can take a snapshot.
//!
//! It is as the image was at one moment only if nothing was written meanwhile. Its primary may not answer here and
//! still be read by rbd-mirror; so it is compared with the image until nothing differs any more: then it is what the
//! image was when the last comparison began.

use std::collections::BTreeSet;

use firebrick_backend::{Fault, FaultKind};

use crate::fault::Doing;
use crate::ffi::{Cancel, Grain, Image};

/// Who is followed for longer does not stand still.
const PASSES: u32 = 20;
/// What is read at once, in bytes.
const STEP: u64 = 4 << 20;
/// What is written where any of it differs, in bytes.
const PIECE: usize = 64 << 10;
/// How much of an image is asked for data at once, in bytes.
const WINDOW: u64 = 1 << 30;

/// Makes `target`, which is new, what `source` is.
pub(super) fn all(
    source: &Image,
    target: &Image,
    size: u64,
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    for _ in 0..PASSES {
        if pass(source, target, size, cancel, doing)? == 0 {
            return target.flush().doing(doing);
        }
    }
    let why = "it is still written to by rbd-mirror, though its primary does not answer here";
    Err(Fault::new(FaultKind::TimedOut, doing, why))
}

/// Once from the begin to the end; how many bytes differed.
fn pass(
    source: &Image,
    target: &Image,
    size: u64,
    cancel: &Cancel,
    doing: &str,
) -> Result<u64, Fault> {
    let (mut differed, mut at) = (0, 0);
    while at < size {
        let window = (at, WINDOW.min(size - at));
        let mut steps = BTreeSet::new();
        for image in [source, target] {
            for found in image
                .differences(None, window, Grain::Objects)
                .doing(doing)?
            {
                let last = (found.offset + found.len).saturating_sub(1) / STEP;
                steps.extend(found.offset / STEP..=last);
            }
        }
        for step in steps {
            cancel.hear();
            if cancel.is_asked() {
                return Err(Fault::new(FaultKind::TimedOut, doing, "it was given up"));
            }
            let offset = step * STEP;
            let len = STEP.min(size - offset) as usize;
            let (mut is, mut was) = (vec![0; len], vec![0; len]);
            source.read(offset, &mut is).doing(doing)?;
            target.read(offset, &mut was).doing(doing)?;
            for (from, to) in differing(&is, &was) {
                differed += (to - from) as u64;
                let (place, piece) = (offset + from as u64, &is[from..to]);
                if piece.iter().all(|byte| *byte == 0) {
                    target.zero(place, piece.len()).doing(doing)?;
                } else {
                    target.write(place, piece).doing(doing)?;
                }
            }
        }
        at += window.1;
    }
    Ok(differed)
}

/// The ranges that differ, in whole pieces.
fn differing(is: &[u8], was: &[u8]) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let pieces = is.chunks(PIECE).zip(was.chunks(PIECE)).enumerate();
    for (i, (one, other)) in pieces {
        if one == other {
            continue;
        }
        let (from, to) = (i * PIECE, i * PIECE + one.len());
        match ranges.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => ranges.push((from, to)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        let was = vec![0; 5 * PIECE + 10];
        let mut is = was.clone();
        assert_eq!(differing(&is, &was), []);
        for at in [PIECE, 3 * PIECE - 1, 5 * PIECE + 9] {
            is[at] = 1;
        }
        let end = 5 * PIECE + 10;
        assert_eq!(differing(&is, &was), [(PIECE, 3 * PIECE), (5 * PIECE, end)]);
    }
}

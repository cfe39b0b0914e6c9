//! Which blocks of a read are asked for at one go, as far as that needs no wait for the disk.
//!
//! Blocks that were written together lie together, also where some between them were written anew
//! elsewhere: what those were before lies there still. To read that as well, into nowhere, costs less than
//! a call for each of the parts around it.

use std::ops::Range;

use firebrick_edge::Part;
use firebrick_index::Entry;
use firebrick_log::{Checksum, Location, Sources};
use firebrick_vocabulary::BLOCK_SIZE;

pub(crate) const BLOCK: usize = BLOCK_SIZE as usize;
/// So many blocks in between are read for nothing rather than left out: they cost about as much as a call.
const BETWEEN: usize = 4;
/// Each run in between has a span of its own, so one that goes on is among so many last ones.
const OPEN: usize = BETWEEN + 1;
/// A span has at most so many runs: with what is between them, as many parts as one call takes.
const RUNS_MAX: usize = 500;

/// What is to be asked for where something has to be waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum All {
    /// All the rest, so that the disk reads it meanwhile.
    Asked,
    /// Nothing more.
    UpToTheFirst,
}

/// Runs that lie in a segment as they do in the image, with other blocks between them.
struct Span<'b> {
    at: Location,
    /// The blocks of the read from its first run to the end of its last.
    blocks: Range<usize>,
    /// The first block of each run, and what it is read into.
    runs: Vec<(usize, &'b mut [u8])>,
}

impl<'b> Span<'b> {
    const fn new(at: Location, first: usize) -> Self {
        Self {
            at,
            blocks: first..first,
            runs: Vec::new(),
        }
    }

    /// Whether the run that begins with the block `first` at `at` lies where it goes on.
    fn goes_on_at(&self, at: Location, first: usize) -> bool {
        self.at.segment == at.segment
            && first - self.blocks.end <= BETWEEN
            && self.at.plus_blocks((first - self.blocks.start) as u32) == at
            && self.runs.len() < RUNS_MAX
    }

    fn push(&mut self, first: usize, buffer: &'b mut [u8]) {
        self.blocks.end = first + buffer.len() / BLOCK;
        self.runs.push((first, buffer));
    }

    /// Reads it, and adds to `late` what of it has to be waited for or is not what was written. Why, the
    /// read that waits will find.
    fn read(&mut self, sources: &mut Sources<'_>, entries: &[Entry], late: &mut Vec<Range<usize>>) {
        let read = match &mut self.runs[..] {
            [(_, buffer)] => sources.read_cached(self.at, buffer),
            runs => {
                let mut parts = Vec::with_capacity(runs.len() * 2);
                let mut end = self.blocks.start;
                for (first, buffer) in runs {
                    if *first > end {
                        parts.push(Part::Past((*first - end) * BLOCK));
                    }
                    end = *first + buffer.len() / BLOCK;
                    parts.push(Part::Into(buffer));
                }
                sources.read_cached_parts(self.at, &mut parts)
            }
        };
        let here = self.blocks.start + read.unwrap_or(0) / BLOCK;
        for (first, buffer) in &self.runs {
            let run = *first..*first + buffer.len() / BLOCK;
            let whole = here.clamp(run.start, run.end) - run.start;
            let good = sound(&entries[run.clone()], &buffer[..whole * BLOCK]);
            if run.start + good < run.end {
                late.push(run.start + good..run.end);
            }
        }
    }

    fn leave(&self, late: &mut Vec<Range<usize>>) {
        let runs = self.runs.iter();
        late.extend(runs.map(|(first, buffer)| *first..*first + buffer.len() / BLOCK));
    }
}

/// Reads the blocks of `entries`, which lie at `places`, into `buffer`, which holds exactly them; which of
/// them are not read yet, each range one behind the other on the disk.
pub(crate) fn cached(
    sources: &mut Sources<'_>,
    entries: &[Entry],
    places: &[Option<Location>],
    buffer: &mut [u8],
    all: All,
) -> Vec<Range<usize>> {
    let mut late = Vec::new();
    for span in &mut spans(places, buffer) {
        if late.is_empty() || all == All::Asked {
            span.read(sources, entries, &mut late);
        } else {
            span.leave(&mut late);
        }
    }
    late
}

/// The spans of what lies at `places`; holes are zeroes at once.
fn spans<'b>(places: &[Option<Location>], buffer: &'b mut [u8]) -> Vec<Span<'b>> {
    let mut spans: Vec<Span<'b>> = Vec::new();
    let mut rest = buffer;
    for run in runs(places) {
        let (part, behind) = rest.split_at_mut(run.len() * BLOCK);
        rest = behind;
        let Some(at) = places[run.start] else {
            part.fill(0);
            continue;
        };
        let mut open = spans.iter_mut().rev().take(OPEN);
        if let Some(span) = open.find(|span| span.goes_on_at(at, run.start)) {
            span.push(run.start, part);
        } else {
            let mut span = Span::new(at, run.start);
            span.push(run.start, part);
            spans.push(span);
        }
    }
    spans
}

/// How many of the first blocks can be read at once: neighbours on the disk, or nothing at all.
pub(crate) fn run_len(places: &[Option<Location>]) -> usize {
    let follows = |(i, place): (usize, &Option<Location>)| match (places[0], place) {
        (Some(first), Some(place)) => *place == first.plus_blocks(i as u32),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let run = places.iter().enumerate();
    run.take_while(|(i, place)| follows((*i, place))).count()
}

/// The parts of `places` that can be read at once.
pub(crate) fn runs(places: &[Option<Location>]) -> impl Iterator<Item = Range<usize>> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let first = done;
        done += run_len(&places[first..]);
        (first < done).then_some(first..done)
    })
}

/// How many of the first blocks of `data` are what was written.
pub(crate) fn sound(entries: &[Entry], data: &[u8]) -> usize {
    let blocks = entries.iter().zip(data.chunks_exact(BLOCK));
    blocks
        .take_while(|(entry, block)| Checksum::of(block) == entry.checksum)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where block `block` of what was written from `segment`'s begin on lies.
    fn at(segment: u32, block: u32) -> Location {
        Location { segment, unit: 8 }.plus_blocks(block)
    }

    /// What was written at once, 20 blocks of it.
    fn together() -> Vec<Option<Location>> {
        (0..20).map(|block| Some(at(1, block))).collect()
    }

    fn blocks_of(places: &[Option<Location>]) -> Vec<Vec<usize>> {
        let mut buffer = vec![1; places.len() * BLOCK];
        let spans = spans(places, &mut buffer);
        let firsts = |span: &Span<'_>| span.runs.iter().map(|(first, _)| *first).collect();
        spans.iter().map(firsts).collect()
    }

    #[test]
    fn what_lies_together_is_asked_for_together() {
        let mut places = together();
        assert_eq!(blocks_of(&places), [[0]]);
        places[4] = Some(at(2, 90));
        places[6] = Some(at(2, 92));
        places[7] = None;
        assert_eq!(blocks_of(&places), [vec![0, 5, 8], vec![4, 6]]);
        // As far as it is worth it.
        let behind = |between: usize| {
            let mut places = together();
            for (place, block) in places[10..10 + between].iter_mut().zip(0..) {
                *place = Some(at(3, 2 * block));
            }
            blocks_of(&places)
        };
        let spans = behind(BETWEEN);
        assert_eq!(spans[0], [0, 10 + BETWEEN]);
        assert_eq!(spans.len(), 1 + BETWEEN);
        let spans = behind(BETWEEN + 1);
        assert_eq!(spans[0], [0]);
        assert_eq!(spans[BETWEEN + 2], [11 + BETWEEN]);
    }

    #[test]
    fn a_span_is_what_one_call_takes() {
        let blocks = 3000;
        let places: Vec<_> = (0..blocks)
            .map(|block| (block % 2 == 0).then(|| at(1, block)))
            .collect();
        let runs: Vec<usize> = blocks_of(&places).iter().map(Vec::len).collect();
        assert_eq!(runs, [RUNS_MAX; 3]);
    }
}

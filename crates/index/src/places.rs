//! Where moved blocks are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebrick_log::Location;
use redb::ReadableTable;

use crate::cache::{Cache, Key};
use crate::entry::Entry;
use crate::error::Error;
use crate::merge::unwritten;
use crate::points::Moved;
use crate::state::{Core, State};
use crate::stored::{Tables, decode_places, unreadable};

/// How many units of a segment share a row: a step of the cleaner moves a few blocks of nearly every
/// segment there is, and writes the rows anew.
const ROW_UNITS: u32 = 1024;

/// The key of a row, in the order of the names: segment, and which part of it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Row(pub(crate) u64);

impl Row {
    pub(crate) const fn of(name: Location) -> Self {
        Self((name.segment as u64) << 32 | (name.unit / ROW_UNITS) as u64)
    }

    /// The keys of all rows of a segment.
    pub(crate) const fn all(segment: u32) -> std::ops::RangeInclusive<u64> {
        let first = (segment as u64) << 32;
        first..=first | u32::MAX as u64
    }

    pub(crate) const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What [`store`] did.
pub(crate) struct Placed {
    /// The rows that it wrote.
    rows: Vec<Row>,
    /// Segments from which something was moved, and from which nothing is left.
    moved: BTreeSet<u32>,
    emptied: BTreeSet<u32>,
}

/// Writes moves down, and forgets the names that nobody uses any more.
pub(crate) fn store(
    tables: &mut Tables<'_>,
    moves: &[Moved],
    dead: &[Location],
) -> Result<Placed, Error> {
    let mut by_row: BTreeMap<Row, BTreeMap<u32, Option<Location>>> = BTreeMap::new();
    let dead = dead.iter().map(|name| (*name, None));
    for (name, place) in dead.chain(moves.iter().map(|moved| (moved.name, Some(moved.place)))) {
        let row = by_row.entry(Row::of(name)).or_default();
        row.insert(name.unit, place);
    }
    let mut placed = Placed {
        rows: by_row.keys().copied().collect(),
        moved: moves.iter().map(|moved| moved.name.segment).collect(),
        emptied: BTreeSet::new(),
    };
    let mut shrunk = BTreeSet::new();
    for (row, moves) in by_row {
        let known = tables.places.get(row.0).map_err(unreadable)?;
        let known = known
            .map(|bytes| decode_places(row, bytes.value()))
            .transpose()?;
        let bytes = merged(&known.unwrap_or_default(), &moves);
        if bytes.is_empty() {
            tables.places.remove(row.0).map_err(unwritten)?;
            shrunk.insert(row.segment());
        } else {
            tables.places.insert(row.0, &*bytes).map_err(unwritten)?;
        }
    }
    for segment in shrunk {
        let left = tables.places.range(Row::all(segment));
        if left.map_err(unreadable)?.next().is_none() {
            placed.emptied.insert(segment);
        }
    }
    Ok(placed)
}

/// What is known of a row with the changes to it, both in the order of the units, as it is stored.
/// A step of the cleaner touches most segments a little, so this is done for nearly all blocks.
fn merged(known: &[Moved], changes: &BTreeMap<u32, Option<Location>>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((known.len() + changes.len()) * 12);
    let mut add = |unit: u32, place: Location| {
        for number in [unit, place.segment, place.unit] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    };
    let mut known = known.iter().peekable();
    for (unit, place) in changes {
        while let Some(moved) = known.next_if(|moved| moved.name.unit < *unit) {
            add(moved.name.unit, moved.place);
        }
        known.next_if(|moved| moved.name.unit == *unit);
        if let Some(place) = place {
            add(*unit, *place);
        }
    }
    for moved in known {
        add(moved.name.unit, moved.place);
    }
    bytes
}

/// Lets everybody see what was stored.
pub(crate) fn publish(state: &mut State, placed: &Placed) {
    state.moved.extend(&placed.moved);
    for segment in &placed.emptied {
        state.moved.remove(segment);
    }
}

/// Where a block is, by what was moved of its part of the segment.
fn find(moved: &[Moved], name: Location) -> Location {
    let at = moved.binary_search_by_key(&name.unit, |moved| moved.name.unit);
    at.map_or(name, |at| moved[at].place)
}

/// Forgets what was so before, once the new state can be seen. Nobody is kept from a lookup meanwhile:
/// what is still found to be at its former place is there until this has returned.
pub(crate) fn forget(cache: &Cache, placed: &Placed) {
    for row in &placed.rows {
        cache.remove(Key::Places(*row));
    }
}

impl Core {
    /// Whether blocks that were first written to that segment may lie elsewhere.
    pub(crate) fn has_moved(&self, segment: u32) -> bool {
        self.read().moved.contains(&segment)
    }

    pub(crate) fn place(&self, name: Location) -> Result<Location, Error> {
        let moved = self.moved_near(Row::of(name))?;
        Ok(moved.map_or(name, |moved| find(&moved, name)))
    }

    pub(crate) fn places(&self, entries: &[Entry]) -> Result<Vec<Option<Location>>, Error> {
        let names = entries
            .iter()
            .map(|entry| entry.some().map(|entry| entry.at));
        let mut places: Vec<_> = names.collect();
        if !self.have_moved(&places) {
            return Ok(places);
        }
        let mut known = None;
        for place in places.iter_mut().flatten() {
            let row = Row::of(*place);
            let moved = match known.take() {
                Some((last, moved)) if last == row => moved,
                Some(_) | None => self.moved_near(row)?,
            };
            let (_, moved) = known.insert((row, moved));
            if let Some(moved) = moved {
                *place = find(moved, *place);
            }
        }
        Ok(places)
    }

    /// Whether any of the blocks may lie elsewhere.
    fn have_moved(&self, names: &[Option<Location>]) -> bool {
        let state = self.read();
        let mut last = 0;
        !state.moved.is_empty()
            && names.iter().flatten().any(|name| {
                let former = std::mem::replace(&mut last, name.segment);
                former != name.segment && state.moved.contains(&name.segment)
            })
    }

    /// What was moved from a part of a segment; `None` where nothing of the segment was.
    fn moved_near(&self, row: Row) -> Result<Option<Arc<[Moved]>>, Error> {
        let mut tries = 0;
        loop {
            let state = self.read();
            if !state.moved.contains(&row.segment()) {
                return Ok(None);
            }
            if let Some(moved) = self.cache.places(row) {
                return Ok(Some(moved));
            }
            let stored = Arc::clone(&state.stored);
            drop(state);
            match stored.places_in(row) {
                Ok(moved) => {
                    let moved: Arc<[Moved]> = moved.into();
                    self.remember(&stored, |cache| {
                        cache.put_places(row, Arc::clone(&moved));
                    });
                    return Ok(Some(moved));
                }
                Err(error) => self.may_try_again(&stored, error, &mut tries)?,
            }
        }
    }
}

//! Where moved blocks are.

use std::collections::BTreeMap;
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

/// Writes moves down, and forgets the names that nobody uses any more. Says from which segments
/// nothing is left.
pub(crate) fn store(
    tables: &mut Tables<'_>,
    moves: &[Moved],
    dead: &[Location],
) -> Result<Vec<u32>, Error> {
    let mut by_segment: BTreeMap<u32, BTreeMap<u32, Option<Location>>> = BTreeMap::new();
    let dead = dead.iter().map(|name| (*name, None));
    for (name, place) in dead.chain(moves.iter().map(|moved| (moved.name, Some(moved.place)))) {
        let segment = by_segment.entry(name.segment).or_default();
        segment.insert(name.unit, place);
    }
    let mut emptied = Vec::new();
    for (segment, moves) in by_segment {
        let known = tables.places.get(segment).map_err(unreadable)?;
        let known = known
            .map(|bytes| decode_places(segment, bytes.value()))
            .transpose()?;
        let known = known.unwrap_or_default();
        let known = known
            .into_iter()
            .map(|moved| (moved.name.unit, moved.place));
        let mut all: BTreeMap<u32, Location> = known.collect();
        for (unit, place) in moves {
            match place {
                Some(place) => all.insert(unit, place),
                None => all.remove(&unit),
            };
        }
        if all.is_empty() {
            tables.places.remove(segment).map_err(unwritten)?;
            emptied.push(segment);
            continue;
        }
        let bytes: Vec<u8> = all
            .into_iter()
            .flat_map(|(unit, place)| [unit, place.segment, place.unit])
            .flat_map(u32::to_be_bytes)
            .collect();
        tables.places.insert(segment, &*bytes).map_err(unwritten)?;
    }
    Ok(emptied)
}

/// Lets everybody see what was stored.
pub(crate) fn publish(
    state: &mut State,
    cache: &Cache,
    moves: &[Moved],
    dead: &[Location],
    emptied: &[u32],
) {
    let moved = moves.iter().map(|moved| moved.name.segment);
    for segment in moved.clone().chain(dead.iter().map(|name| name.segment)) {
        cache.remove(Key::Places(segment));
    }
    state.moved.extend(moved);
    for segment in emptied {
        state.moved.remove(segment);
    }
}

/// Where a block is, of whose segment that was moved.
fn find(moved: &[Moved], name: Location) -> Location {
    let at = moved.binary_search_by_key(&name.unit, |moved| moved.name.unit);
    at.map_or(name, |at| moved[at].place)
}

impl Core {
    /// Whether blocks that were first written to that segment may lie elsewhere.
    pub(crate) fn has_moved(&self, segment: u32) -> bool {
        self.read().moved.contains(&segment)
    }

    pub(crate) fn place(&self, name: Location) -> Result<Location, Error> {
        let moved = self.moved_from(name.segment)?;
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
        let mut known = (0, None);
        for place in places.iter_mut().flatten() {
            if known.0 != place.segment {
                known = (place.segment, self.moved_from(place.segment)?);
            }
            if let Some(moved) = &known.1 {
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

    /// What was moved from a segment; `None` where nothing was.
    fn moved_from(&self, segment: u32) -> Result<Option<Arc<[Moved]>>, Error> {
        let mut tries = 0;
        loop {
            let state = self.read();
            if !state.moved.contains(&segment) {
                return Ok(None);
            }
            if let Some(moved) = self.cache.places(segment) {
                return Ok(Some(moved));
            }
            let stored = Arc::clone(&state.stored);
            drop(state);
            match stored.places(segment) {
                Ok(moved) => {
                    let moved: Arc<[Moved]> = moved.into();
                    self.remember(&stored, |cache| {
                        cache.put_places(segment, Arc::clone(&moved));
                    });
                    return Ok(Some(moved));
                }
                Err(error) => self.may_try_again(&stored, error, &mut tries)?,
            }
        }
    }
}

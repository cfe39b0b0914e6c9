//! Which segments are cleaned, and how eagerly.
//!
//! By cost and benefit, as in log-structured file systems (Rosenblum and Ousterhout, 1992): the room
//! that is won, times how long it will stay won, for what it costs to read the segment and to write
//! what is live. How much dead data may lie around depends on how much room is left.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use firebrick_log::{SegmentInfo, SegmentKind};
use firebrick_vocabulary::{BLOCK_SIZE, Sequence};

use crate::commit::Core;
use crate::error::Error;

/// How urgent it is to clean.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Pressure {
    /// There is nothing to win.
    #[default]
    None,
    /// There is room enough; what is worth it can be done when nobody is disturbed.
    Low,
    /// Room becomes scarce.
    High,
    /// Guests are about to be refused.
    Full,
}

/// Used bytes for each live one that are fine while half of the room and more is left.
const EASY: f64 = 1.5;
/// The same where room is scarce.
const TIGHT: f64 = 1.15;
/// Room is scarce where less than this part of it is left, and all but gone with less than that.
const SCARCE: f64 = 0.15;
const FULL: f64 = 0.02;
/// A segment with more live data than this is not worth its cost.
const LIVE_MAX: f64 = 0.95;

/// A segment that could be cleaned.
struct Candidate {
    segment: SegmentInfo,
    /// The part of it that is live, from 0 to 1.
    live: f64,
    /// Since its last frame, in seconds.
    age: f64,
}

impl Candidate {
    /// Benefit for cost, in thousandths. Where room is scarce, what is won soonest counts.
    fn worth(&self, scarce: bool) -> u64 {
        let age = if scarce { 0.0 } else { self.age };
        let worth = (1.0 - self.live) * (1.0 + age) / (1.0 + self.live);
        (worth * 1000.0) as u64
    }
}

impl Core {
    /// What would be cleaned now, the most worthwhile first.
    pub(super) fn victims(&self) -> Result<(Pressure, Vec<SegmentInfo>), Error> {
        let room = self.log.room()?;
        let (used, live, mut candidates) = self.candidates()?;
        let total = used + room.free_for_guests;
        let lazy = self.options.lazy_percent;
        let dead_max = live_allowance(live, room.free_for_guests, total, lazy);
        let left = room.free_for_guests as f64 / total.max(1) as f64;
        candidates.sort_by_key(|candidate| Reverse(candidate.worth(left < SCARCE)));
        // What holds nothing at all costs nothing.
        let dead = candidates.iter().filter(|candidate| candidate.live <= 0.0);
        let mut victims: Vec<SegmentInfo> = dead.map(|candidate| candidate.segment).collect();
        let pressure = match () {
            () if used > dead_max && left < FULL => Pressure::Full,
            () if used > dead_max && left < SCARCE => Pressure::High,
            () if used > dead_max || !victims.is_empty() => Pressure::Low,
            () => Pressure::None,
        };
        if used > dead_max {
            let rest = candidates.iter().filter(|candidate| candidate.live > 0.0);
            let worth = rest.filter(|candidate| candidate.live <= LIVE_MAX);
            victims.extend(worth.map(|candidate| candidate.segment));
        }
        Ok((pressure, victims))
    }

    /// Bytes of all segments that are live, as far as is known.
    pub(crate) fn live_bytes(&self) -> Result<u64, Error> {
        let (used, live, _) = self.candidates()?;
        // What is being written has had no time to die.
        Ok(live + self.log.room()?.used.saturating_sub(used))
    }

    /// Bytes used and live in full segments, as far as is known, and those that may be cleaned.
    fn candidates(&self) -> Result<(u64, u64, Vec<Candidate>), Error> {
        let now = self.clock.now();
        let keep_from = self.log.kept_from();
        let segments = self.log.catalog().segments;
        // Where a segment between two was freed, the one before is read in order with the one behind.
        let behind: BTreeMap<u32, Sequence> = {
            let log = segments.iter().filter(|one| one.kind == SegmentKind::Log);
            let next = log.clone().skip(1);
            log.zip(next)
                .map(|(one, next)| (one.number, next.first))
                .collect()
        };
        let (mut used, mut all_live) = (0, 0);
        let mut candidates = Vec::new();
        for segment in segments {
            let usage = match segment.usage {
                Some(usage) => usage,
                None => self.log.measure(segment.number)?,
            };
            let known = self.cleaning.state.lock();
            let dead = known.dead.get(&segment.number).copied().unwrap_or_default();
            let damaged = known.damaged.contains(&segment.number);
            drop(known);
            let live = usage.blocks.saturating_sub(dead) * BLOCK_SIZE;
            used += segment.len;
            all_live += live;
            let past = match segment.kind {
                SegmentKind::Log => behind
                    .get(&segment.number)
                    .map_or_else(|| usage.last.next(), |first| *first)
                    .le(&keep_from),
                SegmentKind::Packed => true,
            };
            if past && !damaged {
                candidates.push(Candidate {
                    segment,
                    live: live as f64 / segment.len.max(1) as f64,
                    age: now.0.saturating_sub(usage.time.0) as f64 / 1e9,
                });
            }
        }
        Ok((used, all_live, candidates))
    }
}

/// How many bytes may be used while so many are live and so many are left; for `lazy` see
/// [`crate::StoreOptions::lazy_percent`].
fn live_allowance(live: u64, left: u64, total: u64, lazy: u8) -> u64 {
    let (left, total) = (left as f64, total.max(1) as f64);
    let share = left / total;
    if share < FULL {
        return live;
    }
    let factor = TIGHT + (EASY - TIGHT) * (share / 0.5).min(1.0);
    let spare = (left - total / 2.0).max(0.0) * f64::from(lazy) / 100.0;
    live.saturating_add((live as f64 * (factor - 1.0) + spare) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_less_room_is_left_the_less_may_be_dead() {
        let lazy =
            |live, left, lazy| live_allowance(live * GIB, left * GIB, 100 * GIB, lazy) / GIB - live;
        let dead = |live, left| lazy(live, left, 50);
        assert_eq!(dead(10, 90), 25, "a half of what is left beyond a half");
        assert_eq!(dead(40, 50), 20);
        assert_eq!(dead(80, 20), 23);
        assert_eq!(dead(90, 1), 0);
        assert_eq!(lazy(10, 90, 0), 5);
        assert_eq!(lazy(10, 90, 100), 45);
    }
}

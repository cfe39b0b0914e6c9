//! Which segments are cleaned, and how eagerly.
//!
//! By cost and benefit, as in log-structured file systems (Rosenblum and Ousterhout, 1992): the room
//! that is won, times how long it will stay won, for what it costs to read the segment and to write
//! what is live. How much dead data may lie around depends on how much room is left.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use firebrick_log::{Room, SegmentInfo, SegmentKind};
use firebrick_vocabulary::{BLOCK_SIZE, Sequence};

use super::rescue::frame_blocks;
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
/// That part of all room is not given to dead data just because it is free.
const NOT_SPARE: f64 = 0.25;
/// Room is scarce, and guests are slowed, where less than this part of it is left or fewer segments.
const SCARCE: f64 = 0.015;
const SCARCE_SEGMENTS: u64 = 2;
/// But never where more is left than such a part of all that is not live.
const SLACK_PARTS: u64 = 20;
/// What is left of the last segment does not count: one that is begun must be there as a whole.
const LAST_SEGMENTS: u64 = 1;
/// Nor that of two more, which are packed before the one that was emptied is free; but where the log is
/// small, those would be dead data that must not lie around, so that more moves.
const PACK_SEGMENTS: u64 = 2;
const PACK_PARTS: u64 = 100;
/// Beginning with how many times that it is cleaned without a pause, and with half as many pauses.
const FULL: f64 = 1.1;
const HIGH: f64 = 1.25;
/// A segment with more live data than this is not worth its cost.
const LIVE_MAX: f64 = 0.86;
/// The same for one of the log where guests are slowed already: small frames take more room there, and
/// what it moves to is none of the log, so that it moves once.
const LOG_LIVE_MAX: f64 = 0.95;
/// The same for a packed one, of what the one to which it moves is sure to hold: where it won nothing,
/// it would move for ever.
const PACKED_SHARE: f64 = 0.975;
/// The head of a packed frame takes less than so many blocks for each 256 of its data, or one.
const HEAD_BLOCKS: u64 = 3;
/// Which part of all that is dead may not be known to be where room is scarce: what died since the
/// last checkpoint is known only at the next, and until then live data moves instead.
const HIDDEN_SHARE: u64 = 4;
/// A checkpoint for less than such a part of a segment is not worth its cost.
const HIDDEN_LEAST: u64 = 4;

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

    /// The most that may be live of it, where guests are slowed or not.
    fn live_max(&self, slowed: bool, segment: u64) -> f64 {
        match self.segment.kind {
            _ if !slowed => LIVE_MAX,
            SegmentKind::Log => LOG_LIVE_MAX,
            SegmentKind::Packed => sure(segment) * PACKED_SHARE,
        }
    }
}

impl Core {
    /// What would be cleaned now, the most worthwhile first.
    pub(super) fn victims(&self) -> Result<(Pressure, Vec<SegmentInfo>), Error> {
        let room = self.log.room()?;
        let (used, live, mut candidates) = self.candidates()?;
        let total = used + room.free_for_guests;
        let scarce = scarce(total, live, self.options.segment_bytes);
        self.cleaning.pace.scarce_below(scarce);
        let left = free(&room, self.options.segment_bytes) as f64 / scarce as f64;
        let lazy = self.options.lazy_percent;
        let dead_max = match () {
            () if left < HIGH => live,
            () => live_allowance(live, room.free_for_guests, total, lazy),
        };
        let hides = left < HIGH && self.hides_much(used.saturating_sub(live));
        if hides {
            self.progress.ask();
        }
        candidates.sort_by_key(|candidate| Reverse(candidate.worth(left < HIGH)));
        // What holds nothing at all costs nothing.
        let dead = candidates.iter().filter(|candidate| candidate.live <= 0.0);
        let mut victims: Vec<SegmentInfo> = dead.map(|candidate| candidate.segment).collect();
        let pressure = match () {
            () if used > dead_max && left < FULL => Pressure::Full,
            () if used > dead_max && left < HIGH => Pressure::High,
            () if used > dead_max || !victims.is_empty() => Pressure::Low,
            () => Pressure::None,
        };
        if used > dead_max {
            let rest = candidates.iter().filter(|candidate| candidate.live > 0.0);
            let segment = self.options.segment_bytes;
            let most = |candidate: &Candidate| candidate.live_max(left < 1.0 && !hides, segment);
            let worth = rest.filter(|candidate| candidate.live <= most(candidate));
            victims.extend(worth.map(|candidate| candidate.segment));
        }
        Ok((pressure, victims))
    }

    /// Whether much of what is dead is not known to be yet, while `dead` bytes are.
    fn hides_much(&self, dead: u64) -> bool {
        let hidden = self.grown();
        hidden >= self.options.segment_bytes / HIDDEN_LEAST && hidden >= dead / HIDDEN_SHARE
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
    let factor = TIGHT + (EASY - TIGHT) * (left / total / 0.5).min(1.0);
    let spare = (left - total * NOT_SPARE).max(0.0) * f64::from(lazy) / 100.0;
    live.saturating_add((live as f64 * (factor - 1.0) + spare) as u64)
}

/// The part of a packed segment of so many bytes that is sure to hold data: less than a frame can be
/// left over at its end, and each frame has a head.
fn sure(segment: u64) -> f64 {
    let frame = frame_blocks(segment);
    let head = (frame * HEAD_BLOCKS).div_ceil(256);
    let left_over = (frame * BLOCK_SIZE) as f64 / segment as f64;
    (1.0 - left_over) * frame as f64 / (frame + head) as f64
}

/// What guests can write before they have to wait for a segment. What can be packed without one counts:
/// so this grows evenly by what cleaning wins, and not by a segment now and then.
pub(super) fn free(room: &Room, segment: u64) -> u64 {
    let total = room.used + room.free_for_guests;
    let kept = (total / PACK_PARTS).min(PACK_SEGMENTS * segment);
    let free = room.free_for_guests + room.left_to_pack.min(kept);
    free.saturating_sub(LAST_SEGMENTS * segment + kept)
}

/// With less than so many bytes left of `total` guests are slowed; never so many that hardly any dead
/// data may lie around: the less of that there is, the more live data moves for each byte won.
fn scarce(total: u64, live: u64, segment: u64) -> u64 {
    let some = ((total as f64 * SCARCE) as u64).max(SCARCE_SEGMENTS * segment);
    let slack = total.saturating_sub(live + LAST_SEGMENTS * segment);
    some.min(slack / SLACK_PARTS).max(1)
}

#[cfg(test)]
mod tests {
    use firebrick_vocabulary::{GIB, MIB};

    use super::*;

    #[test]
    fn the_less_room_is_left_the_less_may_be_dead() {
        let lazy =
            |live, left, lazy| live_allowance(live * GIB, left * GIB, 100 * GIB, lazy) / GIB - live;
        let dead = |live, left| lazy(live, left, 50);
        assert_eq!(dead(10, 90), 37, "a half of what is left beyond a quarter");
        assert_eq!(dead(40, 50), 32);
        assert_eq!(dead(80, 20), 23);
        assert_eq!(lazy(10, 90, 0), 5);
        assert_eq!(lazy(10, 90, 100), 70);
    }

    #[test]
    fn what_moves_where_guests_are_slowed_wins_something() {
        let most = |segment| (sure(segment) * PACKED_SHARE * 100.0) as u64;
        assert_eq!([most(MIB), most(32 * MIB), most(64 * MIB)], [86, 93, 94]);
    }

    #[test]
    fn what_counts_as_scarce_leaves_room_for_dead_data() {
        assert_eq!(scarce(1000 * MIB, 500 * MIB, MIB), 15 * MIB);
        assert_eq!(scarce(1000 * MIB, 600 * MIB, 8 * MIB), 16 * MIB);
        assert_eq!(scarce(60 * MIB, 52 * MIB, MIB), 7 * MIB / 20);
        assert_eq!(scarce(60 * MIB, 60 * MIB, MIB), 1);
    }
}

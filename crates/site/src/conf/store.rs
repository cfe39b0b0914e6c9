//! How far the past reaches, how much room there is, how often all of it is looked at.

use std::time::Duration;

use firebrick_config::{ConfigError, Section};
use firebrick_engine::Retention;
use firebrick_vocabulary::{Bytes, GIB, MIB};

use super::size_of;

/// The least room in which a log can be cleaned.
const CAPACITY_LEAST: u64 = 16 * MIB;
const CAPACITY_MOST: u64 = 1024 * 1024 * GIB;
const SCRUB_INTERVAL: Duration = Duration::from_secs(7 * 86_400);

/// The size of a segment where the file does not say.
const SEGMENT: u64 = 64 * MIB;
/// A log has so many segments at least, as it keeps a few of them to itself.
const SEGMENTS_LEAST: u64 = 128;

/// The size of a segment that suits a log of that capacity.
pub(super) fn segment_size(capacity: Option<Bytes>) -> u64 {
    let most = capacity.map_or(SEGMENT, |capacity| capacity.get() / SEGMENTS_LEAST);
    let rounded = most.checked_ilog2().map_or(0, |bits| 1 << bits);
    rounded.clamp(MIB, SEGMENT)
}

/// `retention`: 0, a time or a size.
pub(super) fn retention(section: &Section) -> Result<Retention, ConfigError> {
    match section.text("retention")? {
        None => Ok(Retention::None),
        Some(text) => {
            let parsed = text.parse();
            parsed.map_err(|bad| section.refuse("retention", format!("{text:?}: {bad}")))
        }
    }
}

/// `capacity`: a size; without it, what the file system has.
pub(super) fn capacity(section: &Section) -> Result<Option<Bytes>, ConfigError> {
    match section.text("capacity")? {
        None => Ok(None),
        Some(text) => size_of(section, "capacity", &text, CAPACITY_LEAST, CAPACITY_MOST).map(Some),
    }
}

/// `scrub_interval`: the time for a whole pass; 0 for none.
pub(super) fn scrub_interval(section: &Section) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = section.text("scrub_interval")? else {
        return Ok(Some(SCRUB_INTERVAL));
    };
    match text.parse() {
        Ok(Retention::None) => Ok(None),
        Ok(Retention::Time(time)) => Ok(Some(time)),
        Ok(Retention::Log(_)) | Err(_) => Err(section.refuse(
            "scrub_interval",
            format!("{text:?} is not a time such as 7d or 12h, or 0"),
        )),
    }
}

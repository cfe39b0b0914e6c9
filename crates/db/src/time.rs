//! Time as the database keeps it: microseconds since the Unix epoch.

use ::time::OffsetDateTime;

/// The present, as precise as the database keeps it.
pub fn now() -> OffsetDateTime {
    from_micros(to_micros(OffsetDateTime::now_utc()))
}

pub(crate) const fn to_micros(time: OffsetDateTime) -> i64 {
    (time.unix_timestamp_nanos() / 1000) as i64
}

pub(crate) fn from_micros(micros: i64) -> OffsetDateTime {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000);
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

//! Times as Cinder writes them: UTC, microseconds, no zone.

use std::fmt;

use serde::ser::{Serialize, Serializer};
use time::{OffsetDateTime, UtcOffset};

/// `2026-11-20T21:03:34.018301`.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) OffsetDateTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.to_offset(UtcOffset::UTC);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.microsecond()
        )
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_of_utc_with_microseconds() {
        let at = datetime!(2026-11-20 22:03:34.018301 +1);
        assert_eq!(Moment(at).to_string(), "2026-11-20T21:03:34.018301");
    }
}

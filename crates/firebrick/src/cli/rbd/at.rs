//! A moment as an operator writes it: a time or a place in the log.

use std::str::FromStr;

use firebrick_vocabulary::{Position, Sequence};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time or a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum At {
    /// Nanoseconds since the Unix epoch.
    Time(u64),
    /// The last record that counts.
    Record(Sequence),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Record(Sequence(sequence)));
        }
        if let Ok(position) = text.replacen(':', ".", 1).parse::<Position>() {
            return Ok(Self::Record(position.sequence));
        }
        let refuse = || {
            "write a time such as 2026-11-20T20:34:14Z, a position such as 1.48213, or the number of a record"
                .to_owned()
        };
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refuse())?;
        let nanos = u64::try_from(time.unix_timestamp_nanos()).map_err(|_| refuse())?;
        Ok(Self::Time(nanos))
    }
}

/// A date, whose first moment in UTC is meant, or a time, in nanoseconds since the Unix epoch.
pub(super) fn moment(text: &str) -> Option<u64> {
    let date = time::macros::format_description!("[year]-[month]-[day]");
    let time = match time::Date::parse(text, &date) {
        Ok(date) => date.midnight().assume_utc(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok()?,
    };
    u64::try_from(time.unix_timestamp_nanos()).ok()
}

fn utc(nanos: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A time as `rbd` prints it, in UTC: `Fri Nov 20 20:34:14 2026`; nothing where it is not known.
pub(super) fn ctime(nanos: u64) -> String {
    if nanos == 0 {
        return String::new();
    }
    let format = time::macros::format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
    );
    utc(nanos).format(format).unwrap_or_default()
}

/// A time as `--at` takes it, so that what is printed can be given back.
pub(super) fn rfc3339(nanos: u64) -> String {
    utc(nanos).format(&Rfc3339).unwrap_or_default()
}

/// A minute as `rbd` prints when something is due, in UTC: `2026-11-20 21:32:00`.
pub(super) fn minute(nanos: u64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:00");
    utc(nanos).format(format).unwrap_or_default()
}

/// A second as `rbd mirror` prints when something was said, in UTC: `2026-11-20 21:46:26`.
pub(super) fn second(nanos: u64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    utc(nanos).format(format).unwrap_or_default()
}

/// A time as `rbd` prints that of an entry of a journal: `2026-11-20T21:32:59.103175+0000`.
pub(super) fn stamp(nanos: u64) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]+0000"
    );
    utc(nanos).format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_or_positions() {
        assert_eq!("17".parse(), Ok(At::Record(Sequence(17))));
        assert_eq!("2.17".parse(), Ok(At::Record(Sequence(17))));
        assert_eq!("2:17".parse(), Ok(At::Record(Sequence(17))));
        let second = 1_795_207_654_000_000_000;
        assert_eq!("2026-11-20T20:47:34Z".parse(), Ok(At::Time(second)));
        assert_eq!("2026-11-20T21:47:34+01:00".parse(), Ok(At::Time(second)));
        for text in ["", "yesterday", "2026-11-20", "-1", "1960-01-01T00:00:00Z"] {
            assert!(text.parse::<At>().is_err(), "{text}");
        }
        assert_eq!(ctime(second), "Fri Nov 20 20:47:34 2026");
        assert_eq!(rfc3339(second).parse(), Ok(At::Time(second)));
    }
}

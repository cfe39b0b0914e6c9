//! What tools ask about schedules of mirror snapshots, and what they are told.

use std::fmt;
use std::str::FromStr;

use firebrick_vocabulary::{ImageId, ImageName, Interval};
use serde::{Deserialize, Serialize};

/// What a schedule is for. The nearest to an image that has one holds for it, and no other.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleLevel {
    /// All images of the site.
    Site,
    /// All images of the pool.
    Pool,
    /// All images of a namespace.
    Namespace(String),
    /// One image.
    Image(ImageId),
    /// All images of a group, by the id of that, at one position.
    Group(ImageId),
}

/// From which time of a day an interval is counted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StartTime {
    /// In minutes behind midnight, by the clock that was meant.
    minutes: u16,
    /// How far that clock is before UTC, in minutes, where it was named.
    offset: Option<i16>,
}

impl StartTime {
    /// In minutes behind midnight in UTC; that of the day before where it is less than 0.
    pub fn utc_minutes(self) -> i64 {
        i64::from(self.minutes) - i64::from(self.offset.unwrap_or(0))
    }
}

fn two_digits(text: &str, most: u16) -> Option<u16> {
    let digits = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    (number <= most).then_some(number)
}

/// `HH:MM`, perhaps with `:SS`, which does not count.
fn clock(text: &str) -> Option<u16> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    if let Some(second) = parts.next() {
        let (whole, _) = second.split_once('.').unwrap_or((second, ""));
        two_digits(whole, 59)?;
    }
    let minutes = two_digits(hour, 23)? * 60 + two_digits(minute, 59)?;
    parts.next().is_none().then_some(minutes)
}

/// `+HH:MM`, `+HHMM` or `+HH`, without the sign.
fn offset(text: &str) -> Option<i16> {
    let hours = text.get(..2)?;
    let minutes = text.get(2..)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let minutes = if minutes.is_empty() { "00" } else { minutes };
    let whole = two_digits(hours, 14)? * 60 + two_digits(minutes, 59)?;
    i16::try_from(whole).ok()
}

impl FromStr for StartTime {
    type Err = String;

    /// As RBD spells it: a time of the day in ISO 8601, perhaps behind a date, which does not count, and
    /// perhaps with the distance of its clock from UTC.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "Invalid start time {text}: write a time such as 14:00, 14:00:00-05:00 or 2026-11-20T14:00Z"
            )
        };
        let time = match text.split_once(['T', ' ']) {
            Some((date, time)) => {
                let mut parts = date.split('-').map(str::len);
                let is_date = [4, 2, 2].iter().all(|len| parts.next() == Some(*len));
                let digits = date.bytes().all(|c| c.is_ascii_digit() || c == b'-');
                if !is_date || !digits || parts.next().is_some() {
                    return Err(refuse());
                }
                time
            }
            None => text,
        };
        let (time, offset) = if let Some(time) = time.strip_suffix('Z') {
            (time, Some(0))
        } else if let Some((time, before)) = time.split_once('+') {
            (time, Some(offset(before).ok_or_else(refuse)?))
        } else if let Some((time, behind)) = time.split_once('-') {
            (time, Some(-offset(behind).ok_or_else(refuse)?))
        } else {
            (time, None)
        };
        let minutes = clock(time).ok_or_else(refuse)?;
        Ok(Self { minutes, offset })
    }
}

impl fmt::Display for StartTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:00", self.minutes / 60, self.minutes % 60)?;
        let Some(offset) = self.offset else {
            return Ok(());
        };
        let sign = if offset < 0 { '-' } else { '+' };
        let offset = offset.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

impl TryFrom<String> for StartTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<StartTime> for String {
    fn from(time: StartTime) -> Self {
        time.to_string()
    }
}

/// One part of a schedule.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ScheduleItem {
    /// How often.
    pub interval: Interval,
    /// From when it is counted; `None` for midnight in UTC.
    pub start_time: Option<StartTime>,
}

/// A call about schedules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleRequest {
    /// Adds a part to the schedule of a level.
    Add {
        /// The level.
        level: ScheduleLevel,
        /// The part.
        item: ScheduleItem,
    },
    /// Takes a part from the schedule of a level, or ends it.
    Remove {
        /// The level.
        level: ScheduleLevel,
        /// The part; `None` for all of it.
        item: Option<ScheduleItem>,
    },
    /// The schedules there are.
    List,
}

/// The schedules of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedules {
    /// All of them, by level.
    pub schedules: Vec<Schedule>,
    /// When mirror snapshots are taken next, the soonest first.
    pub next: Vec<NextRun>,
}

/// The schedule of one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The level.
    pub level: ScheduleLevel,
    /// The name of the image or group, where it is one.
    pub name: Option<ImageName>,
    /// Its parts.
    pub items: Vec<ScheduleItem>,
}

/// When mirror snapshots are taken next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextRun {
    /// Of which image or group.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Whether it is a group.
    pub group: bool,
    /// In nanoseconds since the Unix epoch.
    pub time: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_are_of_a_day_by_a_clock() {
        for (text, minutes, said) in [
            ("14:00", 840, "14:00:00"),
            ("14:00:00-05:00", 1140, "14:00:00-05:00"),
            ("2026-11-20T00:30:59Z", 30, "00:30:00+00:00"),
            ("2026-11-20 00:30+0100", -30, "00:30:00+01:00"),
            ("23:59:59.5+14", 599, "23:59:00+14:00"),
        ] {
            let time: StartTime = text.parse().unwrap();
            assert_eq!(
                (time.utc_minutes(), time.to_string()),
                (minutes, said.to_owned())
            );
        }
        for text in [
            "",
            "14",
            "24:00",
            "1:00",
            "14:60",
            "x",
            "20-11-2026T14:00",
            "14:00+",
            "14:00:00:00",
        ] {
            assert!(text.parse::<StartTime>().is_err(), "{text}");
        }
    }
}

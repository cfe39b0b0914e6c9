//! How often mirror snapshots are taken.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How often mirror snapshots are taken: a time of at least a minute, in whole minutes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(u32);

/// The longest: a year.
const INTERVAL_MAX: u32 = 366 * 24 * 60;

impl Interval {
    /// In minutes; never 0.
    pub const fn minutes(self) -> u32 {
        self.0
    }
}

impl FromStr for Interval {
    type Err = String;

    /// As RBD spells it: `90m`, `12h`, `1d`; a number alone counts minutes.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("Invalid interval ({text})");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "m" => 1,
            "h" => 60,
            "d" => 24 * 60,
            _ => return Err(refuse()),
        };
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(refuse());
        }
        let minutes = digits.parse::<u32>().ok();
        let minutes = minutes.and_then(|count| count.checked_mul(unit));
        match minutes {
            Some(minutes) if (1..=INTERVAL_MAX).contains(&minutes) => Ok(Self(minutes)),
            Some(_) | None => Err(refuse()),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            minutes if minutes.is_multiple_of(24 * 60) => write!(f, "{}d", minutes / (24 * 60)),
            minutes if minutes.is_multiple_of(60) => write!(f, "{}h", minutes / 60),
            minutes => write!(f, "{minutes}m"),
        }
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_spelled_as_rbd_does() {
        for (text, minutes, said) in [
            ("1m", 1, "1m"),
            ("90", 90, "90m"),
            ("120m", 120, "2h"),
            ("12h", 720, "12h"),
            ("48h", 2880, "2d"),
        ] {
            let interval: Interval = text.parse().unwrap();
            assert_eq!(
                (interval.minutes(), interval.to_string()),
                (minutes, said.to_owned())
            );
        }
        for text in [
            "",
            "m",
            "1s",
            "0m",
            "-1m",
            "1.5h",
            "9999999999d",
            "400d",
            "1 m",
        ] {
            let refused = text.parse::<Interval>().unwrap_err();
            assert_eq!(refused, format!("Invalid interval ({text})"));
        }
    }
}

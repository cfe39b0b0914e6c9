//! How much may go to a peer, when, and in which form.

use std::fmt;
use std::str::FromStr;

use firebrick_edge::Timestamp;
use firebrick_vocabulary::Bytes;
use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY: u32 = 24 * 60;
/// Nanoseconds of a minute.
const MINUTE: u64 = 60_000_000_000;
/// Windows of one schedule; more make no sense.
const WINDOWS_MAX: usize = 48;

/// How much may go to a peer, when, and in which form. It concerns the log, copies and differences; signs of life and answers to
/// questions go in any case, as they are small.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// The most that goes outside of the quiet hours.
    pub bandwidth: Rate,
    /// When [`Self::quiet_bandwidth`] holds instead.
    pub quiet_hours: Hours,
    /// The most that goes in the quiet hours.
    pub quiet_bandwidth: Rate,
    /// In which form it goes, to a peer that understands it.
    pub compression: Compression,
}

impl Default for Traffic {
    /// Any amount at any time; hours that somebody calls quiet are.
    fn default() -> Self {
        Self {
            bandwidth: Rate::UNLIMITED,
            quiet_hours: Hours::default(),
            quiet_bandwidth: Rate::NOTHING,
            compression: Compression::None,
        }
    }
}

impl Traffic {
    /// What holds at `now`.
    pub fn at(&self, now: Timestamp) -> Allowed {
        let quiet = self.quiet_hours.have(now);
        let rate = if quiet {
            self.quiet_bandwidth
        } else {
            self.bandwidth
        };
        Allowed { rate, quiet }
    }
}

/// What may go to a peer at some moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Allowed {
    /// So much.
    pub rate: Rate,
    /// Whether that is because the hours are quiet.
    pub quiet: bool,
}

/// In which form bytes go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// As LZ4 makes them, where that saves an eighth at least.
    Lz4,
}

impl Compression {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
        }
    }
}

impl FromStr for Compression {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            _ => Err("must be none or lz4"),
        }
    }
}

/// How much may go in a second: any amount, nothing, or from 1 KiB on. As JSON a number of bytes, or `null` for any.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Option<u64>", into = "Option<u64>")]
pub struct Rate(Option<u64>);

impl Rate {
    /// Any amount.
    pub const UNLIMITED: Self = Self(None);
    /// Nothing at all.
    pub const NOTHING: Self = Self(Some(0));
    /// The least that is something, in bytes: less would not bring a single block in a second or two.
    pub const LEAST: u64 = 1 << 10;

    /// So many bytes in a second; the error is the rule that this breaks.
    pub const fn of(bytes: u64) -> Result<Self, &'static str> {
        if bytes == 0 || bytes >= Self::LEAST {
            Ok(Self(Some(bytes)))
        } else {
            Err("must be at least 1 KiB a second, 0 for nothing, or unlimited")
        }
    }

    /// The bytes of a second; `None` for any number.
    pub const fn bytes(self) -> Option<u64> {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("unlimited"),
            Some(0) => f.write_str("nothing"),
            Some(bytes) => write!(f, "{} a second", Bytes(bytes)),
        }
    }
}

impl TryFrom<Option<u64>> for Rate {
    type Error = &'static str;

    fn try_from(bytes: Option<u64>) -> Result<Self, Self::Error> {
        bytes.map_or(Ok(Self::UNLIMITED), Self::of)
    }
}

impl From<Rate> for Option<u64> {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// Times of each day, in UTC, as `22:00-06:00, 12:00-13:00`. A window that ends before it begins goes over midnight.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours(Vec<Window>);

/// Minutes of the day: from the first one on, up to before the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Window {
    from: u32,
    to: u32,
}

impl Window {
    fn has(self, minute: u32) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (time(from)?, time(to)?);
        (from != to && from < DAY).then_some(Self { from, to })
    }
}

/// The minute of the day that `HH:MM` names.
fn time(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = (1..=2).contains(&hour.len()) && minute.len() == 2 && digits(hour) && digits(minute);
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * 60 + minute;
    (fits && minute < 60 && at <= DAY).then_some(at)
}

impl Hours {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `now` is one of them.
    pub fn have(&self, now: Timestamp) -> bool {
        let minute = (now.0 / MINUTE % u64::from(DAY)) as u32;
        self.0.iter().any(|window| window.has(minute))
    }
}

impl FromStr for Hours {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "must be times of the day in UTC such as 22:00-06:00, 12:00-13:00";
        let words = text.split(',').filter(|word| !word.trim().is_empty());
        let windows: Option<Vec<Window>> = words.map(Window::parse).collect();
        let windows = windows.ok_or(RULE)?;
        if windows.len() > WINDOWS_MAX {
            return Err("must be at most 48 times of the day");
        }
        Ok(Self(windows))
    }
}

impl TryFrom<String> for Hours {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.to_string()
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Window { from, to }) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { ", " };
            let (from_hour, from_minute) = (from / 60, from % 60);
            let (to_hour, to_minute) = (to / 60, to % 60);
            write!(
                f,
                "{gap}{from_hour:02}:{from_minute:02}-{to_hour:02}:{to_minute:02}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

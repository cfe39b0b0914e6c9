//! Whether flushes of an image wait for its peers.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What becomes of flushes that a peer does not confirm in time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SyncPolicy {
    /// They wait on, however long that takes.
    Block,
    /// They are acknowledged without that peer, and those that follow do not wait for it until it has caught up.
    FallBack,
}

impl SyncPolicy {
    /// As it stands in command lines, results and metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::FallBack => "fall-back",
        }
    }
}

impl fmt::Display for SyncPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SyncPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Block, Self::FallBack];
        let named = known.into_iter().find(|known| known.as_str() == text);
        named.ok_or("must be block or fall-back")
    }
}

/// A flush of the image is acknowledged once its peers have what it covers, too.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SyncMode {
    /// What becomes of flushes that take longer than `timeout`.
    pub policy: SyncPolicy,
    timeout: Duration,
}

impl SyncMode {
    /// How long peers may take where nobody says.
    pub const TIMEOUT: Duration = Duration::from_secs(5);
    /// The shortest time that they may be given.
    pub const TIMEOUT_LEAST: Duration = Duration::from_millis(100);
    /// The longest.
    pub const TIMEOUT_MOST: Duration = Duration::from_secs(3600);

    /// With a time that peers have; fails where it is out of bounds.
    pub fn new(policy: SyncPolicy, timeout: Duration) -> Result<Self, &'static str> {
        if (Self::TIMEOUT_LEAST..=Self::TIMEOUT_MOST).contains(&timeout) {
            return Ok(Self { policy, timeout });
        }
        Err("the time-out of sync mode is a time from 0.1 seconds to an hour")
    }

    /// How long peers may take before the policy decides.
    pub const fn timeout(self) -> Duration {
        self.timeout
    }
}

/// The policy and the milliseconds: `block 5000`.
impl fmt::Display for SyncMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.policy, self.timeout.as_millis())
    }
}

impl FromStr for SyncMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "must be a policy and a number of milliseconds";
        let (policy, millis) = text.split_once(' ').ok_or(SHAPE)?;
        let millis = millis.parse().map_err(|_| SHAPE)?;
        Self::new(policy.parse()?, Duration::from_millis(millis))
    }
}

impl serde::Serialize for SyncMode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SyncMode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for policy in [SyncPolicy::Block, SyncPolicy::FallBack] {
            let mode = SyncMode::new(policy, Duration::from_millis(2500)).unwrap();
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for text in [
            "",
            "block",
            "block 0",
            "block 3600001",
            "wait 5000",
            "block 5s",
        ] {
            assert!(text.parse::<SyncMode>().is_err(), "{text:?}");
        }
    }
}

//! How fast an image may be read and written.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::Gibibytes;

/// The largest value of a limit, in units a second, and of what a burst may let through at once.
pub const LIMIT_MAX: u64 = 1_000_000_000_000_000;

/// One limit: so much a second in the long run, and perhaps more for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Units a second in the long run.
    pub average: NonZeroU64,
    /// What is allowed after a quiet time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
}

/// A rate above the average, for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// Units a second; not less than the average.
    pub rate: NonZeroU64,
    /// For how many seconds.
    pub seconds: NonZeroU32,
}

/// The limits of one unit; all that are set hold at once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Reads and writes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Limit>,
    /// Reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<Limit>,
    /// Writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<Limit>,
}

impl Rates {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// All limits of an image.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Requests.
    #[serde(skip_serializing_if = "Rates::is_none")]
    pub requests: Rates,
    /// Bytes.
    #[serde(skip_serializing_if = "Rates::is_none")]
    pub bytes: Rates,
    /// A request of more bytes than this counts as several; without it each counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_size: Option<NonZeroU64>,
}

/// Which rule a QoS spec breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LimitsRule {
    /// The value is no number, or too large.
    #[error("it must be a whole number from 0 to 1000000000000000")]
    Number,
    /// The key means nothing without another one.
    #[error("it needs a limit that it belongs to")]
    Alone,
    /// A burst that is slower than the average.
    #[error("a burst must not be slower than the limit that it belongs to")]
    SlowBurst,
    /// A burst of no length, or of one that lets too much through.
    #[error("it must be at least 1, and times the burst at most 1000000000000000")]
    Length,
}

/// A QoS spec does not make sense.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{key}: {rule}")]
pub struct LimitsError {
    /// The key at fault.
    pub key: String,
    /// The rule that it breaks.
    pub rule: LimitsRule,
}

/// The keys of a QoS spec that set a limit.
const KEYS: [&str; 6] = [
    "total_iops_sec",
    "read_iops_sec",
    "write_iops_sec",
    "total_bytes_sec",
    "read_bytes_sec",
    "write_bytes_sec",
];
const SIZE_KEY: &str = "size_iops_sec";

impl Limits {
    /// The limits that the keys and values of a Cinder QoS spec set for a volume of `size`. Keys that
    /// are no limits are for others; a limit of 0 is none. As in Cinder, a limit for each GiB wins over
    /// a plain one, `…_per_gb_min` is its least value, and `…_max` its largest, not a burst.
    pub fn of_spec(spec: &BTreeMap<String, String>, size: Gibibytes) -> Result<Self, LimitsError> {
        let spec = Spec { values: spec, size };
        let [total_iops, read_iops, write_iops, total, read, write] = KEYS;
        let requests = spec.rates([total_iops, read_iops, write_iops])?;
        let request_size = NonZeroU64::new(spec.number(SIZE_KEY)?.unwrap_or(0));
        if request_size.is_some() && requests.is_none() {
            return Err(refused(SIZE_KEY, LimitsRule::Alone));
        }
        Ok(Self {
            requests,
            bytes: spec.rates([total, read, write])?,
            request_size,
        })
    }

    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        self.requests.is_none() && self.bytes.is_none()
    }
}

fn refused(key: &str, rule: LimitsRule) -> LimitsError {
    let key = key.to_owned();
    LimitsError { key, rule }
}

struct Spec<'a> {
    values: &'a BTreeMap<String, String>,
    size: Gibibytes,
}

impl Spec<'_> {
    fn number(&self, key: &str) -> Result<Option<u64>, LimitsError> {
        let Some(text) = self.values.get(key) else {
            return Ok(None);
        };
        let number = text.trim().parse().ok().filter(|n| *n <= LIMIT_MAX);
        number
            .map(Some)
            .ok_or_else(|| refused(key, LimitsRule::Number))
    }

    fn rates(&self, [total, read, write]: [&str; 3]) -> Result<Rates, LimitsError> {
        Ok(Rates {
            total: self.limit(total)?,
            read: self.limit(read)?,
            write: self.limit(write)?,
        })
    }

    fn limit(&self, key: &str) -> Result<Option<Limit>, LimitsError> {
        let [each_key, least_key, most_key, length_key] =
            ["per_gb", "per_gb_min", "max", "max_length"].map(|end| format!("{key}_{end}"));
        let average = self.number(key)?;
        let least = self.number(&least_key)?;
        let most = self.number(&most_key)?;
        let length = self.number(&length_key)?;
        let Some(each) = self.number(&each_key)? else {
            if least.is_some() {
                return Err(refused(&least_key, LimitsRule::Alone));
            }
            let average = NonZeroU64::new(average.unwrap_or(0));
            let burst = burst(average, (&most_key, most), (&length_key, length))?;
            return Ok(average.map(|average| Limit { average, burst }));
        };
        if length.is_some() {
            return Err(refused(&length_key, LimitsRule::Alone));
        }
        let whole = each.saturating_mul(u64::from(self.size.0));
        let average = whole
            .max(least.unwrap_or(0))
            .min(most.unwrap_or(LIMIT_MAX))
            .min(LIMIT_MAX);
        let average = NonZeroU64::new(average);
        Ok(average.map(|average| Limit {
            average,
            burst: None,
        }))
    }
}

fn burst(
    average: Option<NonZeroU64>,
    (rate_key, rate): (&str, Option<u64>),
    (length_key, length): (&str, Option<u64>),
) -> Result<Option<Burst>, LimitsError> {
    let Some(rate) = rate.and_then(NonZeroU64::new) else {
        return match length {
            Some(_) => Err(refused(length_key, LimitsRule::Alone)),
            None => Ok(None),
        };
    };
    match average {
        None => return Err(refused(rate_key, LimitsRule::Alone)),
        Some(average) if rate < average => return Err(refused(rate_key, LimitsRule::SlowBurst)),
        Some(_) => {}
    }
    let seconds = u32::try_from(length.unwrap_or(1)).ok();
    let seconds = seconds
        .filter(|seconds| rate.get().saturating_mul(u64::from(*seconds)) <= LIMIT_MAX)
        .and_then(NonZeroU32::new)
        .ok_or_else(|| refused(length_key, LimitsRule::Length))?;
    Ok(Some(Burst { rate, seconds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(spec: &[(&str, &str)], size: u32) -> Result<Limits, (String, LimitsRule)> {
        let spec = spec
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Limits::of_spec(&spec, Gibibytes(size)).map_err(|error| (error.key, error.rule))
    }

    fn average(limit: Option<Limit>) -> Option<u64> {
        limit.map(|limit| limit.average.get())
    }

    #[test]
    fn plain_limits_and_bursts() {
        let limits = limits(
            &[
                ("total_iops_sec", "100"),
                ("total_iops_sec_max", "500"),
                ("total_iops_sec_max_length", "3"),
                ("size_iops_sec", "4096"),
                ("read_bytes_sec", "1048576"),
                ("write_bytes_sec", "0"),
                ("vendor:colour", "blue"),
            ],
            7,
        )
        .unwrap();
        let burst = limits.requests.total.unwrap().burst.unwrap();
        assert_eq!((burst.rate.get(), burst.seconds.get()), (500, 3));
        assert_eq!(average(limits.requests.total), Some(100));
        assert_eq!(average(limits.bytes.read), Some(1 << 20));
        assert_eq!(average(limits.bytes.write), None);
        assert_eq!(limits.request_size.map(NonZeroU64::get), Some(4096));
        let text = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
    }

    #[test]
    fn limits_for_each_gib() {
        let spec = [
            ("total_iops_sec", "1"),
            ("total_iops_sec_per_gb", "10"),
            ("total_iops_sec_per_gb_min", "50"),
            ("total_iops_sec_max", "200"),
        ];
        for (size, expected) in [(1, 50), (7, 70), (30, 200)] {
            let limits = limits(&spec, size).unwrap();
            assert_eq!(average(limits.requests.total), Some(expected));
            assert_eq!(limits.requests.total.unwrap().burst, None);
        }
        let most = LIMIT_MAX.to_string();
        let large = limits(&[("read_bytes_sec_per_gb", &most)], 1000).unwrap();
        assert_eq!(average(large.bytes.read), Some(LIMIT_MAX));
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        use LimitsRule::{Alone, Length, Number, SlowBurst};
        for (spec, key, rule) in [
            (&[("read_iops_sec", "x")][..], "read_iops_sec", Number),
            (&[("read_iops_sec", "-1")], "read_iops_sec", Number),
            (&[("read_iops_sec_max", "5")], "read_iops_sec_max", Alone),
            (
                &[("read_iops_sec_per_gb_min", "5")],
                "read_iops_sec_per_gb_min",
                Alone,
            ),
            (&[("size_iops_sec", "4096")], "size_iops_sec", Alone),
            (
                &[("read_iops_sec", "5"), ("read_iops_sec_max", "4")],
                "read_iops_sec_max",
                SlowBurst,
            ),
            (
                &[("read_iops_sec", "5"), ("read_iops_sec_max_length", "4")],
                "read_iops_sec_max_length",
                Alone,
            ),
            (
                &[
                    ("read_iops_sec", "5"),
                    ("read_iops_sec_max", "6"),
                    ("read_iops_sec_max_length", "0"),
                ],
                "read_iops_sec_max_length",
                Length,
            ),
        ] {
            assert_eq!(limits(spec, 1), Err((key.to_owned(), rule)));
        }
        assert!(limits(&[], 1).unwrap().is_none());
    }
}

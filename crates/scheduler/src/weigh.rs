//! Weighers: of the pools that fit, which is the best.

mod allocated;
mod capacity;
mod chance;
mod goodness;
mod number;

use std::fmt;
use std::str::FromStr;

use crate::pool::PoolState;
use crate::request::Request;

/// What makes a pool better than another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Weigher {
    /// Room for more.
    Capacity,
    /// What has been placed there, in GiB.
    AllocatedCapacity,
    /// The backend's own `goodness_function`.
    Goodness,
    /// How many volumes have been placed there.
    VolumeNumber,
    /// Nothing.
    Chance,
}

/// A name that is no weigher's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a weigher")]
pub struct UnknownWeigher(String);

/// A weigher, and how much it counts. Below zero, less is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighing {
    /// What is weighed.
    pub weigher: Weigher,
    /// How much it counts.
    pub multiplier: f64,
}

impl Weigher {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Capacity,
        Self::AllocatedCapacity,
        Self::Goodness,
        Self::VolumeNumber,
        Self::Chance,
    ];

    /// Its name in `scheduler_default_weighers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capacity => "CapacityWeigher",
            Self::AllocatedCapacity => "AllocatedCapacityWeigher",
            Self::Goodness => "GoodnessWeigher",
            Self::VolumeNumber => "VolumeNumberWeigher",
            Self::Chance => "ChanceWeigher",
        }
    }

    /// How much it counts where nobody said: spread by what is left, by what is there, by how many.
    pub fn multiplier(self) -> f64 {
        match self {
            Self::Capacity | Self::Goodness | Self::Chance => 1.0,
            Self::AllocatedCapacity | Self::VolumeNumber => -1.0,
        }
    }
}

impl FromStr for Weigher {
    type Err = UnknownWeigher;

    fn from_str(text: &str) -> Result<Self, UnknownWeigher> {
        let found = Self::ALL.into_iter().find(|weigher| weigher.name() == text);
        found.ok_or_else(|| UnknownWeigher(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Weigher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Weighing {
    /// The weigher with its default multiplier.
    pub fn new(weigher: Weigher) -> Self {
        Self {
            weigher,
            multiplier: weigher.multiplier(),
        }
    }

    /// The finite weight of each pool, before the multiplier.
    pub(crate) fn weights(
        &self,
        request: &Request,
        pools: &[&PoolState],
        chance: &mut dyn FnMut() -> f64,
    ) -> Vec<f64> {
        match self.weigher {
            Weigher::Capacity => capacity::weights(request, pools, self.multiplier),
            Weigher::AllocatedCapacity => allocated::weights(pools),
            Weigher::Goodness => goodness::weights(request, pools),
            Weigher::VolumeNumber => number::weights(pools),
            Weigher::Chance => chance::weights(pools, chance),
        }
    }
}

/// Stretches weights so that the least is 0 and the most 1; all are 0 where all are equal.
///
/// Source: `cinder.scheduler.base_weight.normalize`.
pub(crate) fn normalized(weights: &[f64]) -> Vec<f64> {
    let least = weights.iter().copied().fold(f64::INFINITY, f64::min);
    let most = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = most - least;
    let stretch = |weight: &f64| {
        if range > 0.0 && range.is_finite() {
            (weight - least) / range
        } else {
            0.0
        }
    };
    weights.iter().map(stretch).collect()
}

#[cfg(test)]
mod tests;

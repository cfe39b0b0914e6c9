//! The choice: filters, then weighers.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use firebrick_vocabulary::HostName;

use crate::filter::Filter;
use crate::pool::PoolState;
use crate::request::Request;
use crate::weigh::{Weigher, Weighing, normalized};

/// How the weights decide.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Handler {
    /// The heaviest; of equals, the first.
    #[default]
    Ordered,
    /// Each with a chance in proportion to its weight.
    Stochastic,
}

/// How volumes are placed. The default is Cinder's, with [`Filter::DEFAULT`].
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduler {
    /// `scheduler_default_filters`, in the order in which they are asked.
    pub filters: Vec<Filter>,
    /// `scheduler_default_weighers`.
    pub weighers: Vec<Weighing>,
    /// `scheduler_weight_handler`.
    pub handler: Handler,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            filters: Filter::DEFAULT.to_vec(),
            weighers: vec![Weighing::new(Weigher::Capacity)],
            handler: Handler::Ordered,
        }
    }
}

/// The pool that was chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Where the volume goes.
    pub host: HostName,
}

/// Why no pool could be taken.
#[derive(Clone, Debug, Default, Eq, PartialEq, thiserror::Error)]
pub struct Refusal {
    /// For each pool, who refused it and why.
    pub pools: Vec<(HostName, Filter, String)>,
}

impl Refusal {
    /// How many pools each filter refused.
    pub fn counts(&self) -> BTreeMap<Filter, usize> {
        let mut counts = BTreeMap::new();
        for (_, filter, _) in &self.pools {
            *counts.entry(*filter).or_default() += 1;
        }
        counts
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("No valid backend was found. ")?;
        if self.pools.is_empty() {
            return f.write_str("No backend has reported yet.");
        }
        let reasons = self
            .pools
            .iter()
            .map(|(host, _, why)| format!("{host}: {why}"));
        f.write_str(&reasons.collect::<Vec<_>>().join("; "))
    }
}

impl Scheduler {
    /// Picks the best of the pools that fit. `chance` draws from 0 up to, but not, 1.
    pub fn choose(
        &self,
        request: &Request,
        pools: &[PoolState],
        chance: &mut dyn FnMut() -> f64,
    ) -> Result<Choice, Refusal> {
        let mut refusal = Refusal::default();
        let mut fitting = Vec::new();
        for pool in pools {
            match self.refused(request, pool) {
                Some((filter, why)) => refusal.pools.push((pool.host.clone(), filter, why)),
                None => fitting.push(pool),
            }
        }
        let best = match self.handler {
            Handler::Ordered => heaviest(&self.weights(request, &fitting, normalized, chance)),
            Handler::Stochastic => drawn(
                &self.weights(request, &fitting, <[f64]>::to_vec, chance),
                chance(),
            ),
        };
        let best = best.and_then(|best| fitting.get(best)).ok_or(refusal)?;
        Ok(Choice {
            host: best.host.clone(),
        })
    }

    /// The first filter that refuses `pool`, and why.
    pub fn refused(&self, request: &Request, pool: &PoolState) -> Option<(Filter, String)> {
        let always = [Filter::Service, Filter::Origin];
        let mut asked = always.iter().chain(&self.filters).copied();
        asked.find_map(|filter| Some((filter, filter.refuses(request, pool)?)))
    }

    /// The sum of what the weighers say of each pool, each through `scale` and times its multiplier.
    fn weights(
        &self,
        request: &Request,
        pools: &[&PoolState],
        scale: fn(&[f64]) -> Vec<f64>,
        chance: &mut dyn FnMut() -> f64,
    ) -> Vec<f64> {
        let mut sums = vec![0.0; pools.len()];
        for weighing in &self.weighers {
            let weights = scale(&weighing.weights(request, pools, chance));
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight * weighing.multiplier;
            }
        }
        sums
    }
}

/// The first of those with the most weight.
fn heaviest(weights: &[f64]) -> Option<usize> {
    let indexed = weights.iter().enumerate().rev();
    let best = indexed.max_by(|(_, a), (_, b)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    best.map(|(index, _)| index)
}

/// Draws one by its share of all weight. Weights below zero are raised so that the least is zero, and
/// where there is no weight at all, the shares are equal.
fn drawn(weights: &[f64], chance: f64) -> Option<usize> {
    let last = weights.len().checked_sub(1)?;
    let least = weights.iter().copied().fold(0.0, f64::min);
    let mut shares: Vec<f64> = weights.iter().map(|weight| weight - least).collect();
    let sum: f64 = shares.iter().sum();
    if sum <= 0.0 || !sum.is_finite() {
        shares.fill(1.0);
    }
    let mut winning = chance * shares.iter().sum::<f64>();
    let found = shares.iter().position(|share| {
        winning -= share;
        winning < 0.0
    });
    Some(found.unwrap_or(last))
}

#[cfg(test)]
mod tests;

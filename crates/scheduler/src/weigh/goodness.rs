//! `GoodnessWeigher`: the backend's `goodness_function`.

use crate::function::{Outcome, Variables};
use crate::pool::PoolState;
use crate::request::Request;

const BEST: f64 = 100.0;

pub(super) fn weights(request: &Request, pools: &[&PoolState]) -> Vec<f64> {
    pools.iter().map(|pool| goodness(request, pool)).collect()
}

/// From 0 to 100. A yes is the best; what cannot be computed, or is out of bounds, is the worst. Of
/// several names of a protocol, the one that is liked best counts.
fn goodness(request: &Request, pool: &PoolState) -> f64 {
    let Some(function) = &pool.goodness_function else {
        return 0.0;
    };
    let outcomes = function.evaluate(&Variables { pool, request });
    let rated = outcomes.unwrap_or_default();
    let ratings = rated.iter().map(|outcome| match outcome {
        Outcome::Flag(true) => BEST,
        Outcome::Number(number) if (0.0..=BEST).contains(number) => *number,
        Outcome::Flag(false) | Outcome::Number(_) | Outcome::Text(_) => 0.0,
    });
    ratings.fold(0.0, f64::max)
}

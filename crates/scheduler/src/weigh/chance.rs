//! `ChanceWeigher`.

use crate::pool::PoolState;

pub(super) fn weights(pools: &[&PoolState], chance: &mut dyn FnMut() -> f64) -> Vec<f64> {
    pools.iter().map(|_| chance()).collect()
}

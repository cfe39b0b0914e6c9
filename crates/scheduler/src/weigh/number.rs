//! `VolumeNumberWeigher`.

use crate::pool::PoolState;

pub(super) fn weights(pools: &[&PoolState]) -> Vec<f64> {
    pools.iter().map(|pool| pool.volumes as f64).collect()
}

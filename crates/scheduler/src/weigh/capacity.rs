//! `CapacityWeigher`.

use crate::capacity::{Capacity, Room};
use crate::pool::PoolState;
use crate::request::Request;

/// Pools that do not say how much they hold are taken last, whether volumes are spread or stacked.
///
/// Source: `cinder.scheduler.weights.capacity`.
pub(super) fn weights(request: &Request, pools: &[&PoolState], multiplier: f64) -> Vec<f64> {
    let rooms: Vec<Option<f64>> = pools.iter().map(|pool| room(request, pool)).collect();
    let known = || rooms.iter().flatten().copied();
    let most = known().fold(f64::NEG_INFINITY, f64::max);
    let least = known().fold(f64::INFINITY, f64::min);
    let unknown = if multiplier > 0.0 {
        -1.0
    } else if most.is_finite() {
        let range = most - least;
        most + if range > 0.0 { range * 100.0 } else { 10_000.0 }
    } else {
        0.0
    };
    rooms
        .into_iter()
        .map(|room| room.unwrap_or(unknown))
        .collect()
}

fn room(request: &Request, pool: &PoolState) -> Option<f64> {
    let said = |size| matches!(size, Capacity::Gigabytes(_));
    if !said(pool.total) || !said(pool.free) {
        return None;
    }
    match pool.room(request.thick()) {
        Ok(Room::Gigabytes(room)) => Some(room),
        Ok(Room::Unbounded) | Err(_) => None,
    }
}

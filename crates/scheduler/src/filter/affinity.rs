//! Where a volume must or must not be because of others: its origin, `SameBackendFilter`,
//! `DifferentBackendFilter`.

use crate::pool::PoolState;
use crate::request::Request;

/// Pools that the origin binds it to.
pub(super) fn bound(request: &Request, pool: &PoolState) -> Option<String> {
    let free = request.only.is_empty() || request.only.contains(&pool.host);
    (!free).then(|| "the origin lives elsewhere".to_owned())
}

pub(super) fn together(request: &Request, pool: &PoolState) -> Option<String> {
    let free = request.same_host.is_empty() || request.same_host.contains(&pool.host);
    (!free).then(|| "same_host names others".to_owned())
}

pub(super) fn apart(request: &Request, pool: &PoolState) -> Option<String> {
    let excluded = request.different_host.contains(&pool.host);
    excluded.then(|| "different_host excludes it".to_owned())
}

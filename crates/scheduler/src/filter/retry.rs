//! `IgnoreAttemptedHostsFilter`.

use crate::pool::PoolState;
use crate::request::Request;

pub(super) fn refuses(request: &Request, pool: &PoolState) -> Option<String> {
    let tried = request.attempted.contains(&pool.host);
    tried.then(|| "it has been tried there in vain".to_owned())
}

//! `DriverFilter`: the backend's `filter_function`.

use crate::function::{Outcome, Variables};
use crate::pool::PoolState;
use crate::request::Request;

/// What cannot be computed is refused.
pub(super) fn refuses(request: &Request, pool: &PoolState) -> Option<String> {
    let function = pool.filter_function.as_ref()?;
    match function.evaluate(&Variables { pool, request }) {
        Ok(outcomes) if outcomes.iter().any(Outcome::is_true) => None,
        Ok(_) => Some("its filter_function says no".to_owned()),
        Err(error) => Some(format!("its filter_function {error}")),
    }
}

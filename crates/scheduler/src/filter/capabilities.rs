//! `CapabilitiesFilter`.

use crate::capabilities::matches;
use crate::pool::{Capability, PoolState};
use crate::request::Request;

/// A spec that asks nothing of a pool: it says how far copies may be behind.
const RPO_TARGET: &str = "rpo_target_seconds";

/// The first extra spec that does not fit. Keys of another scope than `capabilities` concern others.
pub(super) fn refuses(request: &Request, pool: &PoolState) -> Option<String> {
    if request.extends_online && !pool.online_extend {
        return Some("it cannot extend a volume in use".to_owned());
    }
    if request.scheduled_snapshots && !pool.snapshot_schedules {
        let why = "it does not take mirror snapshots at the times that a type says";
        return Some(why.to_owned());
    }
    request.extra_specs.iter().find_map(|(key, wanted)| {
        let path = match key.split_once(':') {
            Some(("capabilities", path)) => path,
            Some(_) => return None,
            None if key == RPO_TARGET => return None,
            None => key,
        };
        match find(pool, path) {
            Some(found) if matches(wanted, found) => None,
            Some(_) => Some(format!("{key} is not {wanted}")),
            None => Some(format!("it says nothing about {key}")),
        }
    })
}

/// Follows `outer:inner`.
fn find<'a>(pool: &'a PoolState, path: &str) -> Option<&'a Capability> {
    let mut words = path.split(':');
    let first = pool.capabilities.get(words.next()?)?;
    words.try_fold(first, |found, word| match found {
        Capability::Map(inner) => inner.get(word),
        Capability::Flag(_) | Capability::Text(_) | Capability::Number(_) | Capability::List(_) => {
            None
        }
    })
}

//! `InstanceLocalityFilter`.

use crate::pool::PoolState;
use crate::request::{Locality, Request};

pub(super) fn refuses(request: &Request, pool: &PoolState) -> Option<String> {
    let node = match request.local_to_instance.as_ref()? {
        Locality::Node(node) => node,
        Locality::Unknown => return Some("nobody knows where the instance runs".to_owned()),
    };
    let host = pool.host.to_string();
    let here = host.split('@').next() == Some(node);
    (!here).then(|| "the instance runs elsewhere".to_owned())
}

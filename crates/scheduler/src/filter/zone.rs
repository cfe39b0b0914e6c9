//! `AvailabilityZoneFilter`.

use crate::pool::PoolState;
use crate::request::Request;

/// The zones that a type is bound to, with commas between.
const OF_TYPE: &str = "RESKEY:availability_zones";

pub(super) fn refuses(request: &Request, pool: &PoolState) -> Option<String> {
    let zone = &pool.availability_zone;
    let wanted = request.availability_zone.as_ref();
    if wanted.is_some_and(|wanted| wanted != zone) {
        return Some(format!("it is in {zone}"));
    }
    let bound = request.extra_specs.get(OF_TYPE)?;
    let fits = bound.split(',').any(|one| one.trim() == zone);
    (!fits).then(|| format!("it is in {zone}, the type is bound to {bound}"))
}

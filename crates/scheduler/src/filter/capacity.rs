//! `CapacityFilter`.

use crate::capacity::Room;
use crate::pool::PoolState;
use crate::request::Request;

pub(super) fn refuses(request: &Request, pool: &PoolState) -> Option<String> {
    if request.size == 0 || request.exists_on.as_ref() == Some(&pool.host) {
        return None;
    }
    match pool.room(request.thick()) {
        Ok(Room::Unbounded) => None,
        Ok(Room::Gigabytes(room)) if room >= f64::from(request.size) => None,
        Ok(Room::Gigabytes(room)) => {
            Some(format!("{} GiB asked, {room:.1} GiB left", request.size))
        }
        Err(why) => Some(why),
    }
}

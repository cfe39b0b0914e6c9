//! One page of a list, and the link to the next.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::call::Call;
use crate::fault::Fault;
use crate::links::Link;

/// The largest offset, as in Cinder.
const MAX_OFFSET: u32 = 0x7fff_ffff;

/// The longest page that the request takes.
pub(crate) fn limit(call: &Call) -> Result<u32, Fault> {
    let Some(text) = call.query.get("limit") else {
        return Ok(call.max_limit);
    };
    match text.trim().parse::<i64>() {
        Ok(number) if number < 0 => Err(Fault::bad_request("limit param must be positive")),
        Ok(number) => Ok(u32::try_from(number)
            .unwrap_or(u32::MAX)
            .min(call.max_limit)),
        Err(_) => Err(Fault::bad_request("limit param must be an integer")),
    }
}

/// How many rows the page leaves out.
pub(crate) fn offset(call: &Call) -> Result<u32, Fault> {
    let Some(text) = call.query.get("offset") else {
        return Ok(0);
    };
    match text.trim().parse::<i64>() {
        Ok(number) if number < 0 => Err(Fault::bad_request("offset must be >= 0")),
        Ok(number) => u32::try_from(number)
            .ok()
            .filter(|offset| *offset <= MAX_OFFSET)
            .ok_or_else(|| Fault::bad_request(format!("offset must be <= {MAX_OFFSET}"))),
        Err(_) => Err(Fault::bad_request("offset must be an integer.")),
    }
}

/// A page as it is sent: `{key: items, links_key: [next], count}`.
pub(crate) struct Collection<T> {
    key: &'static str,
    links_key: &'static str,
    items: Vec<T>,
    next: Option<[Link<String>; 1]>,
    count: Option<u64>,
}

impl<T> Collection<T> {
    /// The page of `path`; `last` is the id of its last item. A full page may have a next one.
    pub(crate) fn new(
        call: &Call,
        key: &'static str,
        links_key: &'static str,
        path: &str,
        items: Vec<T>,
        last: Option<String>,
    ) -> Result<Self, Fault> {
        let full = items.len() >= limit(call)? as usize;
        let next = last
            .filter(|_| full)
            .map(|last| call.links.next(path, &call.query, &last));
        Ok(Self {
            key,
            links_key,
            items,
            next,
            count: None,
        })
    }

    /// With the number of items on all pages.
    pub(crate) fn counted(self, count: Option<u64>) -> Self {
        Self { count, ..self }
    }
}

impl<T: Serialize> Serialize for Collection<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.key, &self.items)?;
        if let Some(next) = &self.next {
            map.serialize_entry(self.links_key, next)?;
        }
        if let Some(count) = self.count {
            map.serialize_entry("count", &count)?;
        }
        map.end()
    }
}

//! Lists: which rows, in which order, which page, from the query of an address.

mod filters;
pub(crate) mod open;
mod page;
mod sort;
#[cfg(test)]
mod tests;

use firebrick_control::{Column, Listing, Query};

use crate::call::Call;
use crate::fault::Fault;

pub(crate) use page::{Collection, limit, offset};
pub(crate) use sort::{Way, keys as sort_keys};

/// What can be listed, and how.
pub(crate) struct Kind {
    /// Names in queries by which rows are filtered, and the columns that they mean.
    pub(crate) filters: &'static [(&'static str, Column)],
    /// Those by which rows are sorted.
    pub(crate) sorts: &'static [(&'static str, Column)],
    /// The filters open to everybody, as in Cinder's `resource_filters.json`.
    pub(crate) open: open::Open,
    /// Parameters that are no filters here.
    pub(crate) others: &'static [&'static str],
    /// Whether metadata filters and sorting by `name` (not by `display_name`) came later than the list itself.
    pub(crate) late: bool,
}

/// The list that a request asks for.
pub(crate) fn read(call: &Call, kind: &Kind) -> Result<Query, Fault> {
    let mut query = Query {
        all_projects: call.query.flag("all_tenants")?,
        listing: unfiltered(call, kind)?,
    };
    query.listing.filters = filters::read(call, kind)?;
    Ok(query)
}

/// Its order and page alone, for lists that take parameters without meaning.
pub(crate) fn unfiltered(call: &Call, kind: &Kind) -> Result<Listing, Fault> {
    let mut listing = Listing::default();
    for (key, way) in sort_keys(&call.query)? {
        listing
            .sort
            .push((sort::column(key, call, kind)?, way.into()));
    }
    listing.marker = call.query.get("marker").map(str::to_owned);
    listing.limit = Some(limit(call)?);
    listing.offset = offset(call)?;
    Ok(listing)
}

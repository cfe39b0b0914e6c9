//! Looking at transfers. One that was accepted is over, and there no more.

use firebrick_db::{Column, Connection, Listing, Test, Transfer, Tx, transfers};
use firebrick_policy::Rule;
use firebrick_vocabulary::TransferId;

use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, Query};
use crate::volume::no_marker;

impl Control {
    /// `GET /volume-transfers/{id}`.
    pub async fn transfer(&self, context: &Context, id: TransferId) -> Result<Transfer> {
        let found = transfers::get(&mut *self.inner.db.read().await?, id).await?;
        let transfer = offered(found, id)?;
        if !context.sees(&transfer.project) {
            return Err(no_transfer(id));
        }
        context.allow_for(Rule::VolumeGetTransfer, &transfer.project)?;
        Ok(transfer)
    }

    /// `GET /volume-transfers` and `/volume-transfers/detail`.
    pub async fn transfers(&self, context: &Context, query: Query) -> Result<Vec<Transfer>> {
        context.allow(Rule::VolumeGetAllTransfers)?;
        let listing = context.narrowed(query);
        list(&mut *self.inner.db.read().await?, listing).await
    }
}

async fn list(connection: &mut Connection, listing: Listing) -> Result<Vec<Transfer>> {
    let listing = listing.and(Column::Accepted, Test::Number(0));
    let found = transfers::list(connection, &listing).await?;
    let marker = listing.marker.unwrap_or_default();
    found.ok_or_else(|| no_marker(&marker))
}

/// The transfer, if it is not over, held until the transaction ends.
pub(super) async fn locked(tx: &mut Tx, id: TransferId) -> Result<Transfer> {
    offered(transfers::get_locked(tx, id).await?, id)
}

/// The transfer, if it is not over.
pub(super) fn offered(found: Option<Transfer>, id: TransferId) -> Result<Transfer> {
    let open = found.filter(|transfer| !transfer.accepted);
    open.ok_or_else(|| no_transfer(id))
}

/// `Transfer … could not be found.`
pub(super) fn no_transfer(id: TransferId) -> Error {
    let text = format!("Transfer {id} could not be found.");
    Error::new(ErrorKind::NotFound, text)
}

//! Looking at messages, and removing them.

use firebrick_db::{Connection, Message, messages};
use firebrick_policy::Rule;
use firebrick_vocabulary::MessageId;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::request::{Context, Query};
use crate::volume::no_marker;

impl Control {
    /// `GET /messages`.
    pub async fn messages(&self, context: &Context, query: Query) -> Result<Vec<Message>> {
        context.allow(Rule::MessageGetAll)?;
        let listing = context.narrowed(query);
        let found = messages::list(&mut *self.inner.db.read().await?, &listing).await?;
        found.ok_or_else(|| no_marker(&listing.marker.unwrap_or_default()))
    }

    /// `GET /messages/{id}`.
    pub async fn message(&self, context: &Context, id: MessageId) -> Result<Message> {
        let connection = &mut *self.inner.db.read().await?;
        let message = visible(connection, context, id).await?;
        context.allow_for(Rule::MessageGet, &message.project)?;
        Ok(message)
    }

    /// `DELETE /messages/{id}`.
    pub async fn delete_message(&self, context: &Context, id: MessageId) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let message = visible(&mut tx, context, id).await?;
        context.allow_for(Rule::MessageDelete, &message.project)?;
        if !messages::remove(&mut tx, id).await? {
            return Err(Error::no_message(id));
        }
        Ok(tx.commit().await?)
    }
}

/// The message, if it exists for whoever asks.
async fn visible(connection: &mut Connection, context: &Context, id: MessageId) -> Result<Message> {
    let found = messages::get(connection, id).await?;
    let found = found.filter(|message| context.sees(&message.project));
    found.ok_or_else(|| Error::no_message(id))
}

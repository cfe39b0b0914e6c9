//! The journals of images: what of the log is theirs.

mod cursor;
mod names;
mod reset;
mod status;

use std::sync::Arc;

use firebrick_backend::Fault;

use super::super::fault::blocking;
use super::super::local::LocalSite;
use super::super::views::Session;
use crate::admin::{JournalReply, JournalRequest};
pub(in crate::serve) use cursor::Cursors;

impl LocalSite {
    /// Answers a call about journals, and says what follows the answer.
    pub(in crate::serve) async fn journal_tool(
        &self,
        session: &mut Session,
        request: JournalRequest,
    ) -> Result<(JournalReply, Vec<u8>), Fault> {
        let reply = match request {
            JournalRequest::Status { images } => {
                let mirroring = Arc::clone(&self.mirroring);
                let status = blocking(move || status::status(&mirroring, &images));
                JournalReply::Status(status.await?)
            }
            JournalRequest::Open { images, from } => {
                session.journals.room()?;
                let store = Arc::clone(&self.store);
                let opened = blocking(move || cursor::Cursor::open(&store, &images, from));
                session.journals.add(opened.await?)
            }
            JournalRequest::Next { cursor, data } => {
                let cursor = session.journals.get(cursor)?;
                let (part, bytes) = blocking(move || cursor.lock().part(data)).await?;
                return Ok((JournalReply::Part(part), bytes));
            }
            JournalRequest::Close { cursor } => {
                session.journals.remove(cursor);
                JournalReply::Done
            }
            JournalRequest::Disconnect { images, client } => {
                let mirroring = Arc::clone(&self.mirroring);
                let gone = move || status::disconnect(&mirroring, &images, client.as_deref());
                JournalReply::Disconnected(blocking(gone).await?)
            }
            JournalRequest::Reset { images, force } => {
                self.unfenced("reset a journal").await?;
                let mirroring = Arc::clone(&self.mirroring);
                blocking(move || reset::reset(&mirroring, &images, force)).await?;
                JournalReply::Done
            }
        };
        Ok((reply, Vec::new()))
    }
}

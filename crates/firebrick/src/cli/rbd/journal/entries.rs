//! The entries of a journal, as they come from the site.

use std::collections::VecDeque;

use firebrick_site::admin::{
    JournalEntry, JournalEvent, JournalReply, JournalRequest, ToolReply, ToolRequest,
};
use firebrick_vocabulary::Sequence;

use super::target::Target;
use crate::cli::rbd::at::At;
use crate::cli::rbd::error::fault;
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::site::{Rbd, confused};
use crate::exit::Failure;

/// A journal that is being read.
pub(super) struct Entries<'a> {
    rbd: &'a mut Rbd,
    doing: &'static str,
    cursor: u32,
    data: bool,
    from: Sequence,
    upto: Sequence,
    ended: bool,
    ready: VecDeque<JournalEntry>,
    bytes: VecDeque<u8>,
    progress: Progress,
}

impl<'a> Entries<'a> {
    /// Begins to read, with the bytes of writes or without.
    pub(super) async fn open(
        rbd: &'a mut Rbd,
        target: &Target,
        from: Option<At>,
        (data, doing, title): (bool, &'static str, &'static str),
    ) -> Result<Self, Failure> {
        let from = match from {
            None => None,
            Some(At::Record(sequence)) => Some(sequence),
            // The last record that was there then belongs to what was before.
            Some(time) => {
                let last = rbd.record(time).await;
                Some(last.map_err(|error| fault(doing, &error))?.next())
            }
        };
        let images = target.ids();
        let request = JournalRequest::Open { images, from };
        let opened = rbd.journal(request, doing).await?;
        let JournalReply::Opened { cursor, from, upto } = opened else {
            return Err(fault(doing, &confused(&ToolReply::Journal(opened))));
        };
        Ok(Self {
            progress: Progress::late(&rbd.common, title),
            rbd,
            doing,
            cursor,
            data,
            from,
            upto,
            ended: false,
            ready: VecDeque::new(),
            bytes: VecDeque::new(),
        })
    }

    /// The next entry and its bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<(JournalEntry, Vec<u8>)>, Failure> {
        while self.ready.is_empty() {
            if self.ended {
                return Ok(None);
            }
            self.fetch().await?;
        }
        let Some(entry) = self.ready.pop_front() else {
            return Ok(None);
        };
        let len = match entry.event {
            JournalEvent::Write { length, .. } if self.data && entry.fault.is_none() => length,
            _ => 0,
        };
        let len = (len as usize).min(self.bytes.len());
        Ok(Some((entry, self.bytes.drain(..len).collect())))
    }

    async fn fetch(&mut self) -> Result<(), Failure> {
        let request = JournalRequest::Next {
            cursor: self.cursor,
            data: self.data,
        };
        let answered = self
            .rbd
            .transfer(ToolRequest::Journal { request }, &[])
            .await;
        let (reply, bytes) = answered.map_err(|error| fault(self.doing, &error))?;
        let ToolReply::Journal(JournalReply::Part(part)) = reply else {
            return Err(fault(self.doing, &confused(&reply)));
        };
        let reached = part.next.unwrap_or(self.upto);
        let done = reached.0.saturating_sub(self.from.0);
        let total = self.upto.0.saturating_sub(self.from.0);
        self.progress.at(done, total);
        self.ended = part.next.is_none();
        self.ready = part.entries.into();
        self.bytes = bytes.into();
        Ok(())
    }

    /// All of it was read.
    pub(super) fn done(self) {
        self.progress.done();
    }
}

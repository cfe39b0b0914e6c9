//! Reads: what is in memory is answered at once, the rest is left to the workers.

use std::time::{Duration, Instant};

use crate::buffers::HEADROOM;
use crate::connection::{Job, read_frame};
use crate::outbox::Patience;
use crate::status;
use crate::wire::{DATA_MAX, Head, Request};

use super::{End, Session, range_of};

/// Reads up to this length are gathered with other replies; more get a buffer of their own.
const GATHERED_MAX: u32 = 64 << 10;
/// From this length on it pays to ask whether a read is a hole.
const HOLE_MIN: u64 = 64 << 10;

/// A read that takes so long leaves the sending to another thread, where more is asked for, so that what comes
/// next is read while this goes out. One that takes less is sent sooner than the other thread has it.
const LEAVES_FROM: Duration = Duration::from_micros(125);

impl Session {
    pub(super) fn read(&mut self, request: &Request) -> Result<(), End> {
        let style = self.connection.style;
        // The check lets nothing through that is longer than DATA_MAX.
        let (tag, len) = (request.tag(), request.len as u32);
        if self.is_hole(request) {
            self.push(&Head::hole(style, tag, len));
            return Ok(());
        }
        if len > GATHERED_MAX {
            return self.read_large(request);
        }
        let head = Head::read(style, tag, len);
        if len == 0 {
            self.push(&head);
            return Ok(());
        }
        let (head_len, total) = (head.bytes().len(), head.bytes().len() + len as usize);
        self.make_room(total);
        let room = self.replies.room(total);
        let device = &self.connection.export.device;
        let mut done = device.read_cached(tag.offset, &mut room[head_len..]);
        // To wake a worker, and later this thread, would be a good part of what a client waits for that has nothing
        // else under way.
        if let Ok(read) = done
            && read < len as usize
            && self.intake.came_alone()
            && self.connection.budget.is_idle()
        {
            let rest = device.read(tag.offset + read as u64, &mut room[head_len + read..]);
            done = rest.map(|()| len as usize);
        }
        match done {
            Ok(read) if read == len as usize => {
                room[..head_len].copy_from_slice(head.bytes());
                self.replies.keep(total);
                Ok(())
            }
            Ok(_) => {
                let permit = self.permit(len)?;
                self.jobs.push(Job::Read {
                    tag,
                    len,
                    begun: None,
                    permit,
                });
                self.intake.owes();
                Ok(())
            }
            Err(error) => self.refuse(request, error),
        }
    }

    fn read_large(&mut self, request: &Request) -> Result<(), End> {
        let (tag, len) = (request.tag(), request.len as u32);
        let permit = self.permit(len)?;
        let mut buffer = self.connection.shared.buffers.take(len as usize);
        let data = &mut buffer[HEADROOM..HEADROOM + len as usize];
        let began = Instant::now();
        match self.connection.export.device.read_cached(tag.offset, data) {
            Ok(read) if read == len as usize => {
                self.send();
                let frame = read_frame(self.connection.style, tag, len, buffer, permit);
                let patience = if self.intake.has_more() && began.elapsed() >= LEAVES_FROM {
                    Patience::Leaves
                } else {
                    Patience::Waits
                };
                self.connection.outbox.send(frame, patience);
                Ok(())
            }
            Ok(read) => {
                self.jobs.push(Job::Read {
                    tag,
                    len,
                    begun: Some((buffer, read)),
                    permit,
                });
                Ok(())
            }
            Err(error) => self.refuse(request, error),
        }
    }

    /// Has a worker read the range, so that what comes next finds it in memory.
    pub(super) fn cache(&mut self, request: &Request) -> Result<(), End> {
        let permit = self.permit(0)?;
        self.jobs.push(Job::Cache {
            tag: request.tag(),
            len: request.len,
            permit,
        });
        Ok(())
    }

    /// Whether a read can be answered without any data. Whatever goes wrong here, the read will find.
    fn is_hole(&self, request: &Request) -> bool {
        self.connection.style.has_chunks()
            && (HOLE_MIN..=u64::from(DATA_MAX)).contains(&request.len)
            && status::is_hole(&*self.connection.export.device, range_of(request))
    }
}

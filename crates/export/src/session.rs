//! One client's requests, from the first to the last: receive all that is there, perform what needs no
//! wait, leave the rest to the workers, send all replies at once.

mod read;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use firebrick_vocabulary::{BLOCK_SIZE, ByteRange};

use crate::budget::Permit;
use crate::buffers::HEADROOM;
use crate::connection::{Connection, FlushBy, Job, beyond_the_end, errno_of};
use crate::device::{DeviceError, DeviceWrite};
use crate::intake::{IN_PLACE_MAX, Intake, Next};
use crate::replies::Replies;
use crate::status;
use crate::throttle::Cost;
use crate::wire::command_flag::{FAST_ZERO, FUA, PAYLOAD, REQ_ONE};
use crate::wire::{Command, DATA_MAX, Errno, HEAD_MAX, Head, ReplyStyle, Request, Tag, extent_len};

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// The client has said so, or has closed the connection.
    #[error("the client left")]
    Left,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Lost(#[from] io::Error),
    /// The client sent what the protocol does not allow, so that nothing behind it can be understood.
    #[error("the client sent {0}")]
    Misbehaved(&'static str),
    /// The device is gone.
    #[error("the device is gone")]
    Gone,
}

/// A write whose data lies in the intake.
#[derive(Debug)]
struct Pending {
    request: Request,
    data: Range<usize>,
}

/// The reader's side of a connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Arc<Connection>,
    intake: Intake,
    replies: Replies,
    writes: Vec<Pending>,
    jobs: Vec<Job>,
    /// Requests that are performed, and are answered once that is durable.
    unflushed: Vec<Tag>,
    /// The size of the device when this round began.
    size: u64,
    /// In how many rounds there was no flush, but writes.
    unflushed_rounds: u32,
}

impl Session {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        let replies = Replies::new(Arc::clone(&connection.shared.buffers));
        Self {
            intake: Intake::new(connection.style),
            connection,
            replies,
            writes: Vec::new(),
            jobs: Vec::new(),
            unflushed: Vec::new(),
            size: 0,
            unflushed_rounds: 0,
        }
    }

    /// Serves the client until the session ends.
    pub(crate) fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.round() {
                return end;
            }
        }
    }

    fn round(&mut self) -> Result<(), End> {
        self.size = self.connection.export.device.size().get();
        loop {
            match self.intake.next() {
                Next::Request(request) => {
                    if !self.accept(request)? {
                        break;
                    }
                }
                Next::Nothing => break,
                Next::Garbage => {
                    self.finish()?;
                    return Err(End::Misbehaved("something that is not a request"));
                }
            }
        }
        self.finish()?;
        if self.intake.fill(&self.connection.link)? {
            Ok(())
        } else {
            Err(End::Left)
        }
    }

    /// Performs a request or sees to it that it will be; `false` where its data is not there yet.
    fn accept(&mut self, request: Request) -> Result<bool, End> {
        let style = self.connection.style;
        let payload = request.payload(style);
        if payload > u64::from(DATA_MAX) {
            self.finish()?;
            return Err(End::Misbehaved("a request that is too long"));
        }
        match request.command {
            Command::Disconnect => {
                self.finish()?;
                return Err(End::Left);
            }
            Command::Write => return self.write(request),
            Command::BlockStatus if payload > 0 => return self.status_of_some(request),
            Command::Read
            | Command::Flush
            | Command::Trim
            | Command::Cache
            | Command::WriteZeroes
            | Command::BlockStatus
            | Command::Other => {}
        }
        if payload > 0 {
            self.pass_over(&request, payload)?;
            return Ok(true);
        }
        self.perform(&request)?;
        Ok(true)
    }

    /// Performs a request without a payload, or refuses it.
    fn perform(&mut self, request: &Request) -> Result<(), End> {
        if let Err(errno) = self.check(request) {
            self.fail(request, errno);
            return Ok(());
        }
        self.throttle(request)?;
        match request.command {
            Command::Read => self.read(request)?,
            Command::Flush => self.unflushed.push(request.tag()),
            Command::Cache => self.cache(request)?,
            Command::Trim | Command::WriteZeroes => self.clear(request)?,
            Command::BlockStatus => self.block_status(request)?,
            // Seen to by whoever calls.
            Command::Write | Command::Disconnect | Command::Other => {}
        }
        Ok(())
    }

    /// Refuses a request whose payload nobody wants.
    fn pass_over(&mut self, request: &Request, payload: u64) -> Result<(), End> {
        // The client may wait for these before it sends the payload.
        self.finish()?;
        self.intake.skip(&self.connection.link, payload)?;
        self.fail(request, Errno::Invalid);
        Ok(())
    }

    /// Whether a request makes sense and is allowed.
    fn check(&self, request: &Request) -> Result<(), Errno> {
        let connection = &self.connection;
        if !request.has_fit_flags(connection.style) {
            return Err(Errno::Invalid);
        }
        match request.command {
            Command::Write | Command::Trim | Command::WriteZeroes if connection.read_only => {
                return Err(Errno::NotPermitted);
            }
            Command::BlockStatus if !connection.allocation || request.len == 0 => {
                return Err(Errno::Invalid);
            }
            Command::Flush if request.offset != 0 || request.len != 0 => {
                return Err(Errno::Invalid);
            }
            Command::Flush => return Ok(()),
            Command::Disconnect | Command::Other => return Err(Errno::Invalid),
            Command::Read
            | Command::Write
            | Command::Trim
            | Command::Cache
            | Command::WriteZeroes
            | Command::BlockStatus => {}
        }
        if !request.fits(self.size) {
            return Err(beyond_the_end(request.command));
        }
        match request.command {
            Command::Read if request.len > u64::from(DATA_MAX) => Err(match connection.style {
                ReplyStyle::Simple => Errno::Invalid,
                ReplyStyle::Structured | ReplyStyle::Extended => Errno::TooLarge,
            }),
            Command::WriteZeroes if request.has(FAST_ZERO) && !is_quick(request) => {
                Err(Errno::NotQuicker)
            }
            Command::Read
            | Command::Write
            | Command::Disconnect
            | Command::Flush
            | Command::Trim
            | Command::Cache
            | Command::WriteZeroes
            | Command::BlockStatus
            | Command::Other => Ok(()),
        }
    }

    fn write(&mut self, request: Request) -> Result<bool, End> {
        let len = request.len as usize;
        let Some(data) = self.intake.take(len) else {
            if len <= IN_PLACE_MAX {
                self.intake.put_back();
                return Ok(false);
            }
            self.write_large(&request)?;
            return Ok(true);
        };
        match self.check(&request) {
            Ok(()) if len == 0 => self.conclude(&request, Ok(()))?,
            Ok(()) => {
                self.throttle(&request)?;
                self.writes.push(Pending { request, data });
            }
            Err(errno) => self.fail(&request, errno),
        }
        Ok(true)
    }

    /// A write whose data gets a buffer of its own.
    fn write_large(&mut self, request: &Request) -> Result<(), End> {
        // The client may wait for these before it sends the data.
        self.finish()?;
        let (tag, len) = (request.tag(), request.len as u32);
        if self.check(request).is_ok() {
            self.throttle(request)?;
        }
        let permit = self.permit(len)?;
        let mut buffer = self.connection.shared.buffers.take(len as usize);
        let data = HEADROOM..HEADROOM + len as usize;
        self.intake
            .read_exact(&self.connection.link, &mut buffer[data.clone()])?;
        if let Err(errno) = self.check(request) {
            self.fail(request, errno);
            return Ok(());
        }
        if self.intake.peek(&self.connection.link) {
            let fua = request.has(FUA);
            self.jobs.push(Job::Write {
                tag,
                len,
                fua,
                buffer,
                permit,
            });
            self.submit();
            return Ok(());
        }
        let written = DeviceWrite {
            offset: tag.offset,
            data: &buffer[data],
        };
        let done = self.connection.export.device.write(&[written]);
        self.conclude(request, done)
    }

    /// Trims or writes zeroes; both only change what is known about the range.
    fn clear(&mut self, request: &Request) -> Result<(), End> {
        self.perform_writes()?;
        let device = &self.connection.export.device;
        let done = match request.command {
            _ if request.len == 0 => Ok(()),
            Command::Trim => device.discard(range_of(request)),
            Command::WriteZeroes => device.write_zeroes(range_of(request)),
            Command::Read
            | Command::Write
            | Command::Disconnect
            | Command::Flush
            | Command::Cache
            | Command::BlockStatus
            | Command::Other => Ok(()),
        };
        self.conclude(request, done)
    }

    fn block_status(&mut self, request: &Request) -> Result<(), End> {
        self.perform_writes()?;
        let device = &*self.connection.export.device;
        let style = self.connection.style;
        match status::describe(device, range_of(request), request.has(REQ_ONE), style) {
            Ok(extents) => {
                let count = extents.len() / extent_len(style);
                let head = Head::status(style, request.tag(), count);
                self.make_room(head.bytes().len() + extents.len());
                self.replies.push(&head);
                self.replies.room(extents.len()).copy_from_slice(&extents);
                self.replies.keep(extents.len());
                Ok(())
            }
            Err(error) => self.refuse(request, error),
        }
    }

    /// As [`Self::block_status`], where a payload says which contexts are meant.
    fn status_of_some(&mut self, request: Request) -> Result<bool, End> {
        if request.len > IN_PLACE_MAX as u64 {
            self.pass_over(&request, request.len)?;
            return Ok(true);
        }
        let Some(payload) = self.intake.take(request.len as usize) else {
            self.intake.put_back();
            return Ok(false);
        };
        match status::wanted(self.intake.data(payload)) {
            Some(len) if request.has_fit_flags(self.connection.style) => {
                let flags = request.flags & !PAYLOAD;
                self.perform(&Request {
                    flags,
                    len,
                    ..request
                })?;
            }
            Some(_) | None => self.fail(&request, Errno::Invalid),
        }
        Ok(true)
    }

    /// Performs the writes that were gathered, as one.
    fn perform_writes(&mut self) -> Result<(), End> {
        let pending = std::mem::take(&mut self.writes);
        if pending.is_empty() {
            return Ok(());
        }
        // What was read meanwhile is not to wait with a writer.
        if self.connection.export.device.is_slowed() {
            self.send();
        }
        let writes: Vec<_> = pending
            .iter()
            .map(|Pending { request, data }| DeviceWrite {
                offset: request.offset,
                data: self.intake.data(data.clone()),
            })
            .collect();
        self.unflushed_rounds = self.unflushed_rounds.saturating_add(1);
        let device = &self.connection.export.device;
        let together = device.write(&writes);
        let alone: Option<Vec<_>> = match together {
            // One of them may be at fault alone.
            Err(DeviceError::NoSpace | DeviceError::OutOfRange) if writes.len() > 1 => {
                Some(writes.chunks(1).map(|write| device.write(write)).collect())
            }
            Ok(()) | Err(_) => None,
        };
        for (nth, Pending { request, .. }) in pending.iter().enumerate() {
            let done = alone
                .as_ref()
                .and_then(|alone| alone.get(nth))
                .unwrap_or(&together);
            self.conclude(request, *done)?;
        }
        Ok(())
    }

    /// Performs, leaves to others and sends whatever this round has gathered.
    fn finish(&mut self) -> Result<(), End> {
        self.submit();
        self.perform_writes()?;
        self.send();
        if self.unflushed.is_empty() {
            // While the client makes up its mind, the disk can begin.
            if self.unflushed_rounds == 1 && self.intake.is_alone() {
                self.connection.export.device.begin_flush();
            }
        } else {
            self.unflushed_rounds = 0;
            let tags = std::mem::take(&mut self.unflushed);
            let permit = self.connection.budget.take(tags.len() * HEAD_MAX);
            // A client with one request at a time waits for this one: to wake another thread, and later
            // this one, would take about as long as the disk does.
            let by = if self.intake.is_alone() {
                FlushBy::Caller
            } else {
                self.intake.owes();
                FlushBy::Flusher
            };
            self.connection.flush(tags, permit, by);
        }
        Ok(())
    }

    fn submit(&mut self) {
        self.connection.submit(&mut self.jobs);
    }

    /// Sends the replies that were gathered.
    fn send(&mut self) {
        // What these hold of the budget must come back some time.
        self.submit();
        self.replies
            .send(&self.connection.outbox, &self.connection.budget);
    }

    /// Takes what a request needs of the budget; where it is used up, waits for earlier requests.
    fn permit(&mut self, len: u32) -> Result<Permit, End> {
        if let Some(permit) = self.connection.budget.try_take(len as usize) {
            return Ok(permit);
        }
        self.finish()?;
        Ok(self.connection.budget.take(len as usize))
    }

    /// Waits until the limits of the device let the request through; what was gathered goes out first.
    fn throttle(&mut self, request: &Request) -> Result<(), End> {
        let Some(cost) = Cost::of(request) else {
            return Ok(());
        };
        let throttle = self.connection.export.device.throttle();
        let Some(throttle) = throttle.filter(|throttle| !throttle.try_pass(cost)) else {
            return Ok(());
        };
        let throttle = Arc::clone(throttle);
        self.finish()?;
        if throttle.pass(cost, || self.connection.is_gone()) {
            Ok(())
        } else {
            Err(End::Gone)
        }
    }

    fn make_room(&mut self, len: usize) {
        if !self.replies.has_room(len) {
            self.send();
        }
    }

    fn push(&mut self, head: &Head) {
        self.make_room(head.bytes().len());
        self.replies.push(head);
    }

    /// Answers a request that changed something, now or with the next flush.
    fn conclude(&mut self, request: &Request, done: Result<(), DeviceError>) -> Result<(), End> {
        match done {
            Ok(()) if request.has(FUA) => self.unflushed.push(request.tag()),
            Ok(()) => self.push(&Head::done(self.connection.style, request.tag())),
            Err(error) => self.refuse(request, error)?,
        }
        Ok(())
    }

    fn refuse(&mut self, request: &Request, error: DeviceError) -> Result<(), End> {
        let errno = errno_of(request.command, error).ok_or(End::Gone)?;
        self.fail(request, errno);
        Ok(())
    }

    fn fail(&mut self, request: &Request, errno: Errno) {
        let style = self.connection.style;
        self.push(&Head::failed(style, request.tag(), errno));
    }
}

fn range_of(request: &Request) -> ByteRange {
    ByteRange::new(request.offset, request.len)
}

/// Whether zeroes are quicker to note than to write: with a whole block among them. What lies within
/// blocks is merged with what is there, as a write's data is.
fn is_quick(request: &Request) -> bool {
    let end = request.offset + request.len;
    request.len == 0 || request.offset.div_ceil(BLOCK_SIZE) < end / BLOCK_SIZE
}

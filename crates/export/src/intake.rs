//! What comes in from one client: as much as there is with one call to the system, then cut into
//! requests where it lies.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;

use crate::link::Link;
use crate::wire::{ReplyStyle, Request};

/// How many bytes one call takes at most.
const CAPACITY: usize = 256 << 10;
/// How many bytes one call takes while large writes come: what it takes of their data is copied.
const NARROW: usize = 4 << 10;
/// Data up to this length is used where it was received; more gets a buffer of its own.
pub(crate) const IN_PLACE_MAX: usize = 64 << 10;

/// How long a reader looks for the next request before it goes to sleep. To be woken takes longer than
/// to serve a small request, and would be most of what a client with one request at a time waits for.
const SPIN: Duration = Duration::from_micros(32);
/// After how many requests that came alone and soon after another a reader begins to look.
const EAGER_FROM: u32 = 16;
/// Where it takes so long until a reader that gave way is back, somebody else computes: who is asleep
/// then is woken sooner than who has given up its turn.
const CROWDED: Duration = Duration::from_micros(250);
/// For how many requests it does not look then.
const CROWDED_FOR: u32 = 4096;

/// Whether it pays to look for the next request instead of going to sleep. It does where requests come
/// one by one in quick succession; where they come together, sleep lets more of them gather, and where others
/// compute, it is they who get the time.
#[derive(Debug, Default)]
struct Pace {
    /// How many requests in a row came alone and soon.
    alone: u32,
    /// The client waits for something that takes its time: that it sends nothing says nothing.
    owed: bool,
    /// For how many more requests the processors are taken for crowded.
    crowded: u32,
}

impl Pace {
    fn is_eager(&self) -> bool {
        self.alone >= EAGER_FROM
    }

    /// Whether to look for the next request, instead of going to sleep.
    fn looks(&self) -> bool {
        self.is_eager() && self.crowded == 0
    }

    /// The reader gave way to others, and was away for so long.
    fn gave_way(&mut self, time: Duration) {
        if time > CROWDED {
            self.crowded = CROWDED_FOR;
        }
    }

    fn round_ends(&mut self, requests: u32) {
        self.crowded = self.crowded.saturating_sub(requests);
        self.alone = match requests {
            // A part of a request is no news.
            0 => self.alone,
            1 => (self.alone + 1).min(2 * EAGER_FROM),
            _ => 0,
        };
    }

    fn waited(&mut self, time: Duration) {
        let owed = std::mem::take(&mut self.owed);
        // Asleep at once, it would have taken about that long to be woken.
        if time > SPIN * 3 && !owed {
            self.alone /= 2;
        }
    }
}

/// The bytes that were received and not used yet.
#[derive(Debug)]
pub(crate) struct Intake {
    style: ReplyStyle,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    narrow: bool,
    /// How many requests were taken since the last [`Self::fill`].
    taken: u32,
    pace: Pace,
}

/// What comes next.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// A request, as far as its header goes.
    Request(Request),
    /// More must be received first.
    Nothing,
    /// Something that is not a request.
    Garbage,
}

impl Intake {
    /// For requests with the headers of `style`.
    pub(crate) fn new(style: ReplyStyle) -> Self {
        Self {
            style,
            bytes: vec![0; CAPACITY],
            start: 0,
            end: 0,
            narrow: false,
            taken: 0,
            pace: Pace::default(),
        }
    }

    /// Takes the header of a request.
    pub(crate) fn next(&mut self) -> Next {
        let end = self.start + self.style.request_len();
        if end > self.end {
            return Next::Nothing;
        }
        match Request::decode(self.style, &self.bytes[self.start..end]) {
            Some(request) => {
                self.start = end;
                self.taken += 1;
                Next::Request(request)
            }
            None => Next::Garbage,
        }
    }

    /// Puts the header that was taken last back, for as long as its data is not there.
    pub(crate) fn put_back(&mut self) {
        self.start -= self.style.request_len();
        self.taken -= 1;
    }

    /// Takes `len` bytes of data, where all of them are there; see [`Self::data`].
    pub(crate) fn take(&mut self, len: usize) -> Option<Range<usize>> {
        let range = self.start..self.start.checked_add(len)?;
        (range.end <= self.end).then(|| {
            self.start = range.end;
            range
        })
    }

    /// The data of a range that was taken since the last [`Self::fill`].
    pub(crate) fn data(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Fills `buffer` with the bytes that come next.
    pub(crate) fn read_exact(&mut self, link: &Link, buffer: &mut [u8]) -> io::Result<()> {
        self.narrow = true;
        self.pace = Pace::default();
        let here = buffer.len().min(self.end - self.start);
        let (copied, rest) = buffer.split_at_mut(here);
        copied.copy_from_slice(&self.bytes[self.start..self.start + here]);
        self.start += here;
        link.read_exact(rest)
    }

    /// Passes over the `len` bytes that come next.
    pub(crate) fn skip(&mut self, link: &Link, mut len: u64) -> io::Result<()> {
        loop {
            let here = len.min((self.end - self.start) as u64);
            self.start += here as usize;
            len -= here;
            if len == 0 {
                return Ok(());
            }
            if !self.receive(link, RecvFlags::empty())? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits for more; `false` where the client has closed the connection.
    pub(crate) fn fill(&mut self, link: &Link) -> io::Result<bool> {
        self.pace.round_ends(std::mem::take(&mut self.taken));
        let began = Instant::now();
        while self.pace.looks() && began.elapsed() < SPIN {
            match self.receive(link, RecvFlags::DONTWAIT) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let before = Instant::now();
                    std::thread::yield_now();
                    self.pace.gave_way(before.elapsed());
                }
                received => return received,
            }
        }
        let received = self.receive(link, RecvFlags::empty());
        self.pace.waited(began.elapsed());
        received
    }

    /// A flush or a read that the client waits for was left to another thread.
    pub(crate) const fn owes(&mut self) {
        self.pace.owed = true;
    }

    /// Whether the client sends one request at a time in quick succession, and none waits.
    pub(crate) fn is_alone(&self) -> bool {
        self.pace.is_eager() && self.start == self.end
    }

    /// As [`Self::is_alone`], of the request that was taken last.
    pub(crate) fn came_alone(&self) -> bool {
        self.taken == 1 && self.is_alone()
    }

    /// Takes what is there already; whether there is anything to go on with.
    pub(crate) fn peek(&mut self, link: &Link) -> bool {
        self.has_more() || self.receive(link, RecvFlags::DONTWAIT).unwrap_or(false)
    }

    /// Whether more was received than was taken.
    pub(crate) const fn has_more(&self) -> bool {
        self.start < self.end
    }

    fn receive(&mut self, link: &Link, flags: RecvFlags) -> io::Result<bool> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let most = if self.narrow {
            NARROW.max(self.end + self.style.request_len())
        } else {
            CAPACITY
        };
        let received = link.receive(&mut self.bytes[self.end..most], flags)?;
        self.end += received;
        // A full one without large data in it: requests are many and small again.
        self.narrow &= self.end < most;
        Ok(received > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eager() -> Pace {
        let mut pace = Pace::default();
        for _ in 0..EAGER_FROM {
            pace.round_ends(1);
        }
        pace
    }

    #[test]
    fn who_gets_requests_one_by_one_looks_for_the_next() {
        let mut pace = eager();
        assert!(pace.looks());
        pace.waited(SPIN);
        assert!(pace.looks());
        pace.waited(SPIN * 100);
        assert!(!pace.looks(), "the client takes its time");
        let mut pace = eager();
        pace.round_ends(2);
        assert!(!pace.looks(), "they come together");
    }

    #[test]
    fn nobody_looks_while_others_compute() {
        let mut pace = eager();
        pace.gave_way(CROWDED);
        assert!(pace.looks());
        pace.gave_way(CROWDED * 2);
        assert!(!pace.looks() && pace.is_eager());
        for _ in 1..CROWDED_FOR {
            pace.round_ends(1);
        }
        assert!(!pace.looks());
        pace.round_ends(1);
        assert!(pace.looks());
    }
}

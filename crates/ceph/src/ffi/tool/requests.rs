//! Reads and writes of an image that go side by side.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::open::OpenImage;
use super::shapes::CompletionT;
use super::{Trouble, calls, check};

/// How the bytes that are read and written follow each other, which says what to keep in caches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Advice {
    /// In any order: `LIBRADOS_OP_FLAG_FADVISE_RANDOM`.
    Random,
    /// One behind the other: `LIBRADOS_OP_FLAG_FADVISE_SEQUENTIAL`.
    Sequential,
}

impl Advice {
    const fn flags(self) -> i32 {
        match self {
            Self::Random => 0x4,
            Self::Sequential => 0x8,
        }
    }
}

/// What the calls of all requests write to, as they end on threads of librbd.
struct Going {
    state: Mutex<State>,
    ended: Condvar,
}

struct State {
    /// The places, of those that have one, that no request has now.
    free: Vec<usize>,
    failed: Option<Trouble>,
}

/// A request on its way.
struct Flight {
    going: Arc<Going>,
    place: usize,
    /// How many bytes it has to come back with; a write says nothing of that.
    reads: Option<usize>,
}

/// Reads and writes of one image, each of the same length, of which so many go at once.
pub struct Requests<'a> {
    image: &'a OpenImage,
    len: usize,
    flags: i32,
    going: Arc<Going>,
    /// What each place is read into; librbd writes there until a request has ended.
    buffers: Vec<Box<[u8]>>,
    /// What is written.
    data: Box<[u8]>,
}

impl<'a> Requests<'a> {
    /// None goes yet. What is written is `data`, whose length is that of each request.
    pub fn new(image: &'a OpenImage, most: usize, data: Box<[u8]>, advice: Advice) -> Self {
        let len = data.len();
        let state = State {
            free: (0..most.max(1)).collect(),
            failed: None,
        };
        Self {
            image,
            len,
            flags: advice.flags(),
            going: Arc::new(Going {
                state: Mutex::new(state),
                ended: Condvar::new(),
            }),
            buffers: vec![Box::default(); most.max(1)],
            data,
        }
    }

    /// Waits until fewer go than may, and begins to read there; or says what went wrong with an earlier one.
    pub fn read(&mut self, offset: u64) -> Result<(), Trouble> {
        let call = calls::rbd_aio_read2()?;
        let place = self.place()?;
        let buffer = &mut self.buffers[place];
        if buffer.is_empty() {
            *buffer = vec![0; self.len].into_boxed_slice();
        }
        let to = buffer.as_mut_ptr().cast();
        let (handle, len, flags) = (self.image.handle(), self.len, self.flags);
        // SAFETY: the image is open, and the buffer has that length and stays where it is: nobody else has its
        // place, and `drop` waits until the request has ended.
        self.begin(place, Some(len), |flight| unsafe {
            call(handle, offset, len, to, flight, flags)
        })
    }

    /// The same for a write.
    pub fn write(&mut self, offset: u64) -> Result<(), Trouble> {
        let call = calls::rbd_aio_write2()?;
        let place = self.place()?;
        let from = self.data.as_ptr().cast();
        let (handle, len, flags) = (self.image.handle(), self.len, self.flags);
        // SAFETY: the image is open, and the data has that length and stays what it is until `drop` has waited.
        self.begin(place, None, |flight| unsafe {
            call(handle, offset, len, from, flight, flags)
        })
    }

    /// Waits until none goes any more, or says what went wrong.
    pub fn wait(&self) -> Result<(), Trouble> {
        let mut state = self.going.state.lock();
        while state.free.len() < self.buffers.len() {
            self.going.ended.wait(&mut state);
        }
        state.failed.clone().map_or(Ok(()), Err)
    }

    fn place(&self) -> Result<usize, Trouble> {
        let mut state = self.going.state.lock();
        loop {
            if let Some(failed) = &state.failed {
                return Err(failed.clone());
            }
            if let Some(place) = state.free.pop() {
                return Ok(place);
            }
            self.going.ended.wait(&mut state);
        }
    }

    fn begin(
        &self,
        place: usize,
        reads: Option<usize>,
        call: impl FnOnce(CompletionT) -> i32,
    ) -> Result<(), Trouble> {
        let give_back = || self.going.state.lock().free.push(place);
        let made = (
            calls::rbd_aio_create_completion(),
            calls::rbd_aio_release(),
            calls::rbd_aio_get_return_value(),
        );
        let (Ok(create), Ok(release), Ok(_)) = made else {
            give_back();
            return Err(Trouble::Missing("rbd_aio_create_completion"));
        };
        let going = Arc::clone(&self.going);
        let flight = Box::into_raw(Box::new(Flight {
            going,
            place,
            reads,
        }));
        let mut completion = ptr::null_mut();
        // SAFETY: the argument is a flight that `ended` takes back, and the completion is written before it is read.
        let code = unsafe { create(flight.cast(), ended, &raw mut completion) };
        let code = check(code).and_then(|_| {
            check(call(completion)).inspect_err(|_| {
                // SAFETY: the call has not begun, so nobody else has the completion.
                unsafe { release(completion) };
            })
        });
        if let Err(error) = code {
            // SAFETY: nothing has begun, so `ended` is never called.
            drop(unsafe { Box::from_raw(flight) });
            give_back();
            return Err(error);
        }
        Ok(())
    }
}

/// The `rbd_callback_t` of every request.
unsafe extern "C" fn ended(completion: CompletionT, argument: *mut c_void) {
    // SAFETY: the argument is a flight, and this is called once for each.
    let flight = unsafe { Box::from_raw(argument.cast::<Flight>()) };
    let calls = (calls::rbd_aio_get_return_value(), calls::rbd_aio_release());
    let (Ok(value), Ok(release)) = calls else {
        // They were looked up before it began.
        return;
    };
    // SAFETY: the request has ended, and nobody else has the completion.
    let code = unsafe {
        let code = value(completion);
        release(completion);
        code
    };
    let done = match (super::super::errno::check_len(code), flight.reads) {
        (Ok(len), Some(wanted)) if len != wanted => Err(Trouble::Errno(libc::EIO)),
        (Ok(_), _) => Ok(()),
        (Err(error), _) => Err(error.into()),
    };
    let mut state = flight.going.state.lock();
    state.free.push(flight.place);
    if let Err(error) = done {
        state.failed.get_or_insert(error);
    }
    drop(state);
    flight.going.ended.notify_all();
}

impl Drop for Requests<'_> {
    fn drop(&mut self) {
        // librbd reads and writes the buffers until then; what went wrong was said, or nobody wants to know.
        let _ = self.wait();
    }
}

//! Images that are made, changed and removed.

use std::ptr;
use std::sync::Arc;

use super::super::pool::Pool;
use super::super::shapes::OptionsT;
use super::super::tables::Rbd;
use super::super::text::given;
use super::open::{OpenImage, OpenPool};
use super::report::{Report, Told, told};
use super::{Trouble, calls, check};

/// What a new image is to be like; what is `None` or empty is as the cluster's configuration says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NewImage {
    /// The binary logarithm of the size of its objects.
    pub order: Option<u64>,
    /// Bits of `RBD_FEATURE_…`.
    pub features: Option<u64>,
    /// Bytes that lie in one object before the next one has its turn, and the objects that take turns.
    pub striping: Option<(u64, u64)>,
    /// The pool that keeps its data.
    pub data_pool: Option<String>,
    /// The binary logarithm of the size of a journal's objects.
    pub journal_order: Option<u64>,
    /// Over how many objects a journal is spread.
    pub journal_splay_width: Option<u64>,
    /// The pool that keeps a journal.
    pub journal_pool: Option<String>,
    /// Of a clone: 1 or 2.
    pub clone_format: Option<u64>,
    /// Whether a copy keeps no parent.
    pub flatten: bool,
}

/// Options of an image that is made; given back when dropped.
struct Options {
    handle: OptionsT,
    rbd: &'static Rbd,
}

const FEATURES: i32 = 1;
const ORDER: i32 = 2;
const STRIPE_UNIT: i32 = 3;
const STRIPE_COUNT: i32 = 4;
const JOURNAL_ORDER: i32 = 5;
const JOURNAL_SPLAY_WIDTH: i32 = 6;
const JOURNAL_POOL: i32 = 7;
const DATA_POOL: i32 = 10;
const FLATTEN: i32 = 11;
const CLONE_FORMAT: i32 = 12;

impl Options {
    fn new(pool: &Pool, like: &NewImage) -> Result<Self, Trouble> {
        let rbd = pool.rbd();
        let mut handle = ptr::null_mut();
        // SAFETY: the handle is written before it is read.
        unsafe { (rbd.rbd_image_options_create)(&raw mut handle) };
        let options = Self { handle, rbd };
        let numbers = [
            (ORDER, like.order),
            (FEATURES, like.features),
            (STRIPE_UNIT, like.striping.map(|(unit, _)| unit)),
            (STRIPE_COUNT, like.striping.map(|(_, count)| count)),
            (JOURNAL_ORDER, like.journal_order),
            (JOURNAL_SPLAY_WIDTH, like.journal_splay_width),
            (CLONE_FORMAT, like.clone_format),
            (FLATTEN, like.flatten.then_some(1)),
        ];
        for (option, value) in numbers {
            let Some(value) = value else { continue };
            // SAFETY: the handle is one.
            check(unsafe { (rbd.rbd_image_options_set_uint64)(handle, option, value) })?;
        }
        for (option, value) in [
            (DATA_POOL, &like.data_pool),
            (JOURNAL_POOL, &like.journal_pool),
        ] {
            let Some(value) = value else { continue };
            let value = given(value)?;
            let call = calls::rbd_image_options_set_string()?;
            // SAFETY: the handle is one, and the text ends with a zero.
            check(unsafe { call(handle, option, value.as_ptr()) })?;
        }
        Ok(options)
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: the handle is one, and nobody uses it any more.
        unsafe { (self.rbd.rbd_image_options_destroy)(self.handle) };
    }
}

impl OpenPool {
    /// Makes an image of so many bytes.
    pub fn create(&self, name: &str, size: u64, like: &NewImage) -> Result<(), Trouble> {
        let options = Options::new(&self.pool, like)?;
        let (pool, name) = (self.pool.handle(), given(name)?);
        let call = self.pool.rbd().rbd_create4;
        // SAFETY: pool and options are handles, and the name ends with a zero.
        check(unsafe { call(pool, name.as_ptr(), size, options.handle) }).map(drop)
    }

    /// Makes an image that begins as a snapshot of an image of `self`.
    pub fn clone_to(
        &self,
        (image, snapshot): (&str, &str),
        dest: &Arc<Self>,
        name: &str,
        like: &NewImage,
    ) -> Result<(), Trouble> {
        let options = Options::new(&dest.pool, like)?;
        let (image, snapshot, name) = (given(image)?, given(snapshot)?, given(name)?);
        // SAFETY: pools and options are handles, and the names end with zeroes.
        check(unsafe {
            (self.pool.rbd().rbd_clone3)(
                self.pool.handle(),
                image.as_ptr(),
                snapshot.as_ptr(),
                dest.pool.handle(),
                name.as_ptr(),
                options.handle,
            )
        })
        .map(drop)
    }

    /// Gives an image another name.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        Ok(self.pool.rename(from, to)?)
    }

    /// Removes an image with all its objects.
    pub fn remove(&self, name: &str, report: &mut dyn Report) -> Result<(), Trouble> {
        let (name, told_of) = (given(name)?, Told::new(report));
        let call = self.pool.rbd().rbd_remove_with_progress;
        // SAFETY: the pool is a handle, the name ends with a zero, and who is told outlives the call.
        let code = unsafe { call(self.pool.handle(), name.as_ptr(), told, told_of.argument()) };
        check(code).map(drop)
    }
}

impl OpenImage {
    /// Makes it that large; smaller only where `shrink` allows it.
    pub fn resize(&self, size: u64, shrink: bool, report: &mut dyn Report) -> Result<(), Trouble> {
        let told_of = Told::new(report);
        let call = self.image.rbd().rbd_resize2;
        // SAFETY: the image is open, and who is told outlives the call.
        check(unsafe { call(self.handle(), size, shrink, told, told_of.argument()) }).map(drop)
    }

    /// Copies what it shows of its origin, of which it is independent then.
    pub fn flatten(&self, report: &mut dyn Report) -> Result<(), Trouble> {
        let told_of = Told::new(report);
        let call = self.image.rbd().rbd_flatten_with_progress;
        // SAFETY: the image is open, and who is told outlives the call.
        check(unsafe { call(self.handle(), told, told_of.argument()) }).map(drop)
    }

    /// Switches features on or off.
    pub fn set_features(&self, features: u64, on: bool) -> Result<(), Trouble> {
        Ok(self.image.set_features(features, on)?)
    }

    /// Makes an image with the bytes of the state that is set, and with its snapshots where these are wanted too.
    pub fn copy_to(
        &self,
        dest: &OpenPool,
        name: &str,
        like: &NewImage,
        deep: bool,
        report: &mut dyn Report,
    ) -> Result<(), Trouble> {
        let options = Options::new(&dest.pool, like)?;
        let (name, told_of) = (given(name)?, Told::new(report));
        let call = if deep {
            calls::rbd_deep_copy_with_progress()?
        } else {
            calls::rbd_copy_with_progress3()?
        };
        // SAFETY: the image is open, pool and options are handles, the name ends with a zero, and who is told
        // outlives the call.
        check(unsafe {
            call(
                self.handle(),
                dest.pool.handle(),
                name.as_ptr(),
                options.handle,
                told,
                told_of.argument(),
            )
        })
        .map(drop)
    }
}

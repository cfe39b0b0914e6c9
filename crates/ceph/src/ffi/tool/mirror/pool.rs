//! How a pool is mirrored, and what this cluster is called.

use std::collections::BTreeMap;
use std::ptr;

use super::super::super::text::{given, of_buffer, taken};
use super::super::open::{Connection, OpenPool};
use super::super::texts::sized;
use super::super::{Trouble, calls, check};
use super::status::MirrorState;

/// Which images of a pool are mirrored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PoolMode {
    /// None.
    Disabled,
    /// Those that somebody chose.
    Image,
    /// All that have a journal.
    Pool,
}

impl PoolMode {
    /// The word of the `rbd` tool.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Image => "image",
            Self::Pool => "pool",
        }
    }
}

/// More states than there are.
const STATES: usize = 32;
/// Images that are asked about at once.
const AT_ONCE: usize = 1024;

impl Connection {
    /// What this cluster is called among those that mirror.
    pub fn site_name(&self) -> Result<String, Trouble> {
        let call = calls::rbd_mirror_site_name_get()?;
        let handle = self.cluster.handle;
        // SAFETY: the cluster is a handle, and the buffer has the room that is given.
        let name = sized(|buffer, room| unsafe { call(handle, buffer, room) })?;
        Ok(of_buffer(&name))
    }

    /// Calls this cluster something else.
    pub fn set_site_name(&self, name: &str) -> Result<(), Trouble> {
        let (call, name) = (calls::rbd_mirror_site_name_set()?, given(name)?);
        // SAFETY: the cluster is a handle, and the name ends with a zero.
        check(unsafe { call(self.cluster.handle, name.as_ptr()) }).map(drop)
    }
}

impl OpenPool {
    /// The number of the pool.
    pub fn id(&self) -> Result<i64, Trouble> {
        // SAFETY: the pool is a handle.
        Ok(unsafe { calls::rados_ioctx_get_id()?(self.pool.handle()) })
    }

    /// Which of its images are mirrored.
    pub fn mirror_mode(&self) -> Result<PoolMode, Trouble> {
        let (call, mut mode) = (self.pool.rbd().rbd_mirror_mode_get, 0);
        // SAFETY: the pool is a handle, and the mode outlives the call.
        check(unsafe { call(self.pool.handle(), &raw mut mode) })?;
        Ok(match mode {
            1 => PoolMode::Image,
            2 => PoolMode::Pool,
            _ => PoolMode::Disabled,
        })
    }

    /// Says which of its images are mirrored.
    pub fn set_mirror_mode(&self, mode: PoolMode) -> Result<(), Trouble> {
        let mode = match mode {
            PoolMode::Disabled => 0,
            PoolMode::Image => 1,
            PoolMode::Pool => 2,
        };
        // SAFETY: the pool is a handle.
        check(unsafe { calls::rbd_mirror_mode_set()?(self.pool.handle(), mode) }).map(drop)
    }

    /// How many mirrored images are in which state, the worst of all sites counting.
    pub fn mirror_summary(&self) -> Result<BTreeMap<MirrorState, u64>, Trouble> {
        let call = calls::rbd_mirror_image_status_summary()?;
        let (mut states, mut counts, mut len) = ([0; STATES], [0; STATES], STATES);
        // SAFETY: the pool is a handle, and both lists have the room given.
        check(unsafe {
            call(
                self.pool.handle(),
                states.as_mut_ptr(),
                counts.as_mut_ptr(),
                &raw mut len,
            )
        })?;
        let found = states.iter().zip(counts).take(len);
        let found = found.map(|(state, count)| {
            let count = u64::try_from(count).unwrap_or(0);
            (MirrorState::of(*state), count)
        });
        Ok(found.collect())
    }

    /// By what the daemons call themselves that mirror its images, by librbd's own ids of these.
    pub fn mirror_instances(&self) -> Result<BTreeMap<String, String>, Trouble> {
        let call = calls::rbd_mirror_image_instance_id_list()?;
        let cleanup = calls::rbd_mirror_image_instance_id_list_cleanup()?;
        let mut all = BTreeMap::new();
        loop {
            let last = all.last_key_value();
            let after = given(last.map_or("", |(id, _): (&String, &String)| id.as_str()))?;
            let mut images = [ptr::null_mut(); AT_ONCE];
            let mut daemons = [ptr::null_mut(); AT_ONCE];
            let mut len = AT_ONCE;
            // SAFETY: the pool is a handle, the text ends with a zero, and both lists have the room given.
            check(unsafe {
                call(
                    self.pool.handle(),
                    after.as_ptr(),
                    AT_ONCE,
                    images.as_mut_ptr(),
                    daemons.as_mut_ptr(),
                    &raw mut len,
                )
            })?;
            for (image, daemon) in images.iter().zip(&daemons).take(len) {
                // SAFETY: librbd has put texts into so many of both.
                all.insert(unsafe { taken(*image) }, unsafe { taken(*daemon) });
            }
            // SAFETY: librbd has filled so many of both, and they are used no more.
            unsafe { cleanup(images.as_mut_ptr(), daemons.as_mut_ptr(), len) };
            if len < AT_ONCE {
                return Ok(all);
            }
        }
    }
}

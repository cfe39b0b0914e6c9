//! Namespaces of a pool.

use super::super::text::given;
use super::open::OpenPool;
use super::texts::{several, sized};
use super::{Trouble, calls, check};

impl OpenPool {
    /// The names of all, by name.
    pub fn namespaces(&self) -> Result<Vec<String>, Trouble> {
        let call = calls::rbd_namespace_list()?;
        // SAFETY: the pool is a handle, and the buffer has the room that is given.
        let names = sized(|buffer, room| unsafe { call(self.pool.handle(), buffer, room) })?;
        Ok(several(&names))
    }

    /// Whether there is one of that name.
    pub fn has_namespace(&self, name: &str) -> Result<bool, Trouble> {
        let (name, mut exists) = (given(name)?, false);
        let call = calls::rbd_namespace_exists()?;
        // SAFETY: the pool is a handle, the name ends with a zero, and the answer outlives the call.
        check(unsafe { call(self.pool.handle(), name.as_ptr(), &raw mut exists) })?;
        Ok(exists)
    }

    /// Makes one.
    pub fn create_namespace(&self, name: &str) -> Result<(), Trouble> {
        let name = given(name)?;
        // SAFETY: the pool is a handle, and the name ends with a zero.
        check(unsafe { calls::rbd_namespace_create()?(self.pool.handle(), name.as_ptr()) })
            .map(drop)
    }

    /// Removes one that has no images.
    pub fn remove_namespace(&self, name: &str) -> Result<(), Trouble> {
        let name = given(name)?;
        // SAFETY: the pool is a handle, and the name ends with a zero.
        check(unsafe { calls::rbd_namespace_remove()?(self.pool.handle(), name.as_ptr()) })
            .map(drop)
    }
}

//! Images that may come back.

use std::ptr;

use super::super::pool::listed;
use super::super::shapes::TrashInfoT;
use super::super::text::{given, taken};
use super::open::OpenPool;
use super::report::{Report, Told, told};
use super::{Trouble, calls, check};

/// Who put an image into the trash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ThrownBy {
    /// A user.
    User,
    /// The mirroring.
    Mirroring,
    /// A migration to another place.
    Migration,
    /// A removal that has not ended.
    Removing,
    /// The removal of an image whose snapshots have clones.
    UserParent,
}

/// An image in the trash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Thrown {
    /// librbd's own id.
    pub id: String,
    /// The name that it had.
    pub name: String,
    /// Who put it there.
    pub by: ThrownBy,
    /// When, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// From when on it may be removed, as `at`.
    pub until: u64,
}

fn nanos(seconds: i64) -> u64 {
    u64::try_from(seconds)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
}

impl OpenPool {
    /// What is in the trash, by id.
    pub fn thrown(&self) -> Result<Vec<Thrown>, Trouble> {
        let rbd = self.pool.rbd();
        let none = TrashInfoT {
            id: ptr::null_mut(),
            name: ptr::null_mut(),
            source: 0,
            deletion_time: 0,
            deferment_end_time: 0,
        };
        let read = |buffer: *mut TrashInfoT, len: &mut usize| {
            // SAFETY: the buffer has room for as many as `len` says.
            unsafe { (rbd.rbd_trash_list)(self.pool.handle(), buffer, len) }
        };
        let mut all = listed(none, read)?;
        let thrown = all.iter().map(|entry| Thrown {
            // SAFETY: librbd has put texts there.
            id: unsafe { taken(entry.id) },
            // SAFETY: as above.
            name: unsafe { taken(entry.name) },
            by: match entry.source {
                0 => ThrownBy::User,
                1 => ThrownBy::Mirroring,
                2 => ThrownBy::Migration,
                4 => ThrownBy::UserParent,
                _ => ThrownBy::Removing,
            },
            at: nanos(entry.deletion_time),
            until: nanos(entry.deferment_end_time),
        });
        let thrown = thrown.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { (rbd.rbd_trash_list_cleanup)(all.as_mut_ptr(), all.len()) };
        Ok(thrown)
    }

    /// Puts an image there, for at least so many seconds.
    pub fn throw(&self, name: &str, seconds: u64) -> Result<(), Trouble> {
        Ok(self.pool.discard(name, seconds)?)
    }

    /// Removes one for good; with `force` before its time too.
    pub fn remove_thrown(
        &self,
        id: &str,
        force: bool,
        report: &mut dyn Report,
    ) -> Result<(), Trouble> {
        let (id, told_of) = (given(id)?, Told::new(report));
        let (pool, call) = (self.pool.handle(), calls::rbd_trash_remove_with_progress()?);
        // SAFETY: the pool is a handle, the id ends with a zero, and who is told outlives the call.
        check(unsafe { call(pool, id.as_ptr(), force, told, told_of.argument()) }).map(drop)
    }

    /// Gives one a name again.
    pub fn restore(&self, id: &str, name: &str) -> Result<(), Trouble> {
        let (id, name) = (given(id)?, given(name)?);
        let call = calls::rbd_trash_restore()?;
        // SAFETY: the pool is a handle, and the texts end with zeroes.
        check(unsafe { call(self.pool.handle(), id.as_ptr(), name.as_ptr()) }).map(drop)
    }

    /// Removes those that may be removed since `before`, in seconds of the system's clock.
    pub fn purge_thrown(&self, before: i64, report: &mut dyn Report) -> Result<(), Trouble> {
        let told_of = Told::new(report);
        let (pool, call) = (self.pool.handle(), calls::rbd_trash_purge_with_progress()?);
        // SAFETY: the pool is a handle, and who is told outlives the call. A negative share is none.
        check(unsafe { call(pool, before, -1.0, told, told_of.argument()) }).map(drop)
    }
}

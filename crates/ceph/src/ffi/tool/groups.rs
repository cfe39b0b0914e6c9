//! Groups of images.

use std::ffi::{CString, c_char};
use std::ptr;

use super::super::pool::listed;
use super::super::text::{given, taken};
use super::open::OpenPool;
use super::report::{Report, Told, told};
use super::shapes::{GroupImageT, GroupSnapT};
use super::texts::{several, sized};
use super::{Trouble, calls, check};

/// An image of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its pool.
    pub pool: String,
    /// Its name.
    pub name: String,
    /// Whether it is one yet.
    pub attached: bool,
}

/// A snapshot of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupSnap {
    /// Its name.
    pub name: String,
    /// Whether all images have theirs.
    pub complete: bool,
}

type NamedFn = unsafe extern "C" fn(super::super::shapes::IoctxT, *const c_char) -> i32;
type RenamedFn =
    unsafe extern "C" fn(super::super::shapes::IoctxT, *const c_char, *const c_char) -> i32;

impl OpenPool {
    fn with(&self, call: NamedFn, name: &str) -> Result<(), Trouble> {
        let name = given(name)?;
        // SAFETY: the pool is a handle, and the name ends with a zero.
        check(unsafe { call(self.pool.handle(), name.as_ptr()) }).map(drop)
    }

    fn with_two(&self, call: RenamedFn, one: &str, other: &str) -> Result<(), Trouble> {
        let (one, other) = (given(one)?, given(other)?);
        // SAFETY: the pool is a handle, and the names end with zeroes.
        check(unsafe { call(self.pool.handle(), one.as_ptr(), other.as_ptr()) }).map(drop)
    }

    /// The names of all groups, by name.
    pub fn groups(&self) -> Result<Vec<String>, Trouble> {
        let call = calls::rbd_group_list()?;
        // SAFETY: the pool is a handle, and the buffer has the room that is given, and a byte more.
        let names = sized(|buffer, room| unsafe { call(self.pool.handle(), buffer, room) })?;
        Ok(several(&names))
    }

    /// Makes a group.
    pub fn create_group(&self, name: &str) -> Result<(), Trouble> {
        self.with(calls::rbd_group_create()?, name)
    }

    /// Removes a group; its images stay, its snapshots go.
    pub fn remove_group(&self, name: &str) -> Result<(), Trouble> {
        self.with(calls::rbd_group_remove()?, name)
    }

    /// Gives a group another name.
    pub fn rename_group(&self, from: &str, to: &str) -> Result<(), Trouble> {
        self.with_two(calls::rbd_group_rename()?, from, to)
    }

    /// Adds an image of `images` to a group.
    pub fn add_member(&self, group: &str, images: &Self, image: &str) -> Result<(), Trouble> {
        let (group, image) = (given(group)?, given(image)?);
        let (pool, images) = (self.pool.handle(), images.pool.handle());
        let call = calls::rbd_group_image_add()?;
        // SAFETY: both pools are handles, and the names end with zeroes.
        check(unsafe { call(pool, group.as_ptr(), images, image.as_ptr()) }).map(drop)
    }

    /// Takes an image of `images` from a group.
    pub fn remove_member(&self, group: &str, images: &Self, image: &str) -> Result<(), Trouble> {
        let (group, image) = (given(group)?, given(image)?);
        let (pool, images) = (self.pool.handle(), images.pool.handle());
        let call = calls::rbd_group_image_remove()?;
        // SAFETY: both pools are handles, and the names end with zeroes.
        check(unsafe { call(pool, group.as_ptr(), images, image.as_ptr()) }).map(drop)
    }

    /// The images of a group, by pool and name.
    pub fn members(&self, group: &str) -> Result<Vec<Member>, Trouble> {
        let none = GroupImageT {
            name: ptr::null_mut(),
            pool: -1,
            state: 0,
        };
        let (group, size): (CString, usize) = (given(group)?, size_of::<GroupImageT>());
        let cleanup = calls::rbd_group_image_list_cleanup()?;
        let call = calls::rbd_group_image_list()?;
        let read = |buffer: *mut GroupImageT, len: &mut usize| {
            // SAFETY: the pool is a handle, the name ends with a zero, and the buffer has room for as many as `len`
            // says, each of the size that is given.
            unsafe { call(self.pool.handle(), group.as_ptr(), buffer, size, len) }
        };
        let mut all = listed(none, read)?;
        let found = all.iter().map(|found| {
            // SAFETY: librbd has put a text there.
            (found.pool, unsafe { taken(found.name) }, found.state == 0)
        });
        let found: Vec<_> = found.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { cleanup(all.as_mut_ptr(), size, all.len()) };
        let members = found.into_iter().map(|(pool, name, attached)| {
            let pool = self.connection().pool_name(pool)?;
            Ok(Member {
                pool,
                name,
                attached,
            })
        });
        let mut members = members.collect::<Result<Vec<Member>, Trouble>>()?;
        members.sort_by(|one, other| (&one.pool, &one.name).cmp(&(&other.pool, &other.name)));
        Ok(members)
    }

    /// The snapshots of a group.
    pub fn group_snapshots(&self, group: &str) -> Result<Vec<GroupSnap>, Trouble> {
        let none = GroupSnapT {
            name: ptr::null_mut(),
            state: 0,
        };
        let (group, size) = (given(group)?, size_of::<GroupSnapT>());
        let cleanup = calls::rbd_group_snap_list_cleanup()?;
        let call = calls::rbd_group_snap_list()?;
        let read = |buffer: *mut GroupSnapT, len: &mut usize| {
            // SAFETY: as above.
            unsafe { call(self.pool.handle(), group.as_ptr(), buffer, size, len) }
        };
        let mut all = listed(none, read)?;
        let snaps = all.iter().map(|snap| GroupSnap {
            // SAFETY: librbd has put a text there.
            name: unsafe { taken(snap.name) },
            complete: snap.state == 1,
        });
        let snaps = snaps.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { cleanup(all.as_mut_ptr(), size, all.len()) };
        Ok(snaps)
    }

    /// Takes a snapshot of all images of a group at one moment.
    pub fn take_group(&self, group: &str, name: &str) -> Result<(), Trouble> {
        self.with_two(calls::rbd_group_snap_create()?, group, name)
    }

    /// Removes a snapshot of a group.
    pub fn remove_group_snapshot(&self, group: &str, name: &str) -> Result<(), Trouble> {
        self.with_two(calls::rbd_group_snap_remove()?, group, name)
    }

    /// Gives a snapshot of a group another name.
    pub fn rename_group_snapshot(&self, group: &str, from: &str, to: &str) -> Result<(), Trouble> {
        let (group, from, to) = (given(group)?, given(from)?, given(to)?);
        let call = calls::rbd_group_snap_rename()?;
        let pool = self.pool.handle();
        // SAFETY: the pool is a handle, and the names end with zeroes.
        check(unsafe { call(pool, group.as_ptr(), from.as_ptr(), to.as_ptr()) }).map(drop)
    }

    /// Returns all images of a group to a snapshot of it.
    pub fn roll_back_group(
        &self,
        group: &str,
        name: &str,
        report: &mut dyn Report,
    ) -> Result<(), Trouble> {
        let (group, name, told_of) = (given(group)?, given(name)?, Told::new(report));
        let call = calls::rbd_group_snap_rollback_with_progress()?;
        let pool = self.pool.handle();
        // SAFETY: the pool is a handle, the names end with zeroes, and who is told outlives the call.
        check(unsafe {
            call(
                pool,
                group.as_ptr(),
                name.as_ptr(),
                told,
                told_of.argument(),
            )
        })
        .map(drop)
    }
}

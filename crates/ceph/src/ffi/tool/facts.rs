//! What there is to know of an image.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

use super::super::pool::listed;
use super::super::shapes::{ImageT, LinkedImageT, SnapSpecT};
use super::super::snaps::NO_LINK;
use super::super::text::taken;
use super::open::{OpenImage, OpenPool};
use super::shapes::{GroupInfoT, ImageInfoT, WatcherT};
use super::texts::{text, time};
use super::{Trouble, calls, check};

/// How an image's blocks are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Striping {
    /// Bytes that lie in one object before the next one has its turn.
    pub unit: u64,
    /// Objects that take turns.
    pub count: u64,
}

/// Another image that is linked with this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Its pool.
    pub pool: String,
    /// The namespace of its pool; empty for the one without a name.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// librbd's own id of it.
    pub id: String,
    /// Whether it is in the trash.
    pub trashed: bool,
}

/// What an image is a clone of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parent {
    /// The image.
    pub image: Link,
    /// The name of its snapshot.
    pub snapshot: String,
    /// Bytes that may still be read from there.
    pub overlap: u64,
}

/// What there is to know of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageFacts {
    /// librbd's own id; empty for images of the first format.
    pub id: String,
    /// Bytes.
    pub size: u64,
    /// Objects that hold so much.
    pub objects: u64,
    /// The binary logarithm of an object's size.
    pub order: u32,
    /// The size of an object in bytes.
    pub object_size: u64,
    /// With what the names of its objects begin.
    pub prefix: String,
    /// 1 or 2.
    pub format: u64,
    /// The pool that keeps its data, where that is another one.
    pub data_pool: Option<String>,
    /// Bits of `RBD_FEATURE_…`.
    pub features: u64,
    /// Bits of `RBD_OPERATION_FEATURE_…`.
    pub op_features: u64,
    /// Bits of `RBD_FLAG_…`.
    pub flags: u64,
    /// The pool and the name of the group that it belongs to.
    pub group: Option<(String, String)>,
    /// When it was made, in nanoseconds since the Unix epoch; 0 where that is not known.
    pub created: u64,
    /// When it was read last, roughly; as `created`.
    pub accessed: u64,
    /// When it was written last, roughly; as `created`.
    pub modified: u64,
    /// How many snapshots it may have at most.
    pub snapshot_limit: Option<u64>,
    /// How its blocks are spread.
    pub striping: Striping,
    /// What it is a clone of.
    pub parent: Option<Parent>,
}

/// Somebody who has an image open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watcher {
    /// From where.
    pub address: String,
    /// The number of the client.
    pub client: i64,
    /// By what the client tells its watches apart.
    pub cookie: u64,
}

/// # Safety
/// librbd has put texts there.
unsafe fn link(found: &LinkedImageT) -> Link {
    // SAFETY: the caller says so.
    unsafe {
        Link {
            pool: taken(found.pool_name),
            namespace: taken(found.pool_namespace),
            name: taken(found.image_name),
            id: taken(found.image_id),
            trashed: found.trash,
        }
    }
}

type NumberFn = unsafe extern "C" fn(ImageT, *mut u64) -> c_int;
type TimeFn = unsafe extern "C" fn(ImageT, *mut libc::timespec) -> c_int;

impl OpenPool {
    /// The names of its images and librbd's own ids of them, by name.
    pub fn images(&self) -> Result<Vec<(String, String)>, Trouble> {
        let mut images = self.pool.entries()?;
        images.sort_by(|one, other| one.name.cmp(&other.name));
        let images = images.into_iter().map(|image| (image.name, image.id));
        Ok(images.collect())
    }
}

impl OpenImage {
    pub(super) fn number(&self, call: NumberFn) -> Result<u64, Trouble> {
        let mut number = 0;
        // SAFETY: the image is open, and the number outlives the call.
        check(unsafe { call(self.handle(), &raw mut number) })?;
        Ok(number)
    }

    fn time(&self, call: TimeFn) -> Result<u64, Trouble> {
        // SAFETY: the image is open, and the time outlives the call.
        time(|time| unsafe { call(self.handle(), time) })
    }

    /// All of it.
    pub fn facts(&self) -> Result<ImageFacts, Trouble> {
        let handle = self.handle();
        let info = self.stat()?;
        let is_old = self.is_old()?;
        let id = if is_old { String::new() } else { self.id()? };
        let call = calls::rbd_get_block_name_prefix()?;
        // SAFETY: the image is open, and the buffer has the room that is given.
        let prefix = text(|buffer, room| unsafe { call(handle, buffer, room) })?;
        let newer = |call| if is_old { Ok(0) } else { self.number(call) };
        Ok(ImageFacts {
            id,
            size: info.size,
            objects: info.num_objs,
            order: u32::try_from(info.order).unwrap_or(0),
            object_size: info.obj_size,
            prefix,
            format: if is_old { 1 } else { 2 },
            data_pool: self.data_pool()?,
            features: self.features()?,
            op_features: newer(calls::rbd_get_op_features()?)?,
            flags: newer(calls::rbd_get_flags()?)?,
            group: self.group()?,
            created: self.time(calls::rbd_get_create_timestamp()?)?,
            accessed: self.time(calls::rbd_get_access_timestamp()?)?,
            modified: self.time(calls::rbd_get_modify_timestamp()?)?,
            snapshot_limit: self.snapshot_limit()?,
            striping: Striping {
                unit: self.number(calls::rbd_get_stripe_unit()?)?,
                count: self.number(calls::rbd_get_stripe_count()?)?,
            },
            parent: self.parent()?,
        })
    }

    fn stat(&self) -> Result<ImageInfoT, Trouble> {
        let mut info = MaybeUninit::<ImageInfoT>::zeroed();
        let call = calls::rbd_stat()?;
        // SAFETY: the image is open, and the structure has the size that is given.
        check(unsafe { call(self.handle(), info.as_mut_ptr(), size_of::<ImageInfoT>()) })?;
        // SAFETY: zeroes are a value of it, and librbd has filled it.
        Ok(unsafe { info.assume_init() })
    }

    fn is_old(&self) -> Result<bool, Trouble> {
        let mut old = 0_u8;
        // SAFETY: the image is open, and the answer outlives the call.
        check(unsafe { calls::rbd_get_old_format()?(self.handle(), &raw mut old) })?;
        Ok(old != 0)
    }

    /// librbd's own id.
    pub fn id(&self) -> Result<String, Trouble> {
        Ok(self.image.id()?)
    }

    /// Bytes; of the snapshot where one is set.
    pub fn size(&self) -> Result<u64, Trouble> {
        Ok(self.image.size()?)
    }

    /// Bits of `RBD_FEATURE_…`.
    pub fn features(&self) -> Result<u64, Trouble> {
        Ok(self.image.features()?)
    }

    /// Bits of `RBD_FLAG_…`, of the snapshot where one is set.
    pub fn flags(&self) -> Result<u64, Trouble> {
        self.number(calls::rbd_get_flags()?)
    }

    fn data_pool(&self) -> Result<Option<String>, Trouble> {
        // SAFETY: the image is open.
        let id = unsafe { calls::rbd_get_data_pool_id()?(self.handle()) };
        let name = self.pool().connection().pool_name(id)?;
        Ok((name != self.pool().name()).then_some(name))
    }

    fn group(&self) -> Result<Option<(String, String)>, Trouble> {
        let mut group = GroupInfoT {
            name: ptr::null_mut(),
            pool: -1,
        };
        let size = size_of::<GroupInfoT>();
        let (call, cleanup) = (calls::rbd_get_group()?, calls::rbd_group_info_cleanup()?);
        // SAFETY: the image is open, and the structure has the size that is given.
        check(unsafe { call(self.handle(), &raw mut group, size) })?;
        // SAFETY: librbd has put a text there.
        let name = unsafe { taken(group.name) };
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { cleanup(&raw mut group, size) };
        if group.pool < 0 {
            return Ok(None);
        }
        let pool = self.pool().connection().pool_name(group.pool)?;
        Ok(Some((pool, name)))
    }

    /// What it is a clone of, in the state that is set.
    pub fn parent(&self) -> Result<Option<Parent>, Trouble> {
        let mut image = NO_LINK;
        let mut snap = SnapSpecT {
            id: 0,
            namespace_type: 0,
            name: ptr::null_mut(),
        };
        let cleanup = calls::rbd_linked_image_spec_cleanup()?;
        let cleanup_snap = calls::rbd_snap_spec_cleanup()?;
        let call = calls::rbd_get_parent()?;
        // SAFETY: the image is open, and both structures outlive the call.
        match check(unsafe { call(self.handle(), &raw mut image, &raw mut snap) }) {
            Err(Trouble::Errno(libc::ENOENT)) => return Ok(None),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        // SAFETY: librbd has put texts there.
        let (parent, snapshot) = unsafe { (link(&image), taken(snap.name)) };
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe {
            cleanup(&raw mut image);
            cleanup_snap(&raw mut snap);
        }
        Ok(Some(Parent {
            image: parent,
            snapshot,
            overlap: self.number(calls::rbd_get_overlap()?)?,
        }))
    }

    /// The clones of the snapshot that is set, or of all.
    pub fn children(&self) -> Result<Vec<Link>, Trouble> {
        let rbd = self.image.rbd();
        let read = |buffer: *mut LinkedImageT, len: &mut usize| {
            // SAFETY: the buffer has room for as many as `len` says.
            unsafe { (rbd.rbd_list_children3)(self.handle(), buffer, len) }
        };
        let mut all = listed(NO_LINK, read)?;
        // SAFETY: librbd has put texts there.
        let children = all.iter().map(|found| unsafe { link(found) });
        let mut children: Vec<Link> = children.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { (rbd.rbd_linked_image_spec_list_cleanup)(all.as_mut_ptr(), all.len()) };
        let key = |link: &Link| (link.pool.clone(), link.namespace.clone(), link.name.clone());
        children.sort_by_key(key);
        Ok(children)
    }

    /// Who has it open.
    pub fn watchers(&self) -> Result<Vec<Watcher>, Trouble> {
        let none = WatcherT {
            addr: ptr::null_mut(),
            id: 0,
            cookie: 0,
        };
        let (call, cleanup) = (
            calls::rbd_watchers_list()?,
            calls::rbd_watchers_list_cleanup()?,
        );
        let read = |buffer: *mut WatcherT, len: &mut usize| {
            // SAFETY: the buffer has room for as many as `len` says.
            unsafe { call(self.handle(), buffer, len) }
        };
        let mut all = listed(none, read)?;
        let watchers = all.iter().map(|watcher| Watcher {
            // SAFETY: librbd has put a text there.
            address: unsafe { taken(watcher.addr) },
            client: watcher.id,
            cookie: watcher.cookie,
        });
        let watchers = watchers.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { cleanup(all.as_mut_ptr(), all.len()) };
        Ok(watchers)
    }
}

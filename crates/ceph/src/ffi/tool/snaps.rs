//! Snapshots of an image, with all that librbd says of them.

use std::ptr;

use super::super::shapes::{NAMESPACE_MIRROR, NAMESPACE_TRASH, SnapMirrorT};
use super::super::text::{given, taken};
use super::open::OpenImage;
use super::report::{Report, Told, told};
use super::shapes::{NAMESPACE_GROUP, SnapGroupT};
use super::texts::{text, time};
use super::{Trouble, calls, check};

/// How a snapshot of the mirroring stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MirrorSnap {
    /// Whether it was taken where the image was primary.
    pub primary: bool,
    /// Whether the image was demoted by it.
    pub demoted: bool,
    /// The peers that have not read it yet.
    pub peers: Vec<String>,
    /// Whether all of it is here.
    pub complete: bool,
    /// Of a copy: from which site it is.
    pub from: String,
    /// Of a copy: the number of the snapshot there.
    pub from_id: u64,
    /// Of a copy: the objects that are here already.
    pub copied: u64,
}

/// What a snapshot is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SnapOf {
    /// Somebody took it.
    User,
    /// It belongs to one of a group.
    Group {
        /// The group's pool.
        pool: String,
        /// The group.
        group: String,
        /// The group's snapshot.
        snapshot: String,
    },
    /// Somebody removed it, but clones need it still.
    Trash {
        /// What it was called.
        name: String,
    },
    /// The mirroring took it.
    Mirror(MirrorSnap),
}

/// A snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapFacts {
    /// Its number in the pool.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The image's size then, in bytes.
    pub size: u64,
    /// Whether it is protected, as clones of the first format need it.
    pub protected: bool,
    /// When it was taken, in nanoseconds since the Unix epoch; 0 where that is not known.
    pub time: u64,
    /// What it is for.
    pub of: SnapOf,
}

impl OpenImage {
    /// All its snapshots, oldest first.
    pub fn snapshots(&self) -> Result<Vec<SnapFacts>, Trouble> {
        let mut snapshots = Vec::new();
        let stamp = calls::rbd_snap_get_timestamp()?;
        for (id, name, size) in self.image.named_snaps()? {
            let of = self.snapshot_of(id)?;
            // Only of those that have a name for users it can be asked.
            let protected = of == SnapOf::User && self.image.is_protected(&name)?;
            snapshots.push(SnapFacts {
                id,
                size,
                protected,
                // SAFETY: the image is open, and the time outlives the call.
                time: time(|time| unsafe { stamp(self.handle(), id, time) })?,
                of,
                name,
            });
        }
        Ok(snapshots)
    }

    /// How many snapshots it has, of whatever kind.
    pub fn snapshot_count(&self) -> Result<u64, Trouble> {
        Ok(self.image.named_snaps()?.len() as u64)
    }

    fn snapshot_of(&self, id: u64) -> Result<SnapOf, Trouble> {
        Ok(match self.image.kind_number(id)? {
            NAMESPACE_GROUP => self.of_group(id)?,
            NAMESPACE_TRASH => {
                let call = calls::rbd_snap_get_trash_namespace()?;
                // SAFETY: the image is open, and the buffer has the room that is given.
                let name = text(|buffer, room| unsafe { call(self.handle(), id, buffer, room) })?;
                SnapOf::Trash { name }
            }
            NAMESPACE_MIRROR => SnapOf::Mirror(self.of_mirror(id)?),
            _ => SnapOf::User,
        })
    }

    fn of_group(&self, id: u64) -> Result<SnapOf, Trouble> {
        let mut found = SnapGroupT {
            pool: -1,
            group: ptr::null_mut(),
            snap: ptr::null_mut(),
        };
        let size = size_of::<SnapGroupT>();
        let cleanup = calls::rbd_snap_group_namespace_cleanup()?;
        let call = calls::rbd_snap_get_group_namespace()?;
        // SAFETY: the image is open, and the structure has the size that is given.
        check(unsafe { call(self.handle(), id, &raw mut found, size) })?;
        // SAFETY: librbd has put texts there.
        let (group, snapshot) = unsafe { (taken(found.group), taken(found.snap)) };
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { cleanup(&raw mut found, size) };
        let pool = self.pool().connection().pool_name(found.pool)?;
        Ok(SnapOf::Group {
            pool,
            group,
            snapshot,
        })
    }

    fn of_mirror(&self, id: u64) -> Result<MirrorSnap, Trouble> {
        let mut found = SnapMirrorT::EMPTY;
        let size = size_of::<SnapMirrorT>();
        let cleanup = calls::rbd_snap_mirror_namespace_cleanup()?;
        let call = calls::rbd_snap_get_mirror_namespace()?;
        // SAFETY: the image is open, and the structure has the size that is given.
        check(unsafe { call(self.handle(), id, &raw mut found, size) })?;
        let mut peers = Vec::new();
        let mut at = found.mirror_peer_uuids;
        for _ in 0..found.mirror_peer_uuids_count {
            // SAFETY: librbd has put so many texts there, one behind the other.
            let (peer, len) = unsafe { (taken(at), libc::strlen(at)) };
            peers.push(peer);
            // SAFETY: behind a text and its zero lies the next one, or the end.
            at = unsafe { at.add(len + 1) };
        }
        let snap = MirrorSnap {
            primary: matches!(found.state, 0 | 1),
            demoted: matches!(found.state, 1 | 3),
            peers,
            complete: found.complete,
            // SAFETY: librbd has put a text there.
            from: unsafe { taken(found.primary_mirror_uuid) },
            from_id: found.primary_snap_id,
            copied: found.last_copied_object_number,
        };
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { cleanup(&raw mut found, size) };
        Ok(snap)
    }

    /// What is asked and read from now on is that snapshot, or without a name the newest state.
    pub fn look_at(&self, name: Option<&str>) -> Result<(), Trouble> {
        Ok(self.image.look_at(name)?)
    }

    /// As [`Self::look_at`], of a snapshot of any kind.
    pub fn look_at_id(&self, id: u64) -> Result<(), Trouble> {
        // SAFETY: the image is open.
        check(unsafe { calls::rbd_snap_set_by_id()?(self.handle(), id) }).map(drop)
    }

    /// Whether a snapshot is protected.
    pub fn is_protected(&self, name: &str) -> Result<bool, Trouble> {
        Ok(self.image.is_protected(name)?)
    }

    /// How many snapshots it may have.
    pub fn snapshot_limit(&self) -> Result<Option<u64>, Trouble> {
        let limit = self.number(calls::rbd_snap_get_limit()?)?;
        Ok((limit != u64::MAX).then_some(limit))
    }

    /// Says how many snapshots it may have; `None` for any number.
    pub fn limit_snapshots(&self, limit: Option<u64>) -> Result<(), Trouble> {
        let limit = limit.unwrap_or(u64::MAX);
        // SAFETY: the image is open.
        check(unsafe { calls::rbd_snap_set_limit()?(self.handle(), limit) }).map(drop)
    }

    /// Takes a snapshot.
    pub fn take(&self, name: &str, report: &mut dyn Report) -> Result<(), Trouble> {
        let (name, told_of) = (given(name)?, Told::new(report));
        let call = calls::rbd_snap_create2()?;
        // SAFETY: the image is open, the name ends with a zero, and who is told outlives the call.
        let code = unsafe { call(self.handle(), name.as_ptr(), 0, told, told_of.argument()) };
        check(code).map(drop)
    }

    /// Removes a snapshot.
    pub fn remove_snapshot(
        &self,
        name: &str,
        how: SnapshotRemoval,
        report: &mut dyn Report,
    ) -> Result<(), Trouble> {
        let flags = match how {
            SnapshotRemoval::Plain => 0,
            SnapshotRemoval::Force => super::shapes::REMOVE_FORCE,
        };
        let (name, told_of) = (given(name)?, Told::new(report));
        let call = calls::rbd_snap_remove2()?;
        // SAFETY: the image is open, the name ends with a zero, and who is told outlives the call.
        let code = unsafe {
            call(
                self.handle(),
                name.as_ptr(),
                flags,
                told,
                told_of.argument(),
            )
        };
        check(code).map(drop)
    }

    /// Removes a snapshot of any kind.
    pub fn remove_snapshot_id(&self, id: u64) -> Result<(), Trouble> {
        // SAFETY: the image is open.
        check(unsafe { calls::rbd_snap_remove_by_id()?(self.handle(), id) }).map(drop)
    }

    /// Gives a snapshot another name.
    pub fn rename_snapshot(&self, from: &str, to: &str) -> Result<(), Trouble> {
        let (from, to) = (given(from)?, given(to)?);
        let call = calls::rbd_snap_rename()?;
        // SAFETY: the image is open, and the names end with zeroes.
        check(unsafe { call(self.handle(), from.as_ptr(), to.as_ptr()) }).map(drop)
    }

    /// Keeps a snapshot from being removed, or ends that.
    pub fn protect(&self, name: &str, on: bool) -> Result<(), Trouble> {
        if !on {
            return Ok(self.image.unprotect(name)?);
        }
        let name = given(name)?;
        // SAFETY: the image is open, and the name ends with a zero.
        check(unsafe { calls::rbd_snap_protect()?(self.handle(), name.as_ptr()) }).map(drop)
    }

    /// Returns it to a snapshot.
    pub fn roll_back(&self, name: &str, report: &mut dyn Report) -> Result<(), Trouble> {
        let (name, told_of) = (given(name)?, Told::new(report));
        let call = self.image.rbd().rbd_snap_rollback_with_progress;
        // SAFETY: the image is open, the name ends with a zero, and who is told outlives the call.
        let code = unsafe { call(self.handle(), name.as_ptr(), told, told_of.argument()) };
        check(code).map(drop)
    }
}

/// How a snapshot is removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SnapshotRemoval {
    /// Only where it is not protected.
    Plain,
    /// Also where it is protected; its clones become images of their own.
    Force,
}

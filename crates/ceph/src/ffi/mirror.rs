//! The mirroring of an image.

use std::ffi::c_int;
use std::ptr;

use super::errno::{Errno, check};
use super::image::Image;
use super::pool::Pool;
use super::shapes::{
    GlobalStatusT, MIRROR_DISABLED, MIRROR_DISABLING, MIRROR_ENABLED, MirrorInfoT, SiteStatusT,
};
use super::text::{given, taken};

/// How an image is mirrored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MirrorMode {
    /// Every write goes through a journal.
    Journal,
    /// Snapshots are copied.
    Snapshot,
}

/// What the pool's notes say of the mirroring of an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MirrorState {
    /// Nothing: nobody mirrors it, or rbd-mirror has not got so far with a copy by a journal.
    Off,
    /// rbd-mirror makes it, as a copy by snapshots.
    Creating,
    /// It is mirrored.
    On,
    /// That is being ended: by somebody here, or by rbd-mirror, which removes the copy.
    Disabling,
}

/// Whether an image is mirrored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MirrorInfo {
    /// Whether it is.
    pub(crate) state: MirrorState,
    /// Whether it is primary here. Of one that is not mirrored this says nothing.
    pub(crate) primary: bool,
}

/// What a daemon does with an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// Nobody has said.
    Unknown,
    /// It has failed.
    Error,
    /// The first copy runs.
    Syncing,
    /// It begins to follow.
    Starting,
    /// It follows.
    Replaying,
    /// It ends to follow.
    Stopping,
    /// It does not follow: the image is primary, or demoted.
    Stopped,
}

/// What the daemon of one site says of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SiteReport {
    /// The peer that says it; `None` for the daemon of this cluster.
    pub(crate) peer: Option<String>,
    /// What it does.
    pub(crate) standing: Standing,
    /// In its own words.
    pub(crate) description: String,
    /// When, in seconds of the system's clock.
    pub(crate) at: i64,
    /// Whether the daemon lives.
    pub(crate) up: bool,
}

fn standing(state: c_int) -> Standing {
    match state {
        1 => Standing::Error,
        2 => Standing::Syncing,
        3 => Standing::Starting,
        4 => Standing::Replaying,
        5 => Standing::Stopping,
        6 => Standing::Stopped,
        _ => Standing::Unknown,
    }
}

const NO_INFO: MirrorInfoT = MirrorInfoT {
    global_id: ptr::null_mut(),
    state: 0,
    primary: false,
};

pub(super) const NO_STATUS: GlobalStatusT = GlobalStatusT {
    name: ptr::null_mut(),
    info: NO_INFO,
    site_statuses_count: 0,
    site_statuses: ptr::null_mut(),
};

/// Images that are asked about at once.
const AT_ONCE: usize = 256;

/// What the daemons of all sites say of an image.
///
/// # Safety
/// librbd has filled it.
pub(super) unsafe fn reports(status: &GlobalStatusT) -> Vec<SiteReport> {
    if status.site_statuses.is_null() {
        return Vec::new();
    }
    let count = status.site_statuses_count as usize;
    // SAFETY: librbd has put so many there.
    let sites = unsafe { std::slice::from_raw_parts(status.site_statuses, count) };
    let report = |site: &SiteStatusT| {
        // SAFETY: librbd has put texts there.
        let (uuid, description) = unsafe { (taken(site.mirror_uuid), taken(site.description)) };
        SiteReport {
            peer: (!uuid.is_empty()).then_some(uuid),
            standing: standing(site.state),
            description,
            at: site.last_update,
            up: site.up,
        }
    };
    sites.iter().map(report).collect()
}

impl Pool {
    /// What the daemons say of all images that are mirrored, by librbd's own ids of these.
    pub(crate) fn mirror_reports(&self) -> Result<Vec<(String, Vec<SiteReport>)>, Errno> {
        let rbd = self.rbd();
        let mut all: Vec<(String, Vec<SiteReport>)> = Vec::new();
        loop {
            let after = given(all.last().map_or("", |(id, _)| id))?;
            let mut ids = [ptr::null_mut(); AT_ONCE];
            let mut found = vec![NO_STATUS; AT_ONCE];
            let mut len = AT_ONCE;
            // SAFETY: the pool is a handle, the text ends with a zero, and both lists have the room given.
            check(unsafe {
                (rbd.rbd_mirror_image_global_status_list)(
                    self.handle(),
                    after.as_ptr(),
                    AT_ONCE,
                    ids.as_mut_ptr(),
                    found.as_mut_ptr(),
                    &raw mut len,
                )
            })?;
            for (id, status) in ids.iter().zip(&found).take(len) {
                // SAFETY: librbd has filled so many of both.
                all.push(unsafe { (taken(*id), reports(status)) });
            }
            // SAFETY: librbd has filled so many of both, and they are used no more.
            unsafe {
                (rbd.rbd_mirror_image_global_status_list_cleanup)(
                    ids.as_mut_ptr(),
                    found.as_mut_ptr(),
                    len,
                );
            }
            if len < AT_ONCE {
                return Ok(all);
            }
        }
    }
}

impl Image {
    /// Whether it is mirrored, and from where.
    pub(crate) fn mirror_info(&self) -> Result<MirrorInfo, Errno> {
        Ok(self.mirroring()?.0)
    }

    /// By what all clusters that mirror it know it: another one each time that mirroring begins. `None` where it
    /// is not mirrored; a copy that is just being made has one, though its mirroring is not enabled yet.
    pub(crate) fn global_id(&self) -> Result<Option<String>, Errno> {
        let (_, id) = self.mirroring()?;
        Ok((!id.is_empty()).then_some(id))
    }

    fn mirroring(&self) -> Result<(MirrorInfo, String), Errno> {
        let mut info = NO_INFO;
        // SAFETY: the image is open, and the structure has the size that is given.
        let code = unsafe {
            (self.rbd().rbd_mirror_image_get_info)(
                self.handle,
                &raw mut info,
                size_of::<MirrorInfoT>(),
            )
        };
        match check(code) {
            Ok(_) => {}
            // Said of images that are not mirrored, by some versions.
            Err(Errno(libc::ENOENT)) => {
                let none = MirrorInfo {
                    state: MirrorState::Off,
                    primary: true,
                };
                return Ok((none, String::new()));
            }
            Err(error) => return Err(error),
        }
        let state = match info.state {
            MIRROR_ENABLED => MirrorState::On,
            MIRROR_DISABLING => MirrorState::Disabling,
            MIRROR_DISABLED => MirrorState::Off,
            // `cls::rbd::MirrorImageState` has one more than the header; of any that is newer nobody should be told
            // that the image is whole.
            _ => MirrorState::Creating,
        };
        let primary = info.primary;
        // SAFETY: librbd has put a text there.
        let id = unsafe { taken(info.global_id) };
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { (self.rbd().rbd_mirror_image_get_info_cleanup)(&raw mut info) };
        Ok((MirrorInfo { state, primary }, id))
    }

    /// What the daemons say of it.
    pub(crate) fn mirror_reports(&self) -> Result<Vec<SiteReport>, Errno> {
        let mut status = NO_STATUS;
        // SAFETY: the image is open, and the structure has the size that is given.
        check(unsafe {
            (self.rbd().rbd_mirror_image_get_global_status)(
                self.handle,
                &raw mut status,
                size_of::<GlobalStatusT>(),
            )
        })?;
        // SAFETY: librbd has filled it.
        let reports = unsafe { reports(&status) };
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { (self.rbd().rbd_mirror_image_global_status_cleanup)(&raw mut status) };
        Ok(reports)
    }

    /// Begins to mirror it.
    pub(crate) fn mirror(&self, mode: MirrorMode) -> Result<(), Errno> {
        let mode = match mode {
            MirrorMode::Journal => 0,
            MirrorMode::Snapshot => 1,
        };
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_mirror_image_enable2)(self.handle, mode) }).map(drop)
    }

    /// Ends to mirror it; the peer's copy is removed. Of a copy, `force` ends it too, and makes it nobody's.
    pub(crate) fn mirror_no_more(&self, force: bool) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_mirror_image_disable)(self.handle, force) }).map(drop)
    }

    /// Makes it primary; `force` where the former primary is lost.
    pub(crate) fn promote(&self, force: bool) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_mirror_image_promote)(self.handle, force) }).map(drop)
    }

    /// Makes it secondary.
    pub(crate) fn demote(&self) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_mirror_image_demote)(self.handle) }).map(drop)
    }

    /// Has the daemon copy all of it again.
    pub(crate) fn resync(&self) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_mirror_image_resync)(self.handle) }).map(drop)
    }
}

//! `mirror …`.

mod daemons;
mod image;
mod peer;
mod pool;
mod schedule;
mod shown;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use firebrick_ceph::tool::{OpenPool, PoolMode};
use parking_lot::Mutex;

use super::site::{Ceph, Doing as _};
use super::without;
use crate::cli::rbd::error::{EINVAL, refuse};
use crate::cli::rbd::mirror::args::{
    HowToDemote, HowToPromote, MirrorCommand, MirrorSnapshotCommand,
};
use crate::exit::Failure;

/// Images that are asked at once; what `rbd_concurrent_management_ops` is unless somebody changes it.
const AT_ONCE: usize = 10;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &MirrorCommand) -> Result<(), Failure> {
    match command {
        MirrorCommand::Image(command) => image::run(ceph, command),
        MirrorCommand::Pool(command) => pool::run(ceph, command),
        MirrorCommand::Snapshot(MirrorSnapshotCommand::Schedule(command)) => {
            schedule::run(ceph, command)
        }
        MirrorCommand::Group(_) => Err(without(
            "librbd mirrors images, not groups; use `mirror image` for each",
        )),
        MirrorCommand::Verify(_) => Err(without(
            "rbd-mirror compares nothing; `export` the same snapshot at both clusters",
        )),
        MirrorCommand::Wait(_) => Err(without(
            "rbd-mirror tells how far it is by `mirror image status`",
        )),
        MirrorCommand::Explain(_) => Err(without(
            "rbd-mirror says what it does by `mirror image status`",
        )),
    }
}

/// Refuses what only a site can know before it promotes.
fn plain(how: &HowToPromote) -> Result<(), Failure> {
    if how.at.is_some() {
        return Err(without(
            "a cluster has no earlier states than its snapshots; leave --at away",
        ));
    }
    if how.dry_run || how.accept_loss.is_some() {
        let text =
            "nobody on Ceph knows what a promotion loses; leave --dry-run and --accept-loss away";
        return Err(without(text));
    }
    Ok(())
}

/// Refuses what only sites of its own say of demotions.
fn at_once(how: &HowToDemote) -> Result<(), Failure> {
    match how.timeout {
        None => Ok(()),
        Some(_) => Err(without(
            "nobody on Ceph says when a demotion has arrived; leave --timeout away",
        )),
    }
}

/// Refuses a pool that is not mirrored.
fn mirrored(pool: &OpenPool) -> Result<(), Failure> {
    let mode = pool.mirror_mode();
    if mode.doing("failed to retrieve mirror mode")? == PoolMode::Disabled {
        return Err(refuse(EINVAL, "rbd: mirroring not enabled on the pool"));
    }
    Ok(())
}

/// Does the same with each image of a pool, several at once; what came of it, in the order of their names.
fn each<T: Send>(
    pool: &Arc<OpenPool>,
    what: impl Fn(&str) -> T + Sync,
) -> Result<Vec<(String, T)>, Failure> {
    let images = pool.images();
    let images = images.doing("failed to list images within pool")?;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|threads| {
        for _ in 0..AT_ONCE.min(images.len()) {
            threads.spawn(|| {
                while let Some((name, _)) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let came = what(name);
                    done.lock().push((name.clone(), came));
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(done)
}

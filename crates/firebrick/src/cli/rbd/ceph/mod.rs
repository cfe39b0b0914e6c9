//! The same verbs for a Ceph cluster: what they print is that of `show`, what they know is from librbd.
//!
//! librbd blocks, so each command has a thread of its own, and the runtime waits for it with a limit.

mod bench;
mod change;
mod collect;
mod conf;
mod diffs;
mod feature;
mod group;
mod journal;
mod layout;
mod look;
mod mirror;
mod names;
mod site;
mod snap;
mod spec;
mod transfer;
mod trash;
mod usage;

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::args::{Common, DeepCommand, FeatureCommand, RbdCommand, SnapCommand, SnapLimitCommand};
use super::error::{EIO, EOPNOTSUPP, ETIMEDOUT, failed, refuse};
use crate::exit::Failure;
pub(super) use conf::{Cluster, is_of_cluster};
use site::Ceph;

/// How long a command may take that only asks and notes; a cluster that is gone is noticed much earlier, by each
/// single request to it.
const QUICK: Duration = Duration::from_secs(300);
/// How long one may take that copies, reads or removes data.
const SLOW: Duration = Duration::from_secs(30 * 24 * 3600);

/// Does what the command line says.
pub(super) async fn run(
    common: Common,
    command: RbdCommand,
    cluster: Cluster,
) -> Result<(), Failure> {
    let limit = pace(&command);
    let (answer, answered) = oneshot::channel();
    let work = move || {
        let done = Ceph::connect(common, &cluster).and_then(|ceph| verb(&ceph, &command));
        // Nobody may wait any more.
        let _ = answer.send(done);
    };
    let started = thread::Builder::new().name("ceph".to_owned()).spawn(work);
    started.map_err(|error| super::error::io("cannot start a thread", &error))?;
    match timeout(limit, answered).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(failed("the command ended in an unforeseen way", EIO)),
        Err(_) => Err(failed("the cluster does not answer", ETIMEDOUT)),
    }
}

/// How long a command may take.
fn pace(command: &RbdCommand) -> Duration {
    match command {
        RbdCommand::Ls(_)
        | RbdCommand::Info(_)
        | RbdCommand::Status(_)
        | RbdCommand::Children(_)
        | RbdCommand::Create(_)
        | RbdCommand::Rename(_)
        | RbdCommand::Clone(_)
        | RbdCommand::ImageMeta(_)
        | RbdCommand::Lock(_)
        | RbdCommand::Namespace(_) => QUICK,
        _ => SLOW,
    }
}

fn verb(ceph: &Ceph, command: &RbdCommand) -> Result<(), Failure> {
    match command {
        RbdCommand::Ls(args) => look::list(ceph, args),
        RbdCommand::Info(args) => look::info(ceph, args),
        RbdCommand::Status(args) => look::status(ceph, args),
        RbdCommand::Children(args) => look::children(ceph, args),
        RbdCommand::Create(args) => change::create(ceph, args),
        RbdCommand::Rm(args) => change::remove(ceph, args),
        RbdCommand::Resize(args) => change::resize(ceph, args),
        RbdCommand::Rename(args) => change::rename(ceph, args),
        RbdCommand::Clone(args) => change::clone(ceph, args),
        RbdCommand::Flatten(args) => change::flatten(ceph, args),
        RbdCommand::Copy(args) => change::copy(ceph, args, false),
        RbdCommand::Deep(DeepCommand::Copy(args)) => change::copy(ceph, args, true),
        RbdCommand::Snap(command) => snaps(ceph, command),
        RbdCommand::ImageMeta(command) => collect::meta(ceph, command),
        RbdCommand::Lock(command) => collect::lock(ceph, command),
        RbdCommand::Namespace(command) => collect::namespace(ceph, command),
        RbdCommand::Trash(command) => trash::run(ceph, command),
        RbdCommand::Feature(FeatureCommand::Enable(args)) => feature::set(ceph, &args.spec, true),
        RbdCommand::Feature(FeatureCommand::Disable(args)) => feature::set(ceph, &args.spec, false),
        RbdCommand::Du(args) => usage::run(ceph, args),
        RbdCommand::Diff(args) => diffs::print(ceph, args),
        RbdCommand::ExportDiff(args) => diffs::export(ceph, args),
        RbdCommand::ImportDiff(args) => diffs::import(ceph, args),
        RbdCommand::Export(args) => transfer::export(ceph, args),
        RbdCommand::Import(args) => transfer::import(ceph, args),
        RbdCommand::Group(command) => group::run(ceph, command),
        RbdCommand::Mirror(command) => mirror::run(ceph, command),
        RbdCommand::Journal(command) => journal::run(ceph, command),
        RbdCommand::Bench(args) => bench::run(ceph, args),
        other => Err(not_here(other)),
    }
}

fn snaps(ceph: &Ceph, command: &SnapCommand) -> Result<(), Failure> {
    match command {
        SnapCommand::Create(args) => snap::create(ceph, args),
        SnapCommand::Ls(args) => snap::list(ceph, args),
        SnapCommand::Rm(args) => snap::remove(ceph, args),
        SnapCommand::Purge(args) => snap::purge(ceph, args),
        SnapCommand::Rollback(args) => snap::roll_back(ceph, args),
        SnapCommand::Protect(args) => snap::protect(ceph, args, true),
        SnapCommand::Unprotect(args) => snap::protect(ceph, args, false),
        SnapCommand::Rename(args) => snap::rename(ceph, args),
        SnapCommand::Limit(SnapLimitCommand::Set(args)) => snap::limit(ceph, args, true),
        SnapCommand::Limit(SnapLimitCommand::Clear(args)) => snap::limit(ceph, args, false),
    }
}

/// Refuses what librbd has no function for, or what only a store of Firebrick has.
fn not_here(command: &RbdCommand) -> Failure {
    let instead = match command {
        RbdCommand::Window(_) | RbdCommand::Rollback(_) => {
            "the past of an image on Ceph is its snapshots; use `snap ls` and `snap rollback`"
        }
        RbdCommand::Scrub(_) | RbdCommand::Background | RbdCommand::RebuildIndex => {
            "a Ceph cluster looks after its own data; use `ceph status` and `ceph osd deep-scrub`"
        }
        RbdCommand::Map(_)
        | RbdCommand::Unmap(_)
        | RbdCommand::Showmapped
        | RbdCommand::Device(_) => {
            "this machine's kernel or rbd-nbd reaches images on Ceph; use the `rbd` tool of Ceph"
        }
        RbdCommand::ConsistencyGroup(_) => "on Ceph a group has no journal of its own; use `group`",
        _ => "use the `rbd` tool of Ceph",
    };
    without(instead)
}

/// Refuses something, and says why or what to use instead.
fn without(instead: &str) -> Failure {
    let text =
        format!("rbd: not on a Ceph cluster: {instead}: ({EOPNOTSUPP}) Operation not supported");
    refuse(EOPNOTSUPP, text)
}

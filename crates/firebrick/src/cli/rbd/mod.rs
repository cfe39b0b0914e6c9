//! `firebrick rbd`: the verbs of the `rbd` tool, for a site or a Ceph cluster.
//!
//! Each verb talks to the running site over its admin socket; only the index is rebuilt without it. Where the
//! configuration is that of a Ceph cluster, it asks librbd (`ceph`). What is printed (`show`), and the exit status,
//! are those of the `rbd` tool.

mod apply;
pub(crate) mod args;
mod at;
mod bench;
mod ceph;
mod change;
mod copy;
mod device;
mod diff;
mod doc;
mod error;
pub(crate) mod feature;
mod group;
mod journal;
mod lock;
mod look;
mod merge;
mod meta;
mod mirror;
mod namespace;
mod progress;
mod rebuild;
mod scrub;
mod show;
mod site;
mod size;
mod snap;
mod spec;
mod stream;
pub(super) mod table;
mod transfer;
mod trash;
mod usage;

use crate::exit::Failure;
use args::{DeepCommand, FeatureCommand, RbdArgs, RbdCommand, SnapCommand, SnapLimitCommand};
use site::{Named, Rbd, named};

/// Does what the command line says.
pub(crate) async fn run(args: RbdArgs) -> Result<(), Failure> {
    let RbdArgs { command, common } = args;
    if matches!(command, RbdCommand::RebuildIndex) {
        return rebuild::run(&common);
    }
    if let RbdCommand::MergeDiff(args) = &command {
        return merge::run(&common, args);
    }
    let rbd = match named(&common)? {
        Named::Site(conf) => Rbd::new(common, &conf),
        Named::Cluster(cluster) => return ceph::run(common, command, cluster).await,
    };
    match command {
        RbdCommand::Ls(args) => look::list(rbd, &args).await,
        RbdCommand::Info(args) => look::info(rbd, &args).await,
        RbdCommand::Status(args) => look::status(rbd, &args).await,
        RbdCommand::Window(args) => look::window(rbd, &args).await,
        RbdCommand::Du(args) => usage::run(rbd, &args).await,
        RbdCommand::Create(args) => change::create(rbd, &args).await,
        RbdCommand::Rm(args) => change::remove(rbd, &args).await,
        RbdCommand::Resize(args) => change::resize(rbd, &args).await,
        RbdCommand::Rename(args) => change::rename(rbd, &args).await,
        RbdCommand::Clone(args) => change::clone(rbd, &args).await,
        RbdCommand::Rollback(args) => change::roll_back(rbd, &args).await,
        RbdCommand::Children(args) => look::children(rbd, &args).await,
        RbdCommand::Flatten(args) => copy::flatten(rbd, &args).await,
        RbdCommand::Copy(args) => copy::copy(rbd, &args).await,
        RbdCommand::Deep(DeepCommand::Copy(args)) => copy::deep_copy(rbd, &args).await,
        RbdCommand::ImageMeta(command) => meta::run(rbd, &command).await,
        RbdCommand::Feature(FeatureCommand::Enable(args)) => feature::enable(rbd, &args).await,
        RbdCommand::Feature(FeatureCommand::Disable(args)) => feature::disable(rbd, &args).await,
        RbdCommand::Lock(command) => lock::run(rbd, &command).await,
        RbdCommand::Trash(command) => trash::run(rbd, &command).await,
        RbdCommand::Namespace(command) => namespace::run(rbd, &command).await,
        RbdCommand::Group(command) => group::run(rbd, &command).await,
        RbdCommand::ConsistencyGroup(command) => group::consistency(rbd, &command).await,
        RbdCommand::Device(command) => device::run(rbd, &command).await,
        RbdCommand::Map(args) => device::map(rbd, &args).await,
        RbdCommand::Unmap(args) => device::unmap(rbd, &args).await,
        RbdCommand::Showmapped => device::list(rbd).await,
        RbdCommand::Snap(command) => snap(rbd, command).await,
        RbdCommand::Diff(args) => diff::print(rbd, &args).await,
        RbdCommand::ExportDiff(args) => diff::export(rbd, &args).await,
        RbdCommand::ImportDiff(args) => apply::import(rbd, &args).await,
        RbdCommand::Export(args) => transfer::export(rbd, &args).await,
        RbdCommand::Import(args) => transfer::import(rbd, &args).await,
        RbdCommand::Bench(args) => bench::run(rbd, &args).await,
        RbdCommand::Scrub(args) => scrub::run(rbd, &args).await,
        RbdCommand::Journal(command) => journal::run(rbd, &command).await,
        RbdCommand::Mirror(command) => mirror::run(rbd, command).await,
        RbdCommand::Background => scrub::background(rbd).await,
        // They need no site, and were done before.
        RbdCommand::RebuildIndex | RbdCommand::MergeDiff(_) => Ok(()),
    }
}

async fn snap(rbd: Rbd, command: SnapCommand) -> Result<(), Failure> {
    match command {
        SnapCommand::Create(args) => snap::create(rbd, &args).await,
        SnapCommand::Ls(args) => snap::list(rbd, &args).await,
        SnapCommand::Rm(args) => snap::remove(rbd, &args).await,
        SnapCommand::Purge(args) => snap::purge(rbd, &args).await,
        SnapCommand::Rollback(args) => snap::roll_back(rbd, &args).await,
        SnapCommand::Protect(args) => snap::protect(rbd, &args, true).await,
        SnapCommand::Unprotect(args) => snap::protect(rbd, &args, false).await,
        SnapCommand::Rename(args) => snap::rename(rbd, &args).await,
        SnapCommand::Limit(SnapLimitCommand::Set(args)) => snap::limit(rbd, &args, true).await,
        SnapCommand::Limit(SnapLimitCommand::Clear(args)) => snap::limit(rbd, &args, false).await,
    }
}

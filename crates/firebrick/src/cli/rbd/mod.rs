//! `firebrick rbd`: the verbs of the `rbd` tool, for a site.
//!
//! Each verb talks to the running site over its admin socket; only the index is rebuilt without it. What
//! is printed, and the exit status, are those of the `rbd` tool.

pub(crate) mod args;
mod at;
mod change;
mod diff;
mod error;
mod look;
mod progress;
mod rebuild;
mod scrub;
mod site;
mod size;
mod snap;
mod spec;
mod stream;
mod table;
mod transfer;
mod usage;

use crate::exit::Failure;
use args::{RbdArgs, RbdCommand, SnapCommand};
use site::Rbd;

/// Does what the command line says.
pub(crate) async fn run(args: RbdArgs) -> Result<(), Failure> {
    let RbdArgs { command, common } = args;
    if matches!(command, RbdCommand::RebuildIndex) {
        return rebuild::run(&common);
    }
    let rbd = Rbd::new(common)?;
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
        RbdCommand::Snap(SnapCommand::Create(args)) => snap::create(rbd, &args).await,
        RbdCommand::Snap(SnapCommand::Ls(args)) => snap::list(rbd, &args).await,
        RbdCommand::Snap(SnapCommand::Rm(args)) => snap::remove(rbd, &args).await,
        RbdCommand::Snap(SnapCommand::Purge(args)) => snap::purge(rbd, &args).await,
        RbdCommand::Snap(SnapCommand::Rollback(args)) => snap::roll_back(rbd, &args).await,
        RbdCommand::Diff(args) => diff::print(rbd, &args).await,
        RbdCommand::ExportDiff(args) => diff::export(rbd, &args).await,
        RbdCommand::ImportDiff(args) => diff::import(rbd, &args).await,
        RbdCommand::Export(args) => transfer::export(rbd, &args).await,
        RbdCommand::Import(args) => transfer::import(rbd, &args).await,
        RbdCommand::Scrub(args) => scrub::run(rbd, &args).await,
        RbdCommand::Background => scrub::background(rbd).await,
        // It needs no site, and was done before.
        RbdCommand::RebuildIndex => Ok(()),
    }
}

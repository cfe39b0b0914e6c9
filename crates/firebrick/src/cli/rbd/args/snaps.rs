//! `snap …`.

use clap::{Args, Subcommand};

use super::specs::{SpecArgs, TwoSpecs};

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub(crate) enum SnapCommand {
    /// Take a snapshot
    #[command(alias = "add")]
    Create(SpecArgs),
    /// List snapshots
    #[command(alias = "list")]
    Ls(SnapLsArgs),
    /// Remove a snapshot
    #[command(alias = "remove")]
    Rm(SnapRmArgs),
    /// Remove all snapshots of an image
    Purge(SpecArgs),
    /// Return an image to a snapshot
    #[command(alias = "revert")]
    Rollback(SpecArgs),
    /// Keep a snapshot from being removed
    Protect(SpecArgs),
    /// Let a snapshot be removed again
    Unprotect(SpecArgs),
    /// Give a snapshot another name
    #[command(alias = "mv")]
    Rename(TwoSpecs),
    /// How many snapshots an image may have
    #[command(subcommand)]
    Limit(SnapLimitCommand),
}

/// `snap limit …`
#[derive(Debug, Subcommand)]
pub(crate) enum SnapLimitCommand {
    /// Say how many
    Set(SnapLimitArgs),
    /// Any number
    Clear(SnapLimitArgs),
}

/// `snap limit set`
#[derive(Args, Debug)]
pub(crate) struct SnapLimitArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// `snap rm`
#[derive(Args, Debug)]
pub(crate) struct SnapRmArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Also where it is protected; its clones belong to nobody but themselves then
    #[arg(long)]
    pub(crate) force: bool,
}

/// `snap ls`
#[derive(Args, Debug)]
pub(crate) struct SnapLsArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// What nobody took by hand, too
    #[arg(short, long)]
    pub(crate) all: bool,
}

//! Verbs about whole images.

use clap::{Args, Subcommand};

use super::layout::LayoutArgs;
use super::specs::{PoolArgs, SpecArgs, TwoSpecs};
use crate::cli::rbd::at::At;
use crate::cli::rbd::size::Size;

/// `ls`
#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// Sizes and snapshots too
    #[arg(short, long)]
    pub(crate) long: bool,
}

/// `du`
#[derive(Args, Debug)]
pub(crate) struct DuArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Count the snapshots with their image
    #[arg(long)]
    pub(crate) merge_snapshots: bool,
    /// Taken as it is: sizes are exact always
    #[arg(long, hide = true)]
    pub(crate) exact: bool,
}

/// `create`
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The size in MiB, or with a unit: B, K, M, G, T
    #[arg(short, long, value_name = "SIZE")]
    pub(crate) size: Option<Size>,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

/// `resize`
#[derive(Args, Debug)]
pub(crate) struct ResizeArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The new size in MiB, or with a unit: B, K, M, G, T
    #[arg(short, long, value_name = "SIZE")]
    pub(crate) size: Option<Size>,
    /// Drop what lies beyond a smaller size
    #[arg(long)]
    pub(crate) allow_shrink: bool,
}

/// `clone`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firebrick rbd clone disk@monday disk-of-monday
  firebrick rbd clone disk disk-before --at 2026-11-20T20:34:14Z
  firebrick rbd clone disk disk-before --at 1.48213")]
pub(crate) struct CloneArgs {
    #[command(flatten)]
    pub(crate) specs: TwoSpecs,
    /// As it was at that time (RFC 3339) or position (EPOCH.SEQUENCE, or SEQUENCE)
    #[arg(long, value_name = "TIME|POSITION")]
    pub(crate) at: Option<At>,
    /// With 1 only a protected snapshot has clones
    #[arg(
        long,
        value_name = "1|2",
        value_parser = clap::value_parser!(u8).range(1..=2)
    )]
    pub(crate) rbd_default_clone_format: Option<u8>,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

/// `children`
#[derive(Args, Debug)]
pub(crate) struct ChildrenArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Those in the trash too
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// `copy`
#[derive(Args, Debug)]
#[command(after_help = "\
No byte is copied: the new image shares the blocks that are alike with the old one, and knows nothing of it.

Examples:
  firebrick rbd cp disk second
  firebrick rbd cp disk@monday disk-of-monday")]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) specs: TwoSpecs,
}

/// `deep …`
#[derive(Debug, Subcommand)]
pub(crate) enum DeepCommand {
    /// Make an image with the content and the snapshots of another one
    #[command(alias = "cp")]
    Copy(CopyArgs),
}

/// `image-meta …`
#[derive(Debug, Subcommand)]
pub(crate) enum MetaCommand {
    /// Print the value of a key
    Get(NoteArgs),
    /// List keys and values
    #[command(alias = "ls")]
    List(SpecArgs),
    /// Remove a key
    #[command(alias = "rm")]
    Remove(NoteArgs),
    /// Set a key: IMAGE KEY VALUE
    Set(NoteArgs),
}

/// `image-meta get`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are [POOL/[NAMESPACE/]]IMAGE, the key and, to set it, its value. The key `retention` says how far
back the image can be had, for example 24h.")]
pub(crate) struct NoteArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
}

/// `rollback`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firebrick rbd rollback disk --at 2026-11-20T20:34:14Z
  firebrick rbd rollback disk@monday

A mirrored image is returned by writing the difference: where that is interrupted, do it again.")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// To that time (RFC 3339) or position (EPOCH.SEQUENCE, or SEQUENCE)
    #[arg(long, value_name = "TIME|POSITION")]
    pub(crate) at: Option<At>,
}

//! `firebrick rbd`: the command line as types, spelled as the `rbd` tool spells it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::at::At;
use super::size::Size;

/// `firebrick rbd`
#[derive(Args, Debug)]
#[command(after_help = "\
Images are named [POOL/]IMAGE[@SNAPSHOT]; the pool is `volumes`. Exit status: 0 success, otherwise the
number of the error as with the rbd tool, for example 2 for no such image and 30 for a secondary.

Examples:
  export FIREBRICK_CONF=/etc/firebrick/site-a.conf
  firebrick rbd ls -l
  firebrick rbd snap create volumes/disk@monday
  firebrick rbd clone disk disk-before --at 2026-11-20T20:34:14Z
  firebrick rbd export-diff disk@tuesday tuesday.diff --from-snap monday
  firebrick rbd scrub --wait")]
pub(crate) struct RbdArgs {
    #[command(subcommand)]
    pub(crate) command: RbdCommand,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What all verbs take.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The configuration of the site
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "FIREBRICK_CONF",
        global = true
    )]
    pub(crate) conf: Option<PathBuf>,
    /// The pool
    #[arg(short, long, value_name = "POOL", global = true)]
    pub(crate) pool: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) format: RbdFormat,
    /// Print JSON over several lines
    #[arg(long, global = true)]
    pub(crate) pretty_format: bool,
    /// Say nothing about progress
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum RbdFormat {
    /// For people
    #[default]
    Plain,
    /// For programs
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum RbdCommand {
    /// List images
    #[command(alias = "list")]
    Ls(LsArgs),
    /// Show an image or a snapshot
    Info(SpecArgs),
    /// Show how much an image and its snapshots take
    #[command(alias = "disk-usage")]
    Du(DuArgs),
    /// Show who has an image open
    Status(SpecArgs),
    /// Make an empty image
    Create(CreateArgs),
    /// Remove an image
    #[command(alias = "remove")]
    Rm(SpecArgs),
    /// Give an image another size
    Resize(ResizeArgs),
    /// Give an image another name
    #[command(alias = "mv")]
    Rename(TwoSpecs),
    /// Make an image from a snapshot, from now, or from an earlier moment
    Clone(CloneArgs),
    /// Return an image to a snapshot or to an earlier moment
    Rollback(RollbackArgs),
    /// Show from which to which moment an image can be cloned and rolled back
    Window(SpecArgs),
    /// Snapshots of images
    #[command(subcommand)]
    Snap(SnapCommand),
    /// Print what has changed since a snapshot, a record, or the beginning
    Diff(DiffArgs),
    /// Write what has changed into a file
    ExportDiff(ExportDiffArgs),
    /// Apply such a file, then take its snapshot
    ImportDiff(ImportDiffArgs),
    /// Copy an image or a snapshot into a file
    Export(ExportArgs),
    /// Make an image from a file
    Import(ImportArgs),
    /// Read and check everything that is stored, and repair it from the mirror
    #[command(after_help = "\
Without --wait the site goes on by itself; `firebrick rbd background` says how far it is. With it the exit
status is 5 where something is damaged that could not be repaired.")]
    Scrub(ScrubArgs),
    /// Show what the site does in the background
    Background,
    /// Make a new index from the log alone, with the site stopped
    RebuildIndex,
}

/// `snap …`
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
    Rm(SpecArgs),
    /// Remove all snapshots of an image
    Purge(SpecArgs),
    /// Return an image to a snapshot
    #[command(alias = "revert")]
    Rollback(SpecArgs),
}

/// An image or a snapshot.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SpecArgs {
    /// [POOL/]IMAGE[@SNAPSHOT]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<String>,
    /// The image
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    /// The snapshot
    #[arg(long, value_name = "NAME")]
    pub(crate) snap: Option<String>,
}

/// `ls`
#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// The pool
    #[arg(value_name = "POOL")]
    pub(crate) spec: Option<String>,
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

/// `snap ls`
#[derive(Args, Debug)]
pub(crate) struct SnapLsArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// What nobody took by hand, too
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// `create`
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The size in MiB, or with a unit: B, K, M, G, T
    #[arg(short, long, value_name = "SIZE")]
    pub(crate) size: Size,
}

/// `resize`
#[derive(Args, Debug)]
pub(crate) struct ResizeArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The new size in MiB, or with a unit: B, K, M, G, T
    #[arg(short, long, value_name = "SIZE")]
    pub(crate) size: Size,
    /// Drop what lies beyond a smaller size
    #[arg(long)]
    pub(crate) allow_shrink: bool,
}

/// From one to another.
#[derive(Args, Debug)]
pub(crate) struct TwoSpecs {
    /// [POOL/]IMAGE
    pub(crate) source: String,
    /// [POOL/]IMAGE
    pub(crate) dest: String,
}

/// `clone`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firebrick rbd clone disk@monday disk-of-monday
  firebrick rbd clone disk disk-before --at 2026-11-20T20:34:14Z
  firebrick rbd clone disk disk-before --at 1.48213")]
pub(crate) struct CloneArgs {
    /// [POOL/]IMAGE[@SNAPSHOT]
    pub(crate) source: String,
    /// [POOL/]IMAGE
    pub(crate) dest: String,
    /// As it was at that time (RFC 3339) or position (EPOCH.SEQUENCE, or SEQUENCE)
    #[arg(long, value_name = "TIME|POSITION")]
    pub(crate) at: Option<At>,
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

/// What is compared.
#[derive(Args, Debug)]
pub(crate) struct Since {
    /// Since that snapshot
    #[arg(long, value_name = "SNAP", conflicts_with = "from_position")]
    pub(crate) from_snap: Option<String>,
    /// Since that time (RFC 3339) or position (EPOCH.SEQUENCE, or SEQUENCE)
    #[arg(long, value_name = "TIME|POSITION")]
    pub(crate) from_position: Option<At>,
    /// Whole objects of 4 MiB
    #[arg(long)]
    pub(crate) whole_object: bool,
}

/// `diff`
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) since: Since,
}

/// `export-diff`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firebrick rbd export-diff disk@monday monday.diff
  firebrick rbd export-diff disk@tuesday - --from-snap monday | ssh backup rbd import-diff - pool/disk")]
pub(crate) struct ExportDiffArgs {
    /// [POOL/]IMAGE[@SNAPSHOT]
    pub(crate) source: String,
    /// The file, or - for standard output
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) since: Since,
}

/// `import-diff`
#[derive(Args, Debug)]
pub(crate) struct ImportDiffArgs {
    /// The file, or - for standard input
    pub(crate) path: String,
    /// [POOL/]IMAGE
    pub(crate) dest: String,
}

/// `export`
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// [POOL/]IMAGE[@SNAPSHOT]
    pub(crate) source: String,
    /// The file, or - for standard output [default: the name of the image]
    pub(crate) path: Option<String>,
}

/// `import`
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The file, or - for standard input
    pub(crate) path: String,
    /// [POOL/]IMAGE [default: the name of the file]
    pub(crate) dest: Option<String>,
}

/// `scrub`
#[derive(Args, Debug)]
pub(crate) struct ScrubArgs {
    /// Wait for the end, and report what was found
    #[arg(long)]
    pub(crate) wait: bool,
}

//! `firebrick rbd`: the command line as types, spelled as the `rbd` tool spells it.

mod bench;
mod collections;
mod devices;
mod groups;
mod images;
mod layout;
mod snaps;
mod specs;
mod streams;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::journal::args::JournalCommand;
use super::mirror::args::MirrorCommand;
pub(crate) use bench::{BenchArgs, IoPattern, IoType};
pub(crate) use collections::{
    DisableArgs, EnableArgs, FeatureCommand, JournalOptions, LockArgs, LockCommand,
    NamespaceCommand, PurgeArgs, ThrowArgs, TrashCommand, TrashIdArgs, TrashLsArgs, TrashRmArgs,
};
pub(crate) use devices::{DeviceCommand, MapArgs, UnmapArgs};
pub(crate) use groups::{
    ConsistencyCommand, GroupArgs, GroupCommand, GroupImageCommand, GroupSnapCommand, MemberArgs,
};
pub(crate) use images::{
    ChildrenArgs, CloneArgs, CopyArgs, CreateArgs, DeepCommand, DuArgs, LsArgs, MetaCommand,
    NoteArgs, ResizeArgs, RollbackArgs,
};
pub(crate) use layout::LayoutArgs;
pub(crate) use snaps::{SnapCommand, SnapLimitArgs, SnapLimitCommand, SnapLsArgs, SnapRmArgs};
pub(crate) use specs::{PoolArgs, SpecArgs, TwoSpecs};
pub(crate) use streams::{
    DiffArgs, ExportArgs, ExportDiffArgs, ImportArgs, ImportDiffArgs, MergeDiffArgs, Since,
};

/// `firebrick rbd`
#[derive(Args, Debug)]
#[command(after_help = "\
Images are named [POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT]; the pool is `volumes`. Called `rbd`, through a link, the
binary takes the same verbs. Exit status: 0 success, 1 a wrong command line, otherwise the number of the
error as with the rbd tool, for example 2 for no such image and 30 for a secondary.

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
    /// The configuration of the site, or of a Ceph cluster [env: FIREBRICK_CONF]
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(crate) conf: Option<PathBuf>,
    /// The site or cluster, as a file or as the name of one in /etc/firebrick or /etc/ceph
    #[arg(long, value_name = "NAME|FILE", global = true)]
    pub(crate) cluster: Option<String>,
    /// The pool
    #[arg(short, long, value_name = "POOL", global = true)]
    pub(crate) pool: Option<String>,
    /// The namespace in the pool
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) namespace: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) format: RbdFormat,
    /// Print JSON and XML over several lines
    #[arg(long, global = true)]
    pub(crate) pretty_format: bool,
    /// Say nothing about progress
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    #[command(flatten)]
    pub(crate) ceph: CephOptions,
}

/// Who is asking, in a Ceph cluster: taken and not used for other sites, as whoever may open the admin socket of
/// one may do everything there.
#[derive(Args, Debug)]
#[command(next_help_heading = "On a Ceph cluster")]
pub(crate) struct CephOptions {
    /// The user, without `client.`
    #[arg(long, alias = "user", value_name = "USER", global = true)]
    pub(crate) id: Option<String>,
    /// The user, as `client.USER`
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(crate) name: Option<String>,
    /// Where the monitors are
    #[arg(
        short,
        long,
        alias = "mon_host",
        value_name = "ADDRESSES",
        global = true
    )]
    pub(crate) mon_host: Option<String>,
    /// The user's key
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(crate) keyring: Option<String>,
    /// The user's key, and nothing else in the file
    #[arg(short = 'K', long, value_name = "FILE", global = true)]
    pub(crate) keyfile: Option<String>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum RbdFormat {
    /// For people
    #[default]
    Plain,
    /// For programs
    Json,
    /// For programs
    Xml,
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
    /// List the images that started as an image or snapshot
    Children(ChildrenArgs),
    /// Make an image belong to nobody but itself
    Flatten(SpecArgs),
    /// Make an image with the content of another one
    #[command(alias = "cp")]
    Copy(CopyArgs),
    /// Images with their snapshots
    #[command(subcommand)]
    Deep(DeepCommand),
    /// What users note about an image
    #[command(subcommand)]
    ImageMeta(MetaCommand),
    /// What an image can do
    #[command(subcommand)]
    Feature(FeatureCommand),
    /// Locks that users put on images
    #[command(subcommand)]
    Lock(LockCommand),
    /// Images that may come back
    #[command(subcommand)]
    Trash(TrashCommand),
    /// Namespaces in the pool
    #[command(subcommand)]
    Namespace(NamespaceCommand),
    /// Groups of images
    #[command(subcommand)]
    Group(GroupCommand),
    /// Groups of images that share a journal
    #[command(subcommand)]
    ConsistencyGroup(ConsistencyCommand),
    /// How clients reach images
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Let a client reach an image, and print where
    Map(MapArgs),
    /// End that
    Unmap(UnmapArgs),
    /// List the images that clients can reach
    Showmapped,
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
    /// Make one file with differences of two
    MergeDiff(MergeDiffArgs),
    /// Copy an image or a snapshot into a file
    Export(ExportArgs),
    /// Make an image from a file
    Import(ImportArgs),
    /// Measure what guests get
    Bench(BenchArgs),
    /// Read and check everything that is stored, and repair it from the mirror
    #[command(after_help = "\
Without --wait the site goes on by itself; `firebrick rbd background` says how far it is. With it the exit
status is 5 where something is damaged that could not be repaired.")]
    Scrub(ScrubArgs),
    /// What the log says of images, entry by entry
    #[command(subcommand)]
    Journal(JournalCommand),
    /// How images are mirrored to other sites, and where they are primary
    #[command(subcommand)]
    Mirror(MirrorCommand),
    /// Show what the site does in the background
    Background,
    /// Make a new index from the log alone, with the site stopped
    RebuildIndex,
}

/// `scrub`
#[derive(Args, Debug)]
pub(crate) struct ScrubArgs {
    /// Wait for the end, and report what was found
    #[arg(long)]
    pub(crate) wait: bool,
}

//! `group …`, `consistency-group …`.

use clap::{Args, Subcommand};

use super::collections::JournalOptions;
use super::specs::PoolArgs;

/// A group or a snapshot of one, and perhaps another name.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Groups are named [POOL/[NAMESPACE/]]GROUP[@SNAPSHOT].")]
pub(crate) struct GroupArgs {
    /// [POOL/[NAMESPACE/]]GROUP[@SNAPSHOT]
    #[arg(value_name = "SPEC")]
    pub(crate) words: Vec<String>,
    /// The group
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// The snapshot
    #[arg(long, value_name = "NAME")]
    pub(crate) snap: Option<String>,
    /// The other name
    #[arg(long, alias = "dest-snap", value_name = "NAME")]
    pub(crate) dest_group: Option<String>,
    /// Taken as they are: a snapshot is of one position, and needs no pause
    #[arg(long, alias = "ignore-quiesce-error", hide = true)]
    pub(crate) skip_quiesce: bool,
}

/// A group and an image.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct MemberArgs {
    /// GROUP and IMAGE
    #[arg(value_name = "SPEC")]
    pub(crate) words: Vec<String>,
    /// The group
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// The pool of the group
    #[arg(long, value_name = "POOL")]
    pub(crate) group_pool: Option<String>,
    /// The namespace of the group
    #[arg(long, value_name = "NAME")]
    pub(crate) group_namespace: Option<String>,
    /// The image
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    /// The pool of the image
    #[arg(long, value_name = "POOL")]
    pub(crate) image_pool: Option<String>,
    /// The namespace of the image
    #[arg(long, value_name = "NAME")]
    pub(crate) image_namespace: Option<String>,
}

/// `group …`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
All images of a group are snapshotted and rolled back at one position of the log: no write to one of them lies
between. A group with a mirrored image is mirrored too.

Examples:
  firebrick rbd group create shop
  firebrick rbd group image add shop database
  firebrick rbd group image add shop files
  firebrick rbd group snap create shop@monday
  firebrick rbd group snap rollback shop@monday")]
pub(crate) enum GroupCommand {
    /// Make a group
    Create(GroupArgs),
    /// List groups
    #[command(alias = "ls")]
    List(PoolArgs),
    /// Give a group another name
    Rename(GroupArgs),
    /// Remove a group that has neither images nor snapshots
    #[command(alias = "rm")]
    Remove(GroupArgs),
    /// Show a group
    Info(GroupArgs),
    /// The images of a group
    #[command(subcommand)]
    Image(GroupImageCommand),
    /// The snapshots of a group
    #[command(subcommand)]
    Snap(GroupSnapCommand),
}

/// `group image …`
#[derive(Debug, Subcommand)]
pub(crate) enum GroupImageCommand {
    /// Add an image: GROUP IMAGE
    Add(MemberArgs),
    /// List the images
    #[command(alias = "ls")]
    List(GroupArgs),
    /// Remove an image from the group: GROUP IMAGE
    #[command(alias = "rm")]
    Remove(MemberArgs),
}

/// `group snap …`
#[derive(Debug, Subcommand)]
pub(crate) enum GroupSnapCommand {
    /// Take a snapshot of all images at one position
    Create(GroupArgs),
    /// List the snapshots
    #[command(alias = "ls")]
    List(GroupArgs),
    /// Show a snapshot
    Info(GroupArgs),
    /// Remove a snapshot
    #[command(alias = "rm")]
    Remove(GroupArgs),
    /// Give a snapshot another name: GROUP@SNAPSHOT NAME
    Rename(GroupArgs),
    /// Return all images to a snapshot
    Rollback(GroupArgs),
}

/// `consistency-group …`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A consistency group is a group whose images share one journal, which on a site they do in any case. An image
that has a journal of its own is not attached: disable that first.

Examples:
  firebrick rbd consistency-group create shop --splay-width 4
  firebrick rbd consistency-group attach database shop
  firebrick rbd consistency-group info shop")]
pub(crate) enum ConsistencyCommand {
    /// Make a group
    Create(ConsistencyCreateArgs),
    /// Give a group another name
    Rename(GroupArgs),
    /// Attach an image: IMAGE GROUP
    Attach(MemberArgs),
    /// Detach an image from its group: IMAGE
    Detach(MemberArgs),
    /// List groups
    #[command(alias = "list")]
    Ls(PoolArgs),
    /// Show a group and its journal
    Info(GroupArgs),
    /// Remove a group that has no images
    #[command(alias = "remove")]
    Rm(GroupArgs),
}

/// `consistency-group create`
#[derive(Args, Debug)]
pub(crate) struct ConsistencyCreateArgs {
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) journal: JournalOptions,
}

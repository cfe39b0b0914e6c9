//! What holds images: groups, namespaces, the trash; features and locks.

use clap::{Args, Subcommand};

use super::specs::{PoolArgs, SpecArgs};
use crate::cli::rbd::feature::ObjectSize;

/// `feature …`
#[derive(Debug, Subcommand)]
pub(crate) enum FeatureCommand {
    /// Add features to an image
    Enable(EnableArgs),
    /// Take features from an image
    Disable(DisableArgs),
}

/// What is said of a journal.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct JournalOptions {
    /// The size of the journal's objects, from 4K to 64M
    #[arg(
        long = "journal-object-size",
        alias = "object-size",
        value_name = "SIZE"
    )]
    pub(crate) object_size: Option<ObjectSize>,
    /// Over how many objects the journal is spread
    #[arg(
        long = "journal-splay-width",
        alias = "splay-width",
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=128)
    )]
    pub(crate) splay_width: Option<u64>,
    /// The pool of the journal's objects
    #[arg(long, aliases = ["journal-object-pool", "object-pool"], value_name = "POOL")]
    pub(crate) journal_pool: Option<String>,
}

/// `feature enable`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are [POOL/[NAMESPACE/]]IMAGE and the features: layering, exclusive-lock, object-map, fast-diff,
deep-flatten, journaling, mirroring.

The log of a site is its volumes: whatever is written stands there once, in order, with all images. So each
feature but the last two is there in any case, and only noted; a journal has no objects of its own, and what
is said of their size, number (splay width) and pool is kept and shown by `info` and `journal info`, and
changes nothing. An image that is mirrored always has a journal: `mirroring` enables both.

Examples:
  firebrick rbd feature enable disk journaling --journal-splay-width 4 --journal-object-size 16M
  firebrick rbd feature enable disk mirroring")]
pub(crate) struct EnableArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) journal: JournalOptions,
}

/// `feature disable`
#[derive(Args, Debug)]
#[command(after_help = "\
To disable the journal of a mirrored image waits until no peer reads it any more, and fails (110) where that
takes longer than --timeout. With the journal its mirroring ends.")]
pub(crate) struct DisableArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// How long to wait for peers, in seconds
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub(crate) timeout: u64,
}

/// `lock …`
#[derive(Debug, Subcommand)]
pub(crate) enum LockCommand {
    /// Take a lock on an image: IMAGE ID
    Add(LockArgs),
    /// List the locks on an image
    #[command(alias = "ls")]
    List(SpecArgs),
    /// End a lock: IMAGE ID LOCKER
    #[command(alias = "rm")]
    Remove(LockArgs),
}

/// `lock add`
#[derive(Args, Debug)]
#[command(after_help = "\
Locks are an agreement among those who ask for them; the site heeds none.")]
pub(crate) struct LockArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Shared with all who name the same tag
    #[arg(long, value_name = "TAG")]
    pub(crate) shared: Option<String>,
}

/// `trash …`
#[derive(Debug, Subcommand)]
pub(crate) enum TrashCommand {
    /// Move an image to the trash
    #[command(alias = "mv")]
    Move(ThrowArgs),
    /// List what is in the trash
    #[command(alias = "ls")]
    List(TrashLsArgs),
    /// Remove an image from the trash for good: its id
    #[command(alias = "rm")]
    Remove(TrashRmArgs),
    /// Give an image its name back: its id
    Restore(TrashIdArgs),
    /// Remove everything that is not protected any more
    Purge(PurgeArgs),
}

/// `trash mv`
#[derive(Args, Debug)]
pub(crate) struct ThrowArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Until when it is protected: `now`, a date such as 2026-12-24, or a time (RFC 3339)
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub(crate) expires_at: String,
}

/// `trash ls`
#[derive(Args, Debug)]
pub(crate) struct TrashLsArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// Since when and until when, too
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Taken as it is: all that is there is shown
    #[arg(short, long, hide = true)]
    pub(crate) all: bool,
}

/// `trash restore`
#[derive(Args, Debug)]
pub(crate) struct TrashIdArgs {
    /// [POOL/[NAMESPACE/]]ID
    #[arg(value_name = "ID")]
    pub(crate) words: Vec<String>,
    /// The id
    #[arg(long, value_name = "ID")]
    pub(crate) image_id: Option<String>,
    /// Another name than it had
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
}

/// `trash rm`
#[derive(Args, Debug)]
pub(crate) struct TrashRmArgs {
    #[command(flatten)]
    pub(crate) id: TrashIdArgs,
    /// Also where it is protected still
    #[arg(long)]
    pub(crate) force: bool,
}

/// `trash purge`
#[derive(Args, Debug)]
pub(crate) struct PurgeArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// Only what was not protected any more then
    #[arg(long, value_name = "TIME")]
    pub(crate) expired_before: Option<String>,
}

/// `namespace …`
#[derive(Debug, Subcommand)]
pub(crate) enum NamespaceCommand {
    /// Make a namespace: POOL/NAMESPACE
    Create(PoolArgs),
    /// List namespaces
    #[command(alias = "ls")]
    List(PoolArgs),
    /// Remove an empty namespace: POOL/NAMESPACE
    #[command(alias = "rm")]
    Remove(PoolArgs),
}

//! `firebrick rbd mirror pool …`: the command line as types.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use firebrick_site::Direction;

use super::{HowToDemote, HowToPromote, Seconds};

/// `mirror pool …`
#[derive(Debug, Subcommand)]
pub(crate) enum MirrorPoolCommand {
    /// Mirror the pool
    #[command(after_help = "\
image: what is chosen with `mirror image enable`. pool: each image with journaling; images get it, and are mirrored,
as they are made, and those that have it already are mirrored from here on.")]
    Enable(EnablePoolArgs),
    /// Mirror nothing any more
    Disable(PoolArgs),
    /// Show how the pool is mirrored, and with which sites
    Info(PoolInfoArgs),
    /// Show how all mirrored images are
    Status(PoolStatusArgs),
    /// Make all mirrored images primary here, as one record
    Promote(PoolPromoteArgs),
    /// Make all mirrored images non-primary here, as one record
    #[command(after_help = super::DEMOTING)]
    Demote(PoolDemoteArgs),
    /// The other sites
    #[command(subcommand)]
    Peer(PeerCommand),
    /// Mirror with another site: `peer add`
    Add(AddPeerArgs),
    /// Mirror with a site no longer: `peer remove`
    Remove(RemovePeerArgs),
}

/// `mirror pool peer …`
#[derive(Debug, Subcommand)]
pub(crate) enum PeerCommand {
    /// Mirror with another site
    #[command(after_help = "\
Each site has to know the other: run it at both, with what `firebrick site fingerprint` prints at the other one.

Examples:
  firebrick site fingerprint --conf site-b.conf > b.key
  rbd mirror pool peer add site-b --remote-mon-host b.example:10909 --remote-key-file b.key")]
    Add(AddPeerArgs),
    /// Mirror with a site no longer, and free what the log kept for it
    #[command(alias = "rm")]
    Remove(RemovePeerArgs),
    /// Change what is known of a site
    #[command(after_help = "\
KEY is direction, site-name, client, mon-host (HOST:PORT), key-file (with what `firebrick site fingerprint` prints
there; - for standard input), bandwidth or quiet-bandwidth (what may go to it in a second, such as 10M; unlimited; 0
for nothing), quiet-hours (such as 22:00-06:00, in UTC; none), compression (lz4; none) or log-limit (how much of the log is kept for it while it
is away, such as 8G; none for as much as for any other).")]
    Set(SetPeerArgs),
    /// Make two sites peers by one command at each
    #[command(subcommand)]
    Bootstrap(BootstrapCommand),
}

/// `mirror pool peer bootstrap …`
#[derive(Debug, Subcommand)]
pub(crate) enum BootstrapCommand {
    /// Print a token that lets one site become a peer, once
    #[command(after_help = "\
The token is a secret. Both sites have `mirror pool enable` before.

Examples:
  rbd --cluster site-a mirror pool peer bootstrap create > token
  rbd --cluster site-b mirror pool peer bootstrap import token")]
    Create(CreateTokenArgs),
    /// Become a peer of the site that made a token, and make it one of this site
    Import(ImportTokenArgs),
}

/// `mirror pool peer bootstrap create`
#[derive(Args, Debug)]
pub(crate) struct CreateTokenArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// What this site is called from here on
    #[arg(long, value_name = "NAME")]
    pub(crate) site_name: Option<String>,
    /// For how long: a day unless it is said; that of a Ceph cluster lasts for ever
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<Seconds>,
}

/// `mirror pool peer bootstrap import`
#[derive(Args, Debug)]
pub(crate) struct ImportTokenArgs {
    /// The pool, and the file with the token; - for standard input
    #[arg(value_name = "[POOL] FILE")]
    pub(crate) words: Vec<String>,
    /// The file with the token
    #[arg(long, value_name = "FILE")]
    pub(crate) token_path: Option<String>,
    /// What this site is called from here on
    #[arg(long, value_name = "NAME")]
    pub(crate) site_name: Option<String>,
    /// Which way logs go: rx-only or rx-tx
    #[arg(long, value_name = "DIRECTION", default_value = "rx-tx")]
    pub(crate) direction: Direction,
}

/// The pool.
#[derive(Args, Debug)]
pub(crate) struct PoolArgs {
    /// The pool
    #[arg(value_name = "POOL")]
    pub(crate) spec: Option<String>,
}

/// `mirror pool enable`
#[derive(Args, Debug)]
pub(crate) struct EnablePoolArgs {
    /// The pool, and image or pool
    #[arg(value_name = "[POOL] MODE")]
    pub(crate) words: Vec<String>,
    /// What this site is called from here on
    #[arg(long, value_name = "NAME")]
    pub(crate) site_name: Option<String>,
}

/// `mirror pool info`
#[derive(Args, Debug)]
pub(crate) struct PoolInfoArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// Addresses and keys too
    #[arg(long)]
    pub(crate) all: bool,
}

/// `mirror pool status`
#[derive(Args, Debug)]
pub(crate) struct PoolStatusArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    /// Each image too
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// `mirror pool promote`
#[derive(Args, Debug)]
pub(crate) struct PoolPromoteArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    #[command(flatten)]
    pub(crate) how: HowToPromote,
}

/// `mirror pool demote`
#[derive(Args, Debug)]
pub(crate) struct PoolDemoteArgs {
    #[command(flatten)]
    pub(crate) pool: PoolArgs,
    #[command(flatten)]
    pub(crate) how: HowToDemote,
}

/// `mirror pool peer add`
#[derive(Args, Debug)]
pub(crate) struct AddPeerArgs {
    /// The pool, and the site: [CLIENT@]SITE[/POOL]
    #[arg(value_name = "[POOL] SITE")]
    pub(crate) words: Vec<String>,
    /// The site
    #[arg(long, value_name = "SITE")]
    pub(crate) remote_cluster: Option<String>,
    /// Whom the site is asked as: kept and shown
    #[arg(long, value_name = "NAME")]
    pub(crate) remote_client_name: Option<String>,
    /// Where the site serves its log
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) remote_mon_host: Option<String>,
    /// The file with what `firebrick site fingerprint` prints there; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) remote_key_file: Option<PathBuf>,
    /// Which way logs go: rx-only, tx-only or rx-tx
    #[arg(long, value_name = "DIRECTION", default_value = "rx-tx")]
    pub(crate) direction: Direction,
}

/// `mirror pool peer remove`
#[derive(Args, Debug)]
pub(crate) struct RemovePeerArgs {
    /// The pool, and the id of the peer
    #[arg(value_name = "[POOL] UUID")]
    pub(crate) words: Vec<String>,
}

/// `mirror pool peer set`
#[derive(Args, Debug)]
pub(crate) struct SetPeerArgs {
    /// The pool, the id of the peer, what to change, and to what
    #[arg(value_name = "[POOL] UUID KEY VALUE")]
    pub(crate) words: Vec<String>,
}

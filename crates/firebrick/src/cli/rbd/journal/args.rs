//! `journal …`: the command line as types.

use clap::{Args, Subcommand};

use crate::cli::rbd::at::At;

/// A journal: that of an image or of a group.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct JournalArgs {
    /// [POOL/[NAMESPACE/]]IMAGE, or the id of a journal
    #[arg(value_name = "SPEC")]
    pub(crate) words: Vec<String>,
    /// The image
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    /// The id of the journal, which is that of its image or group
    #[arg(long, value_name = "ID")]
    pub(crate) journal: Option<String>,
    /// The group: the journal of all its images
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
}

/// `journal …`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
The log of a site is the store itself, so an image has a journal whether the feature is enabled or not: the records
of the log that are about it, as far back as the log reaches. A tag is an epoch, the number of an entry is that of
its record, a set is a segment of the log. Order, splay width and pool are kept and shown, and shape nothing.

Examples:
  firebrick rbd journal info disk
  firebrick rbd journal status --group shop --format json
  firebrick rbd journal inspect disk --verbose
  firebrick rbd journal export disk disk.journal
  firebrick rbd journal import disk.journal other
  firebrick rbd journal export disk --format json --from 2026-11-20T20:34:14Z -")]
pub(crate) enum JournalCommand {
    /// Show what is kept of a journal
    Info(JournalArgs),
    /// Show from where to where it reaches, and who has how much of it
    Status(JournalArgs),
    /// Check every entry: its place, its structure and its bytes
    Inspect(InspectArgs),
    /// Write the entries into a file
    Export(ExportArgs),
    /// Replay the entries of a file into an image
    Import(ImportArgs),
    /// Let the journal begin anew
    Reset(ResetArgs),
    /// Who reads a journal
    #[command(subcommand)]
    Client(ClientCommand),
}

/// `journal client …`
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Keep the log no longer for a peer that does not read it
    Disconnect(DisconnectArgs),
}

/// `journal client disconnect`
#[derive(Args, Debug)]
#[command(after_help = "\
The log is one for all images, so it is kept for the peer no longer at all; its room is won with the next checkpoints. When the
peer comes back it gets what differs, by itself. A peer that reads now stays (16).

Examples:
  firebrick rbd journal client disconnect disk
  firebrick rbd journal client disconnect --image disk --client-id site-b")]
pub(crate) struct DisconnectArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// The id that `journal status` shows, or the name of the site; without, all that do not read
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
}

/// `journal inspect`
#[derive(Args, Debug)]
#[command(after_help = "\
Every block of every write is read and held against its checksum. Exit status: 74 where an entry is damaged; the
first one is named.

Examples:
  firebrick rbd journal inspect disk
  firebrick rbd journal inspect --group shop --verbose --from 1.48213
  firebrick rbd journal inspect disk --format json")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Print each entry
    #[arg(long)]
    pub(crate) verbose: bool,
    /// From that time (RFC 3339) or position (EPOCH.SEQUENCE, or SEQUENCE) on
    #[arg(long, value_name = "TIME|POSITION")]
    pub(crate) from: Option<At>,
}

/// `journal export`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are the journal and the file, or - for standard output. The file has RBD's own format, which the rbd tool
imports; with --format json it has a line of JSON for each entry, also for what RBD has no entries for. A group is
exported as JSON only, as entries of RBD do not say whose they are. The rbd tool replays entries
only where their tag is newer than all of the image they are meant for: --tag gives them one more than the largest
tag_tid that `rbd journal status` shows there. Who opens the image there to write replays them.

Examples:
  firebrick rbd journal export disk disk.journal
  firebrick rbd journal export disk - --tag 3 | ssh ceph rbd journal import - volumes/10325b02d1e2
  firebrick rbd journal export --group shop --format json shop.json")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// The file, or - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
    /// Print each entry
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Go on behind entries that are damaged, or that RBD has nothing for
    #[arg(long)]
    pub(crate) no_error: bool,
    /// From that time (RFC 3339) or position (EPOCH.SEQUENCE, or SEQUENCE) on
    #[arg(long, value_name = "TIME|POSITION")]
    pub(crate) from: Option<At>,
    /// The tag of all entries, instead of their epochs
    #[arg(long, value_name = "NUMBER")]
    pub(crate) tag: Option<u64>,
}

/// `journal import`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are the file, or - for standard input, and the image. It takes what `journal export` writes, in both
formats, and what the rbd tool exported. The entries are replayed in their order: writes, discards, sizes, snapshots,
notes. The name of the image stays. Entries of a group go to the image of the same name in the group.

Examples:
  firebrick rbd journal import disk.journal disk
  firebrick rbd journal import --path disk.journal --dest disk
  firebrick rbd journal import shop.json --dest-group shop")]
pub(crate) struct ImportArgs {
    /// The file, and [POOL/[NAMESPACE/]]IMAGE or the id of its journal
    #[arg(value_name = "SPEC")]
    pub(crate) words: Vec<String>,
    /// The file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
    /// The image
    #[arg(long, alias = "image", value_name = "NAME")]
    pub(crate) dest: Option<String>,
    /// The id of the journal of the image
    #[arg(long, value_name = "ID")]
    pub(crate) dest_journal: Option<String>,
    /// The group whose images get the entries
    #[arg(long, alias = "group", value_name = "NAME")]
    pub(crate) dest_group: Option<String>,
    /// The pool of the image
    #[arg(long, value_name = "POOL")]
    pub(crate) dest_pool: Option<String>,
    /// The namespace of the image
    #[arg(long, value_name = "NAME")]
    pub(crate) dest_namespace: Option<String>,
    /// Print each entry
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Go on behind entries that cannot be understood or replayed
    #[arg(long)]
    pub(crate) no_error: bool,
}

/// `journal reset`
#[derive(Args, Debug)]
#[command(after_help = "\
What is inspected and exported begins behind the newest record from then on. Refused (16) while a peer lacks
entries; with --force only what is shown changes, as the log keeps what peers lack in any case.

Examples:
  firebrick rbd journal reset disk
  firebrick rbd journal reset --group shop --force")]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Although a peer lacks entries
    #[arg(long)]
    pub(crate) force: bool,
}

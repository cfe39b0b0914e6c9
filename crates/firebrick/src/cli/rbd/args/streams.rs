//! Images and differences as files.

use clap::Args;

use super::layout::LayoutArgs;
use super::specs::SpecArgs;
use crate::cli::rbd::at::At;

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
The words are [POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT] and the file, or - for standard output.

Examples:
  firebrick rbd export-diff disk@monday monday.diff
  firebrick rbd export-diff disk@tuesday - --from-snap monday | ssh b rbd import-diff - disk")]
pub(crate) struct ExportDiffArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The file, or - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
    #[command(flatten)]
    pub(crate) since: Since,
}

/// `import-diff`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are the file, or - for standard input, and [POOL/[NAMESPACE/]]IMAGE.")]
pub(crate) struct ImportDiffArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
}

/// `export`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are [POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT] and the file, or - for standard output; without, the file
has the name of the image.")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The file, or - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
    /// 1: the bytes alone; 2: with snapshots and all that is known of the image
    #[arg(
        long,
        value_name = "1|2",
        default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..=2)
    )]
    pub(crate) export_format: u8,
}

/// `import`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are the file, or - for standard input, and [POOL/[NAMESPACE/]]IMAGE; without, the image has the
name of the file.")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
    /// The image
    #[arg(long, value_name = "NAME")]
    pub(crate) dest: Option<String>,
    /// The pool of the image
    #[arg(long, value_name = "POOL")]
    pub(crate) dest_pool: Option<String>,
    /// The namespace of the image
    #[arg(long, value_name = "NAME")]
    pub(crate) dest_namespace: Option<String>,
    /// 1: the bytes alone; 2: with snapshots and all that is known of the image
    #[arg(
        long,
        value_name = "1|2",
        default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..=2)
    )]
    pub(crate) export_format: u8,
    /// Taken as it is: blocks of zeroes of 4 KiB are never written
    #[arg(long, hide = true)]
    pub(crate) sparse_size: Option<String>,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

/// `merge-diff`
#[derive(Args, Debug)]
#[command(after_help = "\
The words are the first difference, the second one, and the file for both; - is standard input or output. The
second one begins with the snapshot that the first one leads to.")]
pub(crate) struct MergeDiffArgs {
    /// The two differences and the file
    #[arg(value_name = "FILE")]
    pub(crate) words: Vec<String>,
    /// The file for both
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
}

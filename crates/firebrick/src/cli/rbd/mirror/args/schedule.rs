//! `firebrick rbd mirror snapshot schedule …`: the command line as types.

use clap::{Args, Subcommand};

/// `mirror snapshot …`
#[derive(Debug, Subcommand)]
pub(crate) enum MirrorSnapshotCommand {
    /// When mirror snapshots are taken by themselves
    #[command(subcommand)]
    Schedule(ScheduleCommand),
}

/// `mirror snapshot schedule …`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A schedule is for the site, or with --pool, --namespace and --image for less. The nearest one that an image has holds for
it. Moments are counted from START, a time of the day in UTC unless it says otherwise, or from midnight.

Examples:
  firebrick rbd mirror snapshot schedule add --pool volumes 1h
  firebrick rbd mirror snapshot schedule add --pool volumes --image disk 1d 14:00:00-05:00
  firebrick rbd mirror snapshot schedule ls --recursive
  firebrick rbd mirror snapshot schedule status")]
pub(crate) enum ScheduleCommand {
    /// Take mirror snapshots again and again
    Add(AddScheduleArgs),
    /// Take them no longer
    #[command(alias = "rm")]
    Remove(RemoveScheduleArgs),
    /// List schedules
    #[command(alias = "list")]
    Ls(ListScheduleArgs),
    /// Show when mirror snapshots are taken next
    Status(ScheduleLevelArgs),
}

/// What a schedule is for.
#[derive(Args, Debug)]
pub(crate) struct ScheduleLevelArgs {
    /// An image
    #[arg(
        long,
        value_name = "[POOL/[NAMESPACE/]]IMAGE",
        conflicts_with = "group"
    )]
    pub(crate) image: Option<String>,
    /// A group
    #[arg(long, value_name = "[POOL/[NAMESPACE/]]GROUP")]
    pub(crate) group: Option<String>,
}

/// `mirror snapshot schedule add`
#[derive(Args, Debug)]
pub(crate) struct AddScheduleArgs {
    #[command(flatten)]
    pub(crate) level: ScheduleLevelArgs,
    /// Days, hours or minutes, such as 1d, 12h or 90m
    pub(crate) interval: String,
    /// A time of the day (ISO 8601), such as 14:00 or 14:00:00-05:00
    pub(crate) start_time: Option<String>,
}

/// `mirror snapshot schedule remove`
#[derive(Args, Debug)]
pub(crate) struct RemoveScheduleArgs {
    #[command(flatten)]
    pub(crate) level: ScheduleLevelArgs,
    /// As it was added; without it, all of the schedule
    pub(crate) interval: Option<String>,
    /// As it was added
    pub(crate) start_time: Option<String>,
}

/// `mirror snapshot schedule ls`
#[derive(Args, Debug)]
pub(crate) struct ListScheduleArgs {
    #[command(flatten)]
    pub(crate) level: ScheduleLevelArgs,
    /// All that concern it
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

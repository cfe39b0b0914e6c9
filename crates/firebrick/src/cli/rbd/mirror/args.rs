//! `firebrick rbd mirror …`: the command line as types.

mod pool;
mod schedule;
mod sync;

use std::str::FromStr;

use clap::{Args, Subcommand};

use crate::cli::rbd::args::{GroupArgs, SpecArgs};
use crate::cli::rbd::at::At;
pub(crate) use pool::{
    AddPeerArgs, BootstrapCommand, CreateTokenArgs, EnablePoolArgs, ImportTokenArgs,
    MirrorPoolCommand, PeerCommand, PoolArgs, PoolDemoteArgs, PoolInfoArgs, PoolPromoteArgs,
    PoolStatusArgs, RemovePeerArgs, SetPeerArgs,
};
pub(crate) use schedule::{
    AddScheduleArgs, ListScheduleArgs, MirrorSnapshotCommand, RemoveScheduleArgs, ScheduleCommand,
    ScheduleLevelArgs,
};
pub(crate) use sync::{GroupSyncArgs, HowToSync, SyncArgs};

/// `mirror …`
#[derive(Debug, Subcommand)]
pub(crate) enum MirrorCommand {
    /// One image
    #[command(subcommand)]
    Image(MirrorImageCommand),
    /// All mirrored images of the pool
    #[command(subcommand)]
    Pool(MirrorPoolCommand),
    /// All images of a group, at one position
    #[command(subcommand)]
    Group(MirrorGroupCommand),
    /// Mirror snapshots of images in snapshot mode
    #[command(subcommand)]
    Snapshot(MirrorSnapshotCommand),
    /// Compare what the other sites hold with what is here, while guests write
    Verify(VerifyArgs),
    /// Wait until the other sites have what they should have
    #[command(after_help = "\
At a primary: until every peer holds the image, or all images, up to now or to --position. At a secondary:
until it holds what its primary has said. Exit status 110 where that takes too long.")]
    Wait(WaitArgs),
    /// Say why an image does not replicate, and what to do about it
    Explain(SpecArgs),
}

/// `mirror verify`
#[derive(Args, Debug)]
#[command(after_help = "\
At the primary. Both sites read all of the image as it was at one position, and compare checksums of each MiB. Exit
status: 5 where a site differs; it is named with the ranges; 110 where one does not come as far within a minute, or is
not connected for five seconds.
`mirror image status` says when it last held;
`verify_interval` in site.conf does it again and again.

Examples:
  firebrick rbd mirror verify disk
  firebrick rbd mirror verify --all --format json")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// All images that are primary here
    #[arg(long)]
    pub(crate) all: bool,
}

/// `mirror image …`
#[derive(Debug, Subcommand)]
pub(crate) enum MirrorImageCommand {
    /// Mirror an image
    #[command(after_help = "\
SPEC may be followed by the mode. In the mode `journal`, which is meant where none is named, another site may be promoted at
any moment of the image; in the mode `snapshot` at a mirror snapshot. An image that is mirrored already goes on in the
mode that is named.

Examples:
  firebrick rbd mirror image enable disk
  firebrick rbd mirror image enable disk snapshot")]
    Enable(SpecArgs),
    /// Mirror an image no longer; the copies at its peers are removed
    Disable(DisableArgs),
    /// Make an image primary here
    #[command(after_help = "\
Without --force the primary must have been demoted, and that must have arrived: nothing is lost. With it,
what this site does not have is given up; --dry-run says how much that is, --accept-loss bounds it.")]
    Promote(PromoteArgs),
    /// Make an image non-primary here
    #[command(after_help = DEMOTING)]
    Demote(DemoteArgs),
    /// Take a mirror snapshot of an image in snapshot mode
    Snapshot(MirrorSnapshotArgs),
    /// Copy an image anew from its primary; what is here is kept aside until that is complete
    Resync(SpecArgs),
    /// Show how an image is mirrored
    Status(SpecArgs),
    /// Set how many seconds peers may be behind
    Target(TargetArgs),
    /// Have flushes wait until peers have what they cover
    Sync(SyncArgs),
    /// Try a failover: a clone of a secondary for guests, while mirroring goes on
    Drill(ImageDrillArgs),
}

/// `mirror image disable`
#[derive(Args, Debug)]
pub(crate) struct DisableArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Also where it is not primary: on a Ceph cluster only
    #[arg(long)]
    pub(crate) force: bool,
}

/// `mirror image snapshot`
#[derive(Args, Debug)]
#[command(after_help = "\
Another site is promoted at the newest one that it has. The last few stay (mirroring_max_mirroring_snapshots in site.conf).

Examples:
  firebrick rbd mirror image snapshot disk")]
pub(crate) struct MirrorSnapshotArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Taken as they are: a snapshot is of one position, and needs no pause
    #[arg(long, alias = "ignore-quiesce-error", hide = true)]
    pub(crate) skip_quiesce: bool,
}

/// `mirror image drill`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Prints where the clone is reached by NBD. It may be written to; neither the image nor its mirroring changes. It ends with
--cleanup or `drill rm`, and with the site. --at takes a time (RFC 3339) or a position of this site's log.

Examples:
  firebrick rbd mirror image drill disk
  firebrick rbd mirror image drill disk --at 2026-11-20T20:34:14Z
  firebrick rbd mirror image drill ls
  firebrick rbd mirror image drill disk --cleanup"
)]
pub(crate) struct ImageDrillArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DrillCommand>,
    /// [POOL/[NAMESPACE/]]IMAGE
    #[arg(value_name = "SPEC")]
    pub(crate) words: Vec<String>,
    /// The image
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowToDrill,
}

/// What else is done about drills.
#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// List the drills
    #[command(alias = "list")]
    Ls,
    /// End the drill of an image
    #[command(alias = "remove")]
    Rm(SpecArgs),
}

/// How to try a failover.
#[derive(Args, Debug)]
pub(crate) struct HowToDrill {
    /// As of that time or position instead of now
    #[arg(long, value_name = "TIME|POSITION", conflicts_with = "cleanup")]
    pub(crate) at: Option<At>,
    /// End it
    #[arg(long)]
    pub(crate) cleanup: bool,
}

/// `mirror group drill`
#[derive(Args, Debug)]
#[command(after_help = "\
Prints where the clones are reached, in the order of the images' names: all as of one position.

Examples:
  firebrick rbd mirror group drill shop --format json
  firebrick rbd mirror group drill shop --cleanup")]
pub(crate) struct GroupDrillArgs {
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) how: HowToDrill,
}

/// `mirror group …`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
What happens to a group is one record of the log for all its images: all are promoted, at one position, or none.

Examples:
  firebrick rbd mirror group enable shop
  firebrick rbd mirror group enable shop snapshot
  firebrick rbd mirror group snapshot shop
  firebrick rbd mirror group status shop --format json
  firebrick rbd mirror group demote shop
  firebrick rbd mirror group promote shop --force --accept-loss 30s")]
pub(crate) enum MirrorGroupCommand {
    /// Mirror a group and all its images
    Enable(GroupArgs),
    /// Mirror a group no longer; the copies at its peers are removed
    Disable(GroupArgs),
    /// Make all images of a group primary here
    Promote(GroupPromoteArgs),
    /// Make all images of a group non-primary here
    #[command(after_help = DEMOTING)]
    Demote(GroupDemoteArgs),
    /// Take mirror snapshots of all images of a group, at one position
    Snapshot(GroupSnapshotArgs),
    /// Copy all images of a group anew from their primary
    Resync(GroupArgs),
    /// Show how a group is mirrored
    Status(GroupArgs),
    /// Have flushes of all images of a group wait until peers have what they cover
    Sync(GroupSyncArgs),
    /// Set how many seconds peers may be behind in a group
    Target(GroupTargetArgs),
    /// Try a failover of all images of a group
    Drill(GroupDrillArgs),
}

/// `mirror group snapshot`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  firebrick rbd mirror group snapshot shop
  firebrick rbd mirror group snapshot schedule add --group shop 1h"
)]
pub(crate) struct GroupSnapshotArgs {
    #[command(subcommand)]
    pub(crate) command: Option<MirrorSnapshotCommand>,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
}

/// `mirror group promote`
#[derive(Args, Debug)]
pub(crate) struct GroupPromoteArgs {
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) how: HowToPromote,
}

/// What demotions are like.
const DEMOTING: &str = "\
With --timeout it is made sure before that the peers have what is there, while guests go on; and where the demotion does not
reach them by then, it is undone: the exit status is 110, and nothing has changed. So what has ended with 0 can be promoted at a
peer at once, and nothing is lost.";

/// `mirror image demote`
#[derive(Args, Debug)]
pub(crate) struct DemoteArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) how: HowToDemote,
}

/// `mirror group demote`
#[derive(Args, Debug)]
pub(crate) struct GroupDemoteArgs {
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) how: HowToDemote,
}

/// How to demote.
#[derive(Args, Debug)]
pub(crate) struct HowToDemote {
    /// Change nothing unless all peers have it by then, such as 30s
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Seconds>,
}

/// How to promote.
#[derive(Args, Debug)]
pub(crate) struct HowToPromote {
    /// Though the primary was not demoted: what is not here is given up
    #[arg(long)]
    pub(crate) force: bool,
    /// Only say what would be, and what would be lost
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse where more than that may be lost, such as 30s
    #[arg(long, value_name = "TIME")]
    pub(crate) accept_loss: Option<Seconds>,
    /// Be as this site had it at that time or record of its log, within its retention
    #[arg(long, value_name = "TIME|POSITION", conflicts_with_all = ["dry_run", "accept_loss"])]
    pub(crate) at: Option<At>,
}

/// `mirror image promote`
#[derive(Args, Debug)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) how: HowToPromote,
}

/// `mirror image target`
#[derive(Args, Debug)]
pub(crate) struct TargetArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Such as 10s; none for the target of the site
    #[arg(long, value_name = "TIME|none")]
    pub(crate) seconds: TargetWord,
}

/// `mirror group target`
#[derive(Args, Debug)]
#[command(after_help = "\
It holds for all images of the group that have none of their own.

Examples:
  firebrick rbd mirror group target shop --seconds 10s
  firebrick rbd mirror group target shop --seconds none")]
pub(crate) struct GroupTargetArgs {
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    /// Such as 10s; none for the target of the site
    #[arg(long, value_name = "TIME|none")]
    pub(crate) seconds: TargetWord,
}

/// `mirror wait`
#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Up to what is there now, which is what is waited for where nothing is said
    #[arg(long, conflicts_with = "position")]
    pub(crate) synced: bool,
    /// Up to that position of the primary's log (EPOCH.SEQUENCE, or SEQUENCE)
    #[arg(long, value_name = "POSITION")]
    pub(crate) position: Option<At>,
    /// How long
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) timeout: Seconds,
}

/// A time such as `30s`, `500ms`, `5m` or `1h`; a number alone counts seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(pub(crate) f64);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(format!("{text:?} is not a time such as 30s or 5m")),
        };
        match digits.parse::<f64>() {
            Ok(count) if count.is_finite() && count >= 0.0 => Ok(Self(count * unit)),
            Ok(_) | Err(_) => Err(format!("{text:?} is not a time such as 30s or 5m")),
        }
    }
}

/// A target, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TargetWord(pub(crate) Option<Seconds>);

impl FromStr for TargetWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|seconds| Self(Some(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [
            ("30", 30.0),
            ("1.5s", 1.5),
            ("500ms", 0.5),
            ("2m", 120.0),
            ("1h", 3600.0),
            ("1d", 86_400.0),
        ] {
            assert_eq!(text.parse(), Ok(Seconds(seconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1 s", "1w", "inf", "nan", "1e999"] {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
        assert_eq!("none".parse(), Ok(TargetWord(None)));
        assert_eq!("10s".parse(), Ok(TargetWord(Some(Seconds(10.0)))));
    }
}

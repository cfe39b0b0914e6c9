//! The verbs of `firebrick manage` as types.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::printer::Format;

/// `firebrick manage`
#[derive(Args, Debug)]
#[command(after_help = "\
It reads the database and asks the sites that the configuration names, beside `firebrick serve`. What it
begins, the running `serve` does.

Examples:
  firebrick manage --conf cinder.conf failover node1@blocks --backend-id site-b --check
  firebrick manage --conf cinder.conf failover node1@blocks --backend-id site-b
  firebrick manage --conf cinder.conf report node1@blocks
  firebrick manage --conf cinder.conf reset-active-backend node1@blocks
  firebrick manage --conf cinder.conf replications --format json
  firebrick manage --conf cinder.conf attachments --stale")]
pub(crate) struct ManageArgs {
    /// The configuration, in the format of cinder.conf [env: FIREBRICK_CONF]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) conf: Option<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: ManageCommand,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum ManageCommand {
    /// Move a backend to another site and wait for the end, or say what that would do
    Failover(FailoverArgs),
    /// Print what a failover did to each volume
    Report(ReportArgs),
    /// Make the site to which a backend has failed over the one of its configuration, for good
    ResetActiveBackend(HostArgs),
    /// Print how each volume is at each target
    Replications,
    /// Print attachments that need a look
    Attachments(AttachmentsArgs),
}

/// Which backend, and where to.
#[derive(Args, Debug)]
pub(crate) struct FailoverArgs {
    /// The host of the backend's service, as `cinder service-list` shows it
    pub(crate) host: String,
    /// The target; `default` comes back. The first target without
    #[arg(long, value_name = "ID")]
    pub(crate) backend_id: Option<String>,
    /// Say what it would do, and change nothing
    #[arg(long)]
    pub(crate) check: bool,
}

/// Which backend, or all of which cluster.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct HostArgs {
    /// The host of the backend's service
    pub(crate) host: Option<String>,
    /// The cluster
    #[arg(long)]
    pub(crate) cluster: Option<String>,
}

/// Of which failover.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The host of the backend's service
    pub(crate) host: String,
    /// The activity of the failover [default: the last one]
    #[arg(long, value_name = "ID")]
    pub(crate) activity: Option<Uuid>,
}

/// Which attachments.
#[derive(Args, Debug)]
pub(crate) struct AttachmentsArgs {
    /// Those whose servers have not connected anew since their volumes moved to another site
    #[arg(long, required = true)]
    pub(crate) stale: bool,
}

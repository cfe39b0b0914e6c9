//! The command line as types.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::help::with_help;
use super::manage::args::ManageArgs;
use super::rbd::args::RbdArgs;
use crate::printer::Format;

/// Block storage for open clouds that survives the loss of a site.
#[derive(Debug, Parser)]
#[command(
    name = "firebrick",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Exit status: 0 success, 1 failure, 2 wrong command line or configuration.
The environment variable FIREBRICK_LOG sets what is logged to standard error, for example
`info,firebrick_mirror=debug`.

Examples:
  firebrick dev                              everything on this machine, to try out
  firebrick demo                             watch a volume survive the loss of its site
  firebrick site --conf /etc/firebrick/site-a.conf
  firebrick serve --conf /etc/cinder/cinder.conf
  firebrick manage replications --conf /etc/cinder/cinder.conf
  firebrick rbd ls -l --conf /etc/firebrick/site-a.conf"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The binary as it is called through a link with that name.
#[derive(Debug, Parser)]
#[command(
    name = "rbd",
    version,
    about = "Look after the images of a site",
    max_term_width = 100
)]
struct Rbd {
    #[command(flatten)]
    args: RbdArgs,
}

/// A command line that is not understood, or asks for help.
#[derive(Debug)]
pub(crate) struct Refused {
    error: clap::Error,
    rbd: bool,
}

impl Refused {
    /// Prints it; what is returned is the exit status.
    pub(crate) fn tell(self) -> ExitCode {
        // A closed pipe is no failure.
        drop(self.error.print());
        match self.error.exit_code() {
            0 => ExitCode::SUCCESS,
            // The rbd tool ends so.
            _ if self.rbd => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

/// Understands a command line, of which the first word says how the binary was called.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, Refused> {
    let words: Vec<OsString> = words.into_iter().collect();
    let called = words.first().map(Path::new).and_then(Path::file_name);
    if called.is_some_and(|name| name == "rbd") {
        return match understand(&words) {
            Ok(Rbd { args }) => Ok(Cli {
                command: Command::Rbd(Box::new(args)),
            }),
            Err(error) => Err(Refused { error, rbd: true }),
        };
    }
    let rbd = words.get(1).is_some_and(|word| word == "rbd");
    understand(&words).map_err(|error| Refused { error, rbd })
}

/// Has clap read the words.
fn understand<T: Parser>(words: &[OsString]) -> Result<T, clap::Error> {
    let mut command = T::command();
    let called = command.get_name().to_owned();
    command = with_help(command, &called);
    let mut matches = command.try_get_matches_from_mut(words)?;
    T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the control plane: API, scheduler and volume worker
    Serve(ServeArgs),
    /// Run a site: the store, its mirror and its exports
    Site(SiteArgs),
    /// Run a control plane and two sites on this machine
    Dev(DevArgs),
    /// Play the loss of a site on the terminal
    Demo(DemoArgs),
    /// Look after replication, beside the API
    Manage(ManageArgs),
    /// Look after the images of a site, as the rbd tool does
    Rbd(Box<RbdArgs>),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
}

/// `firebrick serve`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  firebrick serve --conf /etc/cinder/cinder.conf
  firebrick serve --conf cinder.conf --check

A minimal cinder.conf:
  [DEFAULT]
  enabled_backends = blocks
  auth_strategy = noauth
  [blocks]
  site_admin = /run/firebrick/site-a.admin
  replication_device = backend_id:site-b,admin:/run/firebrick/site-b.admin")]
pub(crate) struct ServeArgs {
    /// The configuration, in the format of cinder.conf [env: FIREBRICK_CONF]
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// Check the configuration and end
    #[arg(long)]
    pub(crate) check: bool,
    /// End when standard input does
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

/// `firebrick site`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  firebrick site --conf /etc/firebrick/site-a.conf
  firebrick site fingerprint --conf /etc/firebrick/site-a.conf

A minimal site.conf:
  [site]
  name = site-a
  dir = /var/lib/firebrick/site-a
  admin = /run/firebrick/site-a.admin
  nbd_socket = /run/firebrick/site-a.nbd
  mirror_listen = 192.0.2.1:10909
  [peer site-b]
  address = 192.0.2.2:10909
  fingerprint = (what `firebrick site fingerprint` prints there)"
)]
pub(crate) struct SiteArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SiteCommand>,
    /// The site's configuration
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) conf: Option<PathBuf>,
    /// End when standard input does
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

/// What else can be asked about a site.
#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Print the fingerprint by which peers know the site; its identity is made where it has none
    Fingerprint {
        /// The site's configuration
        #[arg(long, value_name = "FILE")]
        conf: PathBuf,
    },
}

/// `firebrick dev`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  firebrick dev
  firebrick dev --dir /tmp/fb --listen 127.0.0.1:9776 --nbd-port 20809
  firebrick dev site kill site-a             lose a site, as kill -9 does
  firebrick dev site start site-a            bring it back
  firebrick dev site status --format json"
)]
pub(crate) struct DevArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DevCommand>,
    /// The folder that keeps everything
    #[arg(long, value_name = "DIR", default_value = "./firebrick-data")]
    pub(crate) dir: PathBuf,
    /// Where the API listens [default: as the last time, or 127.0.0.1:8776]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// The first of the sites' NBD ports, 0 for any [default: as the last time, or 10809]
    #[arg(long, value_name = "N")]
    pub(crate) nbd_port: Option<u16>,
}

/// What can be asked of a running `firebrick dev`.
#[derive(Debug, Subcommand)]
pub(crate) enum DevCommand {
    /// Start, stop or kill one of the sites
    #[command(subcommand)]
    Site(DevSiteCommand),
}

/// What can be done to a site of `dev`.
#[derive(Debug, Subcommand)]
pub(crate) enum DevSiteCommand {
    /// Start a site that is down
    Start(DevSiteArgs),
    /// Stop a site cleanly
    Stop(DevSiteArgs),
    /// End a site as a power cut does (SIGKILL)
    Kill(DevSiteArgs),
    /// Say how a site is, or how all are
    Status(DevStatusArgs),
}

/// Which site.
#[derive(Args, Debug)]
pub(crate) struct DevSiteArgs {
    /// The site: site-a or site-b
    pub(crate) name: String,
    /// The folder of the `dev`
    #[arg(long, value_name = "DIR", default_value = "./firebrick-data")]
    pub(crate) dir: PathBuf,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Which sites.
#[derive(Args, Debug)]
pub(crate) struct DevStatusArgs {
    /// The site; all without
    pub(crate) name: Option<String>,
    /// The folder of the `dev`
    #[arg(long, value_name = "DIR", default_value = "./firebrick-data")]
    pub(crate) dir: PathBuf,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// `firebrick demo`
#[derive(Args, Debug)]
#[command(after_help = "\
Runs a private `firebrick dev` on free ports in a temporary folder, and ends with status 0 only if
every byte that the other site had confirmed was there, in the order in which it was written.

Examples:
  firebrick demo
  firebrick demo --seconds 20 --keep")]
pub(crate) struct DemoArgs {
    /// How long to write before the site is lost
    #[arg(long, value_name = "S", default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// Keep the folder afterwards
    #[arg(long)]
    pub(crate) keep: bool,
}

/// `firebrick completions`
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
    /// How the binary is called
    #[arg(long, value_enum, default_value_t)]
    pub(crate) name: Name,
}

/// How the binary is called.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Name {
    /// As it is
    #[default]
    Firebrick,
    /// Through a link
    Rbd,
}

impl Name {
    /// What is completed, and its name.
    pub(crate) fn command(self) -> (clap::Command, &'static str) {
        match self {
            Self::Firebrick => (Cli::command(), "firebrick"),
            Self::Rbd => (Rbd::command(), "rbd"),
        }
    }
}

#[cfg(test)]
mod tests;

//! How clients reach images.

use clap::{Args, Subcommand};

use super::specs::SpecArgs;

/// `device …`
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Let a client reach an image, and print where
    Map(MapArgs),
    /// End that
    Unmap(UnmapArgs),
    /// List the images that clients can reach
    #[command(alias = "ls")]
    List,
}

/// `map`
#[derive(Args, Debug)]
#[command(after_help = "\
What is printed is the URI of an NBD export; no kernel device is made. Any NBD client takes it:
  nbd-client -unix /run/firebrick/site-a.nbd /dev/nbd0 -N disk
  nbdcopy \"$(firebrick rbd map disk)\" disk.raw

The client is known by the name --as, which has to be given again to end it.")]
pub(crate) struct MapArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Only for reading
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Who the client is
    #[arg(long = "as", value_name = "NAME", default_value = "rbd")]
    pub(crate) holder: String,
    /// Only `nbd` is known
    #[arg(short = 't', long, value_name = "TYPE")]
    pub(crate) device_type: Option<String>,
}

/// `unmap`
#[derive(Args, Debug)]
pub(crate) struct UnmapArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Who the client is
    #[arg(long = "as", value_name = "NAME", default_value = "rbd")]
    pub(crate) holder: String,
    /// Only `nbd` is known
    #[arg(short = 't', long, value_name = "TYPE")]
    pub(crate) device_type: Option<String>,
}

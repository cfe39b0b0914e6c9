//! How images lie in a Ceph cluster.

use clap::Args;

use crate::cli::rbd::size::Size;

/// How a new image lies in a Ceph cluster; a site's log has nothing like it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "On a Ceph cluster")]
pub(crate) struct LayoutArgs {
    /// The size of an object, a power of two from 4K to 32M
    #[arg(long, value_name = "SIZE")]
    pub(crate) object_size: Option<Size>,
    /// The binary logarithm of that size
    #[arg(long, value_name = "N", hide = true, value_parser = clap::value_parser!(u64).range(12..=25))]
    pub(crate) order: Option<u64>,
    /// A feature that it has; may be said several times
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) image_feature: Vec<String>,
    /// Bytes that lie in one object before the next one has its turn
    #[arg(long, value_name = "SIZE")]
    pub(crate) stripe_unit: Option<Size>,
    /// Objects that take turns
    #[arg(long, value_name = "N")]
    pub(crate) stripe_count: Option<u64>,
    /// The pool that keeps its data
    #[arg(long, value_name = "POOL")]
    pub(crate) data_pool: Option<String>,
}

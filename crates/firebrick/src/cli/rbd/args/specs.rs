//! What verbs are about.

use clap::Args;

/// An image or a snapshot, as a word or in options.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SpecArgs {
    /// [POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT]
    #[arg(value_name = "SPEC")]
    pub(crate) words: Vec<String>,
    /// The image
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    /// The snapshot
    #[arg(long, value_name = "NAME")]
    pub(crate) snap: Option<String>,
}

/// From one to another.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TwoSpecs {
    /// [POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT], first the source, then the destination
    #[arg(value_name = "SPEC")]
    pub(crate) words: Vec<String>,
    /// The source image
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    /// The source snapshot
    #[arg(long, value_name = "NAME")]
    pub(crate) snap: Option<String>,
    /// The pool of the destination
    #[arg(long, value_name = "POOL")]
    pub(crate) dest_pool: Option<String>,
    /// The namespace of the destination
    #[arg(long, value_name = "NAME")]
    pub(crate) dest_namespace: Option<String>,
    /// The destination image
    #[arg(long, value_name = "NAME")]
    pub(crate) dest: Option<String>,
    /// The destination snapshot
    #[arg(long, value_name = "NAME")]
    pub(crate) dest_snap: Option<String>,
}

/// A pool.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PoolArgs {
    /// POOL[/NAMESPACE]
    #[arg(value_name = "POOL")]
    pub(crate) word: Option<String>,
}

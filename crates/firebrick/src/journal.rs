//! The log of a process: lines on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// The variable that sets what is logged, for example `info,firebrick_mirror=debug`.
pub(crate) const FILTER_VARIABLE: &str = "FIREBRICK_LOG";

/// Starts logging at `level` and above, or as [`FILTER_VARIABLE`] says.
pub(crate) fn start(level: &str) {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    drop(started);
}

//! `firebrick completions`: what a shell needs to complete the verbs.

use clap::CommandFactory as _;

use super::args::{Cli, CompletionsArgs};
use crate::printer::Printer;

/// Prints the script for a shell.
pub(crate) fn run(args: &CompletionsArgs) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "firebrick", &mut script);
    Printer::line(String::from_utf8_lossy(&script).trim_end());
}

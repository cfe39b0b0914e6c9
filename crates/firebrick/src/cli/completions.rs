//! `firebrick completions`: what a shell needs to complete the verbs.

use super::args::CompletionsArgs;
use crate::printer::Printer;

/// Prints the script for a shell.
pub(crate) fn run(args: &CompletionsArgs) {
    let mut script = Vec::new();
    let (mut command, name) = args.name.command();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Printer::line(String::from_utf8_lossy(&script).trim_end());
}

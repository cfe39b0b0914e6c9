//! `firebrick`: block storage for open clouds that survives the loss of a site.
//!
//! What it is for: the one binary: command line, configuration, wiring. What it promises: it decides
//! nothing; exit status 0 is success, 1 a failure, 2 a wrong command line or configuration (those of `rbd` are RBD's); standard
//! output carries results, standard error the log. What it leans on: every other room.

mod cli;
mod config;
mod exit;
mod journal;
mod printer;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(refused) => return refused.tell(),
    };
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                exit::Failure::Rbd { text, .. } => printer::Printer::note(text),
                exit::Failure::Failed(text) | exit::Failure::Usage(text) => {
                    printer::Printer::failure(text);
                }
            }
            failure.code()
        }
    }
}

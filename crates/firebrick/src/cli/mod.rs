//! The verbs, one file each.

pub(crate) mod args;
mod completions;
mod demo;
mod dev;
mod environment;
mod help;
mod manage;
mod parent;
pub(crate) mod rbd;
mod serve;
mod site;

use crate::exit::Failure;
use args::{Cli, Command};

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(args) => block_on(serve::run(args)),
        Command::Site(args) => site::run(args),
        Command::Dev(args) => block_on(dev::run(args)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Manage(args) => block_on(manage::run(args)),
        Command::Rbd(args) => block_on(rbd::run(*args)),
        Command::Completions(args) => {
            completions::run(&args);
            Ok(())
        }
    }
}

/// Runs `future` on a runtime of its own, and ends without waiting for what blocks behind it.
fn block_on(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("start the runtime", error))?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}

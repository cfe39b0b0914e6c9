//! `firebrick dev site`: start, stop and kill sites of a `dev` that runs.

use std::path::Path;

use super::control::{Order, SiteState, order};
use super::manifest::Manifest;
use crate::cli::args::{DevSiteArgs, DevSiteCommand};
use crate::exit::Failure;
use crate::printer::{Format, Printer};

/// Asks the `dev` and prints what it says.
pub(super) async fn run(command: &DevSiteCommand) -> Result<(), Failure> {
    let site = |args: &DevSiteArgs| args.name.clone();
    match command {
        DevSiteCommand::Start(args) => {
            ask(&args.dir, args.format, Order::Start { site: site(args) }).await
        }
        DevSiteCommand::Stop(args) => {
            ask(&args.dir, args.format, Order::Stop { site: site(args) }).await
        }
        DevSiteCommand::Kill(args) => {
            ask(&args.dir, args.format, Order::Kill { site: site(args) }).await
        }
        DevSiteCommand::Status(args) => {
            let states = send(&args.dir, &Order::Status).await?;
            let meant = |state: &SiteState| args.name.as_ref().is_none_or(|n| *n == state.name);
            let states: Vec<_> = states.into_iter().filter(meant).collect();
            if let (Some(name), true) = (&args.name, states.is_empty()) {
                return Err(Failure::Failed(format!("there is no site {name}")));
            }
            print(&states, args.format);
            Ok(())
        }
    }
}

async fn ask(dir: &Path, format: Format, wanted: Order) -> Result<(), Failure> {
    print(&send(dir, &wanted).await?, format);
    Ok(())
}

async fn send(dir: &Path, wanted: &Order) -> Result<Vec<SiteState>, Failure> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| {
        Failure::Failed(format!(
            "there is no dev in {}; --dir names its folder",
            dir.display()
        ))
    })?;
    order(&manifest.control, wanted).await
}

fn print(states: &[SiteState], format: Format) {
    match format {
        Format::Json => Printer::json(&states),
        Format::Plain => {
            for state in states {
                Printer::line(&describe(state));
            }
        }
    }
}

fn describe(state: &SiteState) -> String {
    match (state.pid, &state.ended) {
        (Some(pid), _) => format!("{} is up, process {pid}", state.name),
        (None, Some(how)) => format!("{} is down ({how})", state.name),
        (None, None) => format!("{} is down", state.name),
    }
}

//! `firebrick dev`: a control plane and two sites on this machine, each a process of its own.

mod child;
mod control;
mod files;
mod lock;
mod manifest;
mod plan;
mod screen;
mod site;
mod supervisor;

use std::path::{Path, PathBuf};

use super::args::{DevArgs, DevCommand};
use crate::exit::Failure;
use crate::journal;

pub(crate) use manifest::Manifest;

/// Runs a `dev` until it is asked to stop, or asks one that runs.
pub(crate) async fn run(args: DevArgs) -> Result<(), Failure> {
    match &args.command {
        Some(DevCommand::Site(command)) => site::run(command).await,
        None => {
            drop(journal::start("warn"));
            let dir = folder(&args.dir)?;
            let _lock = lock::take(&dir)?;
            let manifest = plan::decide(&dir, &args)?;
            plan::check_ports(&manifest)?;
            files::write(&dir, &manifest)?;
            supervisor::run(dir, manifest).await
        }
    }
}

/// The folder, made where it is not there, as an absolute path.
fn folder(dir: &Path) -> Result<PathBuf, Failure> {
    let doing = || format!("make {}", dir.display());
    std::fs::create_dir_all(dir).map_err(|error| Failure::new(doing(), error))?;
    dir.canonicalize()
        .map_err(|error| Failure::new(doing(), error))
}

/// What a program can ask of a `dev` that runs in `dir`.
pub(crate) struct RunningDev {
    control: PathBuf,
}

impl RunningDev {
    /// The `dev` that `manifest` describes.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self {
            control: manifest.control.clone(),
        }
    }

    /// Ends a site as a power cut does.
    pub(crate) async fn kill(&self, site: &str) -> Result<(), Failure> {
        let order = control::Order::Kill {
            site: site.to_owned(),
        };
        control::order(&self.control, &order).await.map(drop)
    }

    /// Starts a site that is down.
    pub(crate) async fn start(&self, site: &str) -> Result<(), Failure> {
        let order = control::Order::Start {
            site: site.to_owned(),
        };
        control::order(&self.control, &order).await.map(drop)
    }
}

//! A private `dev` in a folder of its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use firebrick_site::SiteClient;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::cli::dev::{Manifest, RunningDev};
use crate::exit::Failure;
use crate::printer::Printer;

/// The site that is lost.
pub(super) const FIRST: &str = "site-a";
/// The site that takes over.
pub(super) const SECOND: &str = "site-b";
/// How long the `dev` may take to come up, and to end.
const WITHIN: Duration = Duration::from_secs(60);

/// The `dev`, its folder, and the means to lose a site.
pub(super) struct Stage {
    /// What runs where.
    pub(super) manifest: Manifest,
    /// How sites are killed and started.
    pub(super) dev: RunningDev,
    child: Child,
    dir: PathBuf,
    keep: bool,
}

impl Stage {
    /// Starts the `dev` on free ports and waits until it answers.
    pub(super) async fn set(keep: bool) -> Result<Self, Failure> {
        let name = format!("firebrick-demo-{}", uuid::Uuid::new_v4().simple());
        let dir = std::env::temp_dir().join(name);
        let failed = |error| Failure::new("start a private dev", error);
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let output = std::fs::File::create(dir.join("dev.log")).map_err(failed)?;
        let child = Command::new(std::env::current_exe().map_err(failed)?)
            .arg("dev")
            .arg("--dir")
            .arg(&dir)
            .args(["--listen", "127.0.0.1:0", "--nbd-port", "0"])
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            // Ctrl-C is for the demo, which ends the dev in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let manifest = match up(&dir).await {
            Ok(manifest) => manifest,
            Err(failure) => {
                Printer::new().warning(&format!("its log is {}", dir.join("dev.log").display()));
                return Err(failure);
            }
        };
        let dev = RunningDev::of(&manifest);
        Ok(Self {
            manifest,
            dev,
            child,
            dir,
            keep,
        })
    }

    /// The client of a site.
    pub(super) fn site(&self, name: &str) -> Result<SiteClient, Failure> {
        let site = self.manifest.site(name);
        let site = site.ok_or_else(|| Failure::Failed(format!("there is no {name}")))?;
        Ok(SiteClient::at(name, site.admin.clone(), true))
    }

    /// Leaves the folder where it is.
    pub(super) const fn keep(&mut self) {
        self.keep = true;
    }

    /// Ends the `dev` and removes the folder.
    pub(super) async fn strike(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            // A dev that has ended needs no signal.
            let _ = kill_process(pid, Signal::INT);
        }
        let ended = tokio::time::timeout(WITHIN, self.child.wait()).await;
        if ended.is_err() {
            Printer::new().warning("the private dev did not end in time; it is killed");
        }
        if self.keep {
            let kept = format!("  everything is kept in {}", self.dir.display());
            Printer::line(&kept);
        } else if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            let left = format!("{} was not removed: {error}", self.dir.display());
            Printer::new().warning(&left);
        }
    }
}

async fn up(dir: &std::path::Path) -> Result<Manifest, Failure> {
    let deadline = Instant::now() + WITHIN;
    while Instant::now() < deadline {
        if let Some(manifest) = Manifest::read(dir)?
            && manifest.pid.is_some()
            && healthy(&manifest.api).await
        {
            return Ok(manifest);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Failure::new(
        "wait for the private dev",
        format!("no answer within {} seconds", WITHIN.as_secs()),
    ))
}

async fn healthy(api: &str) -> bool {
    let url = format!("{api}/healthcheck");
    let asked = tokio::task::spawn_blocking(move || ureq::get(&url).call().is_ok()).await;
    asked.unwrap_or(false)
}

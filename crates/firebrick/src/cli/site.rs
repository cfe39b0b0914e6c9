//! `firebrick site`: the store, its mirror and its exports.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firebrick_site::SiteConf;
use firebrick_site::serve::{ErrorKind, SiteServer, fingerprint};

use super::args::{SiteArgs, SiteCommand};
use super::block_on;
use super::parent::stop_requested;
use crate::exit::Failure;
use crate::journal;
use crate::printer::Printer;

/// How long the former process of the same site may take to let go of its store and sockets.
const RELEASE_WITHIN: Duration = Duration::from_secs(10);

/// Runs a site until it is asked to stop, or answers a question about one.
pub(crate) fn run(args: SiteArgs) -> Result<(), Failure> {
    match (args.command, args.conf) {
        (Some(SiteCommand::Fingerprint { conf }), _) => print_fingerprint(&conf),
        (None, Some(conf)) => {
            drop(journal::start("info"));
            block_on(serve(conf, args.supervised))
        }
        (None, None) => Err(Failure::Usage(
            "--conf FILE is missing: the site.conf of the site; `firebrick site --help` shows one"
                .to_owned(),
        )),
    }
}

fn print_fingerprint(path: &Path) -> Result<(), Failure> {
    let (conf, _) = SiteConf::read(path)?;
    let print = fingerprint(&conf).map_err(|error| Failure::new("find the fingerprint", error))?;
    Printer::line(&print.to_string());
    Ok(())
}

async fn serve(path: PathBuf, supervised: bool) -> Result<(), Failure> {
    let (conf, unknown) = SiteConf::read(&path)?;
    for unknown in unknown {
        tracing::warn!("{unknown}");
    }
    let stop = stop_requested(supervised);
    tokio::pin!(stop);
    let site = tokio::select! {
        site = start(&conf) => site?,
        reason = &mut stop => {
            tracing::info!(reason = reason?, "stopping before the start was over");
            return Ok(());
        }
    };
    let reason = stop.await?;
    tracing::info!(site = conf.name, reason, "stopping");
    site.stop().await;
    Ok(())
}

/// Starts the site; waits a while for a former process that is still ending.
async fn start(conf: &SiteConf) -> Result<SiteServer, Failure> {
    let deadline = Instant::now() + RELEASE_WITHIN;
    let mut said = false;
    loop {
        match SiteServer::start(conf.clone()).await {
            Ok(site) => return Ok(site),
            Err(error) if error.kind == ErrorKind::InUse && Instant::now() < deadline => {
                if !said {
                    tracing::warn!(%error, within = ?RELEASE_WITHIN, "waiting for the former process to end");
                    said = true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(Failure::new(format!("start {}", conf.name), error)),
        }
    }
}

//! `firebrick serve`: the control plane.

use std::net::SocketAddr;
use std::time::Duration;

use firebrick_control::Control;
use firebrick_db::Db;
use tokio::net::TcpListener;

use super::args::ServeArgs;
use super::environment;
use super::parent::stop_requested;
use crate::config::ServeConf;
use crate::exit::Failure;
use crate::journal;
use crate::printer::Printer;

/// How long requests that are being answered may take once the process must end.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until it is asked to stop.
pub(crate) async fn run(args: ServeArgs) -> Result<(), Failure> {
    let journal = journal::start("info");
    let Some(path) = args.conf.or_else(environment::conf) else {
        return Err(Failure::Usage(
            "--conf FILE is missing: the cinder.conf, or FIREBRICK_CONF; `firebrick serve --help` shows one"
                .to_owned(),
        ));
    };
    let (mut conf, unknown) = ServeConf::read(&path)?;
    for unknown in unknown {
        tracing::warn!("{unknown}");
    }
    for remark in &conf.remarks {
        tracing::warn!("{remark}");
    }
    if args.check {
        Printer::new().good(&format!("{} is fine", path.display()));
        return Ok(());
    }
    let listener = bind(conf.listen).await?;
    let db = Db::open(&conf.database)
        .await
        .map_err(|error| Failure::new("open the database", error))?;
    conf.control.log_levels = Some(journal);
    let (control, running) = Control::start(db.clone(), conf.control)
        .await
        .map_err(|error| Failure::new("start the control plane", error))?;
    tracing::info!(listen = %conf.listen, "the API answers");
    let router = firebrick_api::router(control, conf.api);
    let (asked, ending) = tokio::sync::oneshot::channel::<()>();
    let mut serving = tokio::spawn(firebrick_api::serve(listener, router, async {
        drop(ending.await);
    }));
    let served = tokio::select! {
        reason = stop_requested(args.supervised) => {
            tracing::info!(reason = reason?, "stopping");
            drop(asked);
            tokio::time::timeout(GRACE, &mut serving).await
        }
        served = &mut serving => Ok(served),
    };
    running.stop().await;
    db.close().await;
    match served {
        // Connections that are still open after the grace time are dropped.
        Err(_) | Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(Failure::new("serve", error)),
        Ok(Err(error)) => Err(Failure::new("serve", error)),
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::new(format!("listen on {listen}"), error))
}

//! The reporter: looks at every backend, keeps the services alive, and remembers for the scheduler.

use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::{Capabilities, Fault, FaultKind, PeerStatus, SpaceStats};
use firebrick_db::services;
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::backup::BACKUP;
use crate::control::{Inner, SCHEDULER, VOLUME, site};
use crate::error::Result;
use crate::options::BackendOptions;
use crate::replication::rpo;

/// What a backend last said.
#[derive(Clone, Debug)]
pub(crate) struct BackendView {
    pub(crate) capabilities: Capabilities,
    pub(crate) space: Option<SpaceStats>,
    /// The peers of the active site.
    pub(crate) peers: Vec<PeerStatus>,
    /// `None` while it answers.
    pub(crate) down: Option<Down>,
    /// When it answered last, in this life of the process.
    pub(crate) last_ok: Option<OffsetDateTime>,
    pub(crate) seen: OffsetDateTime,
}

/// How a backend is that does not answer.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    pub(crate) why: String,
    pub(crate) since: OffsetDateTime,
    /// How often it was asked in vain after the first time.
    pub(crate) retries: u64,
}

impl Down {
    /// It does not answer, or still does not.
    fn again(why: String, known: Option<&BackendView>) -> Self {
        match known.and_then(|known| known.down.as_ref()) {
            Some(down) => Self {
                why,
                since: down.since,
                retries: down.retries + 1,
            },
            None => Self {
                why,
                since: firebrick_db::now(),
                retries: 0,
            },
        }
    }
}

/// How often a backend is looked at that has never answered.
const EAGER: Duration = Duration::from_millis(100);

/// Looks again and again.
pub(crate) async fn run(inner: Arc<Inner>) {
    loop {
        let asked = inner.look.notified();
        let looks = inner
            .options
            .backends
            .iter()
            .map(|backend| look(&inner, backend));
        let up = futures_util::future::join_all(looks)
            .await
            .into_iter()
            .all(|up| up);
        for backend in &inner.options.backends {
            if let Err(error) = rpo::watch(&inner, backend).await {
                warn!(backend = backend.name, %error, "lags could not be compared with their targets");
            }
        }
        if let Err(error) = report_scheduler(&inner).await {
            warn!(%error, "the scheduler's service could not be reported");
        }
        let pause = if up {
            inner.options.report_interval
        } else {
            EAGER.max(inner.options.report_interval / 20)
        };
        let _ = timeout(pause, asked).await;
    }
}

/// Looks at one backend; whether it answers.
async fn look(inner: &Inner, backend: &BackendOptions) -> bool {
    match try_look(inner, backend).await {
        Ok(up) => up,
        Err(error) => {
            warn!(backend = backend.name, %error, "a backend could not be reported");
            false
        }
    }
}

async fn try_look(inner: &Inner, backend: &BackendOptions) -> Result<bool> {
    let service = inner.service_of(&inner.host_of(backend)).await?;
    let site = site(backend, service.active_backend_id.as_deref())?;
    let asked = async { Ok((site.status().await?, site.space().await?)) };
    let answer: std::result::Result<_, Fault> = timeout(inner.options.runner.call, asked)
        .await
        .unwrap_or_else(|_| {
            Err(Fault::new(
                FaultKind::TimedOut,
                "look at the backend",
                "no answer",
            ))
        });
    let seen = firebrick_db::now();
    let known = inner.views.read().get(&backend.name).cloned();
    let view = match answer {
        Ok((status, space)) => BackendView {
            capabilities: site.capabilities(),
            space: Some(space),
            peers: status.peers,
            down: None,
            last_ok: Some(seen),
            seen,
        },
        Err(fault) => BackendView {
            capabilities: site.capabilities(),
            space: None,
            peers: Vec::new(),
            down: Some(Down::again(fault.to_string(), known.as_ref())),
            last_ok: known.as_ref().and_then(|known| known.last_ok),
            seen,
        },
    };
    let up = view.down.is_none();
    inner
        .views
        .write()
        .insert(backend.name.clone(), view.clone());
    if known
        .as_ref()
        .is_none_or(|known| known.down.is_none() != up)
    {
        match &view.down {
            None => info!(
                backend = backend.name,
                site = site.name(),
                "the backend answers"
            ),
            Some(down) => warn!(
                backend = backend.name,
                site = site.name(),
                why = down.why,
                "the backend does not answer"
            ),
        }
        // What waited for the backend can go on.
        inner.work.notify_waiters();
        inner.compare.notify_one();
    }
    // The sign of life is this process's own; but a service that never saw its backend does not
    // call itself up.
    let ever = up || known.is_some_and(|known| known.last_ok.is_some());
    if ever || service.active_backend_id.is_some() {
        let mut connection = inner.db.begin_alone().await?;
        let own = services::get(&mut connection, VOLUME, &inner.own_host(backend)).await?;
        // A cluster lives as long as one of its services does.
        let own = own.filter(|own| own.id != service.id);
        for id in own.map(|own| own.id).into_iter().chain([service.id]) {
            services::report(&mut connection, id).await?;
        }
    }
    Ok(up)
}

async fn report_scheduler(inner: &Inner) -> Result<()> {
    let mut connection = inner.db.begin_alone().await?;
    for binary in [SCHEDULER, BACKUP] {
        let found = services::get(&mut connection, binary, &inner.node_host()?).await?;
        // A service that is not configured any more goes down.
        let runs = binary == SCHEDULER || inner.options.backup.is_some();
        if let Some(service) = found.filter(|_| runs) {
            services::report(&mut connection, service.id).await?;
        }
    }
    Ok(())
}

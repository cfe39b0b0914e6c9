//! The control plane as one thing: what requests are asked of, and what runs behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_backend::SharedBackend;
use firebrick_db::{Db, Service, now, services};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::{HostName, ServiceId};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::activity::Pace;
use crate::backup::{self, BACKUP};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Room;
use crate::options::{BackendOptions, ControlOptions, POOL};
use crate::pools::Placed;
use crate::report::BackendView;
use crate::{cluster, group_type, messages, reconcile, report, runner, types};

/// The program name of volume services, as clients expect it.
pub(crate) const VOLUME: &str = "cinder-volume";
/// The program name of the scheduler's service.
pub(crate) const SCHEDULER: &str = "cinder-scheduler";

/// The control plane. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(crate) inner: Arc<Inner>,
}

/// What all parts share.
pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) options: ControlOptions,
    /// This life of this process: `node/uuid`.
    pub(crate) owner: String,
    /// There is an activity to be run.
    pub(crate) work: Notify,
    /// An activity has ended.
    pub(crate) ended: Notify,
    /// A backend should be looked at now.
    pub(crate) look: Notify,
    /// Sites should be compared with the database now.
    pub(crate) compare: Notify,
    /// What each backend last said, by its name.
    pub(crate) views: RwLock<BTreeMap<String, BackendView>>,
    /// When progress was last written.
    pub(crate) pace: Pace,
    /// Where images are converted.
    pub(crate) room: Room,
    /// What has been placed in each pool.
    pub(crate) placed: Mutex<BTreeMap<HostName, Placed>>,
}

/// What runs behind a [`Control`].
pub struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Ends the workers. What they were at is taken up at the next start.
    pub async fn stop(mut self) {
        // Whoever listens is gone already, or hears it.
        let _ = self.stop.send(true);
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Control {
    /// Makes what must be there (services, the default type), takes over what an earlier life of
    /// this process left, and starts the workers.
    pub async fn start(db: Db, options: ControlOptions) -> Result<(Self, Running)> {
        let inner = Inner::new(db, options);
        inner.fit_clusters()?;
        inner.prepare().await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..inner.options.runner.workers.max(1) {
            tasks.spawn(runner::work(Arc::clone(&inner), stopped.clone()));
        }
        tasks.spawn(report::run(Arc::clone(&inner)));
        tasks.spawn(reconcile::run(Arc::clone(&inner)));
        tasks.spawn(messages::run(Arc::clone(&inner)));
        tasks.spawn(backup::sweep::run(Arc::clone(&inner)));
        tasks.spawn(cluster::follow::run(Arc::clone(&inner)));
        Ok((Self { inner }, Running { stop, tasks }))
    }

    /// One that works at nothing, for tools beside the processes that serve: what it begins, those do.
    pub fn beside(db: Db, options: ControlOptions) -> Self {
        let inner = Inner::new(db, options);
        Self { inner }
    }
}

impl Inner {
    fn new(db: Db, options: ControlOptions) -> Arc<Self> {
        let owner = format!("{}/{}", options.node, Uuid::new_v4());
        let room = Room::new(options.images.as_ref(), &options.node);
        Arc::new(Self {
            db,
            room,
            options,
            owner,
            work: Notify::new(),
            ended: Notify::new(),
            look: Notify::new(),
            compare: Notify::new(),
            views: RwLock::new(BTreeMap::new()),
            pace: Pace::default(),
            placed: Mutex::new(BTreeMap::new()),
        })
    }

    async fn prepare(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        // Other processes may start at the same moment.
        tx.lock_start().await?;
        let present = now();
        let usual = &self.options.availability_zone;
        let disabled = ReplicationStatus::Disabled;
        let mut rows = vec![(SCHEDULER, self.node_host()?, disabled, usual, None)];
        if self.options.backup.is_some() {
            rows.push((BACKUP, self.node_host()?, disabled, usual, None));
        }
        for backend in &self.options.backends {
            let replication = if backend.targets.is_empty() {
                ReplicationStatus::Disabled
            } else {
                ReplicationStatus::Enabled
            };
            let zone = backend.availability_zone.as_ref().unwrap_or(usual);
            let host = self.own_host(backend);
            rows.push((VOLUME, host, replication, zone, backend.cluster()));
        }
        for (binary, host, replication_status, zone, cluster) in rows {
            let service = Service {
                id: ServiceId::random(),
                binary: binary.to_owned(),
                host,
                cluster,
                availability_zone: zone.clone(),
                disabled: false,
                disabled_reason: None,
                frozen: false,
                replication_status,
                active_backend_id: None,
                created_at: present,
                updated_at: present,
                reported_at: time::OffsetDateTime::UNIX_EPOCH,
            };
            services::insert(&mut tx, &service).await?;
            self.join(&mut tx, &service).await?;
        }
        types::ensure_default(&mut tx, &self.options.default_volume_type).await?;
        group_type::ensure_default(&mut tx).await?;
        firebrick_db::activities::release_node(&mut tx, &self.options.node).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The host of services without a backend.
    pub(crate) fn node_host(&self) -> Result<HostName> {
        let parsed = self.options.node.parse::<HostName>();
        parsed.map_err(|error| Error::new(ErrorKind::Invalid, error))
    }

    /// The host of a backend's service on this node.
    pub(crate) fn own_host(&self, backend: &BackendOptions) -> HostName {
        backend.host(&self.options.node)
    }

    /// The host of a backend's volumes: its cluster, where several services have it, or the one that has.
    pub(crate) fn host_of(&self, backend: &BackendOptions) -> HostName {
        let cluster = backend.cluster.as_deref();
        backend.host(cluster.unwrap_or(&self.options.node))
    }

    /// The hosts of all backends, as services and as pools.
    pub(crate) fn hosts(&self) -> Vec<HostName> {
        let all = self.options.backends.iter();
        let hosts = all.flat_map(|backend| [self.host_of(backend), self.own_host(backend)]);
        hosts
            .flat_map(|host| [host.with_pool(POOL), host])
            .collect()
    }

    /// The backend whose service has this host (with or without a pool).
    pub(crate) fn backend_of(&self, host: &HostName) -> Result<&BackendOptions> {
        let service = host.without_pool();
        let found =
            self.options.backends.iter().find(|backend| {
                self.host_of(backend) == service || self.own_host(backend) == service
            });
        found.ok_or_else(|| {
            let why = format!("The backend of {host} is not configured here.");
            Error::new(ErrorKind::Unavailable, why)
        })
    }

    /// The service row of a backend.
    pub(crate) async fn service_of(&self, host: &HostName) -> Result<Service> {
        let host = host.without_pool();
        let found = services::get(&mut *self.db.read().await?, VOLUME, &host).await?;
        found.ok_or_else(|| Error::no_service(VOLUME, host))
    }
}

/// The site of that id; `None` is the one of the configuration.
pub(crate) fn site(backend: &BackendOptions, id: Option<&str>) -> Result<SharedBackend> {
    let Some(id) = id else {
        return Ok(Arc::clone(&backend.primary));
    };
    let found = backend.targets.iter().find(|(name, _)| name == id);
    found.map(|(_, site)| Arc::clone(site)).ok_or_else(|| {
        let why = format!(
            "The backend {} has no replication target {id}.",
            backend.name
        );
        Error::new(ErrorKind::Unavailable, why)
    })
}

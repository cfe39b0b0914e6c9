//! What `cinder.conf` says about the control plane, as the binary read it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::SharedBackend;
use firebrick_backup::{Container, SharedRepository};
use firebrick_cloud::{Glance, Keystone, Nova, Seal};
use firebrick_scheduler::{Function, Ratio, Scheduler};
use firebrick_vocabulary::{HostName, ProjectId, UserId};
use uuid::Uuid;

use crate::levels::LogLevels;

/// The one pool of a backend on the embedded engine.
pub const POOL: &str = "volumes";

/// The id that Cinder and Nova have for the key of `[key_manager] fixed_key`.
pub const FIXED_KEY: Uuid = Uuid::nil();

/// The settings of the control plane. Option names are Cinder's.
#[derive(Clone)]
pub struct ControlOptions {
    /// `host`: the name of this node in hosts like `node1@blocks`.
    pub node: String,
    /// `enabled_backends`, in their order.
    pub backends: Vec<BackendOptions>,
    /// `storage_availability_zone`; Cinder's default is `nova`.
    pub availability_zone: String,
    /// `default_availability_zone` of volumes whose requests name none; that above without.
    pub default_availability_zone: Option<String>,
    /// `allow_availability_zone_fallback`: a zone that there is not counts as none.
    pub zones_fall_back: bool,
    /// `default_volume_type`; Cinder's default is `__DEFAULT__`. It is created at start.
    pub default_volume_type: String,
    /// The Nova that is told when disks of its servers have changed; none under `noauth`.
    pub nova: Option<Nova>,
    /// `default_group_type`, what `GET /group_types/default` shows; none without.
    pub default_group_type: Option<String>,
    /// `quota_*`.
    pub quotas: Quotas,
    /// Whether hosts have the one key of `[key_manager] fixed_key`, which volumes of encrypted types
    /// then get. The key itself is nothing that this service needs.
    pub has_fixed_key: bool,
    /// `report_interval`: how often a backend is looked at and its service row refreshed.
    pub report_interval: Duration,
    /// `service_down_time`: without a refresh for so long, a service counts as down.
    pub service_down_time: Duration,
    /// `message_ttl`: how long users can read what failed; Cinder's default is 30 days.
    pub message_ttl: Duration,
    /// Where backups are kept; without it there is no backup service.
    pub backup: Option<BackupOptions>,
    /// Where images come from and go to; without it there are none.
    pub images: Option<ImageOptions>,
    /// Which says what projects there are; without it every name is taken for one.
    pub identity: Option<Arc<Keystone>>,
    /// How activities are run.
    pub runner: RunnerOptions,
    /// How long failovers wait.
    pub failover: FailoverOptions,
    /// How volumes are placed.
    pub scheduler: Scheduler,
    /// The log of this process, where its levels can be changed.
    pub log_levels: Option<Arc<dyn LogLevels>>,
    /// `scheduler_max_attempts`: in how many pools a volume is tried; Cinder's default is 3.
    pub scheduler_max_attempts: u32,
}

/// Where backups are kept.
#[derive(Clone)]
pub struct BackupOptions {
    /// `backup_driver` and what belongs to it.
    pub repository: SharedRepository,
    /// `backup_container`: that of backups whose request names none.
    pub container: Container,
    /// `backup_file_size`: an object is closed once it has as many bytes of data.
    pub object_bytes: u64,
}

/// Where images come from and go to.
#[derive(Clone)]
pub struct ImageOptions {
    /// The image service.
    pub glance: Glance,
    /// What seals the tokens of users while activities need them; none where there are no tokens.
    pub seal: Option<Arc<Seal>>,
    /// `image_conversion_dir`: where images lie while they are converted.
    pub conversion_dir: PathBuf,
    /// How many images are converted at once.
    pub at_once: usize,
    /// `image_conversion_address_space_limit`, in bytes; Cinder's default is 1 GiB.
    pub address_space: u64,
    /// `image_conversion_cpu_limit`, in seconds; Cinder's default is 60.
    pub cpu_seconds: u64,
    /// `vmdk_allowed_types`; Cinder's default are the two types that refer to no other files.
    pub vmdk_types: Vec<String>,
    /// `cinder_internal_tenant_project_id` and `cinder_internal_tenant_user_id`: who owns what is cached; without
    /// them nothing is.
    pub internal: Option<(ProjectId, UserId)>,
    /// The caches of the backends that have one, by their names.
    pub caches: BTreeMap<String, CacheOptions>,
    /// `enable_force_upload`: whether attached volumes are uploaded where a request says so.
    pub force_upload: bool,
    /// `verify_glance_signatures`: whether signed images are refused, as their signatures cannot be checked;
    /// Cinder's default is `enabled`.
    pub verify_signatures: bool,
}

/// The cache of a backend, `image_volume_cache_enabled`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CacheOptions {
    /// `image_volume_cache_max_size_gb`: GiB of all volumes in it; 0 is no limit.
    pub max_gigabytes: u64,
    /// `image_volume_cache_max_count`: volumes in it; 0 is no limit.
    pub max_count: u64,
}

impl ImageOptions {
    /// Cinder's defaults for images of `glance`.
    pub fn new(glance: Glance, conversion_dir: PathBuf) -> Self {
        Self {
            glance,
            seal: None,
            conversion_dir,
            at_once: 4,
            address_space: 1 << 30,
            cpu_seconds: 60,
            vmdk_types: vec!["streamOptimized".to_owned(), "monolithicSparse".to_owned()],
            internal: None,
            caches: BTreeMap::new(),
            force_upload: false,
            verify_signatures: true,
        }
    }
}

/// One backend: a section of the configuration.
#[derive(Clone)]
pub struct BackendOptions {
    /// The section's name, the part behind `@` in hosts.
    pub name: String,
    /// `volume_backend_name`, what extra specs ask for.
    pub volume_backend_name: String,
    /// The site that serves while nothing has failed over.
    pub primary: SharedBackend,
    /// `replication_device` lines: the backend id and its site.
    pub targets: Vec<(String, SharedBackend)>,
    /// `reserved_percentage` of the pool that is never given to volumes, 0 to 100.
    pub reserved_percentage: u8,
    /// `max_over_subscription_ratio`; Cinder's default is 20.
    pub max_over_subscription_ratio: Ratio,
    /// `filter_function`: which volumes it takes.
    pub filter_function: Option<Function>,
    /// `goodness_function`: how much it likes a volume.
    pub goodness_function: Option<Function>,
    /// `cluster`: which hosts serve this backend together.
    pub cluster: Option<String>,
    /// `backend_availability_zone`; that of the control plane, where it has none of its own.
    pub availability_zone: Option<String>,
}

impl BackendOptions {
    /// The cluster of its service: `cluster@name`.
    pub fn cluster(&self) -> Option<String> {
        let cluster = self.cluster.as_ref();
        cluster.map(|cluster| format!("{cluster}@{}", self.name))
    }

    /// The service of this backend on `node`: `node@name`.
    pub fn host(&self, node: &str) -> HostName {
        HostName::service(node, &self.name)
    }
}

/// Absolute limits of each project; -1 is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quotas {
    /// `quota_volumes`, Cinder's default is 10.
    pub volumes: i64,
    /// `quota_snapshots`, Cinder's default is 10.
    pub snapshots: i64,
    /// `quota_gigabytes` of volumes and snapshots together, Cinder's default is 1000.
    pub gigabytes: i64,
    /// `quota_backups`, Cinder's default is 10.
    pub backups: i64,
    /// `quota_backup_gigabytes`, Cinder's default is 1000.
    pub backup_gigabytes: i64,
    /// `quota_groups`, Cinder's default is 10.
    pub groups: i64,
    /// `per_volume_size_limit`, Cinder's default is -1.
    pub per_volume_gigabytes: i64,
    /// `no_snapshot_gb_quota`: only the gigabytes of volumes count.
    pub snapshots_are_free: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            volumes: 10,
            snapshots: 10,
            gigabytes: 1000,
            backups: 10,
            backup_gigabytes: 1000,
            groups: 10,
            per_volume_gigabytes: -1,
            snapshots_are_free: false,
        }
    }
}

/// How activities are run.
#[derive(Clone, Copy, Debug)]
pub struct RunnerOptions {
    /// Activities that run at once on this node.
    pub workers: usize,
    /// How long an activity belongs to its worker without a sign of life.
    pub lease: Duration,
    /// How often idle workers look for work that nobody told them about.
    pub poll: Duration,
    /// How long a request waits for an activity whose result it returns (attach paths).
    pub wait: Duration,
    /// How long one call to a site may take before the step counts as failed.
    pub call: Duration,
    /// How often a step that failed for a reason that may pass is tried again.
    pub attempts: u32,
    /// The pause before the second try; it doubles up to a minute.
    pub backoff: Duration,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            workers: 8,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(2),
            wait: Duration::from_secs(20),
            call: Duration::from_secs(10),
            attempts: 5,
            backoff: Duration::from_millis(200),
        }
    }
}

/// How long failovers wait.
#[derive(Clone, Copy, Debug)]
pub struct FailoverOptions {
    /// How long the old site has to answer before it counts as lost.
    pub probe: Duration,
    /// How long the target of a planned failover may take to catch up.
    pub catch_up: Duration,
    /// How long the primary may take to catch up before a failback.
    pub resync: Duration,
    /// How long the mirroring of sites has to remove the copy of an image that was removed, before the control
    /// plane asks for it.
    pub linger: Duration,
}

impl Default for FailoverOptions {
    fn default() -> Self {
        Self {
            probe: Duration::from_secs(2),
            catch_up: Duration::from_secs(60),
            resync: Duration::from_secs(3600),
            linger: Duration::from_secs(20),
        }
    }
}

impl ControlOptions {
    /// Cinder's defaults for a node with these backends.
    pub fn new(node: impl Into<String>, backends: Vec<BackendOptions>) -> Self {
        Self {
            node: node.into(),
            backends,
            availability_zone: "nova".to_owned(),
            default_availability_zone: None,
            zones_fall_back: false,
            default_volume_type: "__DEFAULT__".to_owned(),
            nova: None,
            default_group_type: None,
            quotas: Quotas::default(),
            has_fixed_key: false,
            report_interval: Duration::from_secs(10),
            service_down_time: Duration::from_secs(60),
            message_ttl: Duration::from_secs(2_592_000),
            backup: None,
            images: None,
            identity: None,
            runner: RunnerOptions::default(),
            failover: FailoverOptions::default(),
            scheduler: Scheduler::default(),
            log_levels: None,
            scheduler_max_attempts: 3,
        }
    }

    /// The zone of what names none.
    pub(crate) fn usual_zone(&self) -> &str {
        let zone = self.default_availability_zone.as_ref();
        zone.unwrap_or(&self.availability_zone)
    }

    /// Whether a backend is, or would by default be, in that zone.
    pub(crate) fn has_zone(&self, zone: &str) -> bool {
        let mut own = self
            .backends
            .iter()
            .flat_map(|backend| &backend.availability_zone);
        zone == self.availability_zone || own.any(|own| own == zone)
    }
}

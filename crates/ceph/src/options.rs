//! What must be known of a pool of a cluster.

use std::path::PathBuf;
use std::time::Duration;

use firebrick_vocabulary::MirrorWay;

use crate::ffi::MirrorMode;

/// How images are mirrored that are not yet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mirroring {
    /// By a journal, as Cinder does: behind by seconds, and every write is written twice.
    #[default]
    Journal,
    /// By snapshots, as often as the cluster's schedule says.
    Snapshot,
}

impl Mirroring {
    pub(crate) const fn mode(self) -> MirrorMode {
        match self {
            Self::Journal => MirrorMode::Journal,
            Self::Snapshot => MirrorMode::Snapshot,
        }
    }

    /// In the words of all kinds of site.
    pub(crate) const fn way(self) -> MirrorWay {
        match self {
            Self::Journal => MirrorWay::Journal,
            Self::Snapshot => MirrorWay::Snapshot(None),
        }
    }
}

/// A pool of a cluster, and how it is used. The names are those of Cinder's options for RBD.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CephOptions {
    /// The name of the site.
    pub name: String,
    /// `rbd_ceph_conf`.
    pub conf: PathBuf,
    /// `rbd_cluster_name`; Cinder's default is `ceph`.
    pub cluster: String,
    /// `rbd_user`; without one it is `admin`, as in Ceph's own tools.
    pub user: Option<String>,
    /// `rbd_pool`; Cinder's default is `rbd`.
    pub pool: String,
    /// `rbd_secret_uuid`, by which libvirt knows the key; the cluster's id where it is not given.
    pub secret: Option<String>,
    /// `rbd_flatten_volume_from_snapshot`.
    pub flatten: bool,
    /// `rbd_max_clone_depth`; Cinder's default is 5, and 0 makes every clone a copy.
    pub clone_depth: u32,
    /// `rbd_store_chunk_size` as an exponent of 2; Cinder's default of 4 MiB is 22.
    pub order: u32,
    /// `rados_connect_timeout`, or for a target `replication_connect_timeout`; `None` is the cluster's own.
    pub connect: Option<Duration>,
    /// `report_dynamic_total_capacity`: the total is what is used and free, not a quota.
    pub dynamic_total: bool,
    /// `rbd_exclusive_cinder_pool`: images are not asked for their sizes, as all are volumes.
    pub exclusive_pool: bool,
    /// `enable_deferred_deletion`, and `deferred_deletion_delay`: how long what is removed stays in the trash.
    pub deferred: Option<Duration>,
    /// `deferred_deletion_purge_interval`; Cinder's default is 60 s.
    pub purge: Duration,
    /// How images are mirrored.
    pub mirroring: Mirroring,
    /// Whether there is another site for them.
    pub has_target: bool,
}

impl CephOptions {
    /// Cinder's defaults for a pool of the cluster of `conf`.
    pub fn new(name: impl Into<String>, conf: impl Into<PathBuf>, pool: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            conf: conf.into(),
            cluster: "ceph".to_owned(),
            user: None,
            pool: pool.into(),
            secret: None,
            flatten: false,
            clone_depth: 5,
            order: 22,
            connect: None,
            dynamic_total: true,
            exclusive_pool: true,
            deferred: None,
            purge: Duration::from_secs(60),
            mirroring: Mirroring::default(),
            has_target: false,
        }
    }

    pub(crate) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("admin")
    }
}

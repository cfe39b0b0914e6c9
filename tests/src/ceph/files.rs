//! What a cluster is made of: configuration, keys, and modules for a manager.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use uuid::Uuid;

use super::Keeping;

/// Where Debian keeps the manager's modules.
const MODULES: &str = "/usr/share/ceph/mgr";
/// Modules that a manager insists on, and that are of no use here: empty ones start in no time.
const UNUSED: [&str; 9] = [
    "balancer",
    "crash",
    "devicehealth",
    "orchestrator",
    "pg_autoscaler",
    "progress",
    "status",
    "telemetry",
    "volumes",
];

/// A monitor refuses a disk that is 95 % full, without a word in its log; what this one keeps is small.
/// Of mirroring, only the pauses are shorter than they would be. An OSD whose lease to read has run out while it was stopped
/// waits for a replica to renew it; there is none, so the lease lasts longer than any story stops a cluster: 30 times 20 s.
pub(super) fn conf(dir: &Path, cluster: Uuid, port: u16, keeping: Keeping) -> String {
    let dir = dir.display();
    let store = match keeping {
        Keeping::Memory => "osd_objectstore = memstore\nmemstore_device_bytes = 1073741824\n",
        Keeping::File => {
            "osd_objectstore = bluestore\nbluestore_block_create = true\n\
             bluestore_block_size = 4294967296\nbluestore_cache_autotune = false\n\
             bluestore_cache_size = 67108864\nosd_memory_target = 939524096\n\
             bluestore_rocksdb_options = compression=kNoCompression,write_buffer_size=16777216\n"
        }
    };
    format!(
        "[global]\nfsid = {cluster}\nmon_host = [v2:127.0.0.1:{port}/0]\n\
         keyring = {dir}/keyrings/$name.keyring\n\
         log_file = {dir}/$name.log\nadmin_socket =\n\
         run_dir = {dir}\ncrash_dir = {dir}\nmon_data = {dir}/mon\nosd_data = {dir}/osd\n\
         mgr_data = {dir}/mgr\nmgr_module_path = {dir}/modules\nmgr_initial_modules =\n\
         mgr_disabled_modules = diskprediction_local\nmgr_stats_period = 1\nmgr_tick_period = 1\n\
         {store}\
         osd_pool_default_size = 1\nosd_pool_default_min_size = 1\n\
         osd_pool_default_pg_autoscale_mode = off\nosd_crush_chooseleaf_type = 0\n\
         mon_allow_pool_size_one = true\nosd_pool_default_read_lease_ratio = 30\nms_bind_ipv6 = false\nms_bind_msgr1 = false\n\
         public_addr = 127.0.0.1\ncluster_addr = 127.0.0.1\npaxos_propose_interval = 0.1\n\
         paxos_min_wait = 0.02\nmon_data_avail_crit = -1\nms_async_op_threads = 2\n\
         auth_allow_insecure_global_id_reclaim = false\n\
         [mon]\nkeyring = {dir}/keyrings/mon.keyring\n\
         [client.rbd-mirror]\nrbd_mirror_journal_poll_age = 0.5\nrbd_mirror_journal_commit_age = 1\n\
         rbd_mirror_image_state_check_interval = 5\nrbd_mirror_pool_replayers_refresh_interval = 3\n\
         rbd_mirror_sync_point_update_age = 5\nrbd_mirror_delete_retry_interval = 3\n\
         rbd_mirror_leader_heartbeat_interval = 2\n"
    )
}

/// One keyring for each user, and one with all, which the first monitor reads.
pub(super) fn keyrings(dir: &Path) {
    let users: [(&str, &[(&str, &str)]); 6] = [
        ("mon.", &[("mon", "allow *")]),
        (
            "client.admin",
            &[("mon", "allow *"), ("mgr", "allow *"), ("osd", "allow *")],
        ),
        ("mgr.x", &[("mon", "allow profile mgr"), ("osd", "allow *")]),
        (
            "osd.0",
            &[
                ("mon", "allow profile osd"),
                ("mgr", "allow profile osd"),
                ("osd", "allow *"),
            ],
        ),
        (
            "client.rbd-mirror",
            &[
                ("mon", "profile rbd-mirror"),
                ("osd", "profile rbd"),
                ("mgr", "profile rbd"),
            ],
        ),
        (
            "client.cinder",
            &[
                ("mon", "profile rbd"),
                ("osd", "profile rbd pool=volumes"),
                ("mgr", "profile rbd pool=volumes"),
            ],
        ),
    ];
    let mut all = String::new();
    for (user, caps) in users {
        let own = format!("[{user}]\n\tkey = {}\n", key());
        fs::write(
            dir.join(format!("{}.keyring", user.trim_end_matches('.'))),
            &own,
        )
        .unwrap();
        all.push_str(&own);
        for (of, caps) in caps {
            writeln!(all, "\tcaps {of} = \"{caps}\"").unwrap();
        }
    }
    fs::write(dir.join("all"), all).unwrap();
}

/// A secret of Ceph's: a kind, a time, a length and as many random bytes, in base 64.
fn key() -> String {
    let mut bytes = vec![1, 0];
    bytes.extend([0; 8]);
    bytes.extend([16, 0]);
    bytes.extend(rand::random::<[u8; 16]>());
    base64(&bytes)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for some in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..some.len()].copy_from_slice(some);
        let all = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for letter in 0..4 {
            let at = (all >> (18 - 6 * letter)) & 63;
            let kept = letter <= some.len();
            text.push(if kept {
                char::from(LETTERS[at as usize])
            } else {
                '='
            });
        }
    }
    text
}

/// The real modules, but for those that are not used.
pub(super) fn modules(dir: &Path) {
    for entry in fs::read_dir(MODULES).expect("ceph-mgr has modules; run cargo xtask prepare") {
        let path = entry.unwrap().path();
        let is_file = path.extension().is_some_and(|end| end == "py");
        if is_file || path.ends_with("rbd_support") {
            symlink(&path, dir.join(path.file_name().unwrap())).unwrap();
        }
    }
    for name in UNUSED {
        let own = dir.join(name);
        fs::create_dir(&own).unwrap();
        fs::write(own.join("__init__.py"), "from .module import Module\n").unwrap();
        let text = "from mgr_module import MgrModule\n\n\nclass Module(MgrModule):\n    NOTIFY_TYPES = []\n";
        fs::write(own.join("module.py"), text).unwrap();
    }
}

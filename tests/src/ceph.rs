//! A Ceph cluster of one monitor and one OSD that forgets everything, for what the real `rbd` tool reads and
//! writes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use uuid::Uuid;

use crate::dev::free_port;
use crate::tools::{Ran, run, tool};
use crate::wait::until;

/// A cluster with the pool `volumes`; its processes end with it.
pub struct Ceph {
    folder: TempDir,
    processes: Vec<(&'static str, Child)>,
}

impl Ceph {
    /// Makes and starts one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cluster, osd) = (Uuid::new_v4(), Uuid::new_v4());
        let mut ceph = Self {
            folder,
            processes: Vec::new(),
        };
        for name in ["mon", "osd"] {
            fs::create_dir(ceph.path(name)).unwrap();
        }
        let port = free_port();
        fs::write(ceph.conf(), ceph.configuration(cluster, port)).unwrap();
        let monitors = ceph.path("monmap");
        let _ = run(tool("monmaptool")
            .args(["--create", "--fsid", &cluster.to_string()])
            .args(["--set-min-mon-release", "pacific", "--addv", "a"])
            .arg(format!("[v2:127.0.0.1:{port}/0]"))
            .arg(&monitors))
        .ok();
        let mon = ["-i", "a"];
        let _ = run(ceph
            .program("ceph-mon", &mon)
            .arg("--mkfs")
            .arg("--monmap")
            .arg(&monitors))
        .ok();
        ceph.spawn("ceph-mon", &mon);
        ceph.until_it_answers("the monitor answers", "ceph", &["fsid"]);
        let id = osd.to_string();
        let _ = run(&mut ceph.program("ceph", &["osd", "new", &id])).ok();
        let _ = run(&mut ceph.program("ceph-osd", &["-i", "0", "--mkfs", "--osd-uuid", &id])).ok();
        ceph.spawn("ceph-osd", &["-i", "0"]);
        let _ = run(&mut ceph.program("ceph", &["osd", "pool", "create", "volumes", "8"])).ok();
        ceph.until_it_answers(
            "the cluster stores something",
            "rados",
            &["-p", "volumes", "ls"],
        );
        ceph
    }

    /// Asks until there is an answer; says what the processes printed when one of them has ended.
    fn until_it_answers(&mut self, what: &str, name: &str, args: &[&str]) {
        until(what, 60, || {
            self.all_run();
            self.program(name, args)
                .args(["--client_mount_timeout=5", "--rados_mon_op_timeout=5"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        });
    }

    fn all_run(&mut self) {
        let ended = self.processes.iter_mut().find_map(|(name, process)| {
            let status = process.try_wait().unwrap()?;
            Some((*name, status))
        });
        if let Some((name, status)) = ended {
            let printed = fs::read_to_string(self.path(&format!("{name}.out"))).unwrap();
            panic!("{name} ended with {status}: {printed}");
        }
    }

    /// A monitor refuses a disk that is 95 % full, without a word in its log; what this one keeps is small.
    fn configuration(&self, cluster: Uuid, port: u16) -> String {
        let dir = self.folder.path().display();
        format!(
            "[global]\nfsid = {cluster}\nmon_host = [v2:127.0.0.1:{port}/0]\n\
             auth_cluster_required = none\nauth_service_required = none\n\
             auth_client_required = none\nlog_file = {dir}/$name.log\nadmin_socket =\n\
             run_dir = {dir}\ncrash_dir = {dir}\nmon_data = {dir}/mon\nosd_data = {dir}/osd\n\
             osd_objectstore = memstore\nmemstore_device_bytes = 1073741824\n\
             osd_pool_default_size = 1\nosd_pool_default_min_size = 1\n\
             osd_pool_default_pg_autoscale_mode = off\nosd_crush_chooseleaf_type = 0\n\
             mon_allow_pool_size_one = true\nms_bind_ipv6 = false\nms_bind_msgr1 = false\n\
             public_addr = 127.0.0.1\ncluster_addr = 127.0.0.1\npaxos_propose_interval = 0.1\n\
             paxos_min_wait = 0.02\nmon_data_avail_crit = -1\n"
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its `ceph.conf`.
    pub fn conf(&self) -> PathBuf {
        self.path("ceph.conf")
    }

    /// Where files can be kept that end with it.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn program(&self, name: &str, args: &[&str]) -> Command {
        let mut command = tool(name);
        command.arg("-c").arg(self.conf()).args(args);
        command
    }

    fn spawn(&mut self, name: &'static str, args: &[&str]) {
        let output = File::create(self.path(&format!("{name}.out"))).unwrap();
        let mut command = self.program(name, args);
        command.arg("-f").stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
        self.processes.push((name, command.spawn().unwrap()));
    }

    /// The real `rbd ARGS`.
    pub fn rbd(&self, args: &[&str]) -> Ran {
        run(&mut self.program("rbd", args))
    }

    /// Registers somebody who has read nothing of a journal: what was committed already is kept for them,
    /// and is exported. `id` is that of the image.
    pub fn register_reader(&self, id: &str) {
        let mut client = vec![3, 0, 0, 0];
        client.extend(b"lag");
        // No data, no position, connected; as `cls::journal::Client` is encoded.
        client.extend([0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut bytes = vec![1, 1, client.len() as u8, 0, 0, 0];
        bytes.extend(client);
        let path = self.path("client");
        fs::write(&path, bytes).unwrap();
        let journal = format!("journal.{id}");
        let set = [
            "-p",
            "volumes",
            "setomapval",
            &journal,
            "client_lag",
            "--input-file",
        ];
        let _ = run(self.program("rados", &set).arg(path)).ok();
    }
}

impl Drop for Ceph {
    fn drop(&mut self) {
        for (_, process) in &mut self.processes {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

//! Ceph clusters of one node each that forget everything: for what the real `rbd` tool reads and writes, and for
//! sites on them.

mod crash;
mod files;
mod notes;
mod pair;
mod pool;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use uuid::Uuid;

use crate::ports::free_port;
use crate::tools::{Ran, ended_within, run, tool};
use crate::wait::until;

pub use pair::CephPair;

const OSD: &str = "ceph-osd";

/// A cluster with the pool `volumes`; its processes end with it.
pub struct Ceph {
    name: &'static str,
    folder: TempDir,
    processes: Mutex<Vec<(&'static str, Child)>>,
}

/// Where an OSD keeps what it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Keeping {
    /// In memory; all is lost with its process.
    Memory,
    /// In a file that survives `kill -9`.
    File,
}

impl Ceph {
    /// One monitor and one OSD.
    pub fn start() -> Self {
        Self::named("ceph", Keeping::Memory)
    }

    /// With a manager too, without which a cluster does not know what room it has.
    pub fn with_manager() -> Self {
        let ceph = Self::start();
        ceph.manage();
        ceph
    }

    /// A cluster of that name.
    fn named(name: &'static str, keeping: Keeping) -> Self {
        let folder = tempfile::Builder::new().prefix("ceph").tempdir().unwrap();
        let (cluster, osd) = (Uuid::new_v4(), Uuid::new_v4());
        let ceph = Self {
            name,
            folder,
            processes: Mutex::default(),
        };
        for name in ["mon", "osd", "mgr", "keyrings", "modules"] {
            fs::create_dir(ceph.path(name)).unwrap();
        }
        let port = free_port();
        fs::write(ceph.conf(), files::conf(ceph.dir(), cluster, port, keeping)).unwrap();
        files::keyrings(&ceph.path("keyrings"));
        let monitors = ceph.path("monmap");
        let _ = run(tool("monmaptool")
            .args(["--create", "--fsid", &cluster.to_string()])
            .args(["--set-min-mon-release", "pacific", "--addv", "a"])
            .arg(format!("[v2:127.0.0.1:{port}/0]"))
            .arg(&monitors))
        .ok();
        let _ = run(ceph
            .program("ceph-mon", &["-i", "a"])
            .arg("--mkfs")
            .arg("--monmap")
            .arg(&monitors)
            .arg("--keyring")
            .arg(ceph.path("keyrings/all")))
        .ok();
        ceph.start_monitor();
        let id = osd.to_string();
        let _ = run(&mut ceph.program("ceph", &["osd", "new", &id])).ok();
        let _ = run(&mut ceph.program("ceph-osd", &["-i", "0", "--mkfs", "--osd-uuid", &id])).ok();
        ceph.spawn(OSD, &["-i", "0"]);
        let _ = run(&mut ceph.program("ceph", &["osd", "pool", "create", "volumes", "8"])).ok();
        ceph.until_it_answers(
            "the cluster stores something",
            "rados",
            &["-p", "volumes", "ls"],
        );
        ceph
    }

    /// Starts a manager and waits until it says how much room the pool has.
    fn manage(&self) {
        files::modules(&self.path("modules"));
        self.start_manager();
        let _ = self.rbd(&["pool", "init", "volumes"]).ok();
        until("the manager knows the pool", 60, || {
            self.all_run();
            let df = run(&mut self.program("ceph", &["df", "--format", "json"]));
            df.status == 0 && df.stdout.contains("\"volumes\"")
        });
    }

    /// Asks until there is an answer; says what the processes printed when one of them has ended.
    fn until_it_answers(&self, what: &str, name: &str, args: &[&str]) {
        until(what, 60, || {
            self.all_run();
            self.program(name, args)
                .args(["--client_mount_timeout=5", "--rados_mon_op_timeout=5"])
                .arg("--rados_osd_op_timeout=5")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        });
    }

    fn all_run(&self) {
        let mut processes = self.processes.lock().unwrap();
        let ended = processes.iter_mut().find_map(|(name, process)| {
            let status = process.try_wait().unwrap()?;
            Some((*name, status))
        });
        if let Some((name, status)) = ended {
            let printed = fs::read_to_string(self.path(&format!("{name}.out"))).unwrap();
            panic!("{name} ended with {status}: {printed}");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its configuration file, named as the cluster is.
    pub fn conf(&self) -> PathBuf {
        self.path(&format!("{}.conf", self.name))
    }

    /// Where files can be kept that end with it.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn program(&self, name: &str, args: &[&str]) -> Command {
        let mut command = tool(name);
        command.args(["--cluster", self.name]);
        command.arg("-c").arg(self.conf()).args(args);
        command
    }

    fn spawn(&self, name: &'static str, args: &[&str]) {
        let output = File::create(self.path(&format!("{name}.out"))).unwrap();
        let mut command = self.program(name, args);
        // rbd-mirror finds the configuration of its own cluster nowhere else.
        command.current_dir(self.dir());
        command.arg("-f").stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let process = (name, command.spawn().unwrap());
        self.processes.lock().unwrap().push(process);
    }

    /// The real `rbd ARGS`.
    pub fn rbd(&self, args: &[&str]) -> Ran {
        run(&mut self.program("rbd", args))
    }

    /// The real `rbd journal import FILE volumes/ID`; what it printed until it was killed where it hangs. That of Ceph
    /// 16.2 does now and then: two of its threads wait for each other in `journal::ObjectRecorder`.
    pub fn import_journal(&self, file: &str, id: &str) -> Result<Ran, String> {
        let image = format!("volumes/{id}");
        let import = ["journal", "import", file, &image];
        ended_within(&mut self.program("rbd", &import), Duration::from_secs(60))
    }

    /// Makes another pool, which images can be made in.
    pub fn make_pool(&self, name: &str) {
        let _ = run(&mut self.program("ceph", &["osd", "pool", "create", name, "8"])).ok();
        let _ = self.rbd(&["pool", "init", name]).ok();
    }

    /// Turns over a byte of the first entry of a journal; the name of the object that has it.
    pub fn damage_journal(&self, id: &str) -> String {
        let named = run(&mut self.program("rados", &["-p", "volumes", "ls"]))
            .ok()
            .stdout;
        let middle = format!(".{id}.");
        let is_data = |name: &&str| name.starts_with("journal_data.") && name.contains(&middle);
        let mut objects: Vec<&str> = named.lines().filter(is_data).collect();
        objects.sort_unstable();
        let object = objects
            .first()
            .expect("the journal has entries")
            .to_string();
        let file = self.path("damaged");
        let path = file.display().to_string();
        let get = ["-p", "volumes", "get", &object, &path];
        let _ = run(&mut self.program("rados", &get)).ok();
        let mut bytes = fs::read(&file).unwrap();
        bytes[30] ^= 1;
        fs::write(&file, bytes).unwrap();
        let put = ["-p", "volumes", "put", &object, &path];
        let _ = run(&mut self.program("rados", &put)).ok();
        object
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

    /// Writes the first so many mebibytes of an image, each byte the same, as a guest would.
    pub fn write(&self, image: &str, byte: u8, mebibytes: u32) {
        let _ = run(tool("fio")
            .env("CEPH_CONF", self.conf())
            .args([
                "--name=guest",
                "--ioengine=rbd",
                "--pool=volumes",
                "--rw=write",
            ])
            .args([
                "--bs=1M",
                "--iodepth=4",
                "--end_fsync=1",
                "--clientname=cinder",
            ])
            .arg(format!("--clustername={}", self.name))
            .arg(format!("--rbdname={image}"))
            .arg(format!("--size={mebibytes}M"))
            .arg(format!("--buffer_pattern=0x{byte:02x}")))
        .ok();
    }

    /// The first so many mebibytes of an image, or of a snapshot of it, as the real `rbd` exports them.
    pub fn read(&self, image: &str, mebibytes: usize) -> Vec<u8> {
        let file = self.path("exported");
        let target = file.display().to_string();
        let _ = self
            .rbd(&[
                "export",
                "--no-progress",
                &format!("volumes/{image}"),
                &target,
            ])
            .ok();
        let mut bytes = Vec::new();
        let most = (mebibytes << 20) as u64;
        File::open(&file)
            .unwrap()
            .take(most)
            .read_to_end(&mut bytes)
            .unwrap();
        fs::remove_file(file).unwrap();
        bytes
    }

    /// Nobody gets an answer of it any more.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// It answers again, with all that it had.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
        self.until_it_answers("the pool is back", "rados", &["-p", "volumes", "ls"]);
    }

    /// Its rbd-mirror reads nothing any more.
    pub fn stop_mirror(&self) {
        self.signal_to(|name| name == "rbd-mirror", Signal::STOP);
    }

    /// Its rbd-mirror goes on.
    pub fn go_on_mirror(&self) {
        self.signal_to(|name| name == "rbd-mirror", Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        self.signal_to(|_| true, signal);
    }

    fn signal_to(&self, which: impl Fn(&str) -> bool, signal: Signal) {
        let processes = self.processes.lock().unwrap();
        let meant = processes.iter().filter(|(name, _)| which(name));
        for (_, process) in meant {
            kill_process(Pid::from_child(process), signal).unwrap();
        }
    }
}

impl Drop for Ceph {
    fn drop(&mut self) {
        let processes = self.processes.get_mut();
        for (_, process) in processes.unwrap_or_else(PoisonError::into_inner) {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

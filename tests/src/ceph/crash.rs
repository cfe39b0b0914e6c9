//! What of a cluster is killed, and started again: all that it has acknowledged is in its files.

use super::{Ceph, OSD};

const MONITOR: &str = "ceph-mon";
const MIRROR: &str = "rbd-mirror";

impl Ceph {
    /// `kill -9` of its OSD.
    pub fn kill_osd(&self) {
        self.kill_those(|name| name == OSD);
    }

    /// Starts the OSD again, and waits until the pool can be read.
    pub fn start_osd(&self) {
        self.spawn(OSD, &["-i", "0"]);
        self.until_it_answers("the pool is back", "rados", &["-p", "volumes", "ls"]);
    }

    /// Starts its `rbd-mirror`.
    pub fn start_mirror(&self) {
        self.spawn(MIRROR, &["--id", MIRROR]);
    }

    /// `kill -9` of its `rbd-mirror`.
    pub fn kill_mirror(&self) {
        self.kill_those(|name| name == MIRROR);
    }

    /// `kill -9` of all its processes.
    pub fn kill(&self) {
        self.kill_those(|_| true);
    }

    /// Starts all of them again, and waits until the pool can be read.
    pub fn start_again(&self) {
        self.start_monitor();
        self.start_osd();
        self.start_manager();
        self.start_mirror();
    }

    pub(super) fn start_monitor(&self) {
        self.spawn(MONITOR, &["-i", "a"]);
        self.until_it_answers("the monitor answers", "ceph", &["fsid"]);
    }

    pub(super) fn start_manager(&self) {
        self.spawn("ceph-mgr", &["-i", "x"]);
    }

    fn kill_those(&self, which: impl Fn(&str) -> bool) {
        let mut processes = self.processes.lock().unwrap();
        let all = std::mem::take(&mut *processes);
        let (meant, others) = all.into_iter().partition(|(name, _)| which(name));
        *processes = others;
        drop(processes);
        let meant: Vec<_> = meant;
        assert!(!meant.is_empty(), "nothing of that runs");
        for (_, mut process) in meant {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

//! Two clusters that mirror their pools with each other.

use std::fs;

use super::pool::Lent;
use super::{Ceph, Keeping};
use crate::wait::until;

/// Two clusters, each with an `rbd-mirror` that reads the other one.
pub struct CephPair {
    /// The first.
    pub a: Ceph,
    /// The second.
    pub b: Ceph,
}

impl CephPair {
    /// Tells a story of two clusters, which has a pair to itself. Those that wait for their turn keep the pairs, so
    /// few are made.
    pub fn with<T>(story: impl FnOnce(&Self) -> T) -> T {
        story(&Lent::take())
    }

    /// Makes and starts both, with images mirrored one by one as they are told to be.
    pub fn start() -> Self {
        let (a, b) = std::thread::scope(|both| {
            let start = |name| {
                move || {
                    let ceph = Ceph::named(name, Keeping::File);
                    ceph.manage();
                    ceph
                }
            };
            let (a, b) = (both.spawn(start("site-a")), both.spawn(start("site-b")));
            (a.join().unwrap(), b.join().unwrap())
        });
        let pair = Self { a, b };
        pair.connect();
        pair
    }

    fn connect(&self) {
        for site in [&self.a, &self.b] {
            let mode = ["mirror", "pool", "enable", "volumes", "image"];
            let _ = site.rbd(&mode).ok();
        }
        let create = ["mirror", "pool", "peer", "bootstrap", "create"];
        let token = self
            .a
            .rbd(&[&create[..], &["--site-name", "site-a", "volumes"]].concat());
        let file = self.b.path("token");
        fs::write(&file, token.ok().stdout).unwrap();
        let file = file.display().to_string();
        let import = ["mirror", "pool", "peer", "bootstrap", "import"];
        let of = [
            "--site-name",
            "site-b",
            "--direction",
            "rx-tx",
            "volumes",
            &file,
        ];
        let _ = self.b.rbd(&[&import[..], &of].concat()).ok();
        for site in [&self.a, &self.b] {
            site.start_mirror();
        }
        for site in [&self.a, &self.b] {
            until("rbd-mirror has reached its peer", 60, || {
                site.all_run();
                let status = site.rbd(&["mirror", "pool", "status", "volumes", "--verbose"]);
                status.stdout.contains("daemon health: OK")
            });
        }
    }
}

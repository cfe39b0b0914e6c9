//! Two clusters that mirror their pools with each other.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Ceph, Keeping};
use crate::wait::until;

/// The pair that the stories of this process share, for as long as one of them needs it.
static SHARED: Mutex<Weak<Mutex<CephPair>>> = Mutex::new(Weak::new());

/// Two clusters, each with an `rbd-mirror` that reads the other one.
pub struct CephPair {
    /// The first.
    pub a: Ceph,
    /// The second.
    pub b: Ceph,
}

impl CephPair {
    /// Tells a story of two clusters, one at a time. Those that wait for their turn keep the pair, so it is made
    /// once; one that failed may have left anything, and the next gets another pair.
    pub fn with<T>(story: impl FnOnce(&Self) -> T) -> T {
        let pair = {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            let known = shared.upgrade().filter(|pair| !pair.is_poisoned());
            known.unwrap_or_else(|| {
                let pair = Arc::new(Mutex::new(Self::start()));
                *shared = Arc::downgrade(&pair);
                pair
            })
        };
        let Ok(turn) = pair.lock() else {
            return Self::with(story);
        };
        story(&turn)
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

//! Both sites are compared while guests write, and what differs is named.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// A block like no other one.
fn block(n: u64) -> Vec<u8> {
    (0..512)
        .flat_map(|word: u64| ((n << 32) | word | 1 << 63).to_le_bytes())
        .collect()
}

fn synced(a: &Rbd, b: &Rbd) {
    a.ok(&["mirror", "wait", "--timeout", "30s"]);
    b.ok(&["mirror", "wait", "--timeout", "30s"]);
}

fn verified(rbd: &Rbd) -> Value {
    rbd.json(&["mirror", "image", "status", "disk"])["verified"].clone()
}

/// Flips a bit of a block of a site that is down.
fn rot(site: &Path, content: &[u8]) {
    for entry in fs::read_dir(site.join("store/segments")).unwrap() {
        let path = entry.unwrap().path();
        let held = fs::read(&path).unwrap();
        let places = (0..held.len()).step_by(512);
        let found = places
            .into_iter()
            .find(|at| held.get(*at..at + content.len()) == Some(content));
        if let Some(at) = found {
            let file = File::options().write(true).open(&path).unwrap();
            file.write_all_at(&[held[at + 100] ^ 4], at as u64 + 100)
                .unwrap();
            return;
        }
    }
    panic!("the block is nowhere");
}

#[test]
fn sites_are_compared_while_guests_write() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "--size", "64M", "disk"]);
    a.refused(22, &["mirror", "verify", "disk"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    let uri = a.ok(&["map", "disk"]).trim().to_owned();
    let mut guest = Guest::open(&uri).unwrap();
    for n in 0..64 {
        guest.write(n * MIB, &block(n)).unwrap();
    }
    // Zeroes read as what was never written.
    guest.write(5 * MIB + 4096, &[0; 4096]).unwrap();
    guest.flush().unwrap();
    synced(&a, &b);
    let ending = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let ending = Arc::clone(&ending);
        move || {
            let mut n = 1000;
            while !ending.load(Ordering::Relaxed) {
                guest.write((n % 60) * MIB + 8192, &block(n)).unwrap();
                n += 1;
            }
            guest.flush().unwrap();
            guest.close();
            n
        }
    });
    for _ in 0..3 {
        let found = a.json(&["mirror", "verify", "disk"]);
        assert_eq!(found[0]["holds"], true, "{found}");
        assert_eq!(found[0]["site_name"], "site-b");
        assert!(
            found[0]["compared_bytes"].as_u64() >= Some(64 * 4096),
            "{found}"
        );
    }
    ending.store(true, Ordering::Relaxed);
    assert!(writer.join().unwrap() > 1000);
    assert_eq!(a.json(&["mirror", "verify", "--all"])[0]["holds"], true);
    synced(&a, &b);
    // Both know, and nothing is left of it.
    for rbd in [&a, &b] {
        let last = verified(rbd);
        assert_eq!(
            (&last[0]["site_name"], &last[0]["holds"]),
            (&json!("site-b"), &json!(true))
        );
        assert_eq!(rbd.json(&["snap", "ls", "--all", "disk"]), json!([]));
        let text = rbd.ok(&["mirror", "image", "status", "disk"]);
        assert!(text.contains("site-b held it at "), "{text}");
    }
    let said = b.refused(30, &["mirror", "verify", "disk"]);
    assert!(said.contains("verify it at its primary"), "{said}");
    a.refused(22, &["mirror", "verify"]);
    a.refused(22, &["mirror", "verify", "disk", "--all"]);

    // What rots there is named.
    a.ok(&["unmap", "disk"]);
    dev.stop_site("site-b");
    let said = a.refused(110, &["mirror", "verify", "disk"]);
    assert!(
        said.contains("disk: waiting for site-b, which does not read this site's log"),
        "{said}"
    );
    assert!(
        said.contains("site-b does not read this site's log; `mirror explain` says what to do"),
        "{said}"
    );
    rot(&dev.dir().join("site-b"), &block(63));
    dev.start_site("site-b");
    synced(&a, &b);
    let ran = a.run(&["mirror", "verify", "disk", "--format", "json"]);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        found[0]["differs"],
        json!([{"offset": 63 * MIB, "length": MIB}]),
        "{found}"
    );
    assert_eq!(verified(&a)[0]["holds"], false);
    // A scrub mends it from the primary.
    b.ok(&["scrub", "--wait"]);
    assert_eq!(a.json(&["mirror", "verify", "disk"])[0]["holds"], true);
}

#[test]
fn sites_compare_on_their_own_where_that_is_configured() {
    let dev = Dev::start();
    dev.configure("site-a", &["verify_interval = 1h"]);
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "--size", "4M", "disk"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    synced(&a, &b);
    until("the sites were compared", 120, || {
        verified(&b)[0]["holds"] == true
    });
}

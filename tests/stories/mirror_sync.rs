//! Flushes that wait for the other site: nothing that one acknowledged is lost with the primary, and what becomes of
//! guests where the other site does not answer.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use firebrick_tests::{Dev, Guest, Rbd, run, tool, until};
use serde_json::Value;

const BLOCK: u64 = 4096;
/// Guests that write at once, each to blocks of its own.
const GUESTS: u64 = 4;
/// The blocks of each.
const BLOCKS: u64 = 64;

pub(crate) fn status(rbd: &Rbd, image: &str) -> Value {
    rbd.json(&["mirror", "image", "status", image])
}

pub(crate) fn codes(seen: &Value) -> Vec<&str> {
    let reasons = seen["reasons"].as_array().unwrap();
    let codes = reasons.iter().filter_map(|it| it["code"].as_str());
    codes.collect()
}

fn in_sync(rbd: &Rbd, image: &str) {
    until("flushes wait for the other site", 90, || {
        let seen = rbd.run(&["mirror", "image", "status", image, "--format", "json"]);
        let seen: Value = serde_json::from_str(&seen.stdout).unwrap_or_default();
        seen["sync"]["in_sync"] == true
    });
}

/// Makes a mirrored image in sync mode, and says where guests reach it.
fn make(a: &Rbd, policy: &[&str]) -> String {
    a.ok(&["create", "disk", "--size", "64"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    a.ok(&[&["mirror", "image", "sync", "disk", "--policy"], policy].concat());
    in_sync(a, "disk");
    a.ok(&["map", "disk"]).trim().to_owned()
}

/// By block: the number of the last write that a flush covered, and of the last one that was sent.
type Written = BTreeMap<u64, (u64, u64)>;

/// Writes numbers and flushes each, until the connection breaks.
fn write_on(uri: String, of: u64, from: u64) -> JoinHandle<Written> {
    thread::spawn(move || {
        let mut disk = Guest::open(&uri).unwrap();
        let mut written = Written::new();
        for number in from.. {
            let block = of * BLOCKS + number % BLOCKS;
            let known = written.entry(block).or_default();
            known.1 = number;
            let data = number.to_le_bytes().repeat(BLOCK as usize / 8);
            let done = disk.write(block * BLOCK, &data).and_then(|()| disk.flush());
            if done.is_err() {
                break;
            }
            known.0 = number;
        }
        written
    })
}

/// What was acknowledged is there; how much that was.
fn check(uri: &str, written: &Written) -> u64 {
    let mut disk = Guest::open(uri).unwrap();
    for (block, (acknowledged, sent)) in written {
        let found = disk.read(block * BLOCK, BLOCK as u32).unwrap();
        let (number, _) = found.split_first_chunk().unwrap();
        let number = u64::from_le_bytes(*number);
        assert!(
            (*acknowledged..=*sent).contains(&number),
            "block {block} is {number}; a flush acknowledged {acknowledged}, and {sent} was sent last"
        );
    }
    disk.close();
    written
        .values()
        .map(|(acknowledged, _)| *acknowledged)
        .max()
        .unwrap_or(0)
}

#[test]
fn what_a_flush_acknowledged_survives_the_loss_of_the_primary() {
    let dev = Dev::start();
    let sites = ["site-a", "site-b"].map(|name| (name, dev.rbd(name)));
    let mut uri = make(&sites[0].1, &["block", "--timeout", "2s"]);
    let mut next = 1;
    for round in 0..4 {
        let (lost, left) = (&sites[round % 2], &sites[(round + 1) % 2]);
        let guests: Vec<_> = (0..GUESTS)
            .map(|guest| write_on(uri.clone(), guest, next))
            .collect();
        let load = {
            // And a tool with many requests at once, on another part of the disk.
            let mut fio = tool("fio");
            fio.args([
                "--name=load",
                "--ioengine=nbd",
                "--rw=randwrite",
                "--bs=16k",
            ])
            .args([
                "--iodepth=16",
                "--fdatasync=8",
                "--offset=32m",
                "--size=16m",
            ])
            .args(["--time_based", "--runtime=60"])
            .arg(format!("--uri={uri}"));
            thread::spawn(move || run(&mut fio))
        };
        thread::sleep(Duration::from_millis(1500));
        dev.kill_site(lost.0);
        let mut written = Written::new();
        for guest in guests {
            written.extend(guest.join().unwrap());
        }
        drop(load.join().unwrap());
        left.1
            .ok(&["mirror", "image", "promote", "--force", "disk"]);
        uri = left.1.ok(&["map", "disk"]).trim().to_owned();
        let most = check(&uri, &written);
        assert!(most > next, "nobody got a flush done");
        next = most + 1000;
        dev.start_site(lost.0);
        // By itself, at the new primary.
        in_sync(&left.1, "disk");
    }
}

/// A process that is stopped; it goes on when this is dropped.
pub(crate) struct Stopped(i32);

impl Stopped {
    pub(crate) fn new(pid: i32) -> Self {
        signal(pid, "-STOP");
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, "-CONT");
    }
}

fn signal(pid: i32, which: &str) {
    drop(run(tool("kill").args([which, &pid.to_string()])).ok());
}

#[test]
fn who_falls_back_goes_on_alone_and_says_so() {
    let dev = Dev::start();
    dev.configure("site-a", &["metrics_listen = 0"]);
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    let uri = make(&a, &["fall-back", "--timeout", "1s"]);
    let mut disk = Guest::open(&uri).unwrap();
    disk.write(0, &[1; 4096]).unwrap();
    disk.flush().unwrap();
    assert_eq!(status(&a, "disk")["lag"]["records"], 0);
    assert_eq!(status(&b, "disk")["sync"]["policy"], "fall-back");

    let stopped = Stopped::new(dev.site("site-b").pid);
    disk.write(0, &[2; 4096]).unwrap();
    let begun = Instant::now();
    disk.flush().unwrap();
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "it waited for nobody"
    );
    let seen = status(&a, "disk");
    assert_eq!(seen["sync"]["in_sync"], false, "{seen}");
    assert_eq!(seen["sync"]["peers"][0]["state"], "out", "{seen}");
    assert!(codes(&seen).contains(&"sync_without"), "{seen}");
    let said = a.ok(&["mirror", "explain", "disk"]);
    assert!(said.contains("flushes do not wait for site-b"), "{said}");
    let text = a.ok(&["mirror", "image", "status", "disk"]);
    assert!(text.contains("fall-back, 1 s; without site-b"), "{text}");
    let log = std::fs::read_to_string(dev.dir().join("logs/site-a.log")).unwrap();
    assert!(
        log.contains("did not confirm a flush of an image in time"),
        "{log}"
    );
    // Those behind it wait no longer for nobody.
    disk.write(0, &[3; 4096]).unwrap();
    disk.flush().unwrap();

    drop(stopped);
    in_sync(&a, "disk");
    assert!(!codes(&status(&a, "disk")).contains(&"sync_without"));
    disk.write(0, &[4; 4096]).unwrap();
    disk.flush().unwrap();
    dev.kill_site("site-a");
    b.ok(&["mirror", "image", "promote", "--force", "disk"]);
    let uri = b.ok(&["map", "disk"]).trim().to_owned();
    let mut disk = Guest::open(&uri).unwrap();
    assert_eq!(disk.read(0, 4096).unwrap(), [4; 4096]);
}

#[test]
fn who_blocks_waits_until_the_other_site_goes_on() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    let uri = make(&a, &["block", "--timeout", "500ms"]);
    let mut disk = Guest::open(&uri).unwrap();
    disk.write(0, &[1; 4096]).unwrap();
    disk.flush().unwrap();

    let stopped = Stopped::new(dev.site("site-b").pid);
    disk.write(0, &[2; 4096]).unwrap();
    let (done, flushed) = mpsc::channel();
    let waiting = thread::spawn(move || {
        done.send(disk.flush()).unwrap();
        disk
    });
    until("it is said that a flush waits", 60, || {
        codes(&status(&a, "disk")).contains(&"sync_waits")
    });
    assert!(flushed.try_recv().is_err(), "it was acknowledged alone");
    // Other guests and other requests go on, and so do other images.
    let mut other = Guest::open(&uri).unwrap();
    assert_eq!(other.read(0, 4096).unwrap(), [2; 4096]);
    other.write(8192, &[3; 4096]).unwrap();
    a.ok(&["create", "alone", "--size", "8"]);
    let alone = a.ok(&["map", "alone"]).trim().to_owned();
    let mut alone = Guest::open(&alone).unwrap();
    alone.write(0, &[1; 4096]).unwrap();
    alone.flush().unwrap();
    // Nor is it forgotten with the process: who comes back waits again.
    drop(other);
    dev.stop_site("site-a");
    assert!(flushed.recv().unwrap().is_err());
    drop(waiting.join().unwrap());
    dev.start_site("site-a");
    until("guests are served again", 180, || Guest::open(&uri).is_ok());
    let mut disk = Guest::open(&uri).unwrap();
    disk.write(4096, &[4; 4096]).unwrap();
    let (done, flushed) = mpsc::channel();
    let waiting = thread::spawn(move || done.send(disk.flush()).unwrap());
    until("it is said that a flush waits", 60, || {
        codes(&status(&a, "disk")).contains(&"sync_waits")
    });
    assert!(flushed.try_recv().is_err(), "it was acknowledged alone");

    drop(stopped);
    flushed.recv().unwrap().unwrap();
    waiting.join().unwrap();
    until("nothing waits", 60, || {
        status(&a, "disk")["sync"]["late"] == false
    });
    dev.kill_site("site-a");
    b.ok(&["mirror", "image", "promote", "--force", "disk"]);
    let uri = b.ok(&["map", "disk"]).trim().to_owned();
    let mut disk = Guest::open(&uri).unwrap();
    assert_eq!(disk.read(4096, 4096).unwrap(), [4; 4096]);
}

#[test]
fn what_cannot_be_in_sync_mode_is_refused() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "8"]);
    let sync = |more: &[&str]| {
        [&["mirror", "image", "sync", "disk"], more]
            .concat()
            .join(" ")
    };
    let refused = |rbd: &Rbd, status: i32, more: &[&str]| {
        let line = sync(more);
        let words: Vec<&str> = line.split(' ').collect();
        rbd.refused(status, &words)
    };
    let why = refused(&a, 22, &["--policy", "block"]);
    assert!(why.contains("mirroring not enabled"), "{why}");
    a.ok(&["mirror", "image", "enable", "disk"]);
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    let why = refused(&a, 22, &["--policy", "block", "--timeout", "10ms"]);
    assert!(why.contains("from 0.1 seconds to an hour"), "{why}");
    let why = refused(&a, 1, &["--policy", "never"]);
    assert!(why.contains("must be block, fall-back or none"), "{why}");
    let why = refused(&b, 30, &["--policy", "block"]);
    assert!(why.contains("not primary"), "{why}");

    a.ok(&["mirror", "image", "sync", "disk", "--policy", "block"]);
    let why = a.refused(22, &["mirror", "image", "enable", "disk", "snapshot"]);
    assert!(why.contains("sync mode"), "{why}");
    a.ok(&["mirror", "image", "sync", "disk", "--policy", "none"]);
    assert!(status(&a, "disk").get("sync").is_none());
    a.ok(&["mirror", "image", "enable", "disk", "snapshot"]);
    let why = refused(&a, 22, &["--policy", "block"]);
    assert!(why.contains("mirrored by snapshots"), "{why}");
}

#[test]
fn a_group_is_in_sync_mode_with_all_images_that_it_has_and_gets() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    let sync = |policy| ["mirror", "group", "sync", "shop", "--policy", policy];
    a.ok(&["group", "create", "shop"]);
    for image in ["db", "files"] {
        a.ok(&["create", image, "--size", "8"]);
        a.ok(&["group", "image", "add", "shop", image]);
    }
    let why = a.refused(22, &sync("block"));
    assert!(why.contains("mirroring not enabled on the group"), "{why}");
    a.ok(&["mirror", "group", "enable", "shop"]);
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    let why = b.refused(30, &sync("block"));
    assert!(why.contains("not primary"), "{why}");
    let said = a.ok(&sync("block"));
    assert_eq!(said, "Flushes wait for peers: block, 5 s\n");
    for image in ["db", "files"] {
        in_sync(&a, image);
    }

    // One that joins, and one that joins before it is mirrored.
    for image in ["log", "cache"] {
        a.ok(&["create", image, "--size", "8"]);
    }
    a.ok(&["mirror", "image", "enable", "log"]);
    for image in ["log", "cache"] {
        a.ok(&["group", "image", "add", "shop", image]);
    }
    in_sync(&a, "log");
    a.ok(&["mirror", "group", "enable", "shop"]);
    in_sync(&a, "cache");
    let seen = a.json(&["mirror", "group", "status", "shop"]);
    assert_eq!(seen["sync"]["policy"], "block", "{seen}");
    assert_eq!(seen["sync"]["in_sync"], true, "{seen}");
    let text = a.ok(&["mirror", "group", "status", "shop"]);
    assert!(
        text.contains("sync:        block, 5 s; held by all peers"),
        "{text}"
    );
    let why = a.refused(22, &["mirror", "group", "enable", "shop", "snapshot"]);
    assert!(why.contains("sync mode"), "{why}");

    // What was acknowledged of any of them is at the other site, and the group stays what it was.
    for image in ["db", "cache"] {
        let uri = a.ok(&["map", image]).trim().to_owned();
        let mut disk = Guest::open(&uri).unwrap();
        disk.write(0, &[7; 4096]).unwrap();
        disk.flush().unwrap();
    }
    dev.kill_site("site-a");
    b.ok(&["mirror", "group", "promote", "--force", "shop"]);
    for image in ["db", "cache"] {
        let uri = b.ok(&["map", image]).trim().to_owned();
        let mut disk = Guest::open(&uri).unwrap();
        assert_eq!(disk.read(0, 4096).unwrap(), [7; 4096]);
    }
    let seen = b.json(&["mirror", "group", "status", "shop"]);
    assert_eq!(seen["sync"]["policy"], "block", "{seen}");
    assert_eq!(b.ok(&sync("none")), "Flushes wait for nobody\n");
    let seen = b.json(&["mirror", "group", "status", "shop"]);
    assert!(seen.get("sync").is_none(), "{seen}");
    assert!(status(&b, "cache").get("sync").is_none());
}

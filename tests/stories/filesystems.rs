//! The kernel's own file systems live on a volume: they work, are filled, crash, and are found whole.

mod load;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use firebrick_tests::{Access, Api, Dev, Disk, FileSystem, Guest, Mounted, until, until_some};
use rand::Rng;
use serde_json::json;

use self::load::{Load, assert_holds, assert_is};

/// The smallest that XFS takes is 300.
const MEBIBYTES: u64 = 320;
const SEED: &str = "FIREBRICK_FILESYSTEMS_SEED";

fn make_snapshot(api: &Api, volume: &str) -> String {
    let body = json!({"snapshot": {"volume_id": volume, "force": true}});
    let made = api.post("/snapshots", &body).expect(202);
    let id = made.body["snapshot"]["id"].as_str().unwrap().to_owned();
    until("the snapshot is available", 30, || {
        api.get(&format!("/snapshots/{id}")).body["snapshot"]["status"] == "available"
    });
    id
}

/// A disk with the clone of a snapshot.
fn clone_of(api: &Api, snapshot: &str) -> Disk {
    let id = api.make_volume(&json!({"size": 1, "snapshot_id": snapshot}));
    Disk::open(&api.attach(&id).1)
}

/// Has the kernel replay the journal and the checker look at the result, then mounts for reading.
fn recover(disk: &Disk, kind: FileSystem) -> Mounted {
    disk.mount(kind, Access::Write).unmount();
    disk.assert_clean(kind);
    disk.mount(kind, Access::Read)
}

/// Works while `during` runs in another thread.
fn work_while<T: Send>(load: &mut Load, during: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let other = scope.spawn(during);
        while !other.is_finished() {
            load.step().unwrap();
        }
        other.join().unwrap()
    })
}

/// Works until the site dies, which it does at some moment in the middle.
fn work_until_killed(load: &mut Load, dev: &Dev, after: u64) {
    let steps = AtomicU64::new(0);
    let is_killed = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            until("the load is at work", 60, || {
                steps.load(Ordering::SeqCst) >= after
            });
            dev.kill_site("site-a");
            is_killed.store(true, Ordering::SeqCst);
        });
        let error = until_some("the load sees the crash", 60, || {
            for _ in 0..50 {
                if let Err(error) = load.step() {
                    return Some(error);
                }
                steps.fetch_add(1, Ordering::SeqCst);
            }
            None
        });
        // The file system may say it before the thread does that killed.
        until("the site was killed", 20, || {
            is_killed.load(Ordering::SeqCst)
        });
        eprintln!("the load ended with: {error}");
    });
}

fn lives_on_a_volume(kind: FileSystem) {
    let seed: u64 = std::env::var(SEED).map_or_else(
        |_| rand::rng().random(),
        |text| text.parse().expect("the seed is a number"),
    );
    eprintln!("{SEED}={seed}");
    let dev = Dev::start();
    let api = dev.api();
    let volume = api.make_volume(&json!({"size": 1}));
    let (_, uri) = api.attach(&volume);
    let disk = Disk::open(&uri);
    disk.make(kind, MEBIBYTES);
    let mounted = disk.mount(kind, Access::Write);
    let mut load = Load::new(mounted.root(), seed);
    for _ in 0..400 {
        load.step().unwrap();
    }

    // A snapshot with the file system held still, and one in the middle of the work.
    let still = mounted.frozen(|| make_snapshot(&api, &volume));
    let as_it_was = load.live();
    load.forget_touched();
    let mut promised = load.durable();
    let busy = work_while(&mut load, || make_snapshot(&api, &volume));
    promised.retain(|path, _| !load.touched().contains(path));
    assert!(!promised.is_empty(), "nothing promised was left alone");

    let held = load.fill();
    assert!(held > (MEBIBYTES << 20) / 2, "full with {held} bytes");
    for _ in 0..100 {
        load.step().unwrap();
    }
    mounted.unmount();
    disk.assert_clean(kind);
    let mounted = disk.mount(kind, Access::Write);
    assert_is("after an orderly end", mounted.root(), &load.live());

    load.go_on_at(mounted.root());
    work_until_killed(&mut load, &dev, 50 + seed % 300);
    drop(mounted);
    drop(disk);
    dev.start_site("site-a");
    until_some("the export is back", 60, || Guest::open(&uri).ok()).close();
    let disk = Disk::open(&uri);
    let mounted = recover(&disk, kind);
    assert!(load.durable().len() > 20, "hardly anything was synced");
    assert_holds("after the crash", mounted.root(), &load.durable());
    mounted.unmount();

    let clone = clone_of(&api, &still);
    let mounted = recover(&clone, kind);
    assert_is("the still snapshot", mounted.root(), &as_it_was);
    mounted.unmount();
    let clone = clone_of(&api, &busy);
    let mounted = recover(&clone, kind);
    assert_holds("the busy snapshot", mounted.root(), &promised);
    mounted.unmount();
}

#[test]
fn ext4_lives_on_a_volume_through_a_full_disk_and_a_crash() {
    lives_on_a_volume(FileSystem::Ext4);
}

#[test]
fn xfs_lives_on_a_volume_through_a_full_disk_and_a_crash() {
    lives_on_a_volume(FileSystem::Xfs);
}

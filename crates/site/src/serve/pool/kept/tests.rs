//! What is there after a crash at any instant of a change.

use std::io::IoSlice;

use firebrick_simulate::SimulatedDisk;

use super::*;
use firebrick_mirror::Direction;

const BESIDE: &str = "mirror.json.new";

fn kept(names: &[&str]) -> Kept {
    let peer = |name: &&str| KeptPeer {
        uuid: Uuid::from_u128(7),
        peer: NewPeer {
            name: (*name).to_owned(),
            address: "127.0.0.1:1".to_owned(),
            fingerprint: "ab".repeat(32),
            direction: Direction::RxTx,
            client: String::new(),
            traffic: firebrick_mirror::Traffic::default(),
            log_limit: None,
        },
    };
    Kept {
        version: VERSION,
        mode: Some(MirrorMode::Image),
        peers: names.iter().map(peer).collect(),
        ..Kept::default()
    }
}

/// Remembers one thing and then another, with the power cut after `operations`; what a restart finds, and
/// whether the second was acknowledged.
fn story(seed: u64, operations: u64, lie: fn(&SimulatedDisk)) -> (Kept, bool) {
    let disk = SimulatedDisk::new();
    Keeper(Arc::new(disk.clone()))
        .write(&kept(&["one"]))
        .unwrap();
    lie(&disk);
    disk.stop_after(operations);
    let acknowledged = Keeper(Arc::new(disk.clone())).write(&kept(&["one", "two"]));
    let found = Keeper(Arc::new(disk.crash(seed))).read();
    (found.unwrap_or_default(), acknowledged.is_ok())
}

#[test]
fn after_a_crash_there_is_the_old_text_or_the_new_one() {
    let (old, new) = (kept(&["one"]), kept(&["one", "two"]));
    let mut seen = [false; 2];
    for seed in 0..40 {
        for operations in 0..12 {
            let (found, acknowledged) = story(seed, operations, |_| {});
            assert!(found == new || (found == old && !acknowledged), "{found:?}");
            seen[usize::from(found == new)] = true;
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn each_order_is_needed() {
    let new = kept(&["one", "two"]);
    let broken = |lie: fn(&SimulatedDisk)| {
        let lost = |seed| matches!(story(seed, 1000, lie), (found, true) if found != new);
        (0..40).any(lost)
    };
    assert!(!broken(|_| {}));
    assert!(broken(|disk| disk.ignore_sync(|name| name == BESIDE)));
    assert!(broken(|disk| disk.ignore_sync_dir(str::is_empty)));
}

#[test]
fn a_text_of_another_release_is_not_guessed_at() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let keeper = Keeper(Arc::clone(&disk));
    assert_eq!(keeper.read().unwrap(), Kept::default());
    for text in ["{", "{\"version\": 2}", "[]"] {
        drop(disk.remove(FILE));
        let file = disk.create(FILE).unwrap();
        file.write_at(&[IoSlice::new(text.as_bytes())], 0).unwrap();
        assert!(keeper.read().is_err(), "{text}");
    }
}

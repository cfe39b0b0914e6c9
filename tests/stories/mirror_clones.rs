//! Clones that are mirrored: what they show comes with them, whether their parent is mirrored or not.

use std::fs;

use firebrick_tests::{Dev, Guest, Rbd, until};

const MIB: u64 = 1 << 20;
/// What is written to the parent.
const HELD: u64 = 8 * MIB;

/// Bytes that differ everywhere.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..MIB / 8).flat_map(|_| word().to_le_bytes()).collect()
}

fn write(rbd: &Rbd, image: &str, mib: std::ops::Range<u64>, seed: u64) {
    let uri = rbd.ok(&["map", image]).trim().to_owned();
    let mut disk = Guest::open(&uri).unwrap();
    for at in mib {
        disk.write(at * MIB, &noise(seed + at)).unwrap();
    }
    disk.flush().unwrap();
    disk.close();
    rbd.ok(&["unmap", image]);
}

/// All bytes of an image at a site.
fn bytes(dev: &Dev, rbd: &Rbd, image: &str) -> Vec<u8> {
    let file = dev.dir().join("exported.raw");
    let _ = fs::remove_file(&file);
    rbd.ok(&["export", image, file.to_str().unwrap()]);
    fs::read(file).unwrap()
}

/// How many bytes came to a site from its only peer.
fn received(rbd: &Rbd) -> u64 {
    let pool = rbd.json(&["mirror", "pool", "status"]);
    pool["summary"]["peers"][0]["received_bytes"]
        .as_u64()
        .unwrap()
}

fn synced(rbd: &Rbd) {
    rbd.ok(&["mirror", "wait", "--timeout", "60s"]);
}

#[test]
fn what_a_clone_shows_comes_with_it_and_it_needs_no_parent() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "base", "--size", "32"]);
    write(&a, "base", 0..8, 1);
    a.ok(&["snap", "create", "base@gold"]);
    let gold = bytes(&dev, &a, "base@gold");

    // Its parent is not mirrored: all that it shows is copied, and the parent is not.
    a.ok(&["clone", "base@gold", "alone"]);
    write(&a, "alone", 1..2, 100);
    a.ok(&["mirror", "image", "enable", "alone"]);
    synced(&a);
    let alone = bytes(&dev, &a, "alone");
    assert!(alone != gold && bytes(&dev, &b, "alone") == alone);
    assert_eq!(b.ok(&["ls"]).trim(), "alone");
    assert!(received(&b) > HELD);
    assert_eq!(a.json(&["info", "alone"])["parent"]["image"], "base");
    assert!(b.json(&["info", "alone"]).get("parent").is_none());

    // Its parent is mirrored, and has been complete at the other site: nothing is copied that is there.
    a.ok(&["mirror", "image", "enable", "base"]);
    synced(&a);
    // Images are mirrored from their first record on.
    a.ok(&["mirror", "pool", "enable", "pool"]);
    let before = received(&b);
    a.ok(&["clone", "base@gold", "kin"]);
    synced(&a);
    let cost = received(&b) - before;
    assert!(cost < MIB, "{cost} bytes for a clone of what is there");
    assert!(bytes(&dev, &b, "kin") == gold);
    assert_eq!(b.json(&["info", "kin"])["parent"]["image"], "base");
    write(&a, "kin", 3..4, 200);
    synced(&a);
    let kin = bytes(&dev, &a, "kin");
    assert!(bytes(&dev, &b, "kin") == kin);

    // The clone alone is switched; its parent follows on, and neither sees what the other one gets.
    a.ok(&["mirror", "image", "demote", "kin"]);
    until("the demotion has arrived", 60, || {
        b.run(&["mirror", "image", "promote", "kin"]).status == 0
    });
    write(&b, "kin", 5..6, 300);
    write(&a, "base", 6..7, 400);
    synced(&a);
    synced(&b);
    let kin = bytes(&dev, &b, "kin");
    assert!(bytes(&dev, &a, "kin") == kin && bytes(&dev, &b, "base@gold") == gold);
    let base = bytes(&dev, &a, "base");
    assert!(bytes(&dev, &b, "base") == base && base != gold);

    // It is a clone no more, at both sites.
    b.ok(&["flatten", "kin"]);
    synced(&b);
    for rbd in [&a, &b] {
        assert!(rbd.json(&["info", "kin"]).get("parent").is_none());
    }
    // The parent goes where it is primary, and with it at the other site; clones stay what they are.
    a.ok(&["clone", "base@gold", "late"]);
    synced(&a);
    a.ok(&["snap", "rm", "base@gold"]);
    a.ok(&["rm", "base"]);
    until("the parent is gone at the other site", 60, || {
        !b.ok(&["ls"]).lines().any(|name| name == "base")
    });
    synced(&a);
    for (name, shows) in [("alone", &alone), ("kin", &kin), ("late", &gold)] {
        for rbd in [&a, &b] {
            assert!(bytes(&dev, rbd, name) == *shows, "{name}");
        }
    }
    dev.kill_site("site-a");
    b.ok(&["mirror", "image", "promote", "--force", "late"]);
    write(&b, "late", 0..1, 500);
    assert!(bytes(&dev, &b, "late")[MIB as usize..] == gold[MIB as usize..]);
}

//! How much may go to a site, and when, while it runs.

use std::time::Instant;

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// Bytes that differ everywhere, so that none can be spared on the way.
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

fn write(uri: &str, mib: std::ops::Range<u64>, round: u64) {
    let mut disk = Guest::open(uri).unwrap();
    for at in mib {
        disk.write(at * MIB, &noise(round * 1000 + at)).unwrap();
    }
    disk.flush().unwrap();
    disk.close();
}

/// What a site says of its only peer.
fn peer(rbd: &Rbd) -> Value {
    rbd.json(&["mirror", "pool", "status"])["summary"]["peers"][0].clone()
}

fn codes(rbd: &Rbd) -> Vec<String> {
    let seen = rbd.json(&["mirror", "image", "status", "disk"]);
    let reasons = seen["reasons"].as_array().unwrap().clone();
    let codes = reasons.iter().filter_map(|it| it["code"].as_str());
    codes.map(str::to_owned).collect()
}

#[test]
fn no_more_goes_to_a_site_than_may_and_nothing_in_its_quiet_hours() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "64"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    let uri = a.ok(&["map", "disk"]).trim().to_owned();
    let info = a.json(&["mirror", "pool", "info", "--all"]);
    let uuid = info["peers"][0]["uuid"].as_str().unwrap().to_owned();
    let set = |key: &str, value: &str| {
        a.ok(&[
            "mirror", "pool", "peer", "set", "volumes", &uuid, key, value,
        ]);
    };
    for (key, value, said) in [
        ("bandwidth", "1B", "rbd: bandwidth must be at least 1 KiB"),
        (
            "bandwidth",
            "fast",
            "rbd: bandwidth must be such as 10MiB, a number of MiB, 0 or unlimited",
        ),
        ("quiet-hours", "noon", "rbd: quiet-hours must be times"),
    ] {
        let refused = [
            "mirror", "pool", "peer", "set", "volumes", &uuid, key, value,
        ];
        let why = a.refused(22, &refused);
        assert!(why.starts_with(said), "{why}");
    }

    set("bandwidth", "2M");
    assert_eq!(peer(&a)["bandwidth"], 2 * MIB);
    let before = peer(&b)["received_bytes"].as_u64().unwrap();
    let begun = Instant::now();
    write(&uri, 0..8, 1);
    until("all of it has gone", 120, || {
        let came = peer(&b)["received_bytes"].as_u64().unwrap() - before;
        // What may go in that time and in a second, a frame, and what is said beside the log.
        let may = begun.elapsed().as_secs_f64() * (2 * MIB) as f64 + (4 * MIB) as f64;
        assert!(
            (came as f64) < may,
            "{came} bytes within {:?}",
            begun.elapsed()
        );
        peer(&a)["lag"]["records"] == 0 && came >= 8 * MIB
    });

    // From now on nothing goes, and that is remembered.
    set("quiet-hours", "00:00-24:00");
    dev.stop_site("site-a");
    dev.start_site("site-a");
    let info = a.json(&["mirror", "pool", "info", "--all"]);
    assert_eq!(info["peers"][0]["quiet_hours"], "00:00-24:00");
    assert_eq!(info["peers"][0]["bandwidth"], 2 * MIB);
    until("guests are served again", 60, || Guest::open(&uri).is_ok());
    until("the other site reads", 60, || peer(&a)["reading"] == true);
    let confirmed =
        || a.json(&["mirror", "image", "status", "disk"])["peer_sites"][0]["position"].clone();
    let held = confirmed();
    write(&uri, 8..10, 2);
    until("somebody says why nothing goes", 60, || {
        codes(&a).iter().any(|code| code == "held_back")
    });
    until("the lag grows", 60, || {
        peer(&a)["lag"]["seconds"].as_f64().unwrap() > 3.0
    });
    assert_eq!(confirmed(), held);
    assert_eq!(peer(&a)["reading"], true);
    let said = a.ok(&["mirror", "explain", "disk"]);
    assert!(
        said.contains("nothing may go to site-b in its quiet hours"),
        "{said}"
    );

    set("quiet-hours", "none");
    set("bandwidth", "unlimited");
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    assert!(!codes(&a).iter().any(|code| code == "held_back"));
    // What is alike goes smaller.
    set("compression", "lz4");
    let sent = || {
        let peer = peer(&a);
        ["sent_bytes", "sent_plain_bytes"].map(|name| peer[name].as_u64().unwrap())
    };
    let [wire, plain] = sent();
    {
        let mut disk = Guest::open(&uri).unwrap();
        for at in 0..8 {
            disk.write(at * MIB, &vec![at as u8; MIB as usize]).unwrap();
        }
        disk.close();
    }
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    let (wire, plain) = (sent()[0] - wire, sent()[1] - plain);
    assert!(plain > 8 * MIB && wire < plain / 4, "{wire} of {plain}");
    let info = a.ok(&["mirror", "pool", "info", "--all"]);
    assert!(info.contains("\nCompression: lz4"), "{info}");

    for (site, rbd) in [("a", &a), ("b", &b)] {
        let file = dev.dir().join(format!("{site}.raw"));
        rbd.ok(&["export", "disk", file.to_str().unwrap()]);
    }
    let file = |site: &str| std::fs::read(dev.dir().join(format!("{site}.raw"))).unwrap();
    assert!(file("a") == file("b"), "the sites differ");
}

//! A site that is away for longer than the log is kept for it.

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::Value;

const MIB: u64 = 1 << 20;

fn status(rbd: &Rbd, image: &str) -> Value {
    rbd.json(&["mirror", "image", "status", image])
}

fn codes(seen: &Value) -> Vec<&str> {
    let reasons = seen["reasons"].as_array().unwrap();
    reasons
        .iter()
        .filter_map(|it| it["code"].as_str())
        .collect()
}

fn write(uri: &str, rounds: std::ops::Range<u8>) {
    let mut disk = Guest::open(uri).unwrap();
    for round in rounds {
        for at in 0..4 {
            disk.write(at * MIB, &vec![round | 1; MIB as usize])
                .unwrap();
        }
        disk.flush().unwrap();
    }
    disk.close();
}

fn map(rbd: &Rbd, image: &str) -> String {
    rbd.ok(&["map", image]).trim().to_owned()
}

#[test]
fn a_site_that_was_away_for_too_long_gets_what_differs() {
    let dev = Dev::start();
    let options = [
        "peer_log_limit = 16MiB",
        "checkpoint_every = 4MiB",
        "metrics_listen = 0",
    ];
    dev.configure("site-a", &options);
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "256"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    let uri = map(&a, "disk");
    {
        let mut disk = Guest::open(&uri).unwrap();
        for at in 0..128 {
            disk.write(at * MIB, &vec![7; MIB as usize]).unwrap();
        }
        disk.close();
    }
    a.ok(&["snap", "create", "disk@before"]);
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    dev.stop_site("site-b");
    write(&uri, 0..40);
    a.ok(&["snap", "create", "disk@while"]);
    until("the log is let go", 60, || {
        codes(&status(&a, "disk")).contains(&"log_let_go")
    });
    let said = a.ok(&["mirror", "explain", "disk"]);
    assert!(said.contains("site-b was away for so long"), "{said}");
    let log = std::fs::read_to_string(dev.dir().join("logs/site-a.log")).unwrap();
    assert!(
        log.contains("the log is not kept for a peer any more"),
        "{log}"
    );
    write(&uri, 40..50);
    // The primary is killed meanwhile, too.
    dev.kill_site("site-a");
    dev.start_site("site-a");
    until("guests are served again", 180, || Guest::open(&uri).is_ok());
    write(&uri, 50..60);

    dev.start_site("site-b");
    until("it has caught up", 60, || {
        let seen = status(&a, "disk");
        seen["peer_sites"][0]["state"] == "up+replaying"
            && !codes(&seen).contains(&"catching_up")
            && seen["peer_sites"][0]["lag"]["records"] == 0
    });
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    let pool = b.json(&["mirror", "pool", "status", "--verbose"]);
    let received = pool["summary"]["peers"][0]["received_bytes"]
        .as_u64()
        .unwrap();
    // Four MiB up to the snapshot, and four behind it.
    assert!(received < 10 * MIB, "{received} bytes for 8 MiB");
    for name in ["disk", "disk@before", "disk@while"] {
        let file = |site: &str| dev.dir().join(format!("{site}.raw"));
        for (site, rbd) in [("a", &a), ("b", &b)] {
            let file = file(site);
            let _ = std::fs::remove_file(&file);
            rbd.ok(&["export", name, file.to_str().unwrap()]);
        }
        let same = std::fs::read(file("a")).unwrap() == std::fs::read(file("b")).unwrap();
        assert!(same, "{name} differs");
    }
}

//! Three sites, each a process of its own: each mirrors to both others, and whoever is left goes on.

use firebrick_tests::{Guest, LoneSite, Rbd, until};
use serde_json::Value;

const MIB: usize = 1 << 20;

/// Whether the image follows that site, has all of it, and knows no more that is missing.
fn follows(rbd: &Rbd, primary: &str) -> bool {
    let ran = rbd.run(&["mirror", "image", "status", "disk", "--format", "json"]);
    let seen: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    seen["state"] == "up+replaying" && seen["peer_sites"][0]["site_name"] == primary
}

/// Writes so many MiB from the begin of the image on at the site that is primary.
fn write(rbd: &Rbd, byte: u8, mib: usize) {
    let uri = rbd.ok(&["map", "disk"]).trim().to_owned();
    let mut disk = Guest::open(&uri).unwrap();
    for at in 0..mib {
        let data = vec![byte ^ at as u8; MIB];
        disk.write((at * MIB) as u64, &data).unwrap();
    }
    disk.flush().unwrap();
    disk.close();
}

/// All bytes of the image at a site.
fn content(site: &LoneSite) -> Vec<u8> {
    let file = site.file("disk.raw");
    // It may be there of an earlier look.
    drop(std::fs::remove_file(&file));
    site.rbd().ok(&["export", "disk", file.to_str().unwrap()]);
    std::fs::read(&file).unwrap()
}

/// Bytes that have come to a site from all of its peers since it started.
fn received(rbd: &Rbd) -> u64 {
    let seen = rbd.json(&["mirror", "pool", "status"]);
    let peers = seen["summary"]["peers"].as_array().unwrap();
    let came = peers.iter().map(|peer| peer["received_bytes"].as_u64());
    came.map(Option::unwrap).sum()
}

#[test]
fn of_three_sites_each_goes_on_when_one_is_lost() {
    let mut a = LoneSite::start("site-a");
    let (b, c) = (LoneSite::start("site-b"), LoneSite::start("site-c"));
    let (ra, rb, rc) = (a.rbd(), b.rbd(), c.rbd());
    for rbd in [&ra, &rb, &rc] {
        rbd.ok(&["mirror", "pool", "enable", "volumes", "image"]);
    }
    ra.ok(&["create", "disk", "--size", "32"]);
    ra.ok(&["mirror", "image", "enable", "disk"]);
    a.introduce(&b);
    a.introduce(&c);
    b.introduce(&c);
    for rbd in [&rb, &rc] {
        until("the image is there", 60, || follows(rbd, "site-a"));
    }
    write(&ra, 1, 16);
    ra.ok(&["mirror", "wait", "--timeout", "60s"]);

    // The first site is lost. The third one goes on with the second, and copies nothing.
    a.kill();
    let before = received(&rc);
    rb.ok(&["mirror", "image", "promote", "disk", "--force"]);
    write(&rb, 2, 1);
    rb.ok(&["resize", "disk", "--size", "48"]);
    until("the third site follows the second", 60, || {
        follows(&rc, "site-b") && rc.json(&["info", "disk"])["size"] == 48 << 20
    });
    rc.ok(&["snap", "ls", "disk"]);
    assert_eq!(rc.json(&["ls"]), serde_json::json!(["disk"]));
    let came = received(&rc) - before;
    assert!(came < 4 * MIB as u64, "{came} bytes for one MiB");
    until("both hold the same", 60, || content(&b) == content(&c));

    // It returns, knows its peers still, and follows.
    a.start_again();
    until("the first site follows", 60, || follows(&ra, "site-b"));
    until("it holds the same", 60, || content(&a) == content(&b));

    // And as planned to the third site, which the others follow.
    rb.ok(&["mirror", "wait", "--timeout", "60s"]);
    let before = [received(&ra), received(&rb)];
    rb.ok(&["mirror", "image", "demote", "disk"]);
    until("the third site may lead", 60, || {
        rc.run(&["mirror", "image", "promote", "disk"]).status == 0
    });
    write(&rc, 3, 1);
    for (rbd, before) in [&ra, &rb].into_iter().zip(before) {
        until("it follows the third site", 60, || follows(rbd, "site-c"));
        rc.ok(&["mirror", "wait", "--timeout", "60s"]);
        let came = received(rbd) - before;
        assert!(came < 4 * MIB as u64, "{came} bytes for one MiB");
    }
    let there = content(&c);
    assert!(there == content(&a) && there == content(&b));

    // One that is a peer no longer is not told of anything any more.
    let info = rc.json(&["mirror", "pool", "info"]);
    let peers = info["peers"].as_array().unwrap();
    let of_a = peers.iter().find(|peer| peer["site_name"] == "site-a");
    let uuid = of_a.unwrap()["uuid"].as_str().unwrap();
    rc.ok(&["mirror", "pool", "peer", "remove", "volumes", uuid]);
    write(&rc, 4, 1);
    rc.ok(&["mirror", "wait", "--timeout", "60s"]);
    assert!(content(&b) == content(&c) && content(&a) == there);
}

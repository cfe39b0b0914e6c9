//! Three sites in a row, each a process of its own: the first and the last one know only the one between them.

use std::process::{Command, Stdio};

use firebrick_tests::{LoneSite, Rbd, run, tool, until};

const MIB: u64 = 1 << 20;

/// A job of fio on the image at a site; checksums in its blocks say which of them are whole.
fn fio(rbd: &Rbd, job: &[&str]) -> Command {
    let uri = rbd.ok(&["map", "disk"]);
    let mut fio = tool("fio");
    fio.args([
        "--name=chain",
        "--ioengine=nbd",
        "--thread",
        "--size=16m",
        "--bs=4k",
    ])
    .args(["--verify=crc32c", "--verify_fatal=1", "--iodepth=16"])
    .args(["--norandommap", "--verify_state_save=0"])
    .arg(format!("--uri={}", uri.trim()))
    .args(job);
    fio
}

/// Every block of the image is one that fio wrote, whole.
fn verify(rbd: &Rbd) {
    let checked = run(&mut fio(rbd, &["--rw=read"]));
    assert_eq!(checked.status, 0, "{}", checked.stderr);
}

/// Whether the image follows that neighbour, has all of it, and misses nothing.
fn follows(rbd: &Rbd, neighbour: &str) -> bool {
    let ran = rbd.run(&["mirror", "image", "status", "disk", "--format", "json"]);
    let seen: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let whole = seen["state"] == "up+replaying" && seen["lag"]["records"] == 0;
    whole && seen["peer_sites"][0]["site_name"] == neighbour
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
fn a_chain_of_sites_goes_on_whoever_leads_it() {
    let mut a = LoneSite::start("site-a");
    let (mut b, c) = (LoneSite::start("site-b"), LoneSite::start("site-c"));
    let (ra, rb, rc) = (a.rbd(), b.rbd(), c.rbd());
    for rbd in [&ra, &rb, &rc] {
        rbd.ok(&["mirror", "pool", "enable", "volumes", "image"]);
    }
    a.introduce(&b);
    b.introduce(&c);
    ra.ok(&["create", "disk", "--size", "16"]);
    ra.ok(&["mirror", "image", "enable", "disk"]);
    until("the image is at the end", 60, || follows(&rc, "site-b"));

    // Under load, and with the one in the middle killed meanwhile.
    let filled = run(&mut fio(
        &ra,
        &["--rw=write", "--end_fsync=1", "--do_verify=0"],
    ));
    assert_eq!(filled.status, 0, "{}", filled.stderr);
    let mut load = fio(
        &ra,
        &[
            "--rw=randwrite",
            "--fsync=8",
            "--do_verify=0",
            "--io_size=24m",
        ],
    );
    let mut load = load.stdout(Stdio::null()).spawn().unwrap();
    until("some of it is at the end", 60, || received(&rc) > 18 * MIB);
    b.kill();
    b.start_again();
    assert!(load.wait().unwrap().success());
    until("all of it is at the end", 60, || {
        follows(&rc, "site-b") && content(&c) == content(&a)
    });
    // Who is in the middle says how far the end is.
    let status = rb.json(&["mirror", "image", "status", "disk"]);
    let names = status["peer_sites"].as_array().unwrap().iter();
    let names: Vec<&str> = names
        .map(|peer| peer["site_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["site-a", "site-c"]);
    // Whoever is told to demote it is told to do so where it is primary, and not at the neighbour.
    let status = rc.json(&["mirror", "image", "status", "disk"]);
    assert_eq!(status["reasons"][0]["code"], "not_demoted");
    assert_eq!(
        status["reasons"][0]["text"],
        "its primary has not been demoted"
    );

    // As planned to the middle, and from there to the end: nothing is copied.
    let before = [received(&ra), received(&rc)];
    for (from, to) in [(&ra, &rb), (&rb, &rc)] {
        from.ok(&["mirror", "image", "demote", "disk"]);
        until("the next one may lead", 60, || {
            to.run(&["mirror", "image", "promote", "disk"]).status == 0
        });
    }
    until("the first follows by way of the middle", 60, || {
        follows(&ra, "site-b")
    });
    for (rbd, before) in [&ra, &rc].into_iter().zip(before) {
        let came = received(rbd) - before;
        assert!(came < 2 * MIB, "{came} bytes for two switches");
    }
    let written = run(&mut fio(
        &rc,
        &["--rw=randwrite", "--fsync=8", "--io_size=8m"],
    ));
    assert_eq!(written.status, 0, "{}", written.stderr);
    until("the first has all of it", 60, || {
        follows(&ra, "site-b") && content(&a) == content(&c)
    });

    // The first is forced while it is alone, and all follow it; what only others had is kept.
    b.kill();
    ra.ok(&["mirror", "image", "promote", "disk", "--force"]);
    verify(&ra);
    let written = run(&mut fio(
        &ra,
        &["--rw=randwrite", "--fsync=8", "--io_size=2m"],
    ));
    assert_eq!(written.status, 0, "{}", written.stderr);
    b.start_again();
    until("the middle follows the first", 60, || {
        follows(&rb, "site-a")
    });
    until("the end follows by way of it", 60, || {
        follows(&rc, "site-b") && content(&c) == content(&a)
    });
    let epoch = |rbd: &Rbd| rbd.json(&["mirror", "image", "status", "disk"])["epoch"].clone();
    assert!(epoch(&ra).is_u64());
    assert_eq!(epoch(&ra), epoch(&rc));

    // The first is lost, and its neighbour forced: the end goes on with that and copies nothing.
    a.kill();
    let before = received(&rc);
    rb.ok(&["mirror", "image", "promote", "disk", "--force"]);
    let written = run(&mut fio(
        &rb,
        &["--rw=randwrite", "--fsync=8", "--io_size=1m"],
    ));
    assert_eq!(written.status, 0, "{}", written.stderr);
    until("the end has all of it", 60, || {
        follows(&rc, "site-b") && content(&c) == content(&b)
    });
    let came = received(&rc) - before;
    assert!(came < 4 * MIB, "{came} bytes for one MiB");
}

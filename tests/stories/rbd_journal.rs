//! The journals of images: what the log says of them, looked at, checked, exported and replayed.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use firebrick_tests::{Ceph, Dev, Guest, Rbd, until};
use serde_json::{Value, json};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file of so many blocks of which each is like no other one.
fn raw(dir: &Path, seed: u64, blocks: u64) -> PathBuf {
    let mut bytes = Vec::new();
    for block in 0..blocks {
        let words = (0..512).map(|word: u64| (seed << 48) | (block << 16) | word);
        bytes.extend(words.flat_map(u64::to_le_bytes));
    }
    let path = dir.join(format!("raw-{seed}"));
    fs::write(&path, bytes).unwrap();
    path
}

/// The bytes of an image or snapshot of a site.
fn bytes(rbd: &Rbd, spec: &str, dir: &Path) -> Vec<u8> {
    let path = dir.join("bytes");
    let _ = fs::remove_file(&path);
    rbd.ok(&["export", "--no-progress", spec, text(&path)]);
    fs::read(&path).unwrap()
}

fn write(rbd: &Rbd, image: &str, offset: u64, data: &[u8]) {
    let uri = rbd.ok(&["map", image]).trim().to_owned();
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(offset, data).unwrap();
    guest.flush().unwrap();
    guest.close();
    rbd.ok(&["unmap", image]);
}

/// An image with some history: writes, snapshots of two names, notes, sizes.
fn history(rbd: &Rbd, image: &str, dir: &Path) {
    let at = |name: &str| format!("{image}@{name}");
    rbd.ok(&["import", "--no-progress", text(&raw(dir, 1, 512)), image]);
    rbd.ok(&["snap", "create", "--no-progress", &at("one")]);
    rbd.ok(&["snap", "rename", &at("one"), &at("first")]);
    rbd.ok(&["image-meta", "set", image, "color", "blue"]);
    rbd.ok(&["resize", "--no-progress", "--size", "8M", image]);
    write(rbd, image, 4096, &vec![7; 65_536]);
    rbd.ok(&["snap", "create", "--no-progress", &at("gone")]);
    write(rbd, image, 7 << 20, &vec![9; 1 << 20]);
    rbd.ok(&["snap", "rm", "--no-progress", &at("gone")]);
    rbd.ok(&["snap", "create", "--no-progress", &at("two")]);
    rbd.ok(&["snap", "protect", &at("two")]);
}

fn same(rbd: &Rbd, one: &str, other: &str, dir: &Path) {
    for snapshot in ["@first", "@two", ""] {
        let here = bytes(rbd, &format!("{one}{snapshot}"), dir);
        let there = bytes(rbd, &format!("{other}{snapshot}"), dir);
        assert!(here == there, "{other}{snapshot}");
    }
    assert_eq!(rbd.json(&["image-meta", "list", other])["color"], "blue");
}

#[test]
fn a_journal_is_looked_at_exported_and_replayed() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    history(&rbd, "disk", dir);
    let info = rbd.json(&["journal", "info", "disk"]);
    let id = info["journal_id"].as_str().unwrap().to_owned();
    let golden = json!({"journal_id": id, "header_oid": format!("journal.{id}"),
        "object_oid_prefix": format!("journal_data.1.{id}."), "order": 24, "splay_width": 4});
    assert_eq!(info, golden);
    assert_eq!(
        rbd.json(&["journal", "info", &format!("volumes/{id}")]),
        golden
    );
    let status = rbd.json(&["journal", "status", "--image", "disk"]);
    assert_eq!(status["registered_clients"][0]["state"], "connected");
    let entries = rbd.json(&["journal", "inspect", "disk"])["entries"].as_u64();
    let printed = rbd.ok(&["journal", "inspect", "--verbose", "disk"]);
    let shown = printed.matches("Entry: tag_id=1, commit_tid=").count() as u64;
    assert!(
        printed.contains(
            "\"event_type\": \"AioWrite\",\n    \"offset\": 4096,\n    \"length\": 65536,"
        )
    );
    assert!(printed.contains("\"src_snap_name\": \"one\",\n    \"dest_snap_name\": \"first\""));
    let summary = format!("Summary:\n  {shown} entries inspected, 0 errors\n");
    assert!(printed.ends_with(&summary), "{printed}");
    assert_eq!(entries, Some(shown));

    for (format, name) in [("plain", "for-rbd"), ("json", "as-json")] {
        let file = dir.join(name);
        let export = ["journal", "export", "--format", format, "disk", text(&file)];
        let said = rbd.ok(&export);
        assert_eq!(said, format!("{shown} entries processed, 0 errors\n"));
        rbd.refused(17, &export);
        rbd.ok(&["create", "--size", "1M", name]);
        let said = rbd.ok(&["journal", "import", text(&file), name]);
        assert!(
            said.ends_with("0 errors\nWaiting for journal append to complete...\n"),
            "{said}"
        );
        same(&rbd, "disk", name, dir);
        // Torn in the middle, it is replayed up to there.
        let torn = fs::read(&file).unwrap();
        fs::write(&file, &torn[..torn.len() / 2]).unwrap();
        let again = format!("{name}-torn");
        rbd.ok(&["create", "--size", "1M", &again]);
        let ran = rbd.run(&["journal", "import", text(&file), &again]);
        assert!(
            [22, 74].contains(&ran.status),
            "{}: {}",
            ran.status,
            ran.stderr
        );
        assert!(ran.stdout.contains(", 1 errors\n"), "{}", ran.stdout);
    }
    // From the middle on, and anew.
    let whole = rbd.json(&["journal", "inspect", "disk"])["entries"].as_u64();
    rbd.ok(&["journal", "reset", "disk"]);
    assert_eq!(rbd.json(&["journal", "inspect", "disk"])["entries"], 0);
    write(&rbd, "disk", 0, &[1; 4096]);
    assert_eq!(rbd.json(&["journal", "inspect", "disk"])["entries"], 1);
    assert!(whole > Some(1));
    rbd.refused(2, &["journal", "status", "none"]);
    rbd.refused(22, &["journal", "info"]);
}

#[test]
fn the_journal_of_a_group_has_the_entries_of_all_images() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for group in ["shop", "copy"] {
        rbd.ok(&["group", "create", group]);
    }
    rbd.ok(&["namespace", "create", "volumes/ns"]);
    for (image, byte) in [("db", 1), ("files", 2)] {
        rbd.ok(&["create", "--size", "1M", image]);
        rbd.ok(&["create", "--size", "1M", &format!("volumes/ns/{image}")]);
        rbd.ok(&["group", "image", "add", "shop", image]);
        rbd.ok(&[
            "group",
            "image",
            "add",
            "copy",
            &format!("volumes/ns/{image}"),
        ]);
        write(&rbd, image, 0, &[byte; 8192]);
    }
    let file = dir.join("shop.json");
    let export = ["journal", "export", "--group", "shop", text(&file)];
    rbd.refused(22, &export);
    rbd.ok(&[&export[..], &["--format", "json"]].concat());
    rbd.ok(&["journal", "import", text(&file), "--dest-group", "copy"]);
    for image in ["db", "files"] {
        let copy = bytes(&rbd, &format!("volumes/ns/{image}"), dir);
        assert!(copy == bytes(&rbd, image, dir), "{image}");
    }
    let printed = rbd.ok(&["journal", "inspect", "--verbose", "--group", "shop"]);
    assert!(printed.contains("\"image\": \"db\"") && printed.contains("\"image\": \"files\""));
}

/// Flips a bit of the block that begins with `content`, wherever it lies.
fn rot(site: &Path, content: &[u8]) {
    for entry in fs::read_dir(site.join("store/segments")).unwrap() {
        let path = entry.unwrap().path();
        let held = fs::read(&path).unwrap();
        let found = (0..held.len())
            .step_by(512)
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
fn the_first_bad_entry_is_named() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    let folder = tempfile::tempdir().unwrap();
    rbd.ok(&["create", "--size", "1M", "disk"]);
    write(&rbd, "disk", 0, &[3; 4096]);
    write(&rbd, "disk", 8192, &[5; 8192]);
    write(&rbd, "disk", 8192, &[6; 4096]);
    dev.stop_site("site-a");
    rot(&dev.dir().join("site-a"), &[5; 4096]);
    dev.start_site("site-a");
    let said = rbd.refused(74, &["journal", "inspect", "disk"]);
    assert!(said.contains("image disk: block 2 of the image"), "{said}");
    assert!(
        said.contains("rbd: journal inspect: (74) Bad message"),
        "{said}"
    );
    let file = folder.path().join("file");
    rbd.refused(74, &["journal", "export", "disk", text(&file)]);
    fs::remove_file(&file).unwrap();
    let ran = rbd.run(&["journal", "export", "--no-error", "disk", text(&file)]);
    assert_eq!(ran.status, 74);
    assert!(
        ran.stdout.ends_with("4 entries processed, 1 errors\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_journal_that_a_peer_needs_is_not_reset() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "--size", "1M", "disk"]);
    rbd.ok(&["mirror", "image", "enable", "disk"]);
    rbd.ok(&["mirror", "wait", "disk"]);
    rbd.ok(&["journal", "reset", "disk"]);
    let positions = |status: &Value| {
        let clients = status["registered_clients"].as_array().unwrap().clone();
        let of = |client: &Value| client["commit_position"].clone();
        clients.iter().map(of).collect::<Vec<Value>>()
    };
    until("the peer has all of it", 30, || {
        let all = positions(&rbd.json(&["journal", "status", "disk"]));
        all.len() == 2 && all[0] == all[1]
    });
    dev.stop_site("site-b");
    write(&rbd, "disk", 0, &[3; 4096]);
    let status = rbd.json(&["journal", "status", "disk"]);
    let all = positions(&status);
    assert_ne!(all[0], all[1]);
    assert_eq!(status["registered_clients"][1]["state"], "disconnected");
    let said = rbd.refused(16, &["journal", "reset", "disk"]);
    assert!(said.contains("site-b still needs entries"), "{said}");
    assert_eq!(rbd.json(&["journal", "inspect", "disk"])["entries"], 1);
    rbd.ok(&["journal", "reset", "--force", "disk"]);
    assert_eq!(rbd.json(&["journal", "inspect", "disk"])["entries"], 0);
    // Nothing was taken from the peer.
    dev.start_site("site-b");
    rbd.ok(&["mirror", "wait", "disk"]);
    let said = dev.rbd("site-b").refused(30, &["journal", "reset", "disk"]);
    assert!(said.contains("(30) Read-only file system"), "{said}");
}

#[test]
fn the_log_is_kept_no_longer_for_a_peer_that_is_disconnected() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    let folder = tempfile::tempdir().unwrap();
    let disconnect = ["journal", "client", "disconnect", "disk"];
    a.ok(&["create", "--size", "1M", "disk"]);
    let said = a.refused(2, &disconnect);
    assert!(
        said.contains("no registered clients to disconnect"),
        "{said}"
    );
    a.ok(&["mirror", "image", "enable", "disk"]);
    a.ok(&["mirror", "wait", "disk"]);
    let status = a.json(&["journal", "status", "disk"]);
    let id = status["registered_clients"][1]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    a.refused(2, &disconnect);
    a.refused(16, &[&disconnect[..], &["--client-id", &id]].concat());
    dev.stop_site("site-b");
    write(&a, "disk", 0, &[3; 8192]);
    a.refused(2, &[&disconnect[..], &["--client-id", "nobody"]].concat());
    assert_eq!(a.ok(&disconnect), format!("client {id} disconnected\n"));
    write(&a, "disk", 65_536, &[4; 8192]);
    // It gets what differs.
    dev.start_site("site-b");
    a.ok(&["mirror", "wait", "--timeout", "60s", "disk"]);
    until("the sites hold the same", 60, || {
        a.run(&["mirror", "verify", "disk"]).status == 0
    });
    b.ok(&["mirror", "wait", "--timeout", "60s", "disk"]);
    assert!(bytes(&a, "disk", folder.path()) == bytes(&b, "disk", folder.path()));
}

/// The bytes of an image or snapshot of a cluster.
fn there(ceph: &Ceph, spec: &str) -> Vec<u8> {
    let path = ceph.dir().join("there");
    let _ = fs::remove_file(&path);
    let _ = ceph
        .rbd(&["export", "--no-progress", spec, text(&path)])
        .ok();
    fs::read(&path).unwrap()
}

/// An image of a cluster with a journal, and its id and a tag that is newer than all of that.
fn journaled(ceph: &Ceph, name: &str, size: &str) -> (String, String) {
    let spec = format!("volumes/{name}");
    let features = "layering,exclusive-lock,journaling";
    let create = ["create", "--size", size, "--image-feature", features, &spec];
    let _ = ceph.rbd(&create).ok();
    let info = ceph.rbd(&["info", "--format", "json", &spec]).ok().stdout;
    let info: Value = serde_json::from_str(&info).unwrap();
    let id = info["id"].as_str().unwrap().to_owned();
    ceph.register_reader(&id);
    // Who writes takes the lock, which begins a tag.
    let write = [
        "bench",
        "--io-type",
        "write",
        "--io-size",
        "4K",
        "--io-total",
        "4K",
        &spec,
    ];
    let _ = ceph.rbd(&write).ok();
    let status = ceph.rbd(&["journal", "status", "--image", &spec, "--format", "json"]);
    let status: Value = serde_json::from_str(&status.ok().stdout).unwrap();
    let positions = &status["registered_clients"][0]["commit_position"]["object_positions"];
    let tags = positions.as_array().unwrap().iter();
    let tag = tags
        .map(|position| position["tag_tid"].as_u64().unwrap())
        .max();
    (id, (tag.unwrap() + 1).to_string())
}

/// Imports the journal of `disk` into an image of that name there. Where the real tool hangs, what it made is of no use.
fn import_there(rbd: &Rbd, ceph: &Ceph) {
    let file = ceph.dir().join("to-ceph");
    let mut hung = String::new();
    for again in ["hung-1", "hung-2", "hung-3"] {
        let (id, tag) = journaled(ceph, "disk", "1M");
        rbd.ok(&["journal", "export", "disk", text(&file), "--tag", &tag]);
        match ceph.import_journal(text(&file), &id) {
            Ok(said) => {
                let said = said.ok();
                assert!(said.stdout.contains(", 0 errors"), "{}", said.stdout);
                return;
            }
            Err(how) => hung = how,
        }
        let rename = ["rename", "volumes/disk", &format!("volumes/{again}")];
        let _ = ceph.rbd(&rename).ok();
    }
    panic!("{hung}");
}

#[test]
fn journals_go_to_ceph_and_come_from_there() {
    let ceph = Ceph::start();
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    let dir = ceph.dir();
    history(&rbd, "disk", dir);
    import_there(&rbd, &ceph);
    // Who opens it to write replays the journal.
    let write = [
        "bench",
        "--io-type",
        "write",
        "--io-size",
        "4K",
        "--io-total",
        "4K",
    ];
    let _ = ceph.rbd(&[&write[..], &["volumes/disk"]].concat()).ok();
    for snapshot in ["first", "two"] {
        let spec = format!("disk@{snapshot}");
        let sent = bytes(&rbd, &spec, dir);
        let got = there(&ceph, &format!("volumes/{spec}"));
        assert!(sent == got, "{snapshot}: {} {}", sent.len(), got.len());
    }
    let color = ceph.rbd(&["image-meta", "get", "volumes/disk", "color"]);
    assert_eq!(color.ok().stdout.trim(), "blue");

    // The other way: what has been written to an image since its journal began.
    journaled(&ceph, "source", "4M");
    for args in [
        &["snap", "create", "--no-progress", "volumes/source@one"][..],
        &["resize", "--no-progress", "--size", "8M", "volumes/source"],
        &[
            "bench",
            "--io-type",
            "write",
            "--io-size",
            "64K",
            "--io-total",
            "2M",
            "--io-pattern",
            "rand",
            "volumes/source",
        ],
        &["snap", "create", "--no-progress", "volumes/source@two"],
        &["snap", "rm", "--no-progress", "volumes/source@one"],
        &["image-meta", "set", "volumes/source", "color", "green"],
    ] {
        let _ = ceph.rbd(args).ok();
    }
    let file = dir.join("from-ceph");
    let export = [
        "journal",
        "export",
        "--image",
        "volumes/source",
        "--path",
        text(&file),
    ];
    let said = ceph.rbd(&export).ok();
    rbd.ok(&["create", "--size", "4M", "sink"]);
    let got = rbd.ok(&["journal", "import", text(&file), "sink"]);
    assert_eq!(got.lines().next(), said.stdout.lines().last());
    for snapshot in ["@two", ""] {
        let sent = there(&ceph, &format!("volumes/source{snapshot}"));
        assert!(
            sent == bytes(&rbd, &format!("sink{snapshot}"), dir),
            "{snapshot}"
        );
    }
    assert_eq!(rbd.json(&["image-meta", "list", "sink"])["color"], "green");
}

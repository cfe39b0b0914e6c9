//! What the verbs of `firebrick rbd` say of images, snapshots and clones, and what keeps them: protection,
//! limits, features, the trash, namespaces, locks. Words and exit statuses are those of the `rbd` tool.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use firebrick_tests::{Dev, Rbd, binary, run, until};
use serde_json::json;

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn the_binary_is_called_rbd_through_a_link() {
    let dev = Dev::start();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("rbd");
    symlink(binary(), &link).unwrap();
    let conf = dev.dir().join("site-a/site.conf");
    let rbd = |args: &[&str]| {
        let mut command = Command::new(&link);
        run(command.args(args).arg("--conf").arg(&conf))
    };
    let made = rbd(&["create", "--size", "16M", "volumes/disk"]).ok();
    assert_eq!(made.stdout, "");
    assert_eq!(rbd(&["ls"]).ok().stdout, "disk\n");
    let xml = "<images><name>disk</name></images>\n";
    assert_eq!(rbd(&["ls", "--format", "xml"]).ok().stdout, xml);
    // As the real tool does: an empty line behind it.
    let pretty = "<images>\n <name>disk</name>\n</images>\n\n";
    let printed = rbd(&["ls", "--format", "xml", "--pretty-format"]).ok();
    assert_eq!(printed.stdout, pretty);
    for (status, args) in [
        (1, &["bogus"][..]),
        (1, &["snap", "bogus"]),
        (1, &["ls", "--format", "foo"]),
        (1, &["ls", "--foo"]),
        (1, &["info", "disk", "other"]),
        (1, &["create", "--size", "x", "disk"]),
        (22, &["info"]),
        (22, &["create", "disk"]),
        (2, &["info", "volumes/none"]),
        (2, &["info", "nope/disk"]),
        (2, &["ls", "volumes/none"]),
        (2, &["create", "volumes/none/disk", "--size", "1"]),
        (0, &["--help"]),
        (0, &["snap", "create", "--help"]),
        (
            0,
            &["--id", "cinder", "-p", "volumes", "info", "--image", "disk"],
        ),
    ] {
        let ran = rbd(args);
        assert_eq!(ran.status, status, "{}: {}", ran.line, ran.stderr);
    }
    let ceph = folder.path().join("ceph.conf");
    fs::write(&ceph, "[global]\nfsid = 1\n").unwrap();
    let ran = run(Command::new(&link).arg("ls").arg("--cluster").arg(&ceph));
    // The configuration names no monitor.
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("connect to the cluster"),
        "{}",
        ran.stderr
    );
}

#[test]
fn protected_snapshots_clones_and_copies() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "--size", "16M", "volumes/a"]);
    rbd.ok(&["snap", "create", "volumes/a@s1"]);
    rbd.refused(
        22,
        &["clone", "--rbd-default-clone-format", "1", "a@s1", "b"],
    );
    rbd.ok(&["snap", "protect", "volumes/a@s1"]);
    let said = rbd.refused(16, &["snap", "protect", "a@s1"]);
    assert_eq!(said, "rbd: snap is already protected\n");
    rbd.ok(&["clone", "--rbd-default-clone-format", "1", "a@s1", "b"]);
    rbd.refused(2, &["clone", "a@nope", "c"]);
    rbd.refused(17, &["clone", "a@s1", "b"]);
    let printed = rbd.ok(&["ls", "-l"]);
    let golden = [
        "NAME  SIZE    PARENT        FMT  PROT  LOCK",
        "a     16 MiB                  2            ",
        "a@s1  16 MiB                  2  yes       ",
        "b     16 MiB  volumes/a@s1    2            ",
    ];
    assert_eq!(lines(&printed), golden);
    let info = rbd.ok(&["info", "b"]);
    assert!(
        info.ends_with("\tparent: volumes/a@s1\n\toverlap: 16 MiB\n"),
        "{info}"
    );
    assert!(rbd.ok(&["info", "a@s1"]).ends_with("\tprotected: True\n"));
    assert_eq!(rbd.ok(&["children", "a@s1"]), "volumes/b\n");
    let children = json!([{"pool": "volumes", "pool_namespace": "", "image": "b"}]);
    assert_eq!(rbd.json(&["children", "a"]), children);
    let said = rbd.refused(16, &["snap", "rm", "a@s1", "--no-progress"]);
    assert_eq!(said, "rbd: snapshot 's1' is protected from removal.\n");
    rbd.refused(16, &["snap", "unprotect", "a@s1"]);
    rbd.refused(39, &["rm", "a"]);
    rbd.ok(&["flatten", "b"]);
    rbd.refused(22, &["flatten", "b"]);
    assert!(rbd.json(&["info", "b"])["parent"].is_null());
    rbd.ok(&["snap", "unprotect", "a@s1"]);
    rbd.refused(22, &["snap", "unprotect", "a@s1"]);

    rbd.ok(&["snap", "limit", "set", "--limit", "1", "a"]);
    let said = rbd.refused(122, &["snap", "create", "--no-progress", "a@s2"]);
    let golden = "rbd: failed to create snapshot: (122) Disk quota exceeded\n";
    assert_eq!(said, golden);
    assert!(rbd.ok(&["info", "a"]).contains("\tsnapshot_limit: 1\n"));
    rbd.ok(&["snap", "limit", "clear", "a"]);
    rbd.ok(&["snap", "rename", "a@s1", "volumes/a@s3"]);
    rbd.refused(2, &["snap", "rename", "a@nope", "a@s4"]);
    rbd.refused(22, &["snap", "rename", "a@s3", "s5"]);
    rbd.ok(&["snap", "create", "a@s5"]);
    rbd.refused(17, &["snap", "rename", "a@s5", "a@s3"]);
    rbd.ok(&["snap", "protect", "a@s3"]);
    rbd.refused(16, &["snap", "purge", "a"]);
    assert_eq!(rbd.json(&["snap", "ls", "a"]).as_array().unwrap().len(), 1);
    copies(&rbd);
}

fn copies(rbd: &Rbd) {
    rbd.ok(&["image-meta", "set", "a", "color", "blue"]);
    rbd.ok(&["cp", "a", "copy"]);
    rbd.refused(17, &["copy", "a", "copy"]);
    assert!(rbd.json(&["info", "copy"])["parent"].is_null());
    assert_eq!(rbd.ok(&["image-meta", "get", "copy", "color"]), "blue\n");
    rbd.ok(&["deep", "cp", "a", "deep"]);
    assert_eq!(rbd.json(&["snap", "ls", "deep"])[0]["name"], "s3");
    let golden = "There is 1 metadatum on this image:\n\nKey    Value\ncolor  blue \n";
    assert_eq!(rbd.ok(&["image-meta", "list", "a"]), golden);
    assert_eq!(
        rbd.json(&["image-meta", "ls", "a"]),
        json!({"color": "blue"})
    );
    rbd.refused(2, &["image-meta", "get", "a", "none"]);
    rbd.refused(22, &["image-meta", "set", "a", "retention", "soon"]);
    rbd.ok(&["image-meta", "rm", "a", "color"]);
    rbd.refused(2, &["image-meta", "rm", "a", "color"]);
    let none = rbd.ok(&["image-meta", "list", "a"]);
    assert_eq!(none, "There are 0 metadata on this image.\n");
}

#[test]
fn features_have_rbds_rules() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "--size", "16M", "a"]);
    let all = "layering, exclusive-lock, object-map, fast-diff, deep-flatten";
    let has = |features: &str| {
        let info = rbd.ok(&["info", "a"]);
        assert!(
            info.contains(&format!("\tfeatures: {features}\n")),
            "{info}"
        );
    };
    has(all);
    rbd.ok(&["feature", "disable", "a", "object-map"]);
    has("layering, exclusive-lock, deep-flatten");
    rbd.refused(22, &["feature", "disable", "a", "fast-diff"]);
    rbd.ok(&["feature", "enable", "a", "fast-diff"]);
    has(all);
    rbd.refused(22, &["feature", "enable", "a", "fast-diff"]);
    rbd.refused(22, &["feature", "disable", "a", "exclusive-lock"]);
    rbd.refused(22, &["feature", "disable", "a", "layering"]);
    rbd.refused(22, &["feature", "enable", "a", "deep-flatten"]);
    rbd.refused(22, &["feature", "enable", "a"]);
    rbd.refused(1, &["feature", "enable", "a", "bogus"]);
    rbd.refused(2, &["feature", "enable", "none", "journaling"]);
    rbd.refused(
        1,
        &[
            "feature",
            "enable",
            "a",
            "journaling",
            "--journal-object-size",
            "1K",
        ],
    );
    rbd.refused(
        2,
        &[
            "feature",
            "enable",
            "a",
            "journaling",
            "--journal-pool",
            "nope",
        ],
    );
    let enable = ["feature", "enable", "a", "journaling"];
    let options = ["--journal-splay-width", "2", "--journal-object-size", "1M"];
    rbd.ok(&[&enable[..], &options[..]].concat());
    has(&format!("{all}, journaling"));
    assert!(
        rbd.ok(&["info", "a"])
            .ends_with("\n\tmirroring state: disabled\n")
    );
    rbd.refused(22, &enable);
    rbd.ok(&["feature", "disable", "a", "journaling"]);
    has(all);

    // A peer reads the journal: it must go first.
    rbd.ok(&["feature", "enable", "a", "mirroring"]);
    has(&format!("{all}, journaling"));
    until("the peer has the image", 30, || {
        dev.rbd("site-b").run(&["info", "a"]).status == 0
    });
    let disable = ["feature", "disable", "a", "journaling"];
    let said = rbd.refused(110, &[&disable[..], &["--timeout", "1"][..]].concat());
    assert!(said.contains("site-b still reads the journal"), "{said}");
    has(&format!("{all}, journaling"));
    dev.stop_site("site-b");
    rbd.ok(&disable);
    has(all);
    assert!(rbd.json(&["info", "a"])["mirroring"].is_null());
}

#[test]
fn images_come_back_from_the_trash() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    for name in ["t1", "t2"] {
        rbd.ok(&["create", "--size", "8M", name]);
    }
    rbd.ok(&["trash", "mv", "t1"]);
    rbd.ok(&["trash", "mv", "volumes/t2", "--expires-at", "2100-01-01"]);
    rbd.refused(2, &["trash", "mv", "none"]);
    assert_eq!(rbd.ok(&["ls"]), "");
    let thrown = rbd.json(&["trash", "ls", "volumes"]);
    let id = |name: &str| {
        let thrown = rbd.json(&["trash", "ls"]);
        let all = thrown.as_array().unwrap();
        let found = all.iter().find(|entry| entry["name"] == name).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(thrown.as_array().unwrap().len(), 2, "{thrown}");
    let long = rbd.ok(&["trash", "ls", "-l"]);
    assert!(
        long.starts_with("ID            NAME  SOURCE  DELETED_AT"),
        "{long}"
    );
    assert!(
        long.contains("protected until Fri Jan  1 00:00:00 2100"),
        "{long}"
    );
    assert!(long.contains("expired at"), "{long}");
    let (one, two) = (id("t1"), id("t2"));
    let said = rbd.refused(1, &["trash", "rm", &two]);
    assert!(said.contains("please use --force"), "{said}");
    rbd.ok(&["trash", "restore", &format!("volumes/{one}")]);
    rbd.refused(2, &["trash", "restore", &one]);
    assert_eq!(rbd.ok(&["ls"]), "t1\n");
    rbd.ok(&["trash", "mv", "t1"]);
    rbd.ok(&["create", "--size", "8M", "t1"]);
    rbd.refused(17, &["trash", "restore", &one]);
    rbd.ok(&["trash", "restore", &one, "--image", "t9"]);
    assert_eq!(rbd.ok(&["ls"]), "t1\nt9\n");
    rbd.ok(&["trash", "mv", "t9"]);
    rbd.ok(&["trash", "purge"]);
    // What is protected stays.
    assert_eq!(rbd.json(&["trash", "ls"]).as_array().unwrap().len(), 1);
    rbd.ok(&["trash", "rm", &two, "--force"]);
    rbd.refused(2, &["trash", "rm", &two]);
    assert_eq!(rbd.json(&["trash", "ls"]), json!([]));
}

#[test]
fn namespaces_hold_images_apart() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "--size", "4M", "x"]);
    rbd.ok(&["namespace", "create", "volumes/ns1"]);
    rbd.refused(17, &["namespace", "create", "volumes/ns1"]);
    assert_eq!(rbd.ok(&["namespace", "ls", "volumes"]), "NAME\nns1 \n");
    assert_eq!(rbd.json(&["namespace", "ls"]), json!([{"name": "ns1"}]));
    rbd.ok(&["create", "--size", "4M", "volumes/ns1/x"]);
    rbd.refused(17, &["create", "--size", "4M", "--namespace", "ns1", "x"]);
    rbd.ok(&["snap", "create", "volumes/ns1/x@one"]);
    assert_eq!(rbd.ok(&["ls", "volumes/ns1"]), "x\n");
    assert_eq!(rbd.ok(&["ls", "--namespace", "ns1"]), "x\n");
    assert_eq!(rbd.ok(&["ls"]), "x\n");
    assert_eq!(rbd.json(&["info", "x"])["snapshot_count"], 0);
    let there = rbd.json(&["info", "volumes/ns1/x"]);
    assert_eq!(there["snapshot_count"], 1, "{there}");
    let said = rbd.refused(2, &["info", "volumes/ns1/nope"]);
    assert!(said.contains("error opening image nope: (2)"), "{said}");
    rbd.refused(16, &["namespace", "rm", "volumes/ns1"]);
    rbd.refused(2, &["namespace", "rm", "volumes/ns2"]);
    rbd.ok(&["snap", "purge", "volumes/ns1/x"]);
    rbd.ok(&["trash", "mv", "volumes/ns1/x"]);
    assert_eq!(rbd.json(&["trash", "ls"]), json!([]));
    let thrown = rbd.json(&["trash", "ls", "volumes/ns1"]);
    let id = thrown[0]["id"].as_str().unwrap();
    rbd.ok(&["trash", "rm", &format!("volumes/ns1/{id}")]);
    rbd.ok(&["namespace", "rm", "volumes/ns1"]);
    assert_eq!(rbd.json(&["namespace", "ls"]), json!([]));
}

#[test]
fn locks_are_held_until_they_are_ended() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "--size", "4M", "a"]);
    assert_eq!(rbd.ok(&["lock", "ls", "a"]), "");
    rbd.refused(22, &["lock", "add", "a"]);
    rbd.ok(&["lock", "add", "a", "lid"]);
    let said = rbd.refused(16, &["lock", "add", "a", "lid2"]);
    assert_eq!(said, "rbd: lock is already held by someone else\n");
    let held = rbd.json(&["lock", "ls", "a"]);
    let locker = held[0]["locker"].as_str().unwrap();
    assert_eq!(held[0]["id"], "lid", "{held}");
    let printed = rbd.ok(&["lock", "ls", "a"]);
    assert!(
        printed.starts_with("There is 1 exclusive lock on this image.\nLocker"),
        "{printed}"
    );
    rbd.refused(2, &["lock", "rm", "a", "lid", "client.0"]);
    rbd.ok(&["lock", "rm", "a", "lid", locker]);
    rbd.ok(&["lock", "add", "--shared", "tag", "a", "x"]);
    rbd.ok(&["lock", "add", "--shared", "tag", "a", "y"]);
    rbd.refused(16, &["lock", "add", "--shared", "gat", "a", "z"]);
    let printed = rbd.ok(&["lock", "ls", "a"]);
    assert!(
        printed.starts_with("There are 2 shared locks on this image.\nLock tag: tag\nLocker"),
        "{printed}"
    );
}

#[test]
fn clients_reach_what_is_mapped() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "--size", "4M", "a"]);
    assert_eq!(rbd.ok(&["showmapped"]), "");
    let uri = rbd.ok(&["map", "a"]).trim().to_owned();
    let mut guest = firebrick_tests::Guest::open(&uri).unwrap();
    guest.write(0, &[5; 4096]).unwrap();
    let mapped = rbd.json(&["device", "list"]);
    assert_eq!(
        (&mapped[0]["name"], &mapped[0]["device"]),
        (&json!("a"), &json!(uri))
    );
    assert_eq!(mapped[0]["clients"], 1, "{mapped}");
    assert!(
        rbd.ok(&["status", "a"])
            .starts_with("Watchers:\n\twatcher=")
    );
    rbd.refused(16, &["trash", "mv", "a"]);
    rbd.refused(95, &["map", "-t", "krbd", "a"]);
    guest.close();
    rbd.ok(&["unmap", "a"]);
    rbd.refused(22, &["unmap", "a"]);
    assert_eq!(rbd.ok(&["showmapped"]), "");
}

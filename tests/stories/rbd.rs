//! The verbs of `firebrick rbd`, plain and as JSON, against a running site.

use std::fs;
use std::path::{Path, PathBuf};

use firebrick_tests::{Dev, Rbd, run, tool, until};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// A file with a mebibyte of noise at each of the places, in MiB, and holes elsewhere.
fn raw_file(dir: &Path, name: &str, mebibytes: usize, noise: &[usize]) -> PathBuf {
    let mut bytes = vec![0; mebibytes * MIB];
    let mut dice = StdRng::seed_from_u64(7);
    for place in noise {
        dice.fill(&mut bytes[place * MIB..(place + 1) * MIB]);
    }
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The image or snapshot as a file.
fn exported(rbd: &Rbd, spec: &str, dir: &Path) -> Vec<u8> {
    let path = dir.join("exported");
    let _ = fs::remove_file(&path);
    rbd.ok(&["export", spec, text(&path)]);
    fs::read(&path).unwrap()
}

#[test]
fn images_come_change_and_go() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    assert_eq!(rbd.ok(&["ls"]), "");
    assert_eq!(rbd.json(&["ls"]), json!([]));
    rbd.ok(&["create", "disk", "--size", "64"]);
    rbd.ok(&["create", "--image", "other", "--size", "4096K"]);
    assert!(
        rbd.refused(17, &["create", "disk", "--size", "1"])
            .contains("File exists")
    );
    assert_eq!(rbd.ok(&["ls", "volumes"]), "disk\nother\n");
    assert_eq!(rbd.json(&["ls", "-p", "volumes"]), json!(["disk", "other"]));
    rbd.refused(2, &["ls", "elsewhere"]);
    let long = rbd.ok(&["ls", "-l"]);
    assert!(
        long.starts_with("NAME") && long.contains("64 MiB"),
        "{long}"
    );
    let long = rbd.json(&["ls", "-l"]);
    assert_eq!(long[0]["image"], "disk", "{long}");
    assert_eq!(long[0]["size"], 64 * MIB, "{long}");

    let info = rbd.ok(&["info", "volumes/disk"]);
    assert!(
        info.starts_with("rbd image 'disk':\n\tsize 64 MiB in 16 objects\n"),
        "{info}"
    );
    let info = rbd.json(&["info", "disk"]);
    assert_eq!(
        (&info["size"], &info["objects"]),
        (&json!(64 * MIB), &json!(16))
    );
    assert!(
        rbd.refused(2, &["info", "nothing"])
            .contains("No such file or directory")
    );
    assert_eq!(rbd.ok(&["status", "disk"]), "Watchers: none\n");
    assert_eq!(rbd.json(&["status", "disk"]), json!({"watchers": []}));

    rbd.ok(&["resize", "disk", "--size", "128"]);
    rbd.refused(22, &["resize", "disk", "--size", "32"]);
    rbd.ok(&["resize", "disk", "--size", "32", "--allow-shrink"]);
    assert_eq!(rbd.json(&["info", "disk"])["size"], 32 * MIB);
    rbd.ok(&["rename", "disk", "renamed"]);
    rbd.refused(2, &["mv", "disk", "again"]);
    rbd.refused(17, &["rename", "renamed", "other"]);
    assert_eq!(rbd.ok(&["list"]), "other\nrenamed\n");

    rbd.ok(&["snap", "create", "renamed@one"]);
    rbd.refused(17, &["snap", "create", "renamed@one"]);
    rbd.refused(39, &["rm", "renamed"]);
    rbd.ok(&["snap", "rm", "renamed@one"]);
    rbd.refused(2, &["snap", "rm", "renamed@one"]);
    let said = rbd.run(&["rm", "renamed"]).ok().stderr;
    assert_eq!(said, "Removing image: 100% complete...done.\n");
    let said = rbd.run(&["--no-progress", "remove", "other"]).ok();
    assert_eq!((said.stdout, said.stderr), (String::new(), String::new()));
    rbd.refused(2, &["rm", "other"]);
    assert_eq!(rbd.json(&["ls"]), json!([]));
}

#[test]
fn files_snapshots_and_clones_hold_what_was_put_in() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    let dir = tempfile::tempdir().unwrap();
    let file = raw_file(dir.path(), "one.raw", 16, &[0, 5, 15]);
    let first = fs::read(&file).unwrap();
    rbd.ok(&["import", text(&file), "disk"]);
    assert_eq!(rbd.json(&["info", "disk"])["size"], 16 * MIB);
    assert!(exported(&rbd, "disk", dir.path()) == first);
    rbd.refused(17, &["import", text(&file), "disk"]);
    // Holes take nothing.
    let du = rbd.json(&["du", "disk"]);
    assert_eq!(du["images"][0]["used_size"], 3 * MIB, "{du}");
    assert_eq!(du["images"][0]["provisioned_size"], 16 * MIB, "{du}");

    rbd.ok(&["snap", "create", "disk@monday"]);
    rbd.ok(&["clone", "disk@monday", "copy"]);
    rbd.ok(&["clone", "disk", "now"]);
    let other = raw_file(dir.path(), "two.raw", 16, &[3, 5]);
    rbd.ok(&["import", text(&other), "second"]);
    let diff = dir.path().join("second.diff");
    rbd.ok(&["export-diff", "second", text(&diff)]);
    // What a difference does not name stays.
    rbd.ok(&["import-diff", text(&diff), "disk"]);
    let mut second = first.clone();
    let two = fs::read(&other).unwrap();
    for place in [3, 5] {
        let range = place * MIB..(place + 1) * MIB;
        second[range.clone()].copy_from_slice(&two[range]);
    }
    assert!(exported(&rbd, "disk", dir.path()) == second);
    for spec in ["disk@monday", "copy", "now"] {
        assert!(exported(&rbd, spec, dir.path()) == first, "{spec}");
    }
    assert_eq!(rbd.json(&["info", "copy"])["parent"]["snapshot"], "monday");

    let table = rbd.ok(&["snap", "ls", "disk"]);
    assert!(
        table.starts_with("SNAPID") && table.contains("monday"),
        "{table}"
    );
    let taken = rbd.json(&["snap", "ls", "disk"]);
    assert_eq!(taken[0]["name"], "monday", "{taken}");
    let du = rbd.json(&["du", "disk"]);
    let used: Vec<&Value> = du["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["used_size"])
        .collect();
    assert_eq!(used, [3 * MIB, 2 * MIB], "{du}");
    let merged = rbd.json(&["du", "disk", "--merge-snapshots"]);
    assert_eq!(merged["images"][0]["used_size"], 5 * MIB, "{merged}");
    let du = rbd.ok(&["disk-usage"]);
    assert!(du.contains("<TOTAL>") && du.contains("disk@monday"), "{du}");

    rbd.ok(&["snap", "rollback", "disk@monday"]);
    assert!(exported(&rbd, "disk", dir.path()) == first);
    rbd.ok(&["snap", "create", "disk@tuesday"]);
    rbd.ok(&["snap", "purge", "disk"]);
    assert_eq!(rbd.json(&["snap", "ls", "disk"]), json!([]));
    for spec in ["disk", "copy", "now"] {
        assert!(exported(&rbd, spec, dir.path()) == first, "{spec}");
    }
}

#[test]
fn differences_move_an_image_to_another_site() {
    let dev = Dev::start();
    let (here, there) = (dev.rbd("site-a"), dev.rbd("site-b"));
    let dir = tempfile::tempdir().unwrap();
    let file = raw_file(dir.path(), "one.raw", 16, &[0, 5, 15]);
    here.ok(&["import", text(&file), "disk"]);
    here.ok(&["snap", "create", "disk@monday"]);
    let change = raw_file(dir.path(), "two.raw", 16, &[6]);
    here.ok(&["import", text(&change), "change"]);
    let path = dir.path().join("change.diff");
    here.ok(&["export-diff", "change", text(&path)]);
    here.ok(&["import-diff", text(&path), "disk"]);
    here.ok(&["resize", "disk", "--size", "20"]);
    here.ok(&["snap", "create", "disk@tuesday"]);
    here.ok(&["resize", "disk", "--size", "15", "--allow-shrink"]);

    let diff = here.json(&["diff", "disk@tuesday", "--from-snap", "monday"]);
    let (at, long) = (6 * MIB, MIB);
    assert_eq!(
        diff,
        json!([{"offset": at, "length": long, "exists": "true"}])
    );
    let plain = here.ok(&["diff", "disk@tuesday", "--from-snap", "monday"]);
    let row: Vec<&str> = plain.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, [&at.to_string(), &long.to_string(), "data"], "{plain}");
    let objects = here.json(&[
        "diff",
        "disk@tuesday",
        "--from-snap",
        "monday",
        "--whole-object",
    ]);
    assert_eq!(
        objects,
        json!([{"offset": 4 * MIB, "length": 4 * MIB, "exists": "true"}])
    );
    let all = here.json(&["diff", "disk@monday"]);
    assert_eq!(all.as_array().unwrap().len(), 3, "{all}");
    here.refused(2, &["diff", "disk", "--from-snap", "sunday"]);

    let part = |name: &str| dir.path().join(name);
    let (monday, tuesday, head) = (part("monday"), part("tuesday"), part("head"));
    here.ok(&["export-diff", "disk@monday", text(&monday)]);
    here.ok(&[
        "export-diff",
        "disk@tuesday",
        text(&tuesday),
        "--from-snap",
        "monday",
    ]);
    here.ok(&["export-diff", "disk", text(&head), "--from-snap", "tuesday"]);
    there.ok(&["create", "arrived", "--size", "1"]);
    // In another order than they were made they do not fit.
    there.refused(22, &["import-diff", text(&tuesday), "arrived"]);
    there.ok(&["import-diff", text(&monday), "arrived"]);
    there.ok(&["import-diff", text(&tuesday), "arrived"]);
    there.refused(17, &["import-diff", text(&tuesday), "arrived"]);
    there.ok(&["import-diff", text(&head), "arrived"]);
    for snapshot in ["", "@monday", "@tuesday"] {
        let sent = exported(&here, &format!("disk{snapshot}"), dir.path());
        let got = exported(&there, &format!("arrived{snapshot}"), dir.path());
        assert!(
            sent == got,
            "{snapshot:?}: {} and {} bytes",
            sent.len(),
            got.len()
        );
    }
    let whole = fs::read(&tuesday).unwrap();
    let torn = part("torn");
    fs::write(&torn, &whole[..whole.len() - 100]).unwrap();
    there.ok(&["create", "torn", "--size", "1"]);
    there.ok(&["import-diff", text(&monday), "torn"]);
    there.refused(74, &["import-diff", text(&torn), "torn"]);
    assert_eq!(
        there
            .json(&["snap", "ls", "torn"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn who_has_an_image_open_is_shown_and_in_nobodys_way() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 1}));
    let name = format!("volume-{id}");
    let (attachment, uri) = api.attach(&id);
    let mut guest = firebrick_tests::Guest::open(&uri).unwrap();
    let status = rbd.json(&["status", &name]);
    assert_eq!(status["watchers"].as_array().unwrap().len(), 1, "{status}");
    assert!(
        rbd.ok(&["status", &name])
            .starts_with("Watchers:\n\twatcher=")
    );
    rbd.refused(16, &["rm", &name]);
    rbd.refused(16, &["snap", "rollback", &format!("{name}@none")]);
    guest.write(0, &[5; 4096]).unwrap();
    // A snapshot of an image that is in use, exported while the guest goes on.
    rbd.ok(&["snap", "create", &format!("{name}@used")]);
    guest.write(0, &[6; 4096]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("used.raw");
    rbd.ok(&["export", &format!("{name}@used"), text(&file)]);
    let qemu = |pattern: &str, of: &str| {
        let read = format!("read -P {pattern} 0 4k");
        let ran = run(tool("qemu-io")
            .args(["-r", "-f", "raw", "-c", &read])
            .arg(of))
        .ok();
        assert!(
            !ran.stdout.contains("verification failed"),
            "{}",
            ran.stdout
        );
    };
    qemu("5", text(&file));
    qemu("6", &uri);
    rbd.ok(&["snap", "rm", &format!("{name}@used")]);
    guest.close();
    api.detach(&attachment);
}

#[test]
fn work_in_the_background_is_shown() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "disk", "--size", "1"]);
    let works = rbd.json(&["background"]);
    let names: Vec<&str> = works
        .as_array()
        .unwrap()
        .iter()
        .map(|work| work["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["cleaner", "checkpointer", "scrubber"]);
    assert!(rbd.ok(&["background"]).starts_with("NAME"));
    assert_eq!(
        rbd.json(&["scrub"])["pass"].as_u64().map(|pass| pass > 0),
        Some(true)
    );
    assert!(rbd.ok(&["scrub"]).contains("began"));
    assert!(rbd.ok(&["scrub", "--wait"]).contains("nothing damaged"));
    assert_eq!(rbd.json(&["scrub", "--wait"])["damaged"], json!([]));
    let window = rbd.json(&["window", "disk"]);
    assert_eq!(window["oldest"], Value::Null, "{window}");
    assert!(rbd.ok(&["window", "disk"]).contains("nothing is retained"));
    dev.stop_site("site-a");
    rbd.refused(111, &["ls"]);
    // What has just been scrubbed is not scrubbed again because of a restart.
    dev.start_site("site-a");
    until("the scrubber rests", 30, || {
        let works = rbd.run(&["background", "--format", "json"]);
        let works: Value = serde_json::from_str(&works.stdout).unwrap_or_default();
        let rests = |work: &Value| {
            let progress = work["progress"].as_str().unwrap_or_default();
            assert!(!progress.starts_with("pass"), "{works}");
            progress.starts_with("the next pass begins in")
        };
        works
            .as_array()
            .is_some_and(|works| works.iter().any(rests))
    });
}

//! Streams and printed forms, held against those of the real `rbd` tool on a real cluster.

use std::fs;
use std::path::{Path, PathBuf};

use firebrick_tests::{Ceph, Dev, Rbd};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A file of noise at some places and holes elsewhere, in units of 4 KiB.
fn raw(dir: &Path, name: &str, seed: u64, blocks: usize, noise: &[(usize, usize)]) -> PathBuf {
    let mut bytes = vec![0; blocks * 4096];
    let mut dice = StdRng::seed_from_u64(seed);
    for (first, count) in noise {
        dice.fill(&mut bytes[first * 4096..(first + count) * 4096]);
    }
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// One of the two tools.
enum Tool<'a> {
    Here(&'a Rbd),
    Ceph(&'a Ceph),
}

impl Tool<'_> {
    fn ok(&self, args: &[&str]) -> String {
        match self {
            Self::Here(rbd) => rbd.ok(args),
            Self::Ceph(ceph) => ceph.rbd(args).ok().stdout,
        }
    }

    fn status(&self, args: &[&str]) -> i32 {
        match self {
            Self::Here(rbd) => rbd.run(args).status,
            Self::Ceph(ceph) => ceph.rbd(args).status,
        }
    }

    /// The bytes of an image or snapshot.
    fn bytes(&self, spec: &str, dir: &Path) -> Vec<u8> {
        let path = dir.join("bytes");
        let _ = fs::remove_file(&path);
        self.ok(&["export", "--no-progress", spec, text(&path)]);
        fs::read(&path).unwrap()
    }
}

/// An image with two snapshots and something behind them, made by difference from files.
fn history(tool: &Tool<'_>, dir: &Path) {
    let steps = [
        raw(dir, "h1", 1, 2048, &[(0, 3), (700, 200), (2047, 1)]),
        raw(dir, "h2", 2, 2048, &[(1, 1), (800, 20), (1500, 5)]),
    ];
    tool.ok(&["import", "--no-progress", text(&steps[0]), "volumes/disk"]);
    tool.ok(&["snap", "create", "--no-progress", "volumes/disk@one"]);
    tool.ok(&["snap", "protect", "volumes/disk@one"]);
    tool.ok(&["import", "--no-progress", text(&steps[1]), "volumes/change"]);
    let diff = dir.join("change");
    tool.ok(&[
        "export-diff",
        "--no-progress",
        "volumes/change",
        text(&diff),
    ]);
    tool.ok(&["import-diff", "--no-progress", text(&diff), "volumes/disk"]);
    tool.ok(&["resize", "--no-progress", "--size", "12M", "volumes/disk"]);
    tool.ok(&["snap", "create", "--no-progress", "volumes/disk@two"]);
    let (size, shrink) = (["--size", "7M"], "--allow-shrink");
    tool.ok(&[
        "resize",
        "--no-progress",
        size[0],
        size[1],
        shrink,
        "volumes/disk",
    ]);
    tool.ok(&["image-meta", "set", "volumes/disk", "color", "blue"]);
    fs::remove_file(diff).unwrap();
}

fn same(from: &Tool<'_>, to: &Tool<'_>, dest: &str, dir: &Path) {
    for snapshot in ["@one", "@two", ""] {
        let sent = from.bytes(&format!("volumes/disk{snapshot}"), dir);
        let got = to.bytes(&format!("volumes/{dest}{snapshot}"), dir);
        assert!(
            sent == got,
            "{dest}{snapshot}: {} {}",
            sent.len(),
            got.len()
        );
    }
}

/// Whole images and differences, from one tool to the other.
fn travels(from: &Tool<'_>, to: &Tool<'_>, dir: &Path) {
    let file = |name: &str| {
        let path = dir.join(name);
        let _ = fs::remove_file(&path);
        path
    };
    let whole = file("whole");
    let two = ["--no-progress", "--export-format", "2"];
    from.ok(&[
        &["export"][..],
        &two[..],
        &["volumes/disk", text(&whole)][..],
    ]
    .concat());
    to.ok(&[
        &["import"][..],
        &two[..],
        &[text(&whole), "volumes/whole"][..],
    ]
    .concat());
    same(from, to, "whole", dir);
    let taken = to.ok(&["snap", "ls", "volumes/whole"]);
    let protected: Vec<bool> = taken
        .lines()
        .skip(1)
        .map(|line| line.contains("yes"))
        .collect();
    assert_eq!(protected, [true, false], "{taken}");
    assert_eq!(
        to.ok(&["image-meta", "get", "volumes/whole", "color"])
            .trim(),
        "blue"
    );
    // Torn in the middle it is refused, and nothing of it stays.
    let torn = file("torn");
    let bytes = fs::read(&whole).unwrap();
    fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
    if let Tool::Here(rbd) = to {
        rbd.refused(
            74,
            &[&["import"][..], &two[..], &[text(&torn), "torn"][..]].concat(),
        );
        rbd.refused(2, &["info", "torn"]);
    }

    let (one, second, head) = (file("d1"), file("d2"), file("d3"));
    let export = |args: &[&str]| from.ok(&[&["export-diff", "--no-progress"], args].concat());
    export(&["volumes/disk@one", text(&one)]);
    export(&["--from-snap", "one", "volumes/disk@two", text(&second)]);
    export(&["--from-snap", "two", "volumes/disk", text(&head)]);
    let import = |diff: &Path, to_image: &str| {
        to.ok(&["import-diff", "--no-progress", text(diff), to_image]);
    };
    to.ok(&["create", "--size", "1M", "volumes/apart"]);
    for diff in [&one, &second, &head] {
        import(diff, "volumes/apart");
    }
    same(from, to, "apart", dir);
    assert_eq!(
        to.status(&[
            "import-diff",
            "--no-progress",
            text(&second),
            "volumes/apart"
        ]),
        17
    );
    // Either tool merges, and either takes it.
    for (merger, name) in [(from, "merged-by-sender"), (to, "merged-by-receiver")] {
        let merged = file("merged");
        merger.ok(&[
            "merge-diff",
            "--no-progress",
            text(&one),
            text(&second),
            text(&merged),
        ]);
        let image = format!("volumes/{name}");
        to.ok(&["create", "--size", "1M", &image]);
        import(&merged, &image);
        let sent = from.bytes("volumes/disk@two", dir);
        assert!(sent == to.bytes(&format!("{image}@two"), dir), "{name}");
    }
}

#[test]
fn streams_go_to_ceph_and_come_from_there() {
    let ceph = Ceph::start();
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    let dir = ceph.dir();
    history(&Tool::Here(&a), dir);
    travels(&Tool::Here(&a), &Tool::Ceph(&ceph), dir);
    // The other way, from a cluster to the other site.
    for image in ["whole", "apart", "merged-by-sender", "merged-by-receiver"] {
        let spec = format!("volumes/{image}");
        for snapshot in ["one", "two"] {
            // Not all of them are protected.
            let _ = ceph.rbd(&["snap", "unprotect", &format!("{spec}@{snapshot}")]);
        }
        let _ = ceph.rbd(&["snap", "purge", "--no-progress", &spec]).ok();
        let _ = ceph.rbd(&["rm", "--no-progress", &spec]).ok();
    }
    history(&Tool::Ceph(&ceph), dir);
    travels(&Tool::Ceph(&ceph), &Tool::Here(&b), dir);
}

/// What is printed, without what differs from run to run: ids and times.
fn form(printed: &str, ids: &[String]) -> String {
    let mut text = printed.to_owned();
    for (i, id) in ids.iter().enumerate() {
        text = text.replace(id.as_str(), &format!("<id{i}>"));
    }
    let mut kept = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        if let Some(behind) = behind_time(rest) {
            kept.push_str("<time>");
            rest = behind;
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    // Columns are as wide as what stands in them.
    let lines = kept
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

/// What follows a time such as `Fri Nov 20 20:34:14 2026`, where the text begins with one.
fn behind_time(text: &str) -> Option<&str> {
    let (time, behind) = text.split_at_checked(24)?;
    let days = ["Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "];
    let bytes = time.as_bytes();
    let is_time = days.iter().any(|day| time.starts_with(day))
        && bytes[13] == b':'
        && bytes[16] == b':'
        && time[20..].bytes().all(|byte| byte.is_ascii_digit());
    is_time.then_some(behind)
}

/// What `info` says the id is.
fn id_of(tool: &Tool<'_>, image: &str) -> String {
    let printed = tool.ok(&["info", "--format", "json", image]);
    let info: serde_json::Value = serde_json::from_str(&printed).unwrap();
    info["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_printed_has_the_form_of_rbd() {
    let ceph = Ceph::start();
    let dev = Dev::start();
    let site = dev.rbd("site-a");
    let tools = [Tool::Here(&site), Tool::Ceph(&ceph)];
    let mut printed: Vec<Vec<(String, i32, String)>> = Vec::new();
    for tool in &tools {
        for args in [
            &["create", "--size", "16M", "volumes/a"][..],
            &["snap", "create", "--no-progress", "volumes/a@s1"],
            &["snap", "protect", "volumes/a@s1"],
            &["clone", "volumes/a@s1", "volumes/b"],
            &["image-meta", "set", "volumes/a", "k", "v"],
            &["group", "create", "volumes/g"],
            &["group", "image", "add", "volumes/g", "volumes/b"],
            &["namespace", "create", "volumes/ns"],
        ] {
            tool.ok(args);
        }
        let ids = [id_of(tool, "volumes/a"), id_of(tool, "volumes/b")];
        let taken = tool.ok(&["snap", "ls", "--format", "json", "volumes/a"]);
        let taken: serde_json::Value = serde_json::from_str(&taken).unwrap();
        let snapshot = taken[0]["id"].to_string();
        let mut results = Vec::new();
        for line in LINES {
            for format in ["plain", "json", "xml"] {
                let mut args: Vec<&str> = line.split(' ').collect();
                args.extend(["--format", format]);
                let (status, out) = match tool {
                    Tool::Here(rbd) => {
                        let ran = rbd.run(&args);
                        (ran.status, ran.stdout)
                    }
                    Tool::Ceph(ceph) => {
                        let ran = ceph.rbd(&args);
                        (ran.status, ran.stdout)
                    }
                };
                let out = out
                    .replace(&format!(r#""snapshot_id":{snapshot},"#), "")
                    .replace(&format!("<snapshot_id>{snapshot}</snapshot_id>"), "")
                    .replace(&format!(r#""id":{snapshot},"#), "")
                    .replace(&format!("<id>{snapshot}</id>"), "")
                    .replace(&format!(" {snapshot}  s1"), "  s1");
                results.push((format!("{line} {format}"), status, form(&out, &ids)));
            }
        }
        printed.push(results);
    }
    let [here, there] = printed.as_slice() else {
        panic!("two tools");
    };
    for (here, there) in here.iter().zip(there) {
        assert_eq!(here, there);
    }
}

/// Commands whose results are compared.
const LINES: &[&str] = &[
    "ls volumes",
    "ls -l volumes",
    "info volumes/a",
    "info volumes/b",
    "info volumes/a@s1",
    "info volumes/none",
    "snap ls volumes/a",
    "snap ls --all volumes/a",
    "status volumes/a",
    "children volumes/a@s1",
    "children --all volumes/a@s1",
    "image-meta list volumes/a",
    "image-meta list volumes/b",
    "group ls volumes",
    "group image ls volumes/g",
    "namespace ls volumes",
    "lock ls volumes/a",
    "trash ls volumes",
    "diff volumes/a",
    "ls nope",
];

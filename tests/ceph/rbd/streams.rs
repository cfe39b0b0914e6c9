//! Files that one tool writes and the other one reads.

use std::fs;
use std::path::{Path, PathBuf};

use firebrick_tests::{Ceph, Rbd};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Tool, both_see};

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

const STATES: [&str; 3] = ["@one", "@two", ""];
const QUIET: &str = "--no-progress";

/// An image with two snapshots and something behind them, made from files.
fn history(tool: Tool<'_>, disk: &str, dir: &Path) {
    let first = raw(dir, "first", 1, 3000, &[(0, 3), (700, 400), (2999, 1)]);
    let second = raw(dir, "second", 2, 3000, &[(1, 1), (800, 20), (2500, 5)]);
    let (first, second) = (first.display(), second.display());
    let change = dir.join("change");
    let diff = change.display();
    for line in [
        format!("import {QUIET} {first} {disk}"),
        format!("snap create {QUIET} {disk}@one"),
        format!("snap protect {disk}@one"),
        format!("import {QUIET} {second} {disk}-change"),
        format!("export-diff {QUIET} {disk}-change {diff}"),
        format!("import-diff {QUIET} {diff} {disk}"),
        format!("snap create {QUIET} {disk}@two"),
        format!("resize {QUIET} --allow-shrink --size 7M {disk}"),
        format!("image-meta set {disk} color blue"),
    ] {
        tool.ok(&line);
    }
    fs::remove_file(change).unwrap();
}

/// The bytes of an image or snapshot.
fn bytes(tool: Tool<'_>, image: &str, dir: &Path) -> Vec<u8> {
    let path = dir.join("bytes");
    tool.ok(&format!("export {QUIET} {image} {}", path.display()));
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    bytes
}

/// All of an image as one file, and as differences, from one tool to the other.
fn travels(writer: Tool<'_>, disk: &str, reader: Tool<'_>, copy: &str, dir: &Path) {
    let (whole, diff) = (dir.join("whole"), dir.join("diff"));
    let (whole_at, diff_at) = (whole.display(), diff.display());
    writer.ok(&format!(
        "export {QUIET} --export-format 2 {disk} {whole_at}"
    ));
    reader.ok(&format!(
        "import {QUIET} --export-format 2 {whole_at} {copy}"
    ));
    fs::remove_file(&whole).unwrap();
    let color = reader.ok(&format!("image-meta get {copy} color"));
    assert_eq!(color.trim(), "blue");
    let parts = format!("{copy}-by-parts");
    reader.ok(&format!("create --size 1M {parts}"));
    for (since, state) in [
        ("", "@one"),
        ("--from-snap one ", "@two"),
        ("--from-snap two ", ""),
    ] {
        writer.ok(&format!(
            "export-diff {QUIET} {since}{disk}{state} {diff_at}"
        ));
        reader.ok(&format!("import-diff {QUIET} {diff_at} {parts}"));
        fs::remove_file(&diff).unwrap();
    }
    for state in STATES {
        let sent = bytes(writer, &format!("{disk}{state}"), dir);
        for copy in [copy, &parts] {
            let got = bytes(reader, &format!("{copy}{state}"), dir);
            assert!(got == sent, "{copy}{state} differs");
        }
    }
}

#[test]
fn streams() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    let dir = real.dir();
    let tools = [("mine", Tool::Here(&here)), ("real", Tool::Real(&real))];
    for (own, tool) in tools {
        history(tool, &format!("volumes/{own}"), dir);
    }
    for state in STATES {
        let of =
            |tool| ["mine", "real"].map(|own| bytes(tool, &format!("volumes/{own}{state}"), dir));
        let [here, there] = tools.map(|(_, tool)| of(tool));
        assert!(here == there && here[0] == here[1], "{state:?} differs");
    }
    both_see(
        &here,
        &real,
        &[
            "diff volumes/%",
            "diff --from-snap one volumes/%@two",
            "du volumes/%",
        ],
    );
    for (from, writer) in tools {
        for (to, reader) in tools {
            let (disk, copy) = (format!("volumes/{from}"), format!("volumes/{from}-to-{to}"));
            travels(writer, &disk, reader, &copy, dir);
        }
    }
}

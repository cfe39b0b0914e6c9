//! The tools that operators and hypervisors use, against the server. A tool that is not installed is
//! left out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper that fails fails the test"
)]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use support::{MemoryDevice, Site};

const MIB: usize = 1 << 20;

fn is_installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        println!("{tool} is not installed; not tested");
    }
    found
}

/// Runs a tool that must succeed; what it printed.
#[track_caller]
fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {printed}{complaint}"
    );
    printed
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 511 + at / 65536) as u8).collect()
}

#[test]
fn nbdinfo_sees_what_is_exported() {
    if !is_installed("nbdinfo") {
        return;
    }
    let (site, _) = Site::with_disk(3 * MIB);
    site.server.add("other", MemoryDevice::new(MIB), true);
    let info = run("nbdinfo", &["--json", &site.uri("disk")]);
    for expected in [
        "\"export-size\": 3145728",
        "\"structured\": true",
        "\"is_read_only\": false",
        "\"can_multi_conn\": true",
        "\"can_fast_zero\": true",
        "\"can_cache\": true",
        "\"can_df\": true",
        "\"can_flush\": true",
        "\"can_fua\": true",
        "\"can_trim\": true",
        "\"can_zero\": true",
        "\"block_size_minimum\": 1,",
        "\"block_size_preferred\": 4096,",
        "\"block_size_maximum\": 67108864,",
        "\"base:allocation\"",
    ] {
        assert!(info.contains(expected), "no {expected} in {info}");
    }
    let list = run("nbdinfo", &["--list", "--json", &site.uri("")]);
    assert!(
        list.contains("\"disk\"") && list.contains("\"other\""),
        "{list}"
    );
    run("nbdinfo", &["--is", "read-only", &site.uri("other")]);
    let unknown = Command::new("nbdinfo")
        .arg(site.uri("none"))
        .output()
        .unwrap();
    assert!(!unknown.status.success());
    let ambiguous = Command::new("nbdinfo")
        .args(["--size", &site.uri("")])
        .output()
        .unwrap();
    assert!(!ambiguous.status.success());
    site.server.remove("other");
    assert_eq!(run("nbdinfo", &["--size", &site.uri("")]).trim(), "3145728");
}

#[test]
fn nbdinfo_maps_what_holds_data() {
    if !is_installed("nbdinfo") || !is_installed("qemu-io") {
        return;
    }
    let (site, _) = Site::with_disk(MIB);
    let uri = site.uri("disk");
    run("qemu-io", &["-f", "raw", "-c", "write -P 7 64k 128k", &uri]);
    let map = run("nbdinfo", &["--map", &uri]);
    let fields: Vec<Vec<&str>> = map
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        fields,
        [
            ["0", "65536", "3", "hole,zero"],
            ["65536", "131072", "0", "data"],
            ["196608", "851968", "3", "hole,zero"],
        ]
    );
}

#[test]
fn nbdcopy_copies_both_ways() {
    if !is_installed("nbdcopy") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    let mut data = pattern(20 * MIB + 512);
    data[5 * MIB..11 * MIB].fill(0);
    std::fs::write(&there, &data).unwrap();
    for cached in [true, false] {
        let (site, device) = Site::with_disk(data.len());
        device.cached.store(cached, Ordering::SeqCst);
        let uri = site.uri("disk");
        run("nbdcopy", &["--flush", there.to_str().unwrap(), &uri]);
        assert!(device.bytes() == data);
        assert!(device.flushes.load(Ordering::SeqCst) > 0);
        run("nbdcopy", &[&uri, back.to_str().unwrap()]);
        assert!(std::fs::read(&back).unwrap() == data);
        std::fs::remove_file(&back).unwrap();
    }
}

#[test]
fn nbdcopy_reads_with_simple_replies_from_several_connections() {
    if !is_installed("nbdcopy") {
        return;
    }
    let site = Site::with(|options| options.tcp = Some(([127, 0, 0, 1], 0).into()));
    let device = MemoryDevice::new(16 * MIB);
    site.server.add("disk", device.clone() as _, false);
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    let data = pattern(16 * MIB);
    std::fs::write(&there, &data).unwrap();
    let uri = format!("nbd://{}/disk", site.server.tcp_address().unwrap());
    run(
        "nbdcopy",
        &["--connections=4", there.to_str().unwrap(), &uri],
    );
    assert!(device.bytes() == data);
    run(
        "nbdcopy",
        &[
            "--connections=4",
            "--requests=32",
            &uri,
            back.to_str().unwrap(),
        ],
    );
    assert!(std::fs::read(&back).unwrap() == data);
}

#[test]
fn qemu_img_converts_and_compares() {
    if !is_installed("qemu-img") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    let mut data = pattern(12 * MIB);
    data[MIB..5 * MIB].fill(0);
    std::fs::write(&there, &data).unwrap();
    let (site, device) = Site::with_disk(data.len());
    let uri = site.uri("disk");
    let there = there.to_str().unwrap();
    run(
        "qemu-img",
        &["convert", "-n", "-f", "raw", "-O", "raw", there, &uri],
    );
    assert!(device.bytes() == data);
    run(
        "qemu-img",
        &["compare", "-f", "raw", "-F", "raw", there, &uri],
    );
    let map = run("qemu-img", &["map", "-f", "raw", "--output=json", &uri]);
    assert!(
        map.contains("\"start\": 1048576, \"length\": 4194304"),
        "{map}"
    );
    device.cached.store(false, Ordering::SeqCst);
    run(
        "qemu-img",
        &["compare", "-f", "raw", "-F", "raw", there, &uri],
    );
    let bench = [
        "bench",
        "-f",
        "raw",
        "-d",
        "32",
        "-c",
        "2000",
        "-s",
        "4096",
        "-w",
        "--flush-interval=100",
    ];
    run("qemu-img", &[&bench[..], &[&uri]].concat());
}

#[test]
fn qemu_io_does_all_that_a_guest_does() {
    if !is_installed("qemu-io") {
        return;
    }
    let (site, device) = Site::with_disk(8 * MIB);
    let uri = site.uri("disk");
    let script = [
        "write -P 1 0 1M",
        "write -f -P 2 1M 64k",
        "aio_write -P 3 2M 2M",
        "aio_flush",
        "discard 0 64k",
        "write -z 128k 64k",
        "write -z -u 256k 64k",
        "flush",
        "read -P 0 0 64k",
        "read -P 1 64k 64k",
        "read -P 0 128k 64k",
        "read -P 0 256k 64k",
        "read -P 2 1M 64k",
        "read -P 3 2M 2M",
        "read -P 0 5M 3M",
    ];
    let mut arguments = vec!["-f", "raw"];
    arguments.extend(script.iter().flat_map(|line| ["-c", line]));
    arguments.push(&uri);
    let printed = run("qemu-io", &arguments);
    assert!(
        !printed.contains("failed") && !printed.contains("mismatch"),
        "{printed}"
    );
    assert!(device.flushes.load(Ordering::SeqCst) >= 2);
}

#[test]
fn fio_verifies_what_it_wrote() {
    if !is_installed("fio") {
        return;
    }
    let (site, device) = Site::with_disk(16 * MIB);
    let uri = format!("--uri={}", site.uri("disk"));
    for cached in [true, false] {
        device.cached.store(cached, Ordering::SeqCst);
        for size in ["--bs=4k", "--bsrange=512-256k"] {
            let arguments = [
                "--name=x",
                "--ioengine=nbd",
                &uri,
                "--rw=randwrite",
                size,
                "--iodepth=32",
                "--size=16m",
                "--verify=crc32c",
                "--fsync=64",
                "--do_verify=1",
            ];
            let output = Command::new("fio")
                .args(arguments)
                .current_dir(Path::new("/"))
                .output()
                .unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr);
            if complaint.contains("engine nbd not loadable") {
                println!("fio has no engine for nbd; not tested");
                return;
            }
            assert!(output.status.success(), "{complaint}");
        }
    }
}

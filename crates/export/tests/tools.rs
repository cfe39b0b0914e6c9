//! The tools that operators and hypervisors use, against the server. `cargo xtask prepare` installs them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that fails fails the test"
)]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use support::{MemoryDevice, Site};

const MIB: usize = 1 << 20;

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
            assert!(output.status.success(), "{complaint}");
        }
    }
}

/// Runs a script of libnbd's shell; each line is a statement, `h` the handle. The shell belongs to the
/// system's Python, whatever else is installed.
#[track_caller]
fn nbdsh(script: &str) -> String {
    let script = format!("import nbd, errno\nh = nbd.NBD()\n{script}");
    run("/usr/bin/python3", &["-c", &script])
}

#[test]
fn nbdsh_haggles_over_everything() {
    let (site, _) = Site::with_disk(3 * MIB);
    site.server.add("other", MemoryDevice::new(MIB), true);
    let socket = site.socket();
    let script = r#"
h.set_opt_mode(True)
h.set_full_info(True)
h.connect_unix("SOCKET")
names = []
h.opt_list(lambda name, about: names.append(name))
assert names == ["disk", "other"], names
assert h.get_structured_replies_negotiated()
h.set_export_name("disk")
contexts = []
h.opt_list_meta_context(lambda name: contexts.append(name))
assert contexts == ["base:allocation"], contexts
contexts.clear()
for query in ["x-no:", "base:"]:
    h.add_meta_context(query)
h.opt_list_meta_context(lambda name: contexts.append(name))
assert contexts == ["base:allocation"], contexts
contexts.clear()
h.clear_meta_contexts()
h.add_meta_context("x-no:")
h.opt_list_meta_context(lambda name: contexts.append(name))
assert contexts == [], contexts
h.set_export_name("none")
try:
    h.opt_info()
    assert False
except nbd.Error as refused:
    assert refused.errnum == errno.ENOENT, refused
h.set_export_name("other")
h.opt_info()
assert h.is_read_only() and h.get_size() == 1 << 20
h.set_export_name("disk")
h.opt_go()
assert not h.is_read_only() and h.get_size() == 3 << 20
assert h.get_canonical_export_name() == "disk"
assert h.get_block_size(nbd.SIZE_MINIMUM) == 1
assert h.get_block_size(nbd.SIZE_MAXIMUM) == 64 << 20
assert h.can_multi_conn() and h.can_cache() and h.can_fast_zero() and h.can_df()
h.shutdown()
h = nbd.NBD()
h.set_opt_mode(True)
h.connect_unix("SOCKET")
h.opt_abort()
"#;
    let script = script.replace("SOCKET", socket.to_str().unwrap());
    let printed = nbdsh(&script);
    assert!(
        printed.contains("no tls") || printed.is_empty(),
        "{printed}"
    );
}

#[test]
fn nbdsh_asks_for_everything() {
    let (site, device) = Site::with_disk(3 * MIB);
    let script = r#"
h.add_meta_context("base:allocation")
h.set_strict_mode(0)
h.connect_unix("SOCKET")
def fails(error, call):
    try:
        call()
    except nbd.Error as failed:
        assert failed.errnum == error, failed
        return
    assert False, "did not fail"
h.pwrite(b"x" * 65536, 65536, nbd.CMD_FLAG_FUA)
parts = []
def chunk(data, offset, status, error):
    parts.append((len(data), offset, status))
assert h.pread_structured(65536, 65536, chunk, nbd.CMD_FLAG_DF) == b"x" * 65536
assert parts == [(65536, 65536, nbd.READ_DATA)], parts
parts.clear()
h.pread_structured(1 << 20, 1 << 20, chunk)
assert [part[2] for part in parts] == [nbd.READ_HOLE], parts
extents = []
def extent(context, offset, entries, error):
    assert context == "base:allocation"
    extents.append(entries)
h.block_status(1 << 20, 0, extent)
assert extents == [[65536, 3, 65536, 0, (1 << 20) - 131072, 3]], extents
extents.clear()
h.block_status(1000, 65536 + 500, extent, nbd.CMD_FLAG_REQ_ONE)
assert extents == [[1000, 0]], extents
h.zero(65536, 65536, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA)
assert h.pread(65536, 65536) == bytes(65536)
fails(errno.ENOTSUP, lambda: h.zero(100, 5, nbd.CMD_FLAG_FAST_ZERO))
h.zero(100, 5)
h.cache(1 << 20, 0)
h.trim(1 << 20, 0, nbd.CMD_FLAG_FUA)
h.flush()
end = 3 << 20
fails(errno.EINVAL, lambda: h.pread(2, end - 1))
fails(errno.ENOSPC, lambda: h.pwrite(b"ab", end - 1))
fails(errno.EINVAL, lambda: h.trim(2, end - 1))
fails(errno.ENOSPC, lambda: h.zero(2, end - 1))
fails(errno.EINVAL, lambda: h.block_status(2, end - 1, extent))
fails(errno.EINVAL, lambda: h.pread(1, 0, 1 << 9))
fails(errno.EINVAL, lambda: h.trim(1, 0, nbd.CMD_FLAG_NO_HOLE))
h.pread(1, 0)
h.shutdown()
"#;
    for cached in [true, false] {
        device.cached.store(cached, Ordering::SeqCst);
        let socket = site.socket();
        nbdsh(&script.replace("SOCKET", socket.to_str().unwrap()));
    }
}

#[test]
fn nbd_client_lists_what_there_is() {
    let client = ["/usr/sbin/nbd-client", "/sbin/nbd-client"];
    let installed = client.into_iter().find(|path| Path::new(path).exists());
    let client = installed.expect("nbd-client is not installed: run `cargo xtask prepare`");
    let site = Site::with(|options| options.tcp = Some(([127, 0, 0, 1], 0).into()));
    for name in ["disk", "other"] {
        site.server.add(name, MemoryDevice::new(MIB), false);
    }
    let port = site.server.tcp_address().unwrap().port().to_string();
    let listed = run(client, &["-l", "127.0.0.1", "-N", "", &port]);
    assert!(
        listed.contains("disk") && listed.contains("other"),
        "{listed}"
    );
    let listed = run(client, &["-unix", site.socket().to_str().unwrap(), "-l"]);
    assert!(listed.contains("disk"), "{listed}");
}

#[test]
fn qemu_nbd_sees_what_is_exported() {
    let (site, _) = Site::with_disk(3 * MIB);
    let socket = site.socket();
    let listed = run("qemu-nbd", &["--list", "-k", socket.to_str().unwrap()]);
    for expected in [
        "export: 'disk'",
        "size:  3145728",
        "base:allocation",
        "max block: 67108864",
    ] {
        assert!(listed.contains(expected), "no {expected} in {listed}");
    }
}

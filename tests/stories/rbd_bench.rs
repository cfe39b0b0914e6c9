//! `rbd bench` against a running site.

use firebrick_tests::Dev;

#[test]
fn a_bench_says_what_rbd_says() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    rbd.ok(&["create", "--size", "8M", "disk"]);
    let bench = |args: &[&str]| rbd.ok(&[&["bench"], args, &["disk"]].concat());
    let size = [
        "--io-size",
        "4K",
        "--io-threads",
        "1",
        "--io-total",
        "12288B",
    ];
    let printed = bench(&[&["--io-type", "write"][..], &size[..]].concat());
    let mut lines = printed.lines();
    let golden = "bench  type write io_size 4096 io_threads 1 bytes 12288 pattern sequential";
    assert_eq!(lines.next(), Some(golden));
    assert_eq!(lines.next(), Some("  SEC       OPS   OPS/SEC   BYTES/SEC"));
    let last = lines.next_back().unwrap();
    assert!(
        last.starts_with("elapsed: 0   ops: 3   ops/sec: "),
        "{last}"
    );
    assert!(
        last.contains("   bytes/sec: ") && last.ends_with("/s"),
        "{last}"
    );
    let used = rbd.json(&["du", "disk"])["images"][0]["used_size"].as_u64();
    assert_eq!(used, Some(12_288));
    let both = [
        "--io-type",
        "readwrite",
        "--rw-mix-read",
        "70",
        "--io-total",
        "4M",
    ];
    let printed = bench(&[&both[..], &["--io-size", "64K", "--io-threads", "4"][..]].concat());
    assert!(
        printed.starts_with("bench  type readwrite read:write=70:30 io_size 65536 io_threads 4"),
        "{printed}"
    );
    assert!(
        printed.contains("\nread_ops: ") && printed.contains("\nwrite_ops: "),
        "{printed}"
    );
    let rand = [
        "--io-type",
        "read",
        "--io-pattern",
        "rand",
        "--io-total",
        "1M",
    ];
    assert!(bench(&rand).contains("pattern random\n"));
    rbd.refused(22, &["bench", "disk"]);
    rbd.refused(1, &["bench", "--io-type", "bogus", "disk"]);
    let said = rbd.refused(
        22,
        &["bench", "--io-type", "write", "--io-size", "64M", "disk"],
    );
    assert!(
        said.starts_with("rbd: io-size 64 MiB larger than image size 8 MiB\n"),
        "{said}"
    );
    // Nothing stays exported.
    assert_eq!(rbd.ok(&["showmapped"]), "");
}

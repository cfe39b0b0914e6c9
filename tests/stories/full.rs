//! A site that is full: its pool said so before, guests are told, nothing is lost, and what is discarded or
//! deleted can be used again.

use firebrick_tests::{Api, Dev, Guest, GuestError, run, tool, until, until_some};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;
/// No space left, as the protocol numbers it.
const ENOSPC: u32 = 28;

fn chunk(volume: u8, n: u64) -> Vec<u8> {
    let mut bytes = vec![volume; MIB as usize];
    for block in bytes.chunks_mut(4096) {
        block[..8].copy_from_slice(&n.to_le_bytes());
    }
    bytes
}

/// What the scheduler is told that is left, in MiB.
fn free(api: &Api) -> u64 {
    let pools = api
        .get("/scheduler-stats/get_pools?detail=true")
        .expect(200);
    let shown = &pools.body["pools"][0]["capabilities"]["free_capacity_gb"];
    (Value::as_f64(shown).unwrap() * 1024.0) as u64
}

fn write_until_full(disk: &mut Guest, volume: u8) -> u64 {
    for n in 0.. {
        match disk.write(n * MIB, &chunk(volume, n)) {
            Ok(()) => {}
            Err(GuestError::Refused(ENOSPC)) => return n,
            Err(error) => panic!("{error}"),
        }
    }
    0
}

fn assert_holds(disk: &mut Guest, volume: u8, chunks: std::ops::Range<u64>) {
    for n in chunks {
        let found = disk.read(n * MIB, MIB as u32).unwrap();
        assert!(found == chunk(volume, n), "MiB {n} of volume {volume}");
    }
}

#[test]
fn a_full_site_refuses_writes_loses_nothing_and_takes_what_comes_back() {
    let dev = Dev::start();
    dev.configure("site-a", &["capacity = 1GiB"]);
    let api = dev.api();
    let [(one, _, uri), (other, attached, other_uri)] = [(), ()].map(|()| {
        let id = api.make_volume(&json!({"size": 1}));
        let (attachment, uri) = api.attach(&id);
        (id, attachment, uri)
    });
    let mut disk = Guest::open(&uri).unwrap();
    let mut beside = Guest::open(&other_uri).unwrap();
    for n in 0..100 {
        beside.write(n * MIB, &chunk(2, n)).unwrap();
    }
    until("the pool says that there is less", 60, || free(&api) < 924);
    let said = free(&api);
    let written = write_until_full(&mut disk, 1);
    // Where a segment begins, all of it counts as taken.
    assert!(
        written.abs_diff(said) <= 128,
        "{said} MiB free, {written} taken"
    );
    until("the pool says that it is full", 60, || free(&api) <= 64);
    disk.flush().unwrap();
    assert_holds(&mut disk, 1, 0..written);
    assert_holds(&mut beside, 2, 0..100);

    let mut discard = tool("qemu-io");
    discard.args(["-f", "raw", "-d", "unmap", "-c", "discard 0 100M", &uri]);
    let _ = run(&mut discard).ok();
    for n in 0..50 {
        disk.write(n * MIB, &chunk(1, n)).unwrap();
    }
    beside.close();
    api.detach(&attached);
    let _ = api.delete(&format!("/volumes/{other}")).expect(202);
    until("the other volume is gone", 60, || {
        api.get(&format!("/volumes/{other}")).status == 404
    });
    for n in 50..100 {
        disk.write(n * MIB, &chunk(1, n)).unwrap();
    }
    disk.flush().unwrap();
    drop(disk);
    dev.kill_site("site-a");
    dev.start_site("site-a");
    let mut disk = until_some("the export is back", 60, || Guest::open(&uri).ok());
    assert_holds(&mut disk, 1, 0..written);
    disk.close();
    assert_eq!(api.volume(&one)["status"], "in-use");
}

//! `kill -9` of a site under load, again and again: what was flushed is there, in write order.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use firebrick_tests::{Dev, Guest, run, tool, until_some};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

const SLOTS: u64 = 256;

fn numbered(n: u64) -> Vec<u8> {
    let mut block = vec![(n % 251) as u8; 4096];
    block[..8].copy_from_slice(&n.to_le_bytes());
    block
}

fn number_in(disk: &mut Guest, slot: u64) -> u64 {
    let block = disk.read(slot * 4096, 4096).unwrap();
    let n = u64::from_le_bytes(block[..8].try_into().unwrap());
    assert!(
        n == 0 || block == numbered(n),
        "slot {slot} holds a torn block"
    );
    n
}

/// Writes and flushes until the connection breaks; returns the last answered write and the last
/// flushed one.
fn write_until_broken(disk: &mut Guest, from: u64, dice: &mut StdRng) -> (u64, u64) {
    let (mut answered, mut flushed) = (from, from);
    loop {
        let n = answered + 1;
        if disk.write((n % SLOTS) * 4096, &numbered(n)).is_err() {
            return (answered, flushed);
        }
        answered = n;
        if dice.random_ratio(1, 16) {
            if disk.flush().is_err() {
                return (answered, flushed);
            }
            flushed = answered;
        }
    }
}

/// How many kills a story has: as the environment says, or as many as do not take long.
fn kills(usual: u64) -> u64 {
    let asked = std::env::var("FIREBRICK_ROUNDS").ok();
    asked.map_or(usual, |asked| asked.parse().unwrap())
}

/// A job of fio on the export; checksums in its blocks say which of them are whole.
fn fio(uri: &str, job: &[&str]) -> Command {
    let mut fio = tool("fio");
    fio.args(["--name=torture", "--ioengine=nbd", "--thread", "--size=16m"])
        .args([
            "--bs=4k",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--iodepth=16",
        ])
        .args(["--norandommap", "--verify_state_save=0"])
        .arg(format!("--uri={uri}"))
        .args(job);
    fio
}

/// Every block is one that fio wrote, whole, at any moment; and the site comes back every time.
#[test]
fn blocks_are_whole_after_kills_under_fio() {
    let seed: u64 = rand::rng().random();
    let mut dice = StdRng::seed_from_u64(seed);
    let dev = Dev::start();
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 1}));
    let (_, uri) = api.attach(&id);
    let back = || until_some("the export is back", 60, || Guest::open(&uri).ok()).close();
    let whole = ["--rw=write", "--end_fsync=1"];
    let _ = run(&mut fio(&uri, &whole)).ok();
    for round in 0..kills(50) {
        let random = format!("--randseed={}", dice.random::<u32>());
        let mut load = fio(&uri, &["--rw=randwrite", "--fsync=8", "--do_verify=0"]);
        load.args(["--time_based", "--runtime=600", &random]);
        let load = load.stdout(Stdio::null()).stderr(Stdio::null());
        let mut load = load.spawn().unwrap();
        thread::sleep(Duration::from_millis(dice.random_range(50..300)));
        dev.kill_site("site-a");
        // It may try again for ever.
        load.kill().unwrap();
        load.wait().unwrap();
        dev.start_site("site-a");
        back();
        let checked = run(&mut fio(&uri, &["--rw=read"]));
        let why = &checked.stderr;
        assert_eq!(checked.status, 0, "round {round}, seed {seed}: {why}");
    }
}

#[test]
fn what_was_flushed_survives_a_hundred_kills() {
    let seed: u64 = rand::rng().random();
    let mut dice = StdRng::seed_from_u64(seed);
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let id = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let (_, uri) = api.attach(&id);
    let mut newest = 0;
    for round in 0..kills(100) {
        let mut disk = until_some("the export is back", 60, || Guest::open(&uri).ok());
        let (answered, flushed) = thread::scope(|scope| {
            let delay = Duration::from_millis(dice.random_range(5..120));
            let mut own = StdRng::seed_from_u64(dice.random());
            let writer = scope.spawn(move || write_until_broken(&mut disk, newest, &mut own));
            thread::sleep(delay);
            dev.kill_site("site-a");
            writer.join().unwrap()
        });
        dev.start_site("site-a");
        let mut disk = until_some("the export is back", 60, || Guest::open(&uri).ok());
        let numbers: Vec<u64> = (0..SLOTS).map(|slot| number_in(&mut disk, slot)).collect();
        newest = numbers.iter().copied().max().unwrap();
        assert!(
            newest >= flushed && newest <= answered + 1,
            "round {round}, seed {seed}: newest {newest}, flushed {flushed}, answered {answered}"
        );
        for slot in 0..SLOTS {
            let behind = (newest % SLOTS + SLOTS - slot) % SLOTS;
            let expected = newest.saturating_sub(behind);
            assert_eq!(
                numbers[slot as usize], expected,
                "round {round}, seed {seed}, slot {slot}"
            );
        }
        disk.close();
    }
}

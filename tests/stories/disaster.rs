//! A site burns, the other one takes over, and later all is as before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use firebrick_tests::{Api, Dev, Guest, until};
use serde_json::json;

/// Block `n` of a run, numbered so that order can be checked afterwards.
fn numbered(n: u64) -> Vec<u8> {
    let mut block = vec![(n % 251) as u8; 4096];
    block[..8].copy_from_slice(&n.to_le_bytes());
    block
}

const SLOTS: u64 = 4096;

/// Writes numbered blocks until told to stop or the connection breaks; counts what was answered.
fn write_until(uri: &str, stop: &AtomicBool, answered: &AtomicU64) {
    let mut disk = Guest::open(uri).unwrap();
    let mut n = answered.load(Ordering::SeqCst) + 1;
    while !stop.load(Ordering::SeqCst) {
        if disk.write((n % SLOTS) * 4096, &numbered(n)).is_err() {
            return;
        }
        answered.store(n, Ordering::SeqCst);
        if n.is_multiple_of(64) && disk.flush().is_err() {
            return;
        }
        n += 1;
    }
    let _ = disk.flush();
}

/// The newest number on the disk; fails unless the disk is exactly the first so many writes.
fn newest_of_prefix(uri: &str) -> u64 {
    let mut disk = Guest::open(uri).unwrap();
    let mut numbers = Vec::new();
    for slot in 0..SLOTS {
        let block = disk.read(slot * 4096, 4096).unwrap();
        let n = u64::from_le_bytes(block[..8].try_into().unwrap());
        if n != 0 {
            assert_eq!(block, numbered(n), "slot {slot} holds a torn block");
        }
        numbers.push(n);
    }
    let newest = numbers.iter().copied().max().unwrap();
    for slot in 0..SLOTS {
        // The last number up to `newest` that was written to this slot.
        let behind = (newest % SLOTS + SLOTS - slot) % SLOTS;
        let expected = newest.saturating_sub(behind);
        assert_eq!(
            numbers[slot as usize], expected,
            "slot {slot} with newest {newest}"
        );
    }
    disk.close();
    newest
}

fn pool(api: &Api) -> serde_json::Value {
    let pools = api.get("/scheduler-stats/get_pools?detail=true");
    pools.body["pools"][0]["capabilities"].clone()
}

/// Waits until the other site has confirmed everything that was answered before the call.
pub(crate) fn wait_confirmed(api: &Api) {
    let since = Instant::now();
    // What a pool says was measured behind the moment at which it said something else.
    let (mut said, mut heard, mut measured_behind) = (String::new(), since, since);
    until("the other site has what was answered", 60, || {
        let pool = pool(api);
        let now = pool["timestamp"].to_string();
        if now != said {
            (measured_behind, heard, said) = (heard, Instant::now(), now);
        }
        let lag = pool["replication_lag_seconds"].as_f64();
        lag.is_some_and(|lag| lag < measured_behind.duration_since(since).as_secs_f64())
    });
}

fn wait_lag_zero(api: &Api) {
    wait_confirmed(api);
    until("the other site has everything", 60, || {
        pool(api)["replication_lag_records"] == 0
    });
}

#[test]
fn a_lost_site_costs_at_most_what_was_not_confirmed_and_comes_back_by_difference() {
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let id = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let plain = api.make_volume(&json!({"size": 1}));
    let in_use = api.make_volume(&json!({"size": 1}));
    let (_, plain_uri) = api.attach(&in_use);
    let mut plain_disk = Guest::open(&plain_uri).unwrap();
    plain_disk.write(0, &[8; 4096]).unwrap();
    plain_disk.flush().unwrap();
    assert_eq!(api.volume(&id)["replication_status"], "enabled");
    let (attachment, uri) = api.attach(&id);

    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let writer = {
        let (uri, stop, answered) = (uri.clone(), stop.clone(), answered.clone());
        thread::spawn(move || write_until(&uri, &stop, &answered))
    };
    until("some thousand writes", 60, || {
        answered.load(Ordering::SeqCst) > 6000
    });
    let confirmed = answered.load(Ordering::SeqCst);
    wait_confirmed(&api);
    dev.kill_site("site-a");
    writer.join().unwrap();
    let total = answered.load(Ordering::SeqCst);
    assert!(total > confirmed, "the writer was still at work");

    api.fail_over(None, "failed-over");
    let service = api.volume_service();
    assert_eq!(service["active_backend_id"], "site-b", "{service}");
    assert_eq!(service["status"], "disabled", "{service}");
    let volume = api.volume(&id);
    assert_eq!(volume["replication_status"], "failed-over", "{volume}");
    assert_eq!(volume["status"], "in-use", "{volume}");
    for other in [&plain, &in_use] {
        let volume = api.volume(other);
        assert_eq!(volume["status"], "error", "{volume}");
        assert_eq!(volume["replication_status"], "not-capable", "{volume}");
    }

    // A new connection gets the other site's address.
    let connector = json!({"attachment": {"connector": {"host": "guest", "ip": "127.0.0.1"}}});
    let updated = api
        .put(&format!("/attachments/{attachment}"), &connector)
        .expect(200);
    let new_uri = updated.body["attachment"]["connection_info"]["uri"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(new_uri, uri);
    let newest = newest_of_prefix(&new_uri);
    assert!(
        newest >= confirmed,
        "{newest} of {total}, and {confirmed} were confirmed"
    );

    // Life goes on at the other site.
    let mut disk = Guest::open(&new_uri).unwrap();
    for n in 1..=50u64 {
        disk.write((SLOTS + n) * 4096, &numbered(n)).unwrap();
    }
    disk.flush().unwrap();

    // The lost site comes back by itself as a secondary and gets only the difference.
    dev.start_site("site-a");
    until("the first site follows the second", 60, || {
        let log = std::fs::read_to_string(dev.dir().join("logs/site-a.log")).unwrap_or_default();
        log.contains("divergent") || newest == total
    });
    disk.write(0, &[0xee; 4096]).unwrap();
    disk.flush().unwrap();
    wait_lag_zero(&api);
    disk.close();

    api.fail_over(Some("default"), "enabled");
    let service = api.volume_service();
    assert_eq!(service["status"], "enabled", "{service}");
    assert_eq!(api.volume(&id)["replication_status"], "enabled");
    assert_eq!(api.volume(&plain)["status"], "available");
    assert_eq!(api.volume(&in_use)["status"], "in-use");
    let updated = api
        .put(&format!("/attachments/{attachment}"), &connector)
        .expect(200);
    let back_uri = updated.body["attachment"]["connection_info"]["uri"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut disk = Guest::open(&back_uri).unwrap();
    assert_eq!(disk.read(0, 4096).unwrap(), vec![0xee; 4096]);
    for n in 1..=50u64 {
        assert_eq!(disk.read((SLOTS + n) * 4096, 4096).unwrap(), numbered(n));
    }
    let mut plain_disk = Guest::open(&plain_uri).unwrap();
    assert_eq!(plain_disk.read(0, 4096).unwrap(), vec![8; 4096]);
}

#[test]
fn a_planned_failover_loses_nothing_there_and_back() {
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let id = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let (attachment, mut uri) = api.attach(&id);
    let connector = json!({"attachment": {"connector": {"host": "guest", "ip": "127.0.0.1"}}});
    let answered = Arc::new(AtomicU64::new(0));
    for (target, status) in [
        (Some("site-b"), "failed-over"),
        (Some("default"), "enabled"),
        (None, "failed-over"),
    ] {
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (uri, stop, answered) = (uri.clone(), stop.clone(), answered.clone());
            thread::spawn(move || write_until(&uri, &stop, &answered))
        };
        let before = answered.load(Ordering::SeqCst);
        until("some writes", 60, || {
            answered.load(Ordering::SeqCst) > before + 500
        });
        api.fail_over(target, status);
        stop.store(true, Ordering::SeqCst);
        writer.join().unwrap();
        let updated = api
            .put(&format!("/attachments/{attachment}"), &connector)
            .expect(200);
        uri = updated.body["attachment"]["connection_info"]["uri"]
            .as_str()
            .unwrap()
            .to_owned();
        let newest = newest_of_prefix(&uri);
        let total = answered.load(Ordering::SeqCst);
        // A write may have been taken whose answer did not arrive.
        assert!(
            newest == total || newest == total + 1,
            "{newest} of {total}"
        );
        answered.store(newest, Ordering::SeqCst);
    }
}

#[test]
fn a_volume_that_existed_before_is_copied_when_it_becomes_replicated_by_clone() {
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let source = api.make_volume(&json!({"size": 1}));
    let (key, uri) = api.attach(&source);
    let mut disk = Guest::open(&uri).unwrap();
    for n in 0..2000u64 {
        disk.write(n * 4096, &numbered(n + 1)).unwrap();
    }
    disk.close();
    api.detach(&key);
    api.wait_status(&source, "available");
    // The clone's origin is not at the other site, so its data must be copied there.
    let id =
        api.make_volume(&json!({"size": 1, "volume_type": "replicated", "source_volid": source}));
    wait_lag_zero(&api);
    api.fail_over(None, "failed-over");
    assert_eq!(
        api.volume(&id)["replication_status"],
        "failed-over",
        "{}",
        api.volume(&id)
    );
    let (_, uri) = api.attach(&id);
    let mut disk = Guest::open(&uri).unwrap();
    for n in 0..2000u64 {
        assert_eq!(
            disk.read(n * 4096, 4096).unwrap(),
            numbered(n + 1),
            "block {n}"
        );
    }
}

#[test]
fn failover_to_an_unknown_target_changes_nothing() {
    let dev = Dev::start();
    let api = dev.api();
    let host = api.volume_service()["host"].as_str().unwrap().to_owned();
    let answer = api.put(
        "/os-services/failover_host",
        &json!({"host": host, "backend_id": "nowhere"}),
    );
    assert!(answer.status == 400 || answer.status == 202, "{answer:?}");
    dev.api().wait_replication("enabled");
    let missing = api.put("/os-services/failover_host", &json!({"host": "none@such"}));
    assert!((400..500).contains(&missing.status), "{missing:?}");
    let missing = api.put("/os-services/failover_host", &json!({}));
    assert_eq!(missing.status, 400, "{missing:?}");
}

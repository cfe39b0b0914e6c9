//! QoS specs, from the stock client to what a guest gets.

use firebrick_tests::{Dev, run, tool, until};
use serde_json::Value;

/// Requests a second in the specs of this story.
const LIMIT: f64 = 100.0;
/// How long fio runs, in seconds.
const SECONDS: f64 = 3.0;

/// How many requests fio got done in about [`SECONDS`], and how long it took for them.
fn fio(dev: &Dev, uri: &str, rw: &str) -> (f64, f64) {
    let out = dev.dir().join("fio.json");
    let _ = run(tool("fio")
        .args(["--name=limit", "--ioengine=nbd", "--bs=4k", "--size=64m"])
        .args(["--iodepth=4", "--time_based", "--output-format=json"])
        .arg(format!("--rw={rw}"))
        .arg(format!("--runtime={SECONDS}"))
        .arg(format!("--output={}", out.display()))
        .arg(format!("--uri={uri}")))
    .ok();
    let report: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let job = &report["jobs"][0];
    assert_eq!(job["error"], 0);
    let done: f64 = ["read", "write"]
        .iter()
        .map(|way| job[*way]["total_ios"].as_f64().unwrap())
        .sum();
    (done, job["job_runtime"].as_f64().unwrap() / 1000.0)
}

/// Never more than the limit; how much less depends on what else the machine does.
fn is_held(dev: &Dev, uri: &str, rw: &str) {
    let (done, took) = fio(dev, uri, rw);
    // A tenth of a second's worth may come at once.
    let most = (LIMIT * took + LIMIT / 10.0) * 1.1;
    assert!(done <= most, "{rw}: {done} requests in {took} s");
    assert!(done >= LIMIT * SECONDS / 4.0, "{rw}: only {done} requests");
}

#[test]
fn the_stock_client_limits_a_volume_and_fio_is_held_to_it() {
    let dev = Dev::start();
    let (api, clients) = (dev.api(), dev.clients());
    let cinder = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        clients.cinder(&words).ok().stdout
    };
    let id_in = |printed: &str| {
        let row = printed.lines().find(|line| line.starts_with("| id "));
        let row = row.unwrap_or_else(|| panic!("no id in {printed}"));
        row.split('|').nth(2).unwrap().trim().to_owned()
    };
    let qos = id_in(&cinder(
        "qos-create slow consumer=both total_iops_sec_per_gb=50 write_bytes_sec=1048576000",
    ));
    cinder("type-create slow");
    let kind = api.get("/types").expect(200).body["volume_types"]
        .as_array()
        .unwrap()
        .iter()
        .find(|kind| kind["name"] == "slow")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    cinder(&format!("qos-associate {qos} {kind}"));
    assert!(cinder("qos-list").contains("slow"));
    assert!(cinder(&format!("qos-show {qos}")).contains("total_iops_sec_per_gb"));
    assert!(cinder(&format!("qos-get-association {qos}")).contains(&kind));
    assert!(cinder("type-show slow").contains(&qos));

    let volume = id_in(&cinder("create --name held --volume-type slow 2"));
    api.wait_status(&volume, "available");
    let (attachment, uri) = api.attach(&volume);
    let shown = api.get(&format!("/attachments/{attachment}")).expect(200);
    let told = shown.body.to_string();
    assert!(told.contains("\"total_iops_sec\":100"), "{told}");
    is_held(&dev, &uri, "randwrite");
    is_held(&dev, &uri, "randrw");

    // The volume is larger than the limit thinks; the limit is lifted for the guest that runs.
    cinder(&format!("qos-key {qos} set total_iops_sec_per_gb=1000000"));
    until("the guest is not held any more", 60, || {
        fio(&dev, &uri, "randwrite").0 > 2.0 * LIMIT * SECONDS
    });
    cinder(&format!("qos-key {qos} unset write_bytes_sec"));
    let refused = clients.cinder(&["qos-delete", &qos]);
    assert_ne!(refused.status, 0);
    cinder(&format!("qos-disassociate {qos} {kind}"));
    cinder(&format!("qos-associate {qos} {kind}"));
    cinder(&format!("qos-disassociate-all {qos}"));
    cinder(&format!("qos-delete {qos}"));
    assert!(!cinder("qos-list").contains("slow"));
}

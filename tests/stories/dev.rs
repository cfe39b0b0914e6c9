//! `firebrick dev` as a person uses it: start, look, stop, start again.

use std::process::Command;
use std::time::Instant;

use firebrick_tests::{Api, Dev, Guest, run, until, until_some};
use serde_json::json;

#[test]
fn everything_is_found_again_at_the_next_start() {
    let mut dev = Dev::start();
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 1, "name": "kept"}));
    let (_, uri) = api.attach(&id);
    let mut disk = Guest::open(&uri).unwrap();
    disk.write(4096, &[7; 4096]).unwrap();
    disk.flush().unwrap();
    let json = dev.json();
    assert_eq!(dev.stop(), 0, "Ctrl-C ends dev cleanly");
    assert!(disk.read(0, 4096).is_err(), "the connection is dropped");

    let before = Instant::now();
    dev.launch();
    assert_eq!(dev.json()["api"], json["api"]);
    assert_eq!(dev.json()["host"], json["host"]);
    assert_eq!(api.volume(&id)["status"], "in-use");
    // Exports come back a moment after the API.
    let mut disk = until_some("the export is back", 30, || Guest::open(&uri).ok());
    assert_eq!(disk.read(4096, 4096).unwrap(), vec![7; 4096]);
    assert!(before.elapsed().as_secs() < 60);
}

#[test]
fn dev_json_says_what_runs_and_kill_9_of_dev_ends_all() {
    let mut dev = Dev::start();
    let json = dev.json();
    assert_eq!(json["api"], format!("http://{}", dev.listen()));
    assert_eq!(json["backend"], "blocks");
    assert!(json["host"].as_str().unwrap().ends_with("@blocks"));
    let sites = dev.sites();
    assert_eq!(sites.len(), 2);
    assert_eq!(sites[1].nbd_port, sites[0].nbd_port + 1);
    let pids: Vec<i64> = [json["pid"].as_i64().unwrap()]
        .into_iter()
        .chain(sites.iter().map(|site| i64::from(site.pid)))
        .collect();
    dev.kill_supervisor();
    until("all children are gone", 20, || {
        pids.iter()
            .all(|pid| !std::path::Path::new(&format!("/proc/{pid}/exe")).exists())
    });
}

#[test]
fn a_lost_site_is_reported_and_stays_down_until_it_is_started() {
    let dev = Dev::start();
    dev.kill_site("site-b");
    until("the loss is reported", 20, || {
        dev.output()
            .lines()
            .any(|line| line.contains("site-b") && line.contains("down"))
            || dev.output().contains("site-b died")
    });
    let status = dev.site_command("status", "site-b").ok().stdout;
    assert!(status.contains("down"), "{status}");
    assert!(
        dev.sites().iter().all(|site| site.name != "site-b"),
        "{}",
        dev.json()
    );
    dev.start_site("site-b");
    let status = dev.site_command("status", "site-b").ok().stdout;
    assert!(status.contains("up"), "{status}");
    let _ = dev.site_command("stop", "site-b").ok();
    until("the site is down again", 20, || dev.sites().len() == 1);
}

#[test]
fn a_site_is_started_again_in_the_moment_of_its_loss() {
    let dev = Dev::start();
    for _ in 0..20 {
        let former = dev.site("site-b").pid;
        dev.kill_site("site-b");
        // Nobody has looked yet whether the process is still there.
        let started = dev.site_command("start", "site-b").ok().stdout;
        assert!(started.contains("is up"), "{started}");
        let pid = dev.site("site-b").pid;
        assert_ne!(pid, former, "{started}");
    }
}

#[test]
fn a_second_dev_in_the_same_folder_is_refused() {
    let dev = Dev::start();
    let ran = run(Command::new(firebrick_tests::binary())
        .arg("dev")
        .arg("--dir")
        .arg(dev.dir())
        .args(["--listen", "127.0.0.1:1"]));
    assert_ne!(ran.status, 0);
    assert!(
        ran.stderr.contains("runs already") || ran.stderr.contains("in use"),
        "{}",
        ran.stderr
    );
}

#[test]
fn without_keystone_other_addresses_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(Command::new(firebrick_tests::binary())
        .arg("dev")
        .arg("--dir")
        .arg(dir.path().join("data"))
        .args(["--listen", "0.0.0.0:18776"]));
    assert_ne!(ran.status, 0);
    assert!(
        ran.stderr.contains("noauth") && ran.stderr.contains("loopback"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_health_check_needs_no_token_and_unknown_paths_answer_in_cinders_form() {
    let dev = Dev::start();
    let api = Api::new(&format!("http://{}", dev.listen()));
    let answer = api.get("/no-such-thing").expect(404);
    assert_eq!(answer.body["itemNotFound"]["code"], 404, "{}", answer.body);
}

//! What a failover loses is said before it and after it, by the API and at the machine, while the stock client does
//! the failover; attachments that did not follow are named.

use std::process::Command;

use firebrick_tests::{Dev, Guest, Ran, binary, run, until, until_some};
use serde_json::{Value, json};

use crate::disaster::wait_confirmed;

const BLOCK: usize = 4096;

/// `firebrick manage`.
fn manage(dev: &Dev, words: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.arg("manage").args(words);
    command.arg("--conf").arg(dev.dir().join("cinder.conf"));
    run(&mut command)
}

fn told(dev: &Dev, words: &[&str]) -> Value {
    let words = [words, &["--format", "json"]].concat();
    serde_json::from_str(&manage(dev, &words).ok().stdout).unwrap()
}

/// What is said of a volume.
fn of<'a>(report: &'a Value, volume: &str) -> &'a Value {
    let volumes = report["volumes"].as_array().unwrap();
    let mut found = volumes.iter().filter(|it| it["volume_id"] == volume);
    found
        .next()
        .unwrap_or_else(|| panic!("{volume} in {report}"))
}

fn stale(dev: &Dev) -> Vec<String> {
    let found = told(dev, &["attachments", "--stale"]);
    let rows = found.as_array().unwrap().iter();
    rows.map(|row| row["attachment_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_failover_says_before_and_after_what_it_loses() {
    let dev = Dev::start();
    let (api, clients) = (dev.api(), dev.clients());
    let host = dev.json()["host"].as_str().unwrap().to_owned();
    api.make_replicated_type();
    let volume = api.make_volume(&json!({ "size": 1, "volume_type": "replicated" }));
    let plain = api.make_volume(&json!({ "size": 1 }));
    let (attachment, uri) = api.attach(&volume);
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[7; BLOCK]).unwrap();
    guest.flush().unwrap();

    // The copy follows.
    let path = format!("/replications/{volume}@site-b");
    until("the copy has everything", 60, || {
        let found = api.get(&path).expect(200).body["replication"].clone();
        found["state"] == "replaying" && found["lag_bytes"] == 0
    });
    let all = api.get("/replications").expect(200).body["replications"].clone();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!(all[0]["role"], "secondary");
    let printed = manage(&dev, &["replications"]).ok().stdout;
    assert!(
        printed.contains(&volume) && printed.contains("replaying"),
        "{printed}"
    );

    // Planned: nothing is lost, and saying so changes nothing.
    let check = ["failover", &host, "--backend-id", "site-b", "--check"];
    let foretold = told(&dev, &check);
    assert_eq!(foretold["mode"], "planned", "{foretold}");
    assert_eq!(of(&foretold, &volume)["outcome"], "moved");
    assert_eq!(of(&foretold, &plain)["outcome"], "left_behind");
    let body = json!({ "host": host, "backend_id": "site-b" });
    let checked = api.put("/os-services/failover-check", &body).expect(200);
    assert_eq!(checked.body["failover_checks"][0]["mode"], "planned");
    assert_eq!(api.volume_service()["replication_status"], "enabled");
    assert!(stale(&dev).is_empty());

    let moved = clients.cinder(&["failover-host", &host, "--backend_id", "site-b"]);
    assert_eq!(moved.ok().status, 0);
    api.wait_replication("failed-over");
    let report = told(&dev, &["report", &host]);
    assert_eq!(report["mode"], "planned", "{report}");
    assert_eq!(of(&report, &volume)["bytes_lost"], 0);
    assert!(of(&report, &volume)["position"].is_string(), "{report}");
    let role = api.get(&path).expect(200).body["replication"]["role"].clone();
    assert_eq!(role, "primary");

    // The server has not followed, until it connects to where the attachment says.
    drop(guest);
    assert_eq!(stale(&dev), std::slice::from_ref(&attachment));
    let address = format!("/attachments/{attachment}");
    let shown = api.get(&address).expect(200).body["attachment"].clone();
    let there = shown["connection_info"]["uri"].as_str().unwrap().to_owned();
    assert_ne!(there, uri);
    let mut guest = Guest::open(&there).unwrap();
    assert_eq!(guest.read(0, BLOCK as u32).unwrap(), [7; BLOCK]);
    until("the server counts as connected", 30, || {
        stale(&dev).is_empty()
    });
    guest.write(BLOCK as u64, &[8; BLOCK]).unwrap();
    guest.flush().unwrap();
    guest.close();

    // Home again, asked for at the machine, which waits for the end.
    let home = told(&dev, &["failover", &host, "--backend-id", "default"]);
    assert_eq!(of(&home, &volume)["outcome"], "moved", "{home}");
    assert_eq!(of(&home, &plain)["outcome"], "restored", "{home}");
    assert_eq!(api.volume_service()["replication_status"], "enabled");

    // Forced: what would be lost is known, and is what was lost.
    wait_confirmed(&api);
    dev.kill_site("site-a");
    let foretold = told(&dev, &check);
    assert_eq!(foretold["mode"], "forced", "{foretold}");
    let seconds = of(&foretold, &volume)["seconds_lost"].as_f64().unwrap();
    let begun = api.put("/os-services/failover_host", &body).expect(202);
    drop(begun);
    api.wait_replication("failed-over");
    let activities = api
        .get("/activities?action=failover&all_tenants=true")
        .expect(200);
    let id = activities.body["activities"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = until_some("the failover has ended", 30, || {
        let found = api.get(&format!("/activities/{id}")).expect(200);
        let activity = found.body["activity"].clone();
        (activity["status"] == "done").then_some(activity)
    });
    let report = &shown["report"];
    assert_eq!(report["mode"], "forced", "{shown}");
    let lost = of(report, &volume);
    assert!(
        lost["seconds_lost"].as_f64().unwrap() >= seconds,
        "{lost}, {seconds}"
    );
    let printed = manage(&dev, &["report", &host, "--activity", &id])
        .ok()
        .stdout;
    assert!(
        printed.contains("forced") && printed.contains("moved"),
        "{printed}"
    );
    // Both sites are needed on the way back.
    let refused = manage(
        &dev,
        &["failover", &host, "--backend-id", "site-x", "--check"],
    );
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    dev.start_site("site-a");
    api.fail_over(Some("default"), "enabled");
    assert_eq!(
        of(&told(&dev, &["report", &host]), &volume)["bytes_lost"],
        0
    );
}

#[test]
fn one_volume_moves_alone_with_its_data() {
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let replicated = json!({ "size": 1, "volume_type": "replicated" });
    let (volume, other) = (api.make_volume(&replicated), api.make_volume(&replicated));
    let (attachment, uri) = api.attach(&volume);
    let address = format!("/attachments/{attachment}");
    let uri_now = || {
        let shown = api.get(&address).expect(200).body["attachment"].clone();
        shown["connection_info"]["uri"].as_str().unwrap().to_owned()
    };
    let path = format!("/replications/{volume}@site-b");
    let act = |body: &Value| api.post(&format!("{path}/action"), body);
    let rests = |status: &str| {
        let found = until_some("the volume rests", 60, || {
            let now = api.volume(&volume)["replication_status"]
                .as_str()?
                .to_owned();
            (now != "failing-over").then_some(now)
        });
        assert_eq!(found, status);
    };
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[3; BLOCK]).unwrap();
    guest.flush().unwrap();
    until("the copy has everything", 60, || {
        let found = api.get(&path).expect(200).body["replication"].clone();
        found["state"] == "replaying" && found["lag_bytes"] == 0
    });
    let told = act(&json!({ "check": {} })).expect(200).body["replication_check"].clone();
    assert_eq!(
        (&told["mode"], &told["to"]),
        (&json!("planned"), &json!("site-b"))
    );
    assert_eq!(uri_now(), uri, "a check changes nothing");

    let _ = act(&json!({ "failover": {} })).expect(202);
    rests("failed-over");
    drop(guest);
    assert_eq!(api.volume(&other)["replication_status"], "enabled");
    assert_eq!(api.volume_service()["replication_status"], "enabled");
    assert_ne!(uri_now(), uri);
    let mut guest = Guest::open(&uri_now()).unwrap();
    assert_eq!(guest.read(0, BLOCK as u32).unwrap(), [3; BLOCK]);
    guest.write(0, &[4; BLOCK]).unwrap();
    guest.flush().unwrap();
    guest.close();

    // What it did is told to administrators.
    let found = api.get("/activities?action=failover_volume").expect(200);
    let id = found.body["activities"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = api.get(&format!("/activities/{id}")).expect(200);
    let report = shown.body["activity"]["report"].clone();
    assert_eq!(report["mode"], "planned", "{report}");
    assert_eq!(of(&report, &volume)["bytes_lost"], 0, "{report}");

    let _ = act(&json!({ "failback": {} })).expect(202);
    rests("enabled");
    let mut guest = Guest::open(&uri_now()).unwrap();
    assert_eq!(guest.read(0, BLOCK as u32).unwrap(), [4; BLOCK]);
    guest.close();
    assert_eq!(
        act(&json!({ "failback": {} })).status,
        400,
        "it is there already"
    );
}

#[test]
fn one_volume_is_replicated_drilled_and_left_alone_again() {
    let dev = Dev::start();
    let api = dev.api();
    let volume = api.make_volume(&json!({ "size": 1 }));
    let path = format!("/replications/{volume}@site-b");
    let act = |body: &Value| api.post(&format!("{path}/action"), body);
    assert_eq!(api.get(&path).status, 404, "it does not replicate");
    assert_eq!(act(&json!({ "drill": {} })).status, 404);
    let (_, uri) = api.attach(&volume);
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[5; BLOCK]).unwrap();
    guest.flush().unwrap();

    let _ = act(&json!({ "enable": {} })).expect(202);
    until("the copy has everything", 60, || {
        let found = api.get(&path);
        found.status == 200 && {
            let found = &found.body["replication"];
            found["state"] == "replaying" && found["lag_bytes"] == 0
        }
    });
    assert_eq!(api.volume(&volume)["replication_status"], "enabled");

    // The drill is what the copy is now, whatever is written here or there meanwhile.
    let begun = act(&json!({ "drill": {} })).expect(200).body["replication"].clone();
    let there = begun["drill"]["uri"].as_str().unwrap().to_owned();
    assert!(begun["drill"]["position"].is_string(), "{begun}");
    guest.write(0, &[6; BLOCK]).unwrap();
    guest.flush().unwrap();
    let mut tried = Guest::open(&there).unwrap();
    assert_eq!(tried.read(0, BLOCK as u32).unwrap(), [5; BLOCK]);
    tried.write(0, &[9; BLOCK]).unwrap();
    tried.flush().unwrap();
    assert_eq!(guest.read(0, BLOCK as u32).unwrap(), [6; BLOCK]);
    let again = act(&json!({ "drill": {} })).expect(200).body["replication"].clone();
    assert_eq!(again["drill"]["uri"].as_str(), Some(there.as_str()));
    tried.close();
    let _ = act(&json!({ "end_drill": {} })).expect(202);
    assert!(Guest::open(&there).is_err(), "it has ended");
    assert_eq!(
        api.get(&path).expect(200).body["replication"]["drill"],
        Value::Null
    );
    assert_eq!(act(&json!({ "end_drill": {} })).status, 404);

    let _ = act(&json!({ "disable": {} })).expect(202);
    until("it does not replicate any more", 60, || {
        api.volume(&volume)["replication_status"] == "disabled"
    });
    assert_eq!(api.get(&path).status, 404);
    assert_eq!(guest.read(0, BLOCK as u32).unwrap(), [6; BLOCK]);
    guest.close();
}

#[test]
fn one_volume_moves_as_it_was_at_a_time() {
    let dev = Dev::start();
    dev.configure("site-b", &["retention = 1h"]);
    let (api, b) = (dev.api(), dev.rbd("site-b"));
    api.make_replicated_type();
    let volume = api.make_volume(&json!({ "size": 1, "volume_type": "replicated" }));
    let image = format!("volume-{volume}");
    let (attachment, uri) = api.attach(&volume);
    let path = format!("/replications/{volume}@site-b");
    let written = |byte: u8| {
        let mut guest = Guest::open(&uri).unwrap();
        guest.write(0, &[byte; BLOCK]).unwrap();
        guest.flush().unwrap();
        guest.close();
        until("the copy has it", 60, || {
            let found = api.get(&path).expect(200).body["replication"].clone();
            found["state"] == "replaying" && found["lag_bytes"] == 0
        });
    };
    let act = |body: &Value| api.post(&format!("{path}/action"), body);
    let rests = || {
        until_some("the volume rests", 60, || {
            let now = api.volume(&volume)["replication_status"].clone();
            (now != "failing-over").then_some(now)
        })
    };
    written(0);
    // What is retained begins with a checkpoint that knows the image; a site that stops takes one.
    dev.stop_site("site-b");
    dev.start_site("site-b");
    written(1);
    let window = b.json(&["window", &image]);
    let at = window["newest"]["time"].as_str().unwrap().to_owned();
    written(2);

    // A drill can be as it was, too, but is one at a time.
    let drill = |at: &str| act(&json!({ "drill": { "at": at } }));
    assert_eq!(drill("2001-01-01T00:00:00Z").status, 400);
    let begun = drill(&at).expect(200).body["replication"].clone();
    let mut tried = Guest::open(begun["drill"]["uri"].as_str().unwrap()).unwrap();
    assert_eq!(tried.read(0, BLOCK as u32).unwrap(), [1; BLOCK]);
    tried.close();
    assert_eq!(drill(&at).status, 409);
    let _ = act(&json!({ "end_drill": {} })).expect(202);

    // What cannot be had is said before anything moves.
    let long_ago = json!({ "failover": { "at": "2001-01-01T00:00:00Z" } });
    let _ = act(&long_ago).expect(202);
    assert_eq!(rests(), "enabled");
    let _ = act(&json!({ "failover": { "at": at } })).expect(202);
    assert_eq!(rests(), "failed-over");
    let address = format!("/attachments/{attachment}");
    let shown = api.get(&address).expect(200).body["attachment"].clone();
    let there = shown["connection_info"]["uri"].as_str().unwrap().to_owned();
    let mut guest = Guest::open(&there).unwrap();
    assert_eq!(guest.read(0, BLOCK as u32).unwrap(), [1; BLOCK]);
    guest.close();
}

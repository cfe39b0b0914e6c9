//! Volumes come, change, move and go: the stock clients, two backends, and the bytes.

use firebrick_tests::{Api, Clients, Deployment, Guest, until};
use serde_json::{Value, json};

const ALPHA: &str = "node1@alpha";
const BETA: &str = "node1@beta";
const MIB: usize = 1 << 20;

fn two() -> Deployment {
    let mut deployment = Deployment::new(&["alpha", "beta"]);
    deployment.start("auth_strategy = noauth", "");
    deployment
}

/// Bytes of which no two MiB are alike.
fn content(len: usize, seed: u8) -> Vec<u8> {
    let byte = |i: usize| (i >> 3) as u8 ^ (i / MIB) as u8 ^ seed | 1;
    (0..len).map(byte).collect()
}

fn write(api: &Api, volume: &str, bytes: &[u8]) {
    let (attachment, uri) = api.attach(volume);
    let mut guest = Guest::open(&uri).unwrap();
    for (i, part) in bytes.chunks(MIB).enumerate() {
        guest.write((i * MIB) as u64, part).unwrap();
    }
    guest.flush().unwrap();
    guest.close();
    api.detach(&attachment);
    api.wait_status(volume, "available");
}

fn read(api: &Api, volume: &str, len: usize) -> Vec<u8> {
    let (attachment, uri) = api.attach(volume);
    let mut guest = Guest::open(&uri).unwrap();
    let parts = (0..len / MIB).map(|i| guest.read((i * MIB) as u64, MIB as u32).unwrap());
    let bytes = parts.collect::<Vec<_>>().concat();
    guest.close();
    api.detach(&attachment);
    api.wait_status(volume, "available");
    bytes
}

/// A volume of the first backend.
fn made(api: &Api, gigabytes: u32) -> String {
    let beta = json!({ "host": BETA, "binary": "cinder-volume" });
    let _ = api.put("/os-services/disable", &beta).expect(200);
    let volume = api.make_volume(&json!({ "size": gigabytes }));
    let _ = api.put("/os-services/enable", &beta).expect(200);
    volume
}

fn host(api: &Api, volume: &str) -> String {
    let host = &api.volume(volume)["os-vol-host-attr:host"];
    host.as_str().unwrap_or_default().to_owned()
}

/// Waits until the migration is over, and says how.
fn migrated(api: &Api, volume: &str) -> String {
    let status = || {
        api.volume(volume)["migration_status"]
            .as_str()
            .unwrap_or("")
            .to_owned()
    };
    until("the migration is over", 120, || {
        ["success", "error"].contains(&status().as_str())
    });
    status()
}

/// The names of the images that a backend has, and which of them are safe to manage.
fn there(api: &Api, host: &str) -> Vec<(String, bool)> {
    let path = format!("/manageable_volumes/detail?host={host}&sort=reference:asc");
    let found = api.get(&path).expect(200).body;
    let items = found["manageable-volumes"].as_array().unwrap().iter();
    let shown = |item: &Value| {
        let name = item["reference"]["source-name"].as_str().unwrap();
        (name.to_owned(), item["safe_to_manage"] == json!(true))
    };
    items.map(shown).collect()
}

fn emptied(api: &Api, host: &str) {
    until(&format!("{host} has nothing"), 60, || {
        there(api, host).is_empty()
    });
}

#[test]
fn the_stock_clients_manage_retype_and_migrate() {
    let deployment = two();
    let (api, clients): (Api, Clients) = (deployment.api(), deployment.clients());
    let volume = made(&api, 1);
    let bytes = content(8 * MIB, 1);
    write(&api, &volume, &bytes);

    // Given up and taken over, under another id.
    let _ = clients.cinder(&["unmanage", &volume]).ok();
    let image = format!("volume-{volume}");
    until("it is safe to manage", 60, || {
        there(&api, ALPHA) == [(image.clone(), true)]
    });
    let listed = clients.cinder(&["manageable-list", ALPHA]).ok().stdout;
    assert!(listed.contains(&image), "{listed}");
    let words = ["manage", "--name", "back", ALPHA, &image];
    let _ = clients.cinder(&words).ok();
    let found = api.get("/volumes/detail?all_tenants=1").expect(200).body;
    let volume = found["volumes"][0]["id"].as_str();
    let volume = volume.unwrap_or_else(|| panic!("{found}")).to_owned();
    api.wait_status(&volume, "available");
    assert_eq!(api.volume(&volume)["size"], json!(1));
    assert_eq!(read(&api, &volume, bytes.len()), bytes);
    assert_eq!(there(&api, ALPHA), [(format!("volume-{volume}"), false)]);

    // Its snapshot, in the same way.
    let body = json!({ "snapshot": { "volume_id": volume, "name": "s" } });
    let made = api.post("/snapshots", &body).expect(202).body;
    let snapshot = made["snapshot"]["id"].as_str().unwrap().to_owned();
    let path = format!("/snapshots/{snapshot}");
    until("the snapshot is there", 60, || {
        api.get(&path).expect(200).body["snapshot"]["status"] == "available"
    });
    let _ = clients.cinder(&["snapshot-unmanage", &snapshot]).ok();
    until("the snapshot is given up", 60, || {
        api.get(&path).status == 404
    });
    let source = format!("snapshot-{snapshot}");
    let _ = clients.cinder(&["snapshot-manage", &volume, &source]).ok();
    let found =
        || api.get("/snapshots/detail?all_tenants=1").expect(200).body["snapshots"][0].clone();
    until("the snapshot is back", 60, || {
        found()["status"] == "available"
    });
    let snapshot = found()["id"].as_str().unwrap().to_owned();
    let _ = clients.cinder(&["snapshot-delete", &snapshot]).ok();
    until("the snapshot is gone", 60, || found().is_null());

    // To the other backend.
    let _ = clients
        .openstack(&["volume", "migrate", "--host", BETA, &volume])
        .ok();
    assert_eq!(migrated(&api, &volume), "success");
    assert!(host(&api, &volume).starts_with(BETA));
    emptied(&api, ALPHA);
    assert_eq!(there(&api, BETA), [(format!("volume-{volume}"), false)]);
    assert_eq!(read(&api, &volume, bytes.len()), bytes);

    // And back, as its type wants it.
    api.make_type("alpha only", &json!({ "volume_backend_name": "alpha" }));
    let words = [
        "retype",
        "--migration-policy",
        "on-demand",
        &volume,
        "alpha only",
    ];
    let _ = clients.cinder(&words).ok();
    api.wait_status(&volume, "available");
    assert_eq!(api.volume(&volume)["volume_type"], "alpha only");
    assert!(host(&api, &volume).starts_with(ALPHA));
    assert_eq!(api.volume(&volume)["migration_status"], "success");
    emptied(&api, BETA);
    assert_eq!(read(&api, &volume, bytes.len()), bytes);
    api.make_type("anywhere", &json!({}));
    let _ = clients.cinder(&["retype", &volume, "anywhere"]).ok();
    api.wait_status(&volume, "available");
    assert!(host(&api, &volume).starts_with(ALPHA));
    let _ = clients
        .cinder(&["migrate", "--lock-volume", "True", &volume, BETA])
        .ok();
    assert_eq!(migrated(&api, &volume), "success");
    assert_eq!(read(&api, &volume, bytes.len()), bytes);
}

#[test]
fn a_control_plane_killed_on_the_way_goes_on() {
    let mut deployment = two();
    let api = deployment.api();
    let volume = made(&api, 2);
    let bytes = content(192 * MIB, 3);
    write(&api, &volume, &bytes);
    let path = format!("/volumes/{volume}/action");
    let body = json!({ "os-migrate_volume": { "host": BETA, "lock_volume": true } });
    let _ = api.post(&path, &body).expect(202);
    until("the copy has begun", 60, || !there(&api, BETA).is_empty());
    deployment.kill_serve();
    deployment.start_serve();
    assert_eq!(migrated(&api, &volume), "success");
    assert_eq!(read(&api, &volume, bytes.len()), bytes);
    assert!(host(&api, &volume).starts_with(BETA));
    emptied(&api, ALPHA);
}

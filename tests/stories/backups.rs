//! Backups, from the stock clients to the bytes that come back.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use firebrick_tests::{Api, Dev, Guest, until, until_some};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
/// What of a volume is written.
const LEN: usize = 96 * MIB;

/// Bytes of which no two MiB are alike.
fn content(seed: u8) -> Vec<u8> {
    let byte = |i: usize| (i >> 3) as u8 ^ (i / MIB) as u8 ^ seed | 1;
    (0..LEN).map(byte).collect()
}

fn write(api: &Api, volume: &str, offset: usize, bytes: &[u8]) {
    let (attachment, uri) = api.attach(volume);
    let mut guest = Guest::open(&uri).unwrap();
    for (i, part) in bytes.chunks(MIB).enumerate() {
        guest.write((offset + i * MIB) as u64, part).unwrap();
    }
    guest.flush().unwrap();
    guest.close();
    api.detach(&attachment);
    api.wait_status(volume, "available");
}

fn read(api: &Api, volume: &str) -> Vec<u8> {
    let (attachment, uri) = api.attach(volume);
    let mut guest = Guest::open(&uri).unwrap();
    let parts = (0..LEN / MIB).map(|i| guest.read((i * MIB) as u64, MIB as u32).unwrap());
    let bytes = parts.collect::<Vec<_>>().concat();
    guest.close();
    api.detach(&attachment);
    bytes
}

fn backup(api: &Api, id: &str) -> Value {
    let answer = api.get(&format!("/backups/{id}")).expect(200);
    answer.body["backup"].clone()
}

fn wait(api: &Api, id: &str) -> Value {
    let ended = until_some(&format!("backup {id} is made"), 120, || {
        let found = backup(api, id);
        let status = found["status"].as_str().unwrap_or_default();
        (status == "available" || status == "error").then(|| found.clone())
    });
    assert_eq!(ended["status"], "available", "{ended}");
    ended
}

fn begin(api: &Api, body: &Value) -> String {
    let made = api.post("/backups", &json!({ "backup": body })).expect(202);
    made.body["backup"]["id"].as_str().unwrap().to_owned()
}

fn restored(api: &Api, id: &str) -> Vec<u8> {
    let body = json!({ "restore": {} });
    let answer = api
        .post(&format!("/backups/{id}/restore"), &body)
        .expect(202);
    let volume = answer.body["restore"]["volume_id"]
        .as_str()
        .unwrap()
        .to_owned();
    api.wait_status(&volume, "available");
    read(api, &volume)
}

fn objects(dev: &Dev, id: &str) -> Vec<PathBuf> {
    let Ok(listed) = fs::read_dir(dev.dir().join("backups/volumebackups")) else {
        return Vec::new();
    };
    let paths = listed.map(|entry| entry.unwrap().path());
    let mut ours: Vec<PathBuf> = paths
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(id) && path.extension().is_some_and(|end| end == "data")
        })
        .collect();
    ours.sort();
    ours
}

#[test]
fn what_the_stock_clients_back_up_comes_back() {
    let dev = Dev::start();
    let (api, clients) = (dev.api(), dev.clients());
    let volume = api.make_volume(&json!({ "size": 1 }));
    let first = content(1);
    write(&api, &volume, 0, &first);
    let full = clients.openstack_json(&["volume", "backup", "create", "--name", "full", &volume]);
    let full = full["id"].as_str().unwrap().to_owned();
    wait(&api, &full);

    let mut second = first.clone();
    second[5 * MIB..6 * MIB].fill(0xee);
    write(&api, &volume, 5 * MIB, &second[5 * MIB..6 * MIB]);
    let words = [
        "volume",
        "backup",
        "create",
        "--incremental",
        "--name",
        "more",
        &volume,
    ];
    let more = clients.openstack_json(&words)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let made = wait(&api, &more);
    assert_eq!(made["is_incremental"], json!(true));
    let stored: u64 = objects(&dev, &more)
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert!((MIB as u64..2 * MIB as u64).contains(&stored), "{stored}");
    let listed = clients.cinder(&["backup-list"]).ok().stdout;
    assert!(
        listed.contains("full") && listed.contains("more"),
        "{listed}"
    );
    let refused = clients.cinder(&["backup-delete", &full]);
    assert_ne!(refused.status, 0, "another builds upon it");

    assert!(restored(&api, &more) == second, "the incremental one");
    assert!(restored(&api, &full) == first, "the full one");
    let _ = clients
        .openstack(&["volume", "backup", "restore", "--force", &full, &volume])
        .ok();
    api.wait_status(&volume, "available");
    assert!(read(&api, &volume) == first, "into the volume itself");

    // One byte rots: the restore says where.
    until("the volume is free", 60, || {
        api.volume(&volume)["status"] == "available"
    });
    let rotten = objects(&dev, &full)[1].clone();
    let file = File::options()
        .read(true)
        .write(true)
        .open(&rotten)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 1234).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 1234).unwrap();
    let body = json!({ "restore": { "volume_id": volume } });
    let _ = api
        .post(&format!("/backups/{full}/restore"), &body)
        .expect(202);
    until("the restore ends", 60, || {
        api.volume(&volume)["status"] == "error_restoring"
    });
    let name = rotten.file_name().unwrap().to_string_lossy().into_owned();
    until("it says which object is damaged", 30, || {
        let path = format!("/activities?resource_id={full}");
        let found = api.get(&path).expect(200).body;
        let activities = found["activities"].as_array().unwrap();
        activities.iter().any(|activity| {
            activity["error"]
                .as_str()
                .is_some_and(|error| error.contains(&name))
        })
    });
    assert_eq!(backup(&api, &full)["status"], "available");
}

#[test]
fn kill_9_of_the_control_plane_in_the_middle_of_a_backup_ends_nothing() {
    let dev = Dev::start();
    let api = dev.api();
    let volume = api.make_volume(&json!({ "size": 1 }));
    let then = content(3);
    write(&api, &volume, 0, &then);
    let id = begin(&api, &json!({ "volume_id": volume }));
    let other = begin(&api, &json!({ "volume_id": volume }));
    // While both run a guest writes.
    let (attachment, uri) = api.attach(&volume);
    until("an object is there", 60, || !objects(&dev, &id).is_empty());
    dev.kill_control_plane();
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &vec![0x55; MIB]).unwrap();
    guest.flush().unwrap();
    guest.close();
    for id in [&id, &other] {
        wait(&api, id);
    }
    api.detach(&attachment);
    for id in [&id, &other] {
        assert!(
            restored(&api, id) == then,
            "as it was when it was asked for"
        );
    }
}

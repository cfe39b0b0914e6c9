//! Groups, from the stock clients to the one moment of their snapshots.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use firebrick_tests::{Api, Dev, Guest, until, until_some};
use serde_json::json;

const BLOCK: usize = 4096;

/// The group type whose snapshots are of one moment, and a group of it with two volumes.
fn given(api: &Api) -> (String, [String; 2]) {
    let specs = json!({ "consistent_group_snapshot_enabled": "<is> True" });
    let kind = json!({ "group_type": { "name": "sets", "group_specs": specs } });
    let _ = api.post("/group_types", &kind).expect(202);
    let group = json!({ "group_type": "sets", "volume_types": ["__DEFAULT__"], "name": "g" });
    let made = api.post("/groups", &json!({ "group": group })).expect(202);
    let id = made.body["group"]["id"].as_str().unwrap().to_owned();
    wait(api, &format!("/groups/{id}"), "group");
    let volume = || api.make_volume(&json!({ "size": 1, "group_id": id }));
    let volumes = [volume(), volume()];
    (id, volumes)
}

pub(crate) fn wait(api: &Api, path: &str, key: &str) {
    let status = until_some(&format!("{path} is made"), 60, || {
        let found = api.get(path).expect(200).body[key]["status"].clone();
        (found != "creating").then_some(found)
    });
    assert_eq!(status, "available", "{path}");
}

/// The number in the first block.
fn number(api: &Api, volume: &str) -> u64 {
    let (attachment, uri) = api.attach(volume);
    let mut guest = Guest::open(&uri).unwrap();
    let bytes = guest.read(0, BLOCK as u32).unwrap();
    guest.close();
    api.detach(&attachment);
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// Two volumes get the same numbers, one after the other; whenever a snapshot of both is taken, the
/// first has the number of the second or the next one.
#[test]
fn a_group_snapshot_under_writers_is_of_one_moment() {
    let dev = Dev::start();
    let api = dev.api();
    let (group, volumes) = given(&api);
    let attached: Vec<(String, String)> = volumes.iter().map(|id| api.attach(id)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writer = {
        let uris: Vec<String> = attached.iter().map(|(_, uri)| uri.clone()).collect();
        let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
        thread::spawn(move || {
            let mut guests: Vec<Guest> = uris.iter().map(|uri| Guest::open(uri).unwrap()).collect();
            let mut next = 1_u64;
            while !stop.load(Ordering::Relaxed) {
                let mut block = vec![0; BLOCK];
                block[..8].copy_from_slice(&next.to_le_bytes());
                for guest in &mut guests {
                    guest.write(0, &block).unwrap();
                }
                written.store(next, Ordering::Relaxed);
                next += 1;
            }
            for guest in guests {
                guest.close();
            }
        })
    };
    let mut taken = Vec::new();
    for _ in 0..3 {
        let least = written.load(Ordering::Relaxed) + 20;
        until("both were written to again", 60, || {
            written.load(Ordering::Relaxed) > least
        });
        let body = json!({ "group_snapshot": { "group_id": group } });
        let made = api.post("/group_snapshots", &body).expect(202);
        let id = made.body["group_snapshot"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        wait(&api, &format!("/group_snapshots/{id}"), "group_snapshot");
        taken.push(id);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    for id in taken {
        let body = json!({ "create-from-src": { "group_snapshot_id": id } });
        let made = api.post("/groups/action", &body).expect(202);
        let copy = made.body["group"]["id"].as_str().unwrap().to_owned();
        wait(&api, &format!("/groups/{copy}"), "group");
        let found = api
            .get(&format!("/volumes/detail?group_id={copy}"))
            .expect(200);
        let of = |origin: &str| {
            let snapshots = api
                .get(&format!("/snapshots?volume_id={origin}"))
                .expect(200);
            let snapshots = snapshots.body["snapshots"].as_array().unwrap().clone();
            let made_of = |volume: &serde_json::Value| {
                snapshots.iter().any(|it| it["id"] == volume["snapshot_id"])
            };
            let volumes = found.body["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| made_of(volume)).unwrap();
            number(&api, volume["id"].as_str().unwrap())
        };
        let (first, second) = (of(&volumes[0]), of(&volumes[1]));
        assert!(first > 20, "{first}");
        assert!(
            first == second || first == second + 1,
            "{first} and {second}"
        );
    }
}

#[test]
fn the_stock_clients_drive_groups() {
    let dev = Dev::start();
    let clients = dev.clients();
    let api = dev.api();
    let cinder = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        clients.cinder(&words).ok().stdout
    };
    let id_of = |list: &str, key: &str, name: &str| {
        // The clients have another project than the rest of the story.
        let found = api.get(&format!("{list}?all_tenants=1")).expect(200);
        let all = found.body[key].as_array().unwrap();
        let one = all.iter().find(|it| it["name"] == name);
        let one = one.unwrap_or_else(|| panic!("no {name} in {}", found.body));
        one["id"].as_str().unwrap().to_owned()
    };
    cinder("group-type-create sets");
    let spec = "consistent_group_snapshot_enabled=<is> True";
    let _ = clients
        .cinder(&["group-type-key", "sets", "set", spec])
        .ok();
    cinder("group-create --name g sets __DEFAULT__");
    let group = id_of("/groups", "groups", "g");
    wait(&api, &format!("/groups/{group}"), "group");
    cinder(&format!("create --group-id {group} --name one 1"));
    let volume = id_of("/volumes", "volumes", "one");
    api.wait_status(&volume, "available");
    assert!(cinder(&format!("group-show --list-volume True {group}")).contains(&volume));
    cinder(&format!("group-snapshot-create --name s {group}"));
    let taken = id_of("/group_snapshots", "group_snapshots", "s");
    wait(&api, &format!("/group_snapshots/{taken}"), "group_snapshot");
    cinder(&format!(
        "group-create-from-src --name copy --group-snapshot {taken}"
    ));
    let copy = id_of("/groups", "groups", "copy");
    wait(&api, &format!("/groups/{copy}"), "group");
    for listed in ["group", "group snapshot", "group type"] {
        let words: Vec<&str> = listed.split(' ').collect();
        let line = [&["volume"][..], &words, &["list"]].concat();
        let rows = clients.openstack_json(&line);
        assert!(!rows.as_array().unwrap().is_empty(), "{listed}: {rows}");
    }
    cinder(&format!("group-delete --delete-volumes {copy}"));
    until("the copy is gone", 60, || {
        api.get(&format!("/groups/{copy}")).status == 404
    });
    cinder(&format!("group-snapshot-delete {taken}"));
    until("the snapshot is gone", 60, || {
        api.get(&format!("/group_snapshots/{taken}")).status == 404
    });
    cinder(&format!("group-update {group} --remove-volumes {volume}"));
    cinder(&format!("group-delete {group}"));
    until("the group is gone", 60, || {
        api.get(&format!("/groups/{group}")).status == 404
    });
    let _ = api.delete(&format!("/volumes/{volume}")).expect(202);
}

//! Nothing gets stuck: the control plane is killed in the middle of everything.

use std::thread;
use std::time::Duration;

use firebrick_tests::{Api, Dev, Guest, until};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const TRANSIENT: &[&str] = &[
    "creating",
    "deleting",
    "attaching",
    "detaching",
    "extending",
    "downloading",
    "uploading",
    "retyping",
    "reserved",
];

/// Gives up the attachments that a client began and, after a kill, does not come back to complete.
fn give_up_attachments(api: &Api) {
    let Some(answer) = api.try_send("GET", "/attachments/detail", None) else {
        return;
    };
    for row in answer.body["attachments"].as_array().into_iter().flatten() {
        let begun = ["attaching", "reserved"].map(|status| row["status"] == status);
        if let (true, Some(id)) = (begun.contains(&true), row["id"].as_str()) {
            api.try_send("DELETE", &format!("/attachments/{id}"), None);
        }
    }
}

/// Every volume and snapshot, once none of them is on its way.
fn wait_settled(api: &Api, seed: u64) -> Vec<Value> {
    until(&format!("nothing is in between (seed {seed})"), 90, || {
        give_up_attachments(api);
        ["volumes", "snapshots"].iter().all(|what| {
            let Some(answer) = api.try_send("GET", &format!("/{what}/detail"), None) else {
                return false;
            };
            answer.body[what].as_array().is_some_and(|rows| {
                rows.iter().all(|row| {
                    let status = row["status"].as_str().unwrap_or_default();
                    !TRANSIENT.contains(&status)
                })
            })
        })
    });
    api.get("/volumes/detail").expect(200).body["volumes"]
        .as_array()
        .unwrap()
        .clone()
}

/// One user's request, chosen by chance; whether it was answered does not matter.
fn ask_something(api: &Api, dice: &mut StdRng, volumes: &[Value]) {
    let any = |dice: &mut StdRng| {
        let volume = volumes.get(dice.random_range(0..volumes.len().max(1)))?;
        Some((volume["id"].as_str()?.to_owned(), volume["size"].as_u64()?))
    };
    let chosen = any(dice);
    let action = |id: &str, body: Value| {
        api.try_send("POST", &format!("/volumes/{id}/action"), Some(&body));
    };
    match (dice.random_range(0..8), chosen) {
        (0 | 1, _) | (_, None) => {
            let body = json!({"volume": {"size": 1}});
            api.try_send("POST", "/volumes", Some(&body));
        }
        (2, Some((id, size))) => {
            let body = json!({"volume": {"size": size, "source_volid": id}});
            api.try_send("POST", "/volumes", Some(&body));
        }
        (3, Some((id, size))) => action(&id, json!({"os-extend": {"new_size": size + 1}})),
        (4, Some((id, _))) => {
            let body = json!({"snapshot": {"volume_id": id, "force": true}});
            api.try_send("POST", "/snapshots", Some(&body));
        }
        (5, Some((id, _))) => {
            api.try_send("DELETE", &format!("/volumes/{id}?cascade=true"), None);
        }
        (6, Some((id, _))) => {
            let connector = json!({"host": "guest", "ip": "127.0.0.1"});
            let body = json!({"attachment": {
                "volume_uuid": id, "connector": connector,
                "instance_uuid": "5d3cbd1a-0000-4000-8000-000000000009",
            }});
            api.try_send("POST", "/attachments", Some(&body));
        }
        (_, Some((id, _))) => {
            let rows = api.try_send("GET", &format!("/attachments?volume_id={id}"), None);
            let key = rows.and_then(|rows| {
                rows.body["attachments"][0]["id"]
                    .as_str()
                    .map(str::to_owned)
            });
            if let Some(key) = key {
                api.try_send("DELETE", &format!("/attachments/{key}"), None);
            }
        }
    }
}

#[test]
fn kill_9_of_the_control_plane_at_any_moment_leaves_nothing_in_between() {
    let seed: u64 = rand::rng().random();
    let mut dice = StdRng::seed_from_u64(seed);
    let dev = Dev::start();
    let api = dev.api();
    let busy = api.make_volume(&json!({"size": 1, "name": "busy"}));
    let (_, uri) = api.attach(&busy);
    let mut disk = Guest::open(&uri).unwrap();
    for round in 0..12u64 {
        let volumes: Vec<Value> = wait_settled(&api, seed)
            .into_iter()
            .filter(|volume| volume["id"] != busy.as_str())
            .collect();
        thread::scope(|scope| {
            for _ in 0..6 {
                let mut dice = StdRng::seed_from_u64(dice.random());
                let (api, volumes) = (&api, &volumes);
                scope.spawn(move || ask_something(api, &mut dice, volumes));
            }
            thread::sleep(Duration::from_millis(dice.random_range(0..60)));
            dev.kill_control_plane();
        });
        // Guests do not notice.
        disk.write(round * 4096, &[round as u8 + 1; 4096]).unwrap();
        disk.flush().unwrap();
        wait_settled(&api, seed);
    }
    let volumes = wait_settled(&api, seed);
    let wrong: Vec<&Value> = volumes
        .iter()
        .filter(|volume| volume["status"].as_str().unwrap().starts_with("error"))
        // A clone may come too late: another user's request has deleted its source.
        .filter(|volume| {
            let source = volume["source_volid"].as_str();
            source.is_none_or(|source| !api.volume(source).is_null())
        })
        .collect();
    assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
    assert_eq!(api.volume(&busy)["status"], "in-use");
}

#[test]
fn a_failover_is_finished_by_the_next_control_plane() {
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let ids: Vec<String> = (0..4)
        .map(|_| api.make_volume(&json!({"size": 1, "volume_type": "replicated"})))
        .collect();
    let mut dice = StdRng::seed_from_u64(rand::rng().random());
    let host = api.volume_service()["host"].as_str().unwrap().to_owned();
    for (target, expected) in [
        ("site-b", "failed-over"),
        ("default", "enabled"),
        ("site-b", "failed-over"),
        ("default", "enabled"),
    ] {
        let body = json!({"host": host, "backend_id": target});
        let _ = api.put("/os-services/failover_host", &body).expect(202);
        thread::sleep(Duration::from_millis(dice.random_range(0..80)));
        dev.kill_control_plane();
        until(&format!("the failover to {target} is finished"), 90, || {
            api.volume_service()["replication_status"] == expected
        });
        for id in &ids {
            let volume = api.volume(id);
            assert_eq!(volume["replication_status"], expected, "{volume}");
            assert_eq!(volume["status"], "available", "{volume}");
        }
    }
}

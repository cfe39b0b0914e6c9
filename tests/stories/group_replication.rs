//! A group moves to the other site alone, with all that was written to it, and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use firebrick_tests::{Api, Dev, Guest, until, until_some};
use serde_json::{Value, json};

use crate::disaster::wait_confirmed;
use crate::groups::wait;

const BLOCK: usize = 4096;

fn group_of(api: &Api, group: &str) -> Value {
    let path = format!("/groups/{group}");
    api.get(&path).expect(200).body["group"].clone()
}

fn ask(api: &Api, group: &str, action: &Value) {
    let path = format!("/groups/{group}/action");
    let _ = api.post(&path, action).expect(202);
}

/// Waits until nothing changes, and says what it is then.
fn ended(api: &Api, group: &str) -> String {
    until_some("the group's replication rests", 120, || {
        let group = group_of(api, group);
        let status = group["replication_status"].as_str()?.to_owned();
        let under_way = ["enabling", "disabling", "failing-over"];
        (!under_way.contains(&status.as_str())).then_some(status)
    })
}

fn become_enabled(api: &Api, group: &str) {
    ask(api, group, &json!({ "enable_replication": {} }));
    assert_eq!(ended(api, group), "enabled");
}

fn send(api: &Api, group: &str, target: &str) {
    let how = json!({ "allow_attached_volume": true, "secondary_backend_id": target });
    ask(api, group, &json!({ "failover_replication": how }));
}

/// A group that replicates with two volumes.
fn given(api: &Api) -> (String, [String; 2]) {
    let replicated = api.make_replicated_type();
    let specs = json!({ "consistent_group_replication_enabled": "<is> True" });
    let kind = json!({ "group_type": { "name": "moving", "group_specs": specs } });
    let _ = api.post("/group_types", &kind).expect(202);
    let group = json!({ "group_type": "moving", "volume_types": [replicated], "name": "g" });
    let made = api.post("/groups", &json!({ "group": group })).expect(202);
    let id = made.body["group"]["id"].as_str().unwrap().to_owned();
    wait(api, &format!("/groups/{id}"), "group");
    let volume = json!({ "size": 1, "group_id": id, "volume_type": replicated });
    let volumes = [api.make_volume(&volume), api.make_volume(&volume)];
    become_enabled(api, &id);
    (id, volumes)
}

pub(crate) fn uri_of(api: &Api, attachment: &str) -> String {
    let found = api.get(&format!("/attachments/{attachment}")).expect(200);
    let uri = &found.body["attachment"]["connection_info"]["uri"];
    uri.as_str().unwrap().to_owned()
}

fn marked(number: u64) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    block[..8].copy_from_slice(&number.to_le_bytes());
    block
}

/// The number in the first block.
pub(crate) fn number(uri: &str) -> u64 {
    let mut guest = Guest::open(uri).unwrap();
    let bytes = guest.read(0, BLOCK as u32).unwrap();
    guest.close();
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// The same numbers into all of them, one after the other, until told to stop or the site refuses.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Writer {
    pub(crate) fn start(uris: &[String], from: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(from));
        let (told, count, uris) = (Arc::clone(&stop), Arc::clone(&written), uris.to_vec());
        let thread = thread::spawn(move || {
            let mut guests: Vec<Guest> = uris.iter().map(|uri| Guest::open(uri).unwrap()).collect();
            let mut next = from + 1;
            while !told.load(Ordering::SeqCst) {
                for guest in &mut guests {
                    if guest.write(0, &marked(next)).is_err() {
                        return;
                    }
                }
                count.store(next, Ordering::SeqCst);
                next += 1;
            }
        });
        Self {
            stop,
            written,
            thread,
        }
    }

    /// Waits until so many more are written.
    pub(crate) fn go_on(&self, more: u64) -> u64 {
        let least = self.written.load(Ordering::SeqCst) + more;
        until("numbers are written", 60, || {
            self.written.load(Ordering::SeqCst) >= least
        });
        self.written.load(Ordering::SeqCst)
    }

    /// The last number that both volumes have, as far as was answered.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        self.written.load(Ordering::SeqCst)
    }
}

/// Both volumes are of one moment, which is not before `least`; the newest number.
fn of_one_moment(uris: &[String], least: u64) -> u64 {
    let (first, second) = (number(&uris[0]), number(&uris[1]));
    let together = first == second || first == second + 1;
    assert!(together, "{first} and {second}");
    assert!(second >= least, "{second}, and {least} were there");
    first
}

#[test]
fn a_group_moves_alone_with_its_data_and_comes_back() {
    let dev = Dev::start();
    let api = dev.api();
    let (group, volumes) = given(&api);
    let stranger = json!({ "size": 1, "volume_type": "replicated" });
    let stranger = api.make_volume(&stranger);
    let (_, stranger_uri) = api.attach(&stranger);
    let mut other = Guest::open(&stranger_uri).unwrap();
    let attached: Vec<(String, String)> = volumes.iter().map(|id| api.attach(id)).collect();
    let uris = || -> Vec<String> { attached.iter().map(|(id, _)| uri_of(&api, id)).collect() };
    let at_home = uris();

    // Planned, under a writer: nothing that was answered is lost.
    let writer = Writer::start(&at_home, 0);
    writer.go_on(100);
    send(&api, &group, "site-b");
    assert_eq!(ended(&api, &group), "failed-over");
    let least = writer.end();
    let away = uris();
    assert!(away.iter().all(|uri| !at_home.contains(uri)), "{away:?}");
    let newest = of_one_moment(&away, least);
    assert!(newest <= least + 1, "{newest} and {least}");
    for volume in &volumes {
        assert_eq!(api.volume(volume)["replication_status"], "failed-over");
        assert_eq!(api.volume(volume)["status"], "in-use");
    }
    // Nobody writes to what was left, and the others never noticed.
    let left = Guest::open(&at_home[0]).and_then(|mut guest| guest.write(0, &marked(7)));
    assert!(left.is_err(), "the site that was left takes writes");
    other.write(0, &marked(1)).unwrap();
    other.flush().unwrap();
    assert_eq!(api.volume(&stranger)["replication_status"], "enabled");
    assert_eq!(api.volume_service()["replication_status"], "enabled");
    assert_eq!(api.volume_service()["status"], "enabled");

    // A volume that is made there comes home with the others.
    let new = json!({ "size": 1, "group_id": group, "volume_type": "replicated" });
    let new = api.make_volume(&new);
    let (new_attachment, uri) = api.attach(&new);
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &marked(77)).unwrap();
    guest.flush().unwrap();
    let writer = Writer::start(&away, newest);
    writer.go_on(100);
    // The control plane dies in the middle, and another one goes on.
    send(&api, &group, "default");
    dev.kill_control_plane();
    let api = dev.api();
    assert_eq!(ended(&api, &group), "enabled");
    let least = writer.end();
    drop(guest);
    let newest = of_one_moment(&uris(), least);
    assert!(newest <= least + 1, "{newest} and {least}");
    assert_eq!(uris(), at_home);
    assert_eq!(number(&uri_of(&api, &new_attachment)), 77);
    assert_eq!(number(&stranger_uri), 1);
}

#[test]
fn a_group_is_saved_from_a_lost_site_at_one_moment() {
    let dev = Dev::start();
    let api = dev.api();
    let (group, volumes) = given(&api);
    let attached: Vec<(String, String)> = volumes.iter().map(|id| api.attach(id)).collect();
    let uris = || -> Vec<String> { attached.iter().map(|(id, _)| uri_of(&api, id)).collect() };
    let at_home = uris();
    let writer = Writer::start(&at_home, 0);
    let confirmed = writer.go_on(200);
    wait_confirmed(&api);
    dev.kill_site("site-a");
    let written = writer.end();
    assert!(written >= confirmed);
    send(&api, &group, "site-b");
    assert_eq!(ended(&api, &group), "failed-over");
    let away = uris();
    let saved = of_one_moment(&away, confirmed);
    for (uri, mark) in away.iter().zip([1001, 2002]) {
        let mut guest = Guest::open(uri).unwrap();
        guest.write(BLOCK as u64, &marked(mark)).unwrap();
        guest.flush().unwrap();
        guest.close();
    }
    // Without the site that was lost there is no way back that loses nothing.
    send(&api, &group, "default");
    assert_eq!(ended(&api, &group), "failed-over");
    let found = api.get(&format!("/messages?resource_uuid={group}"));
    let found = found.expect(200).body["messages"].to_string();
    assert!(found.contains("fail over"), "{found}");

    dev.start_site("site-a");
    // It learns by itself who is primary now.
    until("the group can come home", 120, || {
        send(&api, &group, "default");
        ended(&api, &group) == "enabled"
    });
    let home = uris();
    assert_eq!(of_one_moment(&home, saved.saturating_sub(1)), saved);
    for (uri, mark) in home.iter().zip([1001_u64, 2002]) {
        let mut guest = Guest::open(uri).unwrap();
        let bytes = guest.read(BLOCK as u64, BLOCK as u32).unwrap();
        assert_eq!(bytes, marked(mark));
        guest.close();
    }
    for (attachment, _) in &attached {
        api.detach(attachment);
    }
    // Without replication the other site keeps nothing, and with it has all of it again.
    ask(&api, &group, &json!({ "disable_replication": {} }));
    assert_eq!(ended(&api, &group), "disabled");
    let names: Vec<String> = volumes.iter().map(|id| format!("volume-{id}")).collect();
    until("the copies are gone", 60, || {
        let there = dev.rbd("site-b").ok(&["ls"]);
        names.iter().all(|name| !there.contains(name))
    });
    become_enabled(&api, &group);
    until("the group can go again", 60, || {
        send(&api, &group, "site-b");
        ended(&api, &group) == "failed-over"
    });
    let (attachment, uri) = api.attach(&volumes[1]);
    let mut guest = Guest::open(&uri).unwrap();
    let bytes = guest.read(BLOCK as u64, BLOCK as u32).unwrap();
    assert_eq!(bytes, marked(2002));
    guest.close();
    api.detach(&attachment);
    let path = format!("/groups/{group}/action");
    let all = json!({ "delete": { "delete-volumes": true } });
    let _ = api.post(&path, &all).expect(202);
    until("the group is gone", 60, || {
        api.get(&format!("/groups/{group}")).status == 404
    });
    until("its images are gone", 60, || {
        let there = dev.rbd("site-a").ok(&["ls"]);
        names.iter().all(|name| !there.contains(name))
    });
}

#[test]
fn the_stock_clients_move_a_group() {
    let dev = Dev::start();
    let clients = dev.clients();
    let api = dev.api();
    let cinder = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        clients.cinder(&words).ok().stdout
    };
    let key = |what: &str, name: &str, spec: &str| {
        let spec = format!("{spec}=<is> True");
        let _ = clients.cinder(&[what, name, "set", &spec]).ok();
    };
    cinder("type-create copied");
    key("type-key", "copied", "replication_enabled");
    cinder("group-type-create moving");
    key("group-type-key", "moving", "group_replication_enabled");
    cinder("group-create --name g moving copied");
    let found = api.get("/groups?all_tenants=1").expect(200);
    let group = found.body["groups"][0]["id"].as_str().unwrap().to_owned();
    wait(&api, &format!("/groups/{group}"), "group");
    cinder(&format!(
        "create --group-id {group} --volume-type copied --name one 1"
    ));
    let found = api.get("/volumes?all_tenants=1").expect(200);
    let volume = found.body["volumes"][0]["id"].as_str().unwrap().to_owned();
    api.wait_status(&volume, "available");
    assert!(cinder("group-list-replication-targets g").contains("site-b"));
    cinder("group-enable-replication g");
    assert_eq!(ended(&api, &group), "enabled");
    assert!(cinder("group-show g").contains("enabled"));
    cinder("group-failover-replication g --secondary-backend-id site-b");
    assert_eq!(ended(&api, &group), "failed-over");
    assert!(cinder("show one").contains("failed-over"));
    cinder("group-failover-replication g --allow-attached-volume --secondary-backend-id default");
    assert_eq!(ended(&api, &group), "enabled");
    let refused = clients.cinder(&[
        "group-failover-replication",
        "g",
        "--secondary-backend-id",
        "x",
    ]);
    assert_ne!(refused.status, 0);
    cinder("group-disable-replication g");
    assert_eq!(ended(&api, &group), "disabled");
}

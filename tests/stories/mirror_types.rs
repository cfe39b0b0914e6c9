//! Volume types that say in which way their volumes are replicated, between two real sites, with the stock client.

use std::sync::mpsc;
use std::thread;

use firebrick_tests::{Clients, Dev, Guest, Rbd, fields, until};
use serde_json::Value;

use crate::mirror_sync::{Stopped, codes, status};

/// A `firebrick dev` and its `cinder`.
struct World {
    dev: Dev,
    clients: Clients,
}

impl World {
    fn start() -> Self {
        let dev = Dev::start();
        let clients = dev.clients();
        Self { dev, clients }
    }

    fn cinder(&self, args: &[&str]) -> String {
        self.clients.cinder(args).ok().stdout
    }

    /// Makes a type that is replicated, with more extra specs.
    fn make_type(&self, name: &str, more: &[&str]) {
        self.cinder(&["type-create", name]);
        let set = ["type-key", name, "set", "volume_backend_name=blocks"];
        let replicated = ["replication_enabled=<is> True"];
        self.cinder(&[&set[..], &replicated, more].concat());
    }

    /// Makes a volume of a type, and returns its id.
    fn make_volume(&self, kind: &str) -> String {
        let name = format!("of-{kind}");
        let create = ["create", "--volume-type", kind, "--name", &name, "1"];
        let made = fields(&self.cinder(&create));
        let id = made["id"].as_str().unwrap().to_owned();
        let api = self.dev.api();
        api.wait_status(&id, "available");
        id
    }

    /// How the volume is at the other site; null where it is not replicated.
    fn relation(&self, volume: &str) -> Value {
        let answer = self
            .dev
            .api()
            .get(&format!("/replications/{volume}@site-b"));
        if answer.status == 404 {
            return Value::Null;
        }
        answer.expect(200).body["replication"].clone()
    }

    fn until_shown(&self, volume: &str, key: &str, value: &Value) {
        until(&format!("{key} is {value}"), 90, || {
            self.relation(volume)[key] == *value
        });
    }

    fn retype(&self, volume: &str, kind: &str) {
        self.cinder(&["retype", volume, kind]);
        let api = self.dev.api();
        until(&format!("its type is {kind}"), 60, || {
            let now = api.volume(volume);
            now["volume_type"] == kind && now["status"] == "in-use"
        });
    }
}

#[test]
fn flushes_of_a_volume_of_a_synchronous_type_are_at_the_other_site() {
    let world = World::start();
    let (dev, api) = (&world.dev, world.dev.api());
    let a = dev.rbd("site-a");
    api.make_replicated_type();
    api.make_type("plain", &serde_json::json!({}));
    let strict = [
        "replication_type=<in> sync",
        "firebrick:sync_policy=block",
        "firebrick:sync_timeout_seconds=0.5",
    ];
    world.make_type("sync", &strict);
    let pools = world.cinder(&["get-pools", "--detail"]);
    assert!(pools.contains("snapshot"), "{pools}");
    let volume = world.make_volume("sync");
    let image = format!("volume-{volume}");
    let said = status(&a, &image);
    assert_eq!(said["sync"]["policy"], "block", "{said}");
    world.until_shown(&volume, "in_sync", &true.into());
    assert_eq!(world.relation(&volume)["replication_type"], "sync");
    let (attachment, uri) = api.attach(&volume);
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[1; 4096]).unwrap();
    guest.flush().unwrap();
    assert_eq!(status(&a, &image)["lag"]["records"], 0);

    // Nobody has to wait for a site that does not answer, once the type says nothing of it.
    world.retype(&volume, "replicated");
    let shown = world.relation(&volume);
    assert_eq!(shown["replication_type"], "async", "{shown}");
    assert_eq!(shown["in_sync"], Value::Null, "{shown}");
    let stopped = Stopped::new(dev.site("site-b").pid);
    guest.write(0, &[2; 4096]).unwrap();
    guest.flush().unwrap();
    drop(stopped);
    world.retype(&volume, "plain");
    assert_eq!(world.relation(&volume), Value::Null);

    // And they do again.
    world.retype(&volume, "sync");
    world.until_shown(&volume, "in_sync", &true.into());
    let stopped = Stopped::new(dev.site("site-b").pid);
    guest.write(0, &[3; 4096]).unwrap();
    let (done, flushed) = mpsc::channel();
    let waiting = thread::spawn(move || {
        done.send(guest.flush()).unwrap();
        guest
    });
    until("it is said that a flush waits", 60, || {
        codes(&status(&a, &image)).contains(&"sync_waits")
    });
    assert!(flushed.try_recv().is_err(), "it was acknowledged alone");
    drop(stopped);
    flushed.recv().unwrap().unwrap();
    // What was acknowledged survives the site.
    let mut guest = waiting.join().unwrap();
    guest.write(4096, &[4; 4096]).unwrap();
    guest.flush().unwrap();
    dev.kill_site("site-a");
    let host = dev.json()["host"].as_str().unwrap().to_owned();
    world.cinder(&["failover-host", &host]);
    api.wait_replication("failed-over");
    let shown = api.get(&format!("/attachments/{attachment}")).expect(200);
    let uri = shown.body["attachment"]["connection_info"]["uri"].clone();
    let mut guest = Guest::open(uri.as_str().unwrap()).unwrap();
    assert_eq!(guest.read(0, 4096).unwrap(), [3; 4096]);
    assert_eq!(guest.read(4096, 4096).unwrap(), [4; 4096]);
    // The way went along.
    assert_eq!(world.relation(&volume)["replication_type"], "sync");
}

#[test]
fn a_volume_of_a_type_in_snapshot_mode_returns_to_its_newest_mirror_snapshot() {
    let world = World::start();
    let (dev, api) = (&world.dev, world.dev.api());
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    let daily = [
        "replication_mode=<in> snapshot",
        "firebrick:snapshot_interval=1d",
    ];
    world.make_type("daily", &daily);
    let volume = world.make_volume("daily");
    let image = format!("volume-{volume}");
    world.until_shown(&volume, "state", &"replaying".into());
    let shown = world.relation(&volume);
    assert_eq!(shown["replication_mode"], "snapshot", "{shown}");
    assert_eq!(shown["snapshot_interval"], "1d", "{shown}");
    assert_eq!(shown["replication_type"], "async", "{shown}");
    let schedule = |rbd: &Rbd, verb: &str| {
        rbd.ok(&["mirror", "snapshot", "schedule", verb, "--image", &image])
    };
    let listed = schedule(&a, "ls");
    assert!(listed.contains("every 1d"), "{listed}");
    let due = schedule(&a, "status");
    assert!(due.contains(&image), "{due}");

    let (attachment, uri) = api.attach(&volume);
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[1; 4096]).unwrap();
    guest.flush().unwrap();
    a.ok(&["mirror", "image", "snapshot", &image]);
    guest.write(0, &[2; 4096]).unwrap();
    guest.flush().unwrap();
    a.ok(&["mirror", "wait", "--timeout", "60s"]);
    dev.kill_site("site-a");
    let host = dev.json()["host"].as_str().unwrap().to_owned();
    world.cinder(&["failover-host", &host]);
    api.wait_replication("failed-over");
    let shown = api.get(&format!("/attachments/{attachment}")).expect(200);
    let uri = shown.body["attachment"]["connection_info"]["uri"].clone();
    let mut guest = Guest::open(uri.as_str().unwrap()).unwrap();
    assert_eq!(guest.read(0, 4096).unwrap(), [1; 4096]);
    // Nobody has told this site of a schedule: the image has.
    let listed = schedule(&b, "ls");
    assert!(listed.contains("every 1d"), "{listed}");
    guest.close();

    dev.start_site("site-a");
    world.cinder(&["failover-host", &host, "--backend_id", "default"]);
    api.wait_replication("enabled");
    api.make_replicated_type();
    world.retype(&volume, "replicated");
    let shown = world.relation(&volume);
    assert_eq!(shown["replication_mode"], "journal", "{shown}");
    assert_eq!(shown["snapshot_interval"], Value::Null, "{shown}");
    a.refused(
        2,
        &["mirror", "snapshot", "schedule", "ls", "--image", &image],
    );
}

//! Volumes on Ceph beside volumes on the embedded engine, with the stock `cinder` client and the real `rbd`.

use firebrick_tests::{Api, Ceph, Clients, Deployment, Guest, fields, until};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// The section that a `cinder.conf` has for this cluster.
fn section(ceph: &Ceph) -> String {
    format!(
        "[ceph]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver\nvolume_backend_name = ceph\n\
         rbd_pool = volumes\nrbd_user = cinder\nrbd_ceph_conf = {}\nrbd_max_clone_depth = 5\n\
         rbd_flatten_volume_from_snapshot = false\nrados_connect_timeout = -1\n\
         rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337\n\
         deferred_deletion_purge_interval = 1\n",
        ceph.conf().display()
    )
}

struct Story {
    ceph: Ceph,
    api: Api,
    clients: Clients,
    _deployment: Deployment,
}

impl Story {
    fn begin() -> Self {
        let ceph = Ceph::with_manager();
        let mut deployment = Deployment::new(&["blocks"]).beside("ceph");
        deployment.start("auth_strategy = noauth", &section(&ceph));
        let story = Self {
            api: deployment.api(),
            clients: deployment.clients(),
            ceph,
            _deployment: deployment,
        };
        for backend in ["ceph", "blocks"] {
            story.cinder(&["type-create", backend]);
            let name = format!("volume_backend_name={backend}");
            story.cinder(&["type-key", backend, "set", &name]);
        }
        story
    }

    fn cinder(&self, args: &[&str]) -> String {
        self.clients.cinder(args).ok().stdout
    }

    /// `cinder create ARGS`, and the volume's id once it is available.
    fn create(&self, args: &[&str]) -> String {
        let printed = self.cinder(&[&["create"], args].concat());
        let id = text(&fields(&printed)["id"]);
        self.api.wait_status(&id, "available");
        id
    }

    /// What `rbd info` says of a volume's image.
    fn info(&self, volume: &str) -> Value {
        let name = format!("volumes/{}", image(volume));
        let info = self
            .ceph
            .rbd(&["info", "--format", "json", &name])
            .ok()
            .stdout;
        serde_json::from_str(&info).unwrap()
    }

    fn images(&self) -> Vec<String> {
        let listed = self.ceph.rbd(&["ls", "volumes"]).ok().stdout;
        listed.lines().map(str::to_owned).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn image(volume: &str) -> String {
    format!("volume-{volume}")
}

fn all_are(bytes: &[u8], byte: u8) -> bool {
    bytes.iter().all(|it| *it == byte)
}

#[test]
fn a_volume_on_ceph_lives_as_one_of_cinders() {
    let story = Story::begin();
    let volume = story.create(&["--volume-type", "ceph", "--name", "one", "1"]);
    let beside = story.create(&["--volume-type", "blocks", "--name", "two", "1"]);
    assert_eq!(story.images(), [image(&volume)]);
    let host = |id: &str| text(&story.api.volume(id)["os-vol-host-attr:host"]);
    assert!(
        host(&volume).starts_with("node1@ceph#"),
        "{}",
        host(&volume)
    );
    assert!(
        host(&beside).starts_with("node1@blocks#"),
        "{}",
        host(&beside)
    );
    story.ceph.write(&image(&volume), 0xaa, 2);

    let printed = story.cinder(&["snapshot-create", "--name", "then", &volume]);
    let snapshot = text(&fields(&printed)["id"]);
    let at = format!("/snapshots/{snapshot}");
    until("the snapshot is there", 60, || {
        story.api.get(&at).body["snapshot"]["status"] == "available"
    });
    story.ceph.write(&image(&volume), 0xbb, 1);
    let of_snapshot = story.create(&["--snapshot-id", &snapshot, "--name", "three", "2"]);
    let of_volume = story.create(&["--source-volid", &volume, "--name", "four", "1"]);
    let then = story.ceph.read(&image(&of_snapshot), 2);
    assert!(
        then.len() == 2 * MIB && all_are(&then, 0xaa),
        "the clone is of another time"
    );
    let now = story.ceph.read(&image(&of_volume), 2);
    assert!(all_are(&now[..MIB], 0xbb) && all_are(&now[MIB..], 0xaa));
    let info = story.info(&of_snapshot);
    assert_eq!(info["size"], 2_u64 << 30);
    assert_eq!(info["parent"]["image"], image(&volume));

    story.cinder(&["extend", &volume, "3"]);
    story.api.wait_status(&volume, "available");
    assert_eq!(story.info(&volume)["size"], 3_u64 << 30);

    // The snapshot goes, and the volume, though a clone needs what was in them.
    story.cinder(&["snapshot-delete", &snapshot]);
    until("the snapshot is gone", 60, || {
        story.api.get(&at).status == 404
    });
    story.cinder(&["delete", &volume]);
    until("the volume is gone", 60, || {
        !story.images().contains(&image(&volume))
    });
    assert!(all_are(&story.ceph.read(&image(&of_snapshot), 2), 0xaa));
    story.cinder(&["delete", &of_snapshot]);
    story.cinder(&["delete", &of_volume]);
    story.cinder(&["delete", &beside]);
    until("nothing is left, in the trash neither", 60, || {
        story.images().is_empty()
            && story
                .ceph
                .rbd(&["trash", "ls", "volumes"])
                .ok()
                .stdout
                .is_empty()
    });
}

#[test]
fn hosts_attach_it_as_they_attach_cinders() {
    let story = Story::begin();
    let volume = story.create(&["--volume-type", "ceph", "1"]);
    let connector =
        json!({ "host": "compute1", "ip": "127.0.0.1", "initiator": "iqn.1994-05.com:1" });
    let body = json!({ "attachment": {
        "volume_uuid": volume, "instance_uuid": "b1b2b3b4-0000-4000-8000-000000000001",
        "connector": connector,
    } });
    let made = story.api.post("/attachments", &body).expect(200).body;
    let info = &made["attachment"]["connection_info"];
    let data = info.get("data").unwrap_or(info);
    let fsid = "457eb676-33da-42ec-9a8c-9293d545c337";
    for (key, value) in [
        ("name", json!(format!("volumes/{}", image(&volume)))),
        ("hosts", json!(["127.0.0.1"])),
        ("cluster_name", json!("ceph")),
        ("auth_enabled", json!(true)),
        ("auth_username", json!("cinder")),
        ("secret_type", json!("ceph")),
        ("secret_uuid", json!(fsid)),
        ("volume_id", json!(volume)),
        ("discard", json!(true)),
    ] {
        assert_eq!(data[key], value, "{key} of {made}");
    }
    let port: u16 = data["ports"][0].as_str().unwrap().parse().unwrap();
    assert!(port > 0);
    // What it says is enough for the real tool.
    let name = data["name"].as_str().unwrap();
    let _ = story.ceph.rbd(&["--id", "cinder", "info", name]).ok();
    let id = text(&made["attachment"]["id"]);
    let _ = story.api.delete(&format!("/attachments/{id}")).expect(200);
    story.api.wait_status(&volume, "available");
    story.cinder(&["delete", &volume]);
    until("the volume is gone", 60, || story.images().is_empty());
}

#[test]
fn a_volume_that_cinder_made_is_taken_over() {
    let story = Story::begin();
    let _ = story
        .ceph
        .rbd(&["create", "--size", "1G", "volumes/old"])
        .ok();
    story.ceph.write("old", 0xcc, 1);
    let listed = story.cinder(&["manageable-list", "node1@ceph#volumes"]);
    assert!(listed.contains("old"), "{listed}");
    let printed = story.cinder(&[
        "manage",
        "--volume-type",
        "ceph",
        "node1@ceph#volumes",
        "old",
    ]);
    let volume = text(&fields(&printed)["id"]);
    story.api.wait_status(&volume, "available");
    assert_eq!(story.images(), [image(&volume)]);
    assert!(all_are(&story.ceph.read(&image(&volume), 1), 0xcc));
    story.cinder(&["unmanage", &volume]);
    until("nobody manages it", 60, || {
        story.api.get(&format!("/volumes/{volume}")).status == 404
    });
    assert_eq!(story.images().len(), 1);
}

#[test]
fn bytes_move_between_kinds_of_sites_and_into_backups() {
    let story = Story::begin();
    let volume = story.create(&["--volume-type", "ceph", "1"]);
    story.ceph.write(&image(&volume), 0xa5, 2);
    story.cinder(&["backup-create", "--name", "kept", &volume]);
    until("the backup is there", 120, || {
        let listed = story.cinder(&["backup-list"]);
        assert!(!listed.contains("error"), "{listed}");
        listed.contains("available")
    });

    let retype = |to: &str| {
        story.cinder(&["retype", "--migration-policy", "on-demand", &volume, to]);
        until(&format!("it lives on {to}"), 120, || {
            let now = story.api.volume(&volume);
            let host = text(&now["os-vol-host-attr:host"]);
            host.starts_with(&format!("node1@{to}#")) && now["status"] == "available"
        });
    };
    retype("blocks");
    until("ceph has nothing of it", 60, || story.images().is_empty());
    let (attachment, uri) = story.api.attach(&volume);
    let mut guest = Guest::open(&uri).unwrap();
    assert!(all_are(&guest.read(0, MIB as u32).unwrap(), 0xa5));
    guest.write(0, &vec![0x5a; MIB]).unwrap();
    guest.flush().unwrap();
    guest.close();
    story.api.detach(&attachment);
    story.api.wait_status(&volume, "available");
    retype("ceph");
    let own = match &story.images()[..] {
        [own] => own.clone(),
        other => panic!("{other:?}"),
    };
    let back = story.ceph.read(&own, 3);
    assert!(all_are(&back[..MIB], 0x5a) && all_are(&back[MIB..2 * MIB], 0xa5));
    assert!(all_are(&back[2 * MIB..], 0));

    story.cinder(&["backup-restore", "--volume", &volume, "kept"]);
    until("it is restored", 120, || {
        let now = story.api.volume(&volume)["status"].clone();
        assert_ne!(now, "error_restoring");
        now == "available" && all_are(&story.ceph.read(&own, 2), 0xa5)
    });
}

#[test]
fn a_cluster_that_does_not_answer_is_told_of() {
    let story = Story::begin();
    let pool = || {
        let pools = story
            .api
            .get("/scheduler-stats/get_pools?detail=true")
            .expect(200)
            .body;
        let mut pools = pools["pools"].as_array().unwrap().clone().into_iter();
        pools
            .find(|pool| pool["name"].as_str().unwrap().starts_with("node1@ceph#"))
            .unwrap()["capabilities"]
            .clone()
    };
    let up = pool();
    assert_eq!(up["backend_state"], "up", "{up}");
    assert_eq!(up["storage_protocol"], "ceph", "{up}");
    assert!(up["free_capacity_gb"].as_f64().unwrap() > 0.0, "{up}");
    story.ceph.stop();
    until("it is said to be down", 120, || {
        pool()["backend_state"] == "down"
    });
    until("it is asked again and again", 120, || {
        pool()["backend_retries"].as_u64().unwrap() > 0
    });
    let down = pool();
    assert_ne!(down["backend_state_reason"], json!(null), "{down}");
    story.ceph.go_on();
    until("it is up again", 120, || pool()["backend_state"] == "up");
    let volume = story.create(&["--volume-type", "ceph", "1"]);
    story.cinder(&["delete", &volume]);
    until("the volume is gone", 60, || story.images().is_empty());
}

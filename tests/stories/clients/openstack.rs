//! `openstack volume …`: volumes and what is made of them.

use firebrick_tests::{Api, Clients, until};
use serde_json::{Value, json};

use super::{CLUSTER, HOST, everything, text};

/// The version of what the client asks for at 3.0 else, though it is newer.
const NEWEST: &str = "--os-volume-api-version 3.71 ";

/// `openstack`, with what it has done seen from outside.
pub(super) struct Openstack {
    pub(super) clients: Clients,
    pub(super) api: Api,
}

impl Openstack {
    /// `openstack LINE`, which must succeed.
    pub(super) fn run(&self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let _ = self.clients.openstack(&words).ok();
    }

    /// What `openstack LINE -f json` prints; it must succeed.
    pub(super) fn json(&self, line: &str) -> Value {
        let words: Vec<&str> = line.split(' ').collect();
        self.clients.openstack_json(&words)
    }

    /// What it complains of; it must fail.
    pub(super) fn refused(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = self.clients.openstack(&words);
        assert_ne!(ran.status, 0, "{line}: {}", ran.stdout);
        ran.stderr
    }

    /// Waits until `show` says that status.
    pub(super) fn wait(&self, show: &str, status: &str) {
        until(&format!("{show} is {status}"), 60, || {
            let shown = self.json(show);
            [&shown["status"], &shown["Status"]].contains(&&json!(status))
        });
    }

    /// Waits until a list has nothing of that name.
    pub(super) fn gone(&self, list: &str, name: &str) {
        until(&format!("{name} is gone"), 60, || {
            let rows = self.json(list);
            rows.as_array()
                .unwrap()
                .iter()
                .all(|row| row["Name"] != name)
        });
    }

    /// Makes a volume of that name and returns its id.
    pub(super) fn volume(&self, name: &str) -> String {
        let id = text(&self.json(&format!("volume create --size 1 {name}"))["id"]);
        self.api.wait_status(&id, "available");
        id
    }

    /// Deletes a volume and waits until it is gone.
    pub(super) fn drop_volume(&self, name: &str) {
        self.run(&format!("volume delete {name}"));
        self.gone("volume list", name);
    }
}

#[test]
fn openstack_drives_volumes_and_what_is_made_of_them() {
    let deployment = everything();
    let openstack = Openstack {
        clients: deployment.clients(),
        api: deployment.api(),
    };
    volumes(&openstack);
    snapshots(&openstack);
    managed(&openstack);
    attachments(&openstack);
    transfers(&openstack);
    backups(&openstack);
    messages(&openstack);
}

fn volumes(openstack: &Openstack) {
    let made = openstack.json("volume create --size 1 --property a=b --description d one");
    let id = text(&made["id"]);
    assert_eq!(made["properties"], json!({ "a": "b" }));
    openstack.wait("volume show one", "available");
    openstack
        .run("volume set --property k=v --image-property os=cirros --bootable --read-only one");
    openstack.run("volume unset --property a one");
    openstack.run("volume set --name uno --size 2 one");
    openstack.api.wait_status(&id, "available");
    let shown = openstack.json("volume show uno");
    assert_eq!(shown["id"], id);
    assert_eq!(shown["size"], 2);
    assert_eq!(shown["bootable"], true);
    assert_eq!(shown["properties"], json!({ "k": "v", "readonly": "True" }));
    assert_eq!(shown["volume_image_metadata"], json!({ "os": "cirros" }));
    assert_eq!(shown["os-vol-host-attr:host"], format!("{CLUSTER}#volumes"));
    openstack.run("volume unset --image-property os uno");
    assert_eq!(
        openstack
            .json("volume show uno")
            .get("volume_image_metadata"),
        None
    );
    let copy = openstack.json("volume create --source uno copy");
    openstack.api.wait_status(&text(&copy["id"]), "available");
    let listed = openstack.json("volume list --long --name copy");
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(
        (&listed[0]["ID"], &listed[0]["Size"]),
        (&copy["id"], &json!(2))
    );
    let sum = openstack.json("volume summary");
    assert_eq!(
        (&sum["Total Count"], &sum["Total Size"]),
        (&json!(2), &json!(4))
    );
    openstack.run("volume type create other");
    openstack.run("volume set --type other copy");
    openstack.api.wait_status(&text(&copy["id"]), "available");
    assert_eq!(openstack.json("volume show copy")["type"], "other");
    openstack.run("volume set --state error copy");
    assert_eq!(openstack.json("volume show copy")["status"], "error");
    openstack.run("volume delete --force copy");
    openstack.gone("volume list", "copy");
    openstack.drop_volume("uno");
    openstack.run("volume type delete other");
    assert!(openstack.refused("volume show uno").contains("uno"));
}

fn snapshots(openstack: &Openstack) {
    let volume = openstack.volume("origin");
    openstack.run("volume snapshot create --volume origin --property x=y s");
    openstack.wait("volume snapshot show s", "available");
    openstack.run("volume snapshot set --name moment --description d --property z=w s");
    openstack.run("volume snapshot unset --property x moment");
    let shown = openstack.json("volume snapshot show moment");
    assert_eq!(
        (&shown["volume_id"], &shown["description"]),
        (&json!(volume), &json!("d"))
    );
    assert_eq!(shown["properties"], json!({ "z": "w" }));
    let listed = openstack.json("volume snapshot list --long --volume origin");
    assert_eq!(listed[0]["ID"], shown["id"]);
    openstack.run("volume snapshot set --state error moment");
    openstack.wait("volume snapshot show moment", "error");
    openstack.run("volume snapshot set --state available moment");
    openstack.run("volume revert moment");
    openstack.api.wait_status(&volume, "available");
    let copy = openstack.json("volume create --snapshot moment copy");
    openstack.api.wait_status(&text(&copy["id"]), "available");
    assert_eq!(copy["snapshot_id"], shown["id"]);
    openstack.drop_volume("copy");
    openstack.run("volume snapshot delete moment");
    openstack.gone("volume snapshot list", "moment");
    openstack.drop_volume("origin");
}

fn managed(openstack: &Openstack) {
    let volume = openstack.volume("given");
    openstack.run("volume snapshot create --volume given s");
    openstack.wait("volume snapshot show s", "available");
    let snapshot = text(&openstack.json("volume snapshot show s")["id"]);
    let snapshots = format!("{NEWEST}block storage snapshot manageable list {HOST}");
    let source = json!({ "source-name": format!("snapshot-{snapshot}") });
    let there = openstack.json(&snapshots);
    assert_eq!(
        (&there[0]["reference"], &there[0]["safe_to_manage"]),
        (&source, &json!(false))
    );
    openstack.run("volume snapshot delete --remote s");
    openstack.gone("volume snapshot list", "s");
    assert_eq!(openstack.json(&snapshots)[0]["safe_to_manage"], true);
    openstack.run(&format!(
        "{NEWEST}volume snapshot create --volume given --remote-source \
         source-name=snapshot-{snapshot} back"
    ));
    openstack.wait("volume snapshot show back", "available");
    openstack.run("volume snapshot delete back");
    openstack.gone("volume snapshot list", "back");

    openstack.run("volume delete --remote given");
    openstack.gone("volume list", "given");
    let volumes = format!("{NEWEST}block storage volume manageable list {HOST}");
    let source = json!({ "source-name": format!("volume-{volume}") });
    assert_eq!(openstack.json(&volumes)[0]["reference"], source);
    openstack.run(&format!(
        "{NEWEST}volume create --remote-source source-name=volume-{volume} --host {HOST} \
         --non-bootable taken"
    ));
    openstack.wait("volume show taken", "available");
    openstack.drop_volume("taken");
}

/// The client asks Nova for the server before it makes one, so that they are made by the API.
fn attachments(openstack: &Openstack) {
    let volume = openstack.volume("disk");
    let server = "5d3cbd1a-0000-4000-8000-000000000003";
    let body = json!({ "attachment": { "volume_uuid": volume, "instance_uuid": server } });
    let made = openstack.api.post("/attachments", &body).expect(200).body;
    let id = text(&made["attachment"]["id"]);
    let run = |line: &str| format!("--os-volume-api-version 3.54 volume attachment {line}");
    let set = run(&format!(
        "set --host guest --ip 127.0.0.1 --mountpoint /dev/vdb {id}"
    ));
    let updated = openstack.json(&set);
    assert_eq!(
        updated["Properties"]["driver_volume_type"], "nbd",
        "{updated}"
    );
    openstack.run(&run(&format!("complete {id}")));
    let shown = openstack.json(&run(&format!("show {id}")));
    assert_eq!(
        (&shown["Volume ID"], &shown["Status"]),
        (&json!(volume), &json!("attached"))
    );
    let listed = openstack.json(&run("list"));
    assert_eq!(
        (&listed[0]["ID"], &listed[0]["Server ID"]),
        (&json!(id), &json!(server))
    );
    assert_eq!(openstack.json("volume show disk")["status"], "in-use");
    openstack.run(&run(&format!("delete {id}")));
    openstack.api.wait_status(&volume, "available");
    assert_eq!(openstack.json(&run("list")), json!([]));
    openstack.drop_volume("disk");
}

fn transfers(openstack: &Openstack) {
    let volume = openstack.volume("present");
    let made = openstack.json("volume transfer request create --name t present");
    let (id, key) = (text(&made["id"]), text(&made["auth_key"]));
    openstack.wait("volume show present", "awaiting-transfer");
    let listed = openstack.json("volume transfer request list");
    assert_eq!(listed, json!([{ "ID": id, "Name": "t", "Volume": volume }]));
    let shown = openstack.json(&format!("volume transfer request show {id}"));
    assert_eq!(shown["volume_id"], volume);
    let accept = |key: &str| format!("volume transfer request accept --auth-key {key} {id}");
    assert!(openstack.refused(&accept("wrong")).contains("auth key"));
    let accepted = openstack.json(&accept(&key));
    assert_eq!(accepted["volume_id"], volume);
    openstack.api.wait_status(&volume, "available");
    let made = openstack.json("volume transfer request create present");
    let line = format!("volume transfer request delete {}", text(&made["id"]));
    openstack.run(&line);
    openstack.api.wait_status(&volume, "available");
    openstack.drop_volume("present");
}

fn backups(openstack: &Openstack) {
    let volume = openstack.volume("kept");
    let made = openstack.json("volume backup create --name b kept");
    openstack.wait("volume backup show b", "available");
    openstack.run("volume backup set --name copy --description d --property a=b b");
    let shown = openstack.json("volume backup show copy");
    assert_eq!(
        (&shown["id"], &shown["volume_id"]),
        (&made["id"], &json!(volume))
    );
    assert_eq!(
        (&shown["description"], &shown["metadata"]),
        (&json!("d"), &json!({ "a": "b" }))
    );
    // `unset --property` asks for all others to be deleted, at an address that Cinder does not have.
    let listed = openstack.json("volume backup list --volume kept");
    assert_eq!(
        (&listed[0]["Name"], &listed[0]["Incremental"]),
        (&json!("copy"), &json!(false))
    );
    let restored = openstack.json("volume backup restore copy again");
    openstack
        .api
        .wait_status(&text(&restored["volume_id"]), "available");
    assert_eq!(
        openstack.json("volume show again")["id"],
        restored["volume_id"]
    );
    let record = openstack.json("volume backup record export copy");
    // `record import` asks at an address that Cinder does not have.
    assert!(!text(&record["backup_url"]).is_empty());
    openstack.run("volume backup set --state error copy");
    openstack.wait("volume backup show copy", "error");
    openstack.run("volume backup delete copy");
    openstack.gone("volume backup list", "copy");
    openstack.drop_volume("again");
    openstack.drop_volume("kept");
}

fn messages(openstack: &Openstack) {
    let specs = json!({ "volume_backend_name": "none" });
    openstack.api.make_type("nowhere", &specs);
    let made = openstack.json("volume create --size 1 --type nowhere lost");
    openstack.wait("volume show lost", "error");
    let listed = openstack.json(&format!("{NEWEST}volume message list"));
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["Resource UUID"], made["id"]);
    let id = text(&listed[0]["ID"]);
    // `show` looks for it under the name of the list, here and at Cinder.
    openstack.run(&format!("{NEWEST}volume message delete {id}"));
    assert_eq!(
        openstack.json(&format!("{NEWEST}volume message list")),
        json!([])
    );
    openstack.drop_volume("lost");
}

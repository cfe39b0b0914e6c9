//! `cinder`: volumes and what is made of them.

use serde_json::json;

use super::{CLUSTER, Cinder, HOST, everything, text};

/// The server of attachments.
const SERVER: &str = "5d3cbd1a-0000-4000-8000-000000000001";

#[test]
fn cinder_drives_volumes_and_what_is_made_of_them() {
    let deployment = everything();
    let cinder = Cinder::of(&deployment);
    volumes(&cinder);
    snapshots(&cinder);
    attachments(&cinder);
    transfers(&cinder);
    backups(&cinder);
    messages(&cinder);
}

fn volumes(cinder: &Cinder) {
    let id = cinder.volume("one");
    cinder.run("metadata one set colour=blue size=big");
    let told = cinder.fields("metadata-show one");
    assert_eq!(told, json!({ "colour": "blue", "size": "big" }));
    let told = cinder.fields("metadata-update-all one only=this more=that");
    assert_eq!(told, json!({ "only": "this", "more": "that" }));
    cinder.run("metadata one unset more");
    assert_eq!(
        cinder.api.volume(&id)["metadata"],
        json!({ "only": "this" })
    );
    cinder.run("image-metadata one set os_distro=cirros min_disk=1");
    cinder.run("image-metadata one unset min_disk");
    assert_eq!(
        cinder.fields("image-metadata-show one"),
        json!({ "os_distro": "cirros" })
    );
    cinder.run("set-bootable one true");
    cinder.run("readonly-mode-update one true");
    let shown = cinder.fields("show one");
    assert_eq!(shown["bootable"], "true", "{shown}");
    assert_eq!(shown["metadata"], "only : this\nreadonly : True", "{shown}");
    assert_eq!(shown["os-vol-host-attr:host"], format!("{CLUSTER}#volumes"));
    assert_eq!(shown["cluster_name"], format!("{CLUSTER}#volumes"));
    cinder.run("readonly-mode-update one false");
    cinder.run("rename one uno --description words");
    let seen = cinder.api.volume(&id);
    assert_eq!(
        (&seen["name"], &seen["description"]),
        (&json!("uno"), &json!("words"))
    );

    cinder.run(&format!(
        "create --name two --metadata kind=other --source-volid {id} 2"
    ));
    cinder.wait("list", "two", "available");
    let listed = cinder.run("list --with-count --sort name:asc --limit 1");
    assert!(listed.contains("Volume in total: 2"), "{listed}");
    for filter in [
        "--name two",
        "--metadata kind=other",
        "--filters name~=w",
        "--filters size=2",
        "--sort size:desc --limit 1",
    ] {
        let rows = cinder.rows(&format!("list {filter}"));
        assert_eq!(rows.len(), 1, "{filter}: {rows:?}");
        assert_eq!(rows[0]["Name"], "two", "{filter}");
    }
    let sum = cinder.fields("summary");
    assert_eq!(
        (&sum["total_count"], &sum["total_size"]),
        (&json!("2"), &json!("3"))
    );
    cinder.run("extend uno 3");
    cinder.wait("list", "uno", "available");
    assert_eq!(cinder.api.volume(&id)["size"], 3);

    cinder.run("type-create other");
    cinder.run("retype two other");
    cinder.wait("list", "two", "available");
    assert_eq!(cinder.fields("show two")["volume_type"], "other");
    cinder.run("reset-state --state error --attach-status detached uno");
    cinder.wait("list", "uno", "error");
    assert!(cinder.refused("extend uno 4").contains("HTTP 400"));
    cinder.run("reset-state --state available uno");
    cinder.run("delete two");
    cinder.run("force-delete uno");
    cinder.gone("list", "two");
    cinder.gone("list", "uno");
    assert!(
        cinder
            .refused("show uno")
            .contains("No volume with a name or ID")
    );
}

fn snapshots(cinder: &Cinder) {
    let volume = cinder.volume("origin");
    let made = cinder.fields("snapshot-create --name s --description d --metadata a=b origin");
    let id = text(&made["id"]);
    cinder.wait("snapshot-list", "s", "available");
    let told = cinder.fields("snapshot-metadata s set c=d");
    assert_eq!(told, json!({ "a": "b", "c": "d" }));
    cinder.run("snapshot-metadata s unset a");
    assert_eq!(
        cinder.fields("snapshot-metadata-show s"),
        json!({ "c": "d" })
    );
    let told = cinder.fields("snapshot-metadata-update-all s x=y");
    assert_eq!(told["metadata"], "{'x': 'y'}");
    cinder.run("snapshot-rename s moment");
    let shown = cinder.fields("snapshot-show moment");
    assert_eq!(shown["volume_id"], volume);
    assert_eq!(shown["metadata"], "{'x': 'y'}");
    assert_eq!(shown["os-extended-snapshot-attributes:progress"], "100%");
    cinder.run("snapshot-reset-state --state error moment");
    cinder.wait("snapshot-list", "moment", "error");
    cinder.run("snapshot-reset-state --state available moment");

    let there = cinder.rows(&format!("snapshot-manageable-list {HOST}"));
    assert_eq!(there[0]["cinder_id"], id);
    assert_eq!(there[0]["safe_to_manage"], "False");
    cinder.run("snapshot-unmanage moment");
    cinder.gone("snapshot-list", "moment");
    let there = cinder.rows(&format!("snapshot-manageable-list {HOST}"));
    assert_eq!(there[0]["safe_to_manage"], "True");
    cinder.run(&format!("snapshot-manage --name back origin snapshot-{id}"));
    cinder.wait("snapshot-list", "back", "available");
    assert!(
        cinder
            .refused("delete origin")
            .contains("Unable to delete any")
    );
    cinder.run("delete --cascade origin");
    cinder.gone("list", "origin");
    assert!(cinder.rows("snapshot-list").is_empty());

    let volume = cinder.volume("given");
    cinder.run("unmanage given");
    cinder.gone("list", "given");
    let there = cinder.rows(&format!("manageable-list {HOST}"));
    let source = format!("{{'source-name': 'volume-{volume}'}}");
    assert_eq!(there[0]["reference"], source);
    cinder.run(&format!("manage --name taken {HOST} volume-{volume}"));
    cinder.wait("list", "taken", "available");
    cinder.run("delete taken");
    cinder.gone("list", "taken");
}

fn attachments(cinder: &Cinder) {
    let volume = cinder.volume("disk");
    let made = cinder.fields(&format!("attachment-create disk {SERVER}"));
    let id = text(&made["id"]);
    assert_eq!(made["status"], "reserved");
    let told = cinder.run(&format!(
        "attachment-update --ip 127.0.0.1 --host guest --mountpoint /dev/vdb {id}"
    ));
    assert!(told.contains("nbd"), "{told}");
    cinder.run(&format!("attachment-complete {id}"));
    let listed = cinder.rows(&format!("attachment-list --volume-id {volume}"));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["Status"], "attached");
    assert_eq!(listed[0]["Server ID"], SERVER);
    let shown = cinder.run(&format!("attachment-show {id}"));
    assert!(shown.contains(&volume), "{shown}");
    assert_eq!(cinder.rows("list")[0]["Attached to"], SERVER);
    assert!(
        cinder
            .refused("delete disk")
            .contains("Unable to delete any")
    );
    cinder.run(&format!("attachment-delete {id}"));
    cinder.wait("list", "disk", "available");
    assert!(cinder.rows("attachment-list").is_empty());
    cinder.run("delete disk");
    cinder.gone("list", "disk");
}

/// By both addresses: that of 3.55 and the older one.
fn transfers(cinder: &Cinder) {
    let volume = cinder.volume("present");
    for older in ["", "--os-volume-api-version 3.54 "] {
        let run = |line: &str| format!("{older}{line}");
        let made = cinder.fields(&run("transfer-create --name t present"));
        let (id, key) = (text(&made["id"]), text(&made["auth_key"]));
        cinder.wait("list", "present", "awaiting-transfer");
        let listed = cinder.rows(&run("transfer-list"));
        assert_eq!(listed[0]["Volume ID"], volume);
        let shown = cinder.fields(&run(&format!("transfer-show {id}")));
        assert_eq!(shown["name"], "t");
        assert_eq!(shown.get("auth_key"), None);
        let refused = cinder.refused(&run(&format!("transfer-accept {id} wrong")));
        assert!(refused.contains("HTTP 400"), "{refused}");
        cinder.run(&run(&format!("transfer-accept {id} {key}")));
        cinder.wait("list", "present", "available");
        let made = cinder.fields(&run("transfer-create present"));
        cinder.run(&run(&format!("transfer-delete {}", text(&made["id"]))));
        cinder.wait("list", "present", "available");
    }
    let made = cinder.fields("transfer-create --no-snapshots present");
    assert_eq!(made["no_snapshots"], "True");
    cinder.run(&format!("transfer-delete {}", text(&made["id"])));
    cinder.run("delete present");
    cinder.gone("list", "present");
}

fn backups(cinder: &Cinder) {
    let volume = cinder.volume("kept");
    let made = cinder.fields("backup-create --name b kept");
    let id = text(&made["id"]);
    cinder.wait("backup-list", "b", "available");
    cinder.run("backup-update --name copy --description words --metadata a=b b");
    let shown = cinder.fields("backup-show copy");
    assert_eq!(shown["volume_id"], volume);
    assert_eq!(shown["description"], "words");
    assert_eq!(shown["metadata"], "{'a': 'b'}");
    let restored = cinder.fields("backup-restore --name again copy");
    assert_eq!(restored["backup_id"], id);
    cinder.wait("list", "again", "available");
    let record = cinder.fields(&format!("backup-export {id}"));
    let url = text(&record["backup_url"]).replace('\n', "");
    let service = text(&record["backup_service"]);
    // It is there already.
    let refused = cinder.refused(&format!("backup-import {service} {url}"));
    assert!(refused.contains("HTTP 400"), "{refused}");
    cinder.run("backup-reset-state --state error copy");
    cinder.wait("backup-list", "copy", "error");
    cinder.run("backup-reset-state --state available copy");
    cinder.run("backup-delete copy");
    cinder.gone("backup-list", "copy");
    for name in ["kept", "again"] {
        cinder.run(&format!("delete {name}"));
        cinder.gone("list", name);
    }
}

fn messages(cinder: &Cinder) {
    cinder
        .api
        .make_type("nowhere", &json!({ "volume_backend_name": "none" }));
    let made = cinder.fields("create --name lost --volume-type nowhere 1");
    let id = text(&made["id"]);
    cinder.wait("list", "lost", "error");
    let listed = cinder.rows(&format!("message-list --resource_uuid {id}"));
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["Resource Type"], "VOLUME");
    let message = text(&listed[0]["ID"]);
    let shown = cinder.fields(&format!("message-show {message}"));
    assert_eq!(shown["event_id"], listed[0]["Event ID"]);
    assert_eq!(shown["message_level"], "ERROR");
    cinder.run(&format!("message-delete {message}"));
    let listed = cinder.rows(&format!("message-list --resource_uuid {id}"));
    assert!(listed.is_empty(), "{listed:?}");
    cinder.run("delete lost");
    cinder.gone("list", "lost");
}

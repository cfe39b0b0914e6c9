//! The stock clients, unmodified: cinder, openstack, and the SDK.

use firebrick_tests::{Dev, until};
use serde_json::json;

#[test]
fn the_cinder_client_drives_volumes_snapshots_and_services() {
    let dev = Dev::start();
    let clients = dev.clients();
    let cinder = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        clients.cinder(&words).ok().stdout
    };
    let wait = |name: &str, status: &str| {
        until(&format!("{name} is {status}"), 60, || {
            cinder("list")
                .lines()
                .any(|line| line.contains(name) && line.contains(status))
        });
    };
    cinder("create --name one 1");
    wait("one", "available");
    cinder("rename one uno");
    cinder("metadata uno set colour=blue");
    assert!(cinder("show uno").contains("colour"));
    cinder("extend uno 2");
    wait("uno", "available");
    cinder("snapshot-create --name moment uno");
    until("the snapshot is available", 60, || {
        cinder("snapshot-list").contains("available")
    });
    cinder("snapshot-show moment");
    cinder("snapshot-rename moment instant");
    cinder("list --sort name:asc --limit 1");
    cinder("list --name uno --status available");
    for line in [
        "service-list --withreplication",
        "get-pools --detail",
        "availability-zone-list",
        "absolute-limits",
        "list-extensions",
        "type-list",
        "type-show __DEFAULT__",
        "type-default",
        "extra-specs-list",
        "attachment-list",
        "version-list",
        "api-version",
    ] {
        assert!(!cinder(line).trim().is_empty(), "{line} printed nothing");
    }
    let host = dev.json()["host"].as_str().unwrap().to_owned();
    cinder(&format!("get-capabilities {host}"));
    cinder(&format!(
        "service-disable {host} cinder-volume --reason maintenance"
    ));
    assert!(cinder("service-list").contains("maintenance"));
    cinder(&format!("service-enable {host} cinder-volume"));
    cinder(&format!("freeze-host {host}"));
    assert_eq!(dev.api().volume_service()["frozen"], true);
    cinder(&format!("thaw-host {host}"));
    cinder("reset-state --state error uno");
    cinder("reset-state --state available uno");
    cinder("snapshot-delete instant");
    until("the snapshot is gone", 60, || {
        !cinder("snapshot-list").contains("instant")
    });
    cinder("force-delete uno");
    until("the volume is gone", 60, || !cinder("list").contains("uno"));
    let refused = clients.cinder(&["show", "uno"]);
    assert_ne!(refused.status, 0);
}

#[test]
fn the_openstack_client_drives_volumes_types_and_attachments() {
    let dev = Dev::start();
    let clients = dev.clients();
    let made = clients.openstack_json(&["volume", "create", "--size", "1", "first"]);
    let id = made["id"].as_str().unwrap().to_owned();
    dev.api().wait_status(&id, "available");
    let _ = clients
        .openstack(&["volume", "set", "--property", "k=v", "first"])
        .ok();
    let shown = clients.openstack_json(&["volume", "show", "first"]);
    assert_eq!(shown["properties"]["k"], "v", "{shown}");
    let _ = clients
        .openstack(&["volume", "type", "create", "fast"])
        .ok();
    let _ = clients
        .openstack(&["volume", "type", "set", "--property", "a=b", "fast"])
        .ok();
    let types = clients.openstack_json(&["volume", "type", "list", "--long"]);
    assert!(types.to_string().contains("fast"), "{types}");
    let _ = clients
        .openstack(&["volume", "snapshot", "create", "--volume", "first", "s"])
        .ok();
    until("the snapshot is available", 60, || {
        let list = clients.openstack_json(&["volume", "snapshot", "list"]);
        list[0]["Status"] == "available"
    });
    let _ = clients
        .openstack(&["volume", "snapshot", "delete", "s"])
        .ok();
    let services = clients.openstack_json(&["volume", "service", "list"]);
    assert!(services.to_string().contains("cinder-volume"), "{services}");
    let pools = clients.openstack_json(&["volume", "backend", "pool", "list"]);
    assert!(pools.to_string().contains("blocks"), "{pools}");
    let host = dev.json()["host"].as_str().unwrap().to_owned();
    let _ = clients
        .openstack(&[
            "volume",
            "service",
            "set",
            "--disable",
            &host,
            "cinder-volume",
        ])
        .ok();
    let _ = clients
        .openstack(&[
            "volume",
            "service",
            "set",
            "--enable",
            &host,
            "cinder-volume",
        ])
        .ok();
    let _ = clients.openstack(&["volume", "list", "--long"]).ok();
    until("the snapshot is gone", 60, || {
        clients.openstack_json(&["volume", "snapshot", "list"]) == json!([])
    });
    let _ = clients.openstack(&["volume", "delete", "first"]).ok();
    until("the volume is gone", 60, || dev.api().volume(&id).is_null());
}

#[test]
fn the_sdk_waits_lists_and_attaches() {
    let dev = Dev::start();
    let script = format!(
        r#"
import openstack
cloud = openstack.connect(auth_type="none", endpoint="http://{listen}/v3",
                          block_storage_endpoint_override="http://{listen}/v3")
bs = cloud.block_storage
made = [bs.create_volume(size=1, name=f"v{{n}}") for n in range(5)]
for volume in made:
    bs.wait_for_status(volume, "available", wait=60)
names = [v.name for v in bs.volumes(details=True, limit=2)]
assert names == ["v4", "v3", "v2", "v1", "v0"], names
volume = bs.get_volume(made[0].id)
assert volume.size == 1 and volume.status == "available", volume
attachment = bs.create_attachment(volume.id, instance="5d3cbd1a-0000-4000-8000-000000000002",
                                  connector={{"host": "guest", "ip": "127.0.0.1"}})
assert attachment.connection_info, attachment
bs.delete_attachment(attachment)
bs.extend_volume(volume, 2)
bs.wait_for_status(bs.get_volume(volume.id), "available", wait=60)
assert bs.get_volume(volume.id).size == 2
for volume in made:
    bs.delete_volume(volume)
for volume in made:
    bs.wait_for_delete(bs.find_volume(volume.id) or volume, wait=60)
print("all done")
"#,
        listen = dev.listen()
    );
    let ran = dev.clients().python(&script).ok();
    assert!(ran.stdout.contains("all done"), "{}", ran.stdout);
}

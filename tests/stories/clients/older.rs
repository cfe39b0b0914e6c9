//! Clients that ask for older versions, as those of years ago do.

use serde_json::{Value, json};

use super::openstack::Openstack;
use super::{Cinder, everything, text};

/// Before attachments, with them, before strict bodies, and before times are filtered.
const VERSIONS: [&str; 4] = ["3.0", "3.27", "3.50", "3.59"];

#[test]
fn older_versions_are_served() {
    let deployment = everything();
    let cinder = Cinder::of(&deployment);
    let openstack = Openstack {
        clients: deployment.clients(),
        api: deployment.api(),
    };
    for version in VERSIONS {
        by_cinder(&cinder, version);
        by_openstack(&openstack, version);
    }
}

/// Which properties of a volume a version shows, of those that came one after the other.
fn newer(version: &str) -> Vec<&'static str> {
    let all = [
        ("group_id", 13),
        ("service_uuid", 48),
        ("volume_type_id", 63),
    ];
    let minor: u32 = version.strip_prefix("3.").unwrap().parse().unwrap();
    let known = all.into_iter().filter(|(_, since)| *since <= minor);
    known.map(|(name, _)| name).collect()
}

fn by_cinder(cinder: &Cinder, version: &str) {
    let at = |line: &str| format!("--os-volume-api-version {version} {line}");
    let made = cinder.fields(&at("create --name one 1"));
    cinder.wait(&at("list"), "one", "available");
    let shown = cinder.fields(&at("show one"));
    assert_eq!(shown["id"], made["id"], "{version}");
    for name in ["group_id", "service_uuid", "volume_type_id"] {
        let expected = newer(version).contains(&name);
        assert_eq!(shown.get(name).is_some(), expected, "{name} at {version}");
    }
    cinder.run(&at("snapshot-create --name s one"));
    cinder.wait(&at("snapshot-list"), "s", "available");
    let shown = cinder.fields(&at("snapshot-show s"));
    assert_eq!(shown["volume_id"], made["id"], "{version}");
    cinder.run(&at("backup-create --name b one"));
    cinder.wait(&at("backup-list"), "b", "available");
    let shown = cinder.fields(&at("backup-show b"));
    assert_eq!(shown["volume_id"], made["id"], "{version}");
    for (kind, name) in [("backup-", "b"), ("snapshot-", "s"), ("", "one")] {
        cinder.run(&at(&format!("{kind}delete {name}")));
        cinder.gone(&at(&format!("{kind}list")), name);
    }
}

fn by_openstack(openstack: &Openstack, version: &str) {
    let at = |line: &str| format!("--os-volume-api-version {version} {line}");
    let made = openstack.json(&at("volume create --size 1 one"));
    openstack.wait(&at("volume show one"), "available");
    let id = text(&made["id"]);
    let listed = openstack.json(&at("volume list"));
    assert_eq!(listed[0]["ID"], id, "{version}");
    for (kind, name) in [("snapshot", "s"), ("backup", "b")] {
        let make = match kind {
            "snapshot" => format!("volume snapshot create --volume one {name}"),
            _ => format!("volume backup create --name {name} one"),
        };
        openstack.run(&at(&make));
        let show = at(&format!("volume {kind} show {name}"));
        openstack.wait(&show, "available");
        assert_eq!(openstack.json(&show)["volume_id"], id, "{version}");
        let listed = openstack.json(&at(&format!("volume {kind} list")));
        assert_eq!(names(&listed), [name], "{version}");
        openstack.run(&at(&format!("volume {kind} delete {name}")));
        openstack.gone(&at(&format!("volume {kind} list")), name);
    }
    openstack.run(&at("volume delete one"));
    openstack.gone(&at("volume list"), "one");
    assert_eq!(openstack.json(&at("volume list")), json!([]), "{version}");
}

fn names(listed: &Value) -> Vec<&str> {
    let rows = listed.as_array().unwrap().iter();
    rows.map(|row| row["Name"].as_str().unwrap()).collect()
}

//! Images of a real Glance, with tokens of a real Keystone: into volumes, and back.

use std::fs;
use std::path::{Path, PathBuf};

use firebrick_tests::{Clients, Deployment, Openstack, run, tool, until_some};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// A disk of 8 MiB in two formats.
struct Disk {
    bytes: Vec<u8>,
    qcow2: PathBuf,
    raw: PathBuf,
}

fn disk(dir: &Path) -> Disk {
    let mut bytes = vec![0; 8 * MIB];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if at / MIB % 3 != 1 {
            *byte = (at / 7 % 255) as u8 + 1;
        }
    }
    let (raw, qcow2) = (dir.join("disk.raw"), dir.join("disk.qcow2"));
    fs::write(&raw, &bytes).unwrap();
    let mut convert = tool("qemu-img");
    convert.args(["convert", "-f", "raw", "-O", "qcow2"]);
    let _ = run(convert.arg(&raw).arg(&qcow2)).ok();
    Disk { bytes, qcow2, raw }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn settled(clients: &Clients, kind: &[&str], id: &str, wanted: &str) -> Value {
    until_some(&format!("{kind:?} {id} is {wanted}"), 120, || {
        let shown = clients.openstack_json(&[kind, &["show", id]].concat());
        let status = shown["status"].as_str().unwrap_or_default();
        assert!(!status.starts_with("error"), "{shown}");
        (status == wanted).then_some(shown)
    })
}

fn image(clients: &Clients, name: &str, format: &str, file: &Path) -> String {
    let made = clients.openstack_json(&[
        "image",
        "create",
        "--disk-format",
        format,
        "--container-format",
        "bare",
        "--property",
        "os_distro=cirros",
        "--file",
        text(file),
        name,
    ]);
    made["id"].as_str().unwrap().to_owned()
}

fn volume(clients: &Clients, image: &str) -> String {
    let arguments = ["volume", "create", "--size", "1", "--image", image, "disk"];
    let made = clients.openstack_json(&arguments);
    made["id"].as_str().unwrap().to_owned()
}

/// Uploads the volume, and returns the beginning of the disk in the image.
fn uploaded(clients: &Clients, volume: &str, dir: &Path) -> Vec<u8> {
    let (back, raw) = (dir.join("back.qcow2"), dir.join("back.raw"));
    let made = clients.openstack_json(&[
        "image",
        "create",
        "--volume",
        volume,
        "--disk-format",
        "qcow2",
        "copy",
    ]);
    let id = made["image_id"].as_str().unwrap();
    let shown = settled(clients, &["image"], id, "active");
    assert_eq!(shown["properties"]["os_distro"], "cirros");
    let saved = ["image", "save", "--file", text(&back), id];
    let _ = clients.openstack(&saved).ok();
    let mut convert = tool("qemu-img");
    convert.args(["convert", "-f", "qcow2", "-O", "raw"]);
    let _ = run(convert.arg(&back).arg(&raw)).ok();
    let all = fs::read(&raw).unwrap();
    assert_eq!(all.len(), 1 << 30);
    assert!(all[8 * MIB..].iter().all(|byte| *byte == 0));
    settled(clients, &["volume"], volume, "available");
    all[..8 * MIB].to_vec()
}

#[test]
fn images_become_volumes_and_volumes_images() {
    let mut volumes = Deployment::new(&["alpha"]);
    let cloud = Openstack::start(&volumes.url());
    let users = json!([["alice", "demo", "member"], ["bob", "other", "member"]]);
    cloud.catalogue(&json!({ "users": users }));
    // Where Glance is the catalogue says.
    let section = format!("[keystone_authtoken]\n{}", cloud.authtoken());
    volumes.start("auth_strategy = keystone\n", &section);
    let (alice, bob) = (
        cloud.clients("alice", "demo"),
        cloud.clients("bob", "other"),
    );
    let disk = disk(cloud.dir());

    let qcow2 = image(&alice, "qcow2", "qcow2", &disk.qcow2);
    let id = volume(&alice, &qcow2);
    let shown = settled(&alice, &["volume"], &id, "available");
    assert_eq!(shown["bootable"], true, "{shown}");
    let known = &shown["volume_image_metadata"];
    assert_eq!(known["image_id"], qcow2, "{shown}");
    assert_eq!(known["os_distro"], "cirros", "{shown}");
    assert!(uploaded(&alice, &id, cloud.dir()) == disk.bytes);

    // What is private to one project is no image to another.
    let refused = bob.openstack(&["volume", "create", "--size", "1", "--image", &qcow2, "x"]);
    assert_ne!(refused.status, 0, "{refused:?}");

    // A crash in the middle: the next process still has the token with which it goes on.
    let raw = image(&alice, "raw", "raw", &disk.raw);
    let id = volume(&alice, &raw);
    volumes.kill_serve();
    volumes.start_serve();
    settled(&alice, &["volume"], &id, "available");
    assert!(uploaded(&alice, &id, cloud.dir()) == disk.bytes);
    let conversion = volumes.dir().join("conversion");
    let left = fs::read_dir(conversion).unwrap().count();
    assert_eq!(left, 0, "files of images stay");
}

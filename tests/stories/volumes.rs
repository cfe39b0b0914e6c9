//! What a volume holds, seen by the tools that people use on images.

use std::fs;
use std::path::Path;

use firebrick_tests::{Dev, Guest, run, tool};
use serde_json::json;

/// A file system image with this project's own folder of documents and tests in it.
fn make_ext4(dir: &Path, size: &str) -> std::path::PathBuf {
    let image = dir.join("tree.ext4");
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let _ = run(tool("mke2fs")
        .args(["-q", "-t", "ext4", "-d"])
        .arg(tree)
        .arg(&image)
        .arg(size))
    .ok();
    image
}

#[test]
fn a_file_system_goes_in_and_comes_out_whole() {
    let dev = Dev::start();
    let api = dev.api();
    let dir = tempfile::tempdir().unwrap();
    let image = make_ext4(dir.path(), "256M");
    let id = api.make_volume(&json!({"size": 1}));
    let (_, uri) = api.attach(&id);

    let info = run(tool("nbdinfo").arg("--json").arg(&uri)).ok().stdout;
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["exports"][0]["export-size"], 1u64 << 30, "{info}");
    assert_eq!(info["exports"][0]["can_multi_conn"], true, "{info}");

    let _ = run(tool("qemu-img")
        .args(["convert", "-n", "-f", "raw", "-O", "raw"])
        .arg(&image)
        .arg(&uri))
    .ok();
    let back = dir.path().join("back.raw");
    let _ = run(tool("nbdcopy").arg(&uri).arg(&back)).ok();
    let _ = run(tool("e2fsck").arg("-fn").arg(&back)).ok();
    let sent = fs::read(&image).unwrap();
    let got = fs::read(&back).unwrap();
    assert_eq!(got.len(), 1 << 30);
    assert!(got[..sent.len()] == sent[..], "the image came back changed");

    let again = dir.path().join("again.raw");
    let _ = run(tool("qemu-img")
        .args(["convert", "-f", "raw", "-O", "raw"])
        .arg(&uri)
        .arg(&again))
    .ok();
    let _ = run(tool("e2fsck").arg("-fn").arg(&again)).ok();
    let map = run(tool("qemu-img")
        .args(["map", "--output=json", "-f", "raw"])
        .arg(&uri))
    .ok();
    let map: serde_json::Value = serde_json::from_str(&map.stdout).unwrap();
    let data: u64 = map
        .as_array()
        .unwrap()
        .iter()
        .filter(|extent| extent["data"] == true)
        .map(|extent| extent["length"].as_u64().unwrap())
        .sum();
    assert!(
        data < sent.len() as u64,
        "holes are shown: {data} bytes of data"
    );
}

#[test]
fn fio_verifies_over_both_sockets() {
    let dev = Dev::start();
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 1}));
    let (_, uri) = api.attach(&id);
    let site = dev.site("site-a");
    let tcp = format!("nbd://127.0.0.1:{}/volume-{id}", site.nbd_port);
    let out = dev.dir().join("fio.json");
    for uri in [uri, tcp] {
        let _ = run(tool("fio")
            .args([
                "--name=verify",
                "--ioengine=nbd",
                "--rw=randwrite",
                "--bs=4k",
            ])
            .args([
                "--size=64m",
                "--iodepth=32",
                "--verify=crc32c",
                "--output-format=json",
            ])
            // Its standard output begins with a remark of the NBD engine.
            .arg(format!("--output={}", out.display()))
            .args(["--fsync=64", "--verify_state_save=0"])
            .arg(format!("--uri={uri}")))
        .ok();
        let text = std::fs::read(&out).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(report["jobs"][0]["error"], 0);
        let read = report["jobs"][0]["read"]["io_bytes"].as_u64().unwrap();
        assert_eq!(read, 64 << 20, "fio verified what it wrote");
    }
}

#[test]
fn qemu_io_discards_zeroes_and_reads_back() {
    let dev = Dev::start();
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 1}));
    let (_, uri) = api.attach(&id);
    let steps = [
        "write -P 0xab 0 1M",
        "write -P 0xcd 513k 2k",
        "read -P 0xab 0 513k",
        "read -P 0xcd 513k 2k",
        "write -z 64k 64k",
        "read -P 0 64k 64k",
        "discard 128k 128k",
        "read -P 0 128k 128k",
        "read -P 0xab 256k 257k",
        "flush",
    ];
    let mut qemu = tool("qemu-io");
    qemu.args(["-f", "raw", "-d", "unmap"]);
    for step in steps {
        qemu.args(["-c", step]);
    }
    let ran = run(qemu.arg(&uri)).ok();
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        !said.contains("failed") && !said.contains("error"),
        "{said}"
    );
}

#[test]
fn snapshots_clones_and_extension_keep_their_data() {
    let dev = Dev::start();
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 1}));
    let (attachment, uri) = api.attach(&id);
    let mut disk = Guest::open(&uri).unwrap();
    disk.write(0, &[1; 8192]).unwrap();
    let made = api
        .post(
            "/snapshots",
            &json!({"snapshot": {"volume_id": id, "force": true}}),
        )
        .expect(202);
    let snapshot = made.body["snapshot"]["id"].as_str().unwrap().to_owned();
    firebrick_tests::until("the snapshot is available", 30, || {
        api.get(&format!("/snapshots/{snapshot}")).body["snapshot"]["status"] == "available"
    });
    disk.write(0, &[2; 4096]).unwrap();

    let from_snapshot = api.make_volume(&json!({"size": 2, "snapshot_id": snapshot}));
    let from_volume = api.make_volume(&json!({"size": 1, "source_volid": id}));
    let chained = api.make_volume(&json!({"size": 2, "source_volid": from_snapshot}));
    for (volume, first, size) in [
        (&from_snapshot, 1, 2u64 << 30),
        (&from_volume, 2, 1 << 30),
        (&chained, 1, 2 << 30),
    ] {
        let (key, uri) = api.attach(volume);
        let mut clone = Guest::open(&uri).unwrap();
        assert_eq!(clone.size(), size);
        assert_eq!(clone.read(0, 4096).unwrap(), vec![first; 4096]);
        assert_eq!(clone.read(4096, 4096).unwrap(), vec![1; 4096]);
        clone.write(0, &[9; 4096]).unwrap();
        clone.close();
        api.detach(&key);
    }
    assert_eq!(
        disk.read(0, 4096).unwrap(),
        vec![2; 4096],
        "clones do not touch their origin"
    );

    let path = format!("/volumes/{id}/action");
    let _ = api
        .post(&path, &json!({"os-extend": {"new_size": 3}}))
        .expect(202);
    api.wait_status(&id, "in-use");
    let mut larger = Guest::open(&uri).unwrap();
    assert_eq!(larger.size(), 3 << 30);
    larger.write((3 << 30) - 4096, &[5; 4096]).unwrap();
    larger.close();
    disk.close();
    api.detach(&attachment);
    api.wait_status(&id, "available");

    let refused = api.delete(&format!("/volumes/{id}"));
    assert_eq!(
        refused.status, 400,
        "a volume with snapshots stays: {}",
        refused.body
    );
    let _ = api.delete(&format!("/snapshots/{snapshot}")).expect(202);
    firebrick_tests::until("the snapshot is gone", 30, || {
        api.get(&format!("/snapshots/{snapshot}")).status == 404
    });
    for volume in [&id, &from_snapshot, &from_volume, &chained] {
        let _ = api.delete(&format!("/volumes/{volume}")).expect(202);
        firebrick_tests::until("the volume is gone", 30, || api.volume(volume).is_null());
    }
}

#[test]
fn a_detached_volume_is_no_longer_exported_and_read_only_means_it() {
    let dev = Dev::start();
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 1}));
    let (key, uri) = api.attach(&id);
    let mut disk = Guest::open(&uri).unwrap();
    disk.write(0, &[3; 4096]).unwrap();
    api.detach(&key);
    api.wait_status(&id, "available");
    assert!(
        disk.write(0, &[4; 4096]).is_err(),
        "a detached client is cut off"
    );
    assert!(
        Guest::open(&uri).is_err(),
        "nothing is exported after the detach"
    );

    let body = json!({"attachment": {
        "volume_uuid": id, "mode": "ro",
        "instance_uuid": "5d3cbd1a-0000-4000-8000-000000000002",
        "connector": {"host": "guest", "mode": "ro"},
    }});
    let answer = api.post("/attachments", &body).expect(200);
    let info = &answer.body["attachment"]["connection_info"];
    assert_eq!(info["access_mode"], "ro", "{info}");
    let mut disk = Guest::open(info["uri"].as_str().unwrap()).unwrap();
    assert_eq!(disk.read(0, 4096).unwrap(), vec![3; 4096]);
    assert!(
        disk.write(0, &[4; 4096]).is_err(),
        "a read-only export takes no writes"
    );
}

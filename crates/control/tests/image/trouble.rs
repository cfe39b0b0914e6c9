//! Images that are dangerous, broken, slow, or given up.

use firebrick_state::ActivityStatus;

use super::*;
use crate::common::until;

#[tokio::test]
async fn an_image_that_names_other_files_is_refused_and_nothing_of_it_stays() {
    let cloud = Cloud::new().await;
    let folder = cloud.folder.path();
    let secret = folder.join("secret.raw");
    std::fs::write(&secret, vec![b'S'; MIB]).unwrap();
    let out = folder.join("child.qcow2");
    let mut command = Command::new("qemu-img");
    command.args(["create", "-f", "qcow2", "-F", "raw", "-b"]);
    command.arg(&secret).arg(&out);
    assert!(command.output().unwrap().status.success());
    let child = std::fs::read(&out).unwrap();
    let flat = "# Disk DescriptorFile\ncreateType=\"monolithicFlat\"\n\
                RW 2048 FLAT \"secret.raw\" 0\n";
    let mut data_file = Command::new("qemu-img");
    data_file.args(["create", "-f", "qcow2", "-o"]);
    let named = folder.join("external.raw");
    data_file.arg(format!("data_file={},data_file_raw=on", named.display()));
    data_file.arg(folder.join("outer.qcow2")).arg("1M");
    assert!(data_file.output().unwrap().status.success());
    let outer = std::fs::read(folder.join("outer.qcow2")).unwrap();
    for (format, data, expected) in [
        ("qcow2", child.clone(), "backing file"),
        ("qcow2", outer, "data file"),
        ("vmdk", flat.as_bytes().to_vec(), "other files"),
        // What it says it is, it is not.
        ("vmdk", child.clone(), "not vmdk"),
        ("qcow2", disk(), "not qcow2"),
    ] {
        let image = cloud.glance.add(format, data, &nothing());
        let (id, status) = cloud.ended(image).await;
        assert_eq!(status, VolumeStatus::Error);
        let note = cloud.note(id).await;
        assert!(note.contains(expected), "{note}");
        assert_eq!(cloud.files(), 0);
        let there = |state: &mut crate::common::State| state.images.contains_key(&id.image_id());
        assert!(!cloud.world.site(A, there));
        cloud.world.deleted(id).await;
    }
    // As raw bytes it is harmless: nothing follows what is written in them.
    let image = cloud.glance.add("raw", child.clone(), &nothing());
    let (id, status) = cloud.ended(image).await;
    assert_eq!(status, VolumeStatus::Available);
    assert!(cloud.bytes(id).0.starts_with(&child[..4096]));
}

#[tokio::test]
async fn a_disk_larger_than_the_volume_is_refused() {
    let cloud = Cloud::new().await;
    let out = cloud.folder.path().join("large.qcow2");
    let mut command = Command::new("qemu-img");
    command.args(["create", "-f", "qcow2"]).arg(&out).arg("2G");
    assert!(command.output().unwrap().status.success());
    let image = cloud
        .glance
        .add("qcow2", std::fs::read(&out).unwrap(), &nothing());
    let (id, status) = cloud.ended(image).await;
    assert_eq!(status, VolumeStatus::Error);
    assert!(cloud.note(id).await.contains("larger than the volume"));
    assert_eq!(cloud.files(), 0);
}

#[tokio::test]
async fn what_arrives_damaged_is_read_again_and_leaves_nothing_behind() {
    let cloud = Cloud::new().await;
    let mut data = disk();
    // The byte that is damaged is zero: the second run leaves out what the first has written.
    data[MIB..].fill(0);
    let image = cloud.glance.add("raw", data.clone(), &nothing());
    cloud.glance.fail(Fault::Corrupt);
    let id = cloud.begun(image).await;
    let downloads = || async { cloud.glance.known.lock().downloads >= 1 };
    until("it was read once", downloads).await;
    cloud.glance.fail(Fault::None);
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Available));
    let (bytes, _) = cloud.bytes(id);
    assert!(bytes.iter().eq(&data[..bytes.len()]) && bytes.len() <= 8192);
}

#[tokio::test]
async fn what_never_arrives_whole_is_an_error_for_the_user() {
    for (format, fault) in [
        ("raw", Fault::Truncated),
        ("qcow2", Fault::Corrupt),
        ("raw", Fault::Gone),
    ] {
        let cloud = Cloud::new().await;
        let data = match format {
            "raw" => disk(),
            other => converted(cloud.folder.path(), &disk(), other, &[]),
        };
        let image = cloud.glance.add(format, data, &nothing());
        cloud.glance.fail(fault);
        let (id, status) = cloud.ended(image).await;
        assert_eq!(status, VolumeStatus::Error);
        assert!(!cloud.note(id).await.is_empty());
        assert_eq!(cloud.files(), 0);
        cloud.world.deleted(id).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_in_the_middle_leaves_no_files_and_the_next_one_goes_on() {
    for format in ["raw", "qcow2"] {
        let mut cloud = Cloud::new().await;
        let data = match format {
            "raw" => disk(),
            other => converted(cloud.folder.path(), &disk(), other, &[]),
        };
        let image = cloud.glance.add(format, data, &nothing());
        cloud.glance.fail(Fault::Slow);
        let id = cloud.begun(image).await;
        let reading = || async {
            let status = cloud.world.status(id).await;
            status == Some(VolumeStatus::Downloading) && cloud.glance.known.lock().downloads > 0
        };
        until("it is being read", reading).await;
        cloud.world.kill().await;
        // A process that is killed removes nothing: such a file stays.
        std::fs::create_dir_all(cloud.conversion()).unwrap();
        let left = format!("node1-{}.image", Uuid::new_v4());
        let others = format!("node2-{}.image", Uuid::new_v4());
        std::fs::write(cloud.conversion().join(&left), b"x").unwrap();
        std::fs::write(cloud.conversion().join(&others), b"x").unwrap();
        cloud.glance.fail(Fault::None);
        cloud.world.restart().await;
        cloud.world.settled(id.0).await;
        assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Available));
        assert!(cloud.bytes(id).0 == disk());
        let stays = std::fs::read_dir(cloud.conversion()).unwrap();
        let stays: Vec<_> = stays.map(|it| it.unwrap().file_name()).collect();
        assert_eq!(stays, [others.as_str()]);
    }
}

#[tokio::test]
async fn a_user_may_end_it() {
    let cloud = Cloud::new().await;
    let data = converted(cloud.folder.path(), &disk(), "qcow2", &[]);
    let image = cloud.glance.add("qcow2", data, &nothing());
    cloud.glance.fail(Fault::Slow);
    let context = member();
    let control = &cloud.world.control;
    let made = control.create_volume(&context, of(image)).await.unwrap();
    let id = made.volume.id;
    until("a file is being written", || async { cloud.files() == 1 }).await;
    let activity = context.began.activity().unwrap();
    control.cancel_activity(&context, activity).await.unwrap();
    cloud.glance.fail(Fault::None);
    cloud.glance.go_on.notify_waiters();
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Error));
    let ended = control.activity(&context, activity).await.unwrap();
    assert_eq!(ended.status, ActivityStatus::Cancelled);
    assert_eq!(cloud.files(), 0);
    cloud.world.deleted(id).await;
}

#[tokio::test]
async fn an_image_of_unknown_size_is_not_put_into_a_file() {
    let cloud = Cloud::new().await;
    let data = converted(cloud.folder.path(), &disk(), "qcow2", &[]);
    let image = cloud.glance.add("qcow2", data, &json!({ "size": null }));
    let (id, status) = cloud.ended(image).await;
    assert_eq!(status, VolumeStatus::Error);
    let note = cloud.note(id).await;
    assert!(note.contains("does not say its size"), "{note}");
    assert_eq!((cloud.files(), cloud.glance.known.lock().downloads), (0, 0));
    // One that needs no file comes as it is.
    let image = cloud.glance.add("raw", disk(), &json!({ "size": null }));
    let (id, status) = cloud.ended(image).await;
    assert_eq!(status, VolumeStatus::Available, "{}", cloud.note(id).await);
    assert!(cloud.bytes(id).0 == disk());
}

//! Volumes are made of images.

use firebrick_control::ErrorKind;

use super::*;

#[tokio::test]
async fn a_raw_image_becomes_a_volume_without_its_zeroes() {
    let cloud = Cloud::new().await;
    let more = json!({ "name": "cirros", "os_distro": "cirros", "min_ram": 64, "hw_cpu": "1" });
    let image = cloud.glance.add("raw", disk(), &more);
    let (id, status) = cloud.ended(image).await;
    assert_eq!(status, VolumeStatus::Available, "{}", cloud.note(id).await);
    assert!(cloud.world.volume(id).await.unwrap().bootable);
    let (bytes, blocks) = cloud.bytes(id);
    assert!(bytes == disk());
    assert!(blocks < 10, "{blocks}");
    let known = cloud.remembered(id).await;
    let text = |key: &str| known[key].clone();
    assert_eq!(text("image_id"), image.to_string());
    assert_eq!(
        (text("image_name"), text("os_distro"), text("hw_cpu")),
        ("cirros".into(), "cirros".into(), "1".into())
    );
    assert_eq!(
        (text("min_ram"), text("disk_format"), text("size")),
        ("64".into(), "raw".into(), (2 * MIB).to_string())
    );
    assert!(!cloud.conversion().exists(), "raw images need no files");
}

#[tokio::test]
async fn every_format_becomes_the_same_disk() {
    let cloud = Cloud::new().await;
    for (name, format, options) in [
        ("qcow2", "qcow2", vec![]),
        ("vmdk", "vmdk", vec!["-o", "subformat=streamOptimized"]),
        ("vmdk", "vmdk", vec!["-o", "subformat=monolithicSparse"]),
        ("vdi", "vdi", vec![]),
        ("vhd", "vpc", vec!["-o", "force_size=on"]),
        ("vhd", "vpc", vec!["-o", "force_size=on,subformat=fixed"]),
        ("vhdx", "vhdx", vec![]),
    ] {
        let data = converted(cloud.folder.path(), &disk(), format, &options);
        let image = cloud.glance.add(name, data, &nothing());
        let (id, status) = cloud.ended(image).await;
        let note = cloud.note(id).await;
        assert_eq!(
            status,
            VolumeStatus::Available,
            "{name} {options:?}: {note}"
        );
        assert!(cloud.bytes(id).0 == disk(), "{name} {options:?}");
        assert_eq!(cloud.files(), 0, "{name}");
        cloud.world.deleted(id).await;
    }
}

#[tokio::test]
async fn images_that_will_not_do_are_refused_at_once() {
    let cloud = Cloud::new().await;
    let control = &cloud.world.control;
    let gib = 1_u64 << 30;
    for (more, expected) in [
        (json!({ "status": "queued" }), "is not active"),
        (
            json!({ "size": gib + 1 }),
            "Size of specified image 2GB is larger",
        ),
        (json!({ "min_disk": 2 }), "image minDisk size 2GB"),
        (json!({ "virtual_size": gib + 1 }), "virtual size is 2GB"),
        (json!({ "disk_format": "ploop" }), "disk_format \"ploop\""),
        (json!({ "container_format": "compressed" }), "compressed"),
        (json!({ "cinder_encryption_key_id": "k" }), "encrypted"),
    ] {
        let image = cloud.glance.add("raw", disk(), &more);
        let error = control
            .create_volume(&member(), of(image))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = control
        .create_volume(&member(), of(Uuid::new_v4()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("Invalid image identifier"));
    let image = cloud.glance.add("raw", disk(), &nothing());
    let both = CreateVolume {
        source: Some(cloud.world.made(sized(1)).await),
        ..of(image)
    };
    let error = control.create_volume(&member(), both).await.unwrap_err();
    assert!(error.to_string().contains("only one of"), "{error}");
    cloud.glance.fail(Fault::Every(503, 9));
    let error = control
        .create_volume(&member(), of(image))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn without_an_image_service_there_are_no_images() {
    let world = World::new().await;
    let error = world
        .control
        .create_volume(&member(), of(Uuid::new_v4()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("Invalid image identifier"));
}

#[tokio::test]
async fn the_users_token_is_passed_on_and_lies_nowhere_in_the_clear() {
    let cloud = Cloud::new().await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let context = with_token("secret-token");
    let made = cloud.world.control.create_volume(&context, of(image)).await;
    let id = made.unwrap().volume.id;
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Available));
    let seen = cloud.glance.known.lock().tokens.clone();
    let token = Some("secret-token".to_owned());
    assert_eq!(seen, [(token.clone(), None), (token, None)]);
    let activity = context.began.activity().unwrap();
    let activity = cloud.world.control.activity(&member(), activity).await;
    let input = activity.unwrap().input.to_string();
    assert!(input.contains("\"token\":\"") && !input.contains("secret-token"));
}

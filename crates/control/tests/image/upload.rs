//! Volumes become images, and are written anew from them.

use firebrick_control::{ErrorKind, UploadImage, Visibility};
use firebrick_state::ActivityStatus;

use std::io::Read as _;

use super::*;
use crate::common::{At, Trouble, admin, attach_to, snapshot_of};

fn named(name: &str) -> UploadImage {
    UploadImage {
        name: name.to_owned(),
        force: false,
        disk_format: "raw".to_owned(),
        container_format: "bare".to_owned(),
        visibility: None,
        protected: None,
    }
}

impl Cloud {
    /// A volume with the usual disk in it.
    async fn written(&self) -> VolumeId {
        let more = json!({ "os_distro": "cirros", "img_signature": "s" });
        let image = self.glance.add("raw", disk(), &more);
        let (id, status) = self.ended(image).await;
        assert_eq!(status, VolumeStatus::Available);
        id
    }

    async fn uploading(&self, context: &Context, id: VolumeId, format: &str) -> Uuid {
        let request = UploadImage {
            disk_format: format.to_owned(),
            ..named("copy")
        };
        let asked = self.world.control.upload_volume(context, id, request);
        let detail = asked.await.unwrap();
        assert_eq!(detail.volume.shown_status(), VolumeStatus::Uploading);
        assert_eq!(detail.volume.status, VolumeStatus::Available);
        detail.image.id
    }

    /// Whether the image of the volume has snapshots.
    fn snapshots(&self, id: VolumeId) -> usize {
        self.world
            .site(A, |state| state.images[&id.image_id()].snapshots.len())
    }
}

/// The disk in an image of that format, as `qemu-img` reads it.
fn read_back(folder: &Path, data: &[u8], format: &str) -> Vec<u8> {
    let (image, raw) = (folder.join("back.image"), folder.join("back.raw"));
    std::fs::write(&image, data).unwrap();
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-f", format, "-O", "raw"]);
    assert!(
        command
            .arg(&image)
            .arg(&raw)
            .output()
            .unwrap()
            .status
            .success()
    );
    let file = std::fs::File::open(&raw).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 1 << 30);
    let mut disk = Vec::new();
    file.take(4 * MIB as u64).read_to_end(&mut disk).unwrap();
    disk
}

#[tokio::test]
async fn a_volume_becomes_an_image_of_each_format() {
    let cloud = Cloud::new().await;
    let id = cloud.written().await;
    for (name, format) in [
        ("qcow2", "qcow2"),
        ("vmdk", "vmdk"),
        ("vdi", "vdi"),
        ("vhd", "vpc"),
        ("vhdx", "vhdx"),
    ] {
        let image = cloud.uploading(&member(), id, name).await;
        cloud.world.settled(image).await;
        let (described, mut data) = cloud.glance.image(image).unwrap();
        data.resize(described["size"].as_u64().unwrap() as usize, 0);
        assert_eq!(described["status"], "active", "{name}");
        assert_eq!(described["disk_format"], name);
        assert_eq!(described["os_distro"], "cirros");
        assert_eq!(described["img_signature"], Value::Null);
        let mut expected = disk();
        expected.resize(4 * MIB, 0);
        let back = read_back(cloud.folder.path(), &data, format);
        assert!(back == expected, "{name}");
        assert_eq!((cloud.snapshots(id), cloud.files()), (0, 0), "{name}");
        let volume = cloud.world.volume(id).await.unwrap();
        assert_eq!(volume.shown_status(), VolumeStatus::Available);
        cloud.glance.known.lock().images.remove(&image);
    }
}

#[tokio::test]
async fn the_image_is_of_the_moment_of_the_request_and_the_volume_stays_free() {
    let cloud = Cloud::new().await;
    let id = cloud.written().await;
    // Nothing is read as long as the test wants.
    cloud.world.wire.arm(
        crate::common::At::Name(A, "read", 1),
        crate::common::Trouble::HangBeforeRelease,
    );
    let image = cloud.uploading(&member(), id, "raw").await;
    cloud.world.struck().await;
    let control = &cloud.world.control;
    let snapshot = control.create_snapshot(&member(), snapshot_of(id)).await;
    let snapshot = snapshot.unwrap().snapshot.id;
    cloud.world.settled(snapshot.0).await;
    let made = control
        .create_attachment(&member(), attach_to(id, true))
        .await;
    made.unwrap();
    let gone = firebrick_control::DeleteVolume::default();
    let gone = control.delete_volume(&member(), id, gone).await;
    assert_eq!(gone.unwrap_err().kind, ErrorKind::Invalid);
    cloud.world.site(A, |state| {
        let image = state.images.get_mut(&id.image_id()).unwrap();
        image.blocks.clear();
    });
    cloud.world.wire.release();
    cloud.world.settled(image).await;
    let (described, data) = cloud.glance.image(image).unwrap();
    assert!(data == disk() && described["size"] == 1 << 30);
    assert_eq!(cloud.snapshots(id), 1);
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_refused_and_makes_no_image() {
    let cloud = Cloud::new().await;
    let id = cloud.written().await;
    let control = &cloud.world.control;
    let images = || cloud.glance.known.lock().images.len();
    let before = images();
    let refused = async |context: &Context, request| {
        let asked = control.upload_volume(context, id, request).await;
        asked.unwrap_err().kind
    };
    let public = UploadImage {
        visibility: Some(Visibility::Public),
        ..named("x")
    };
    assert_eq!(
        refused(&member(), public.clone()).await,
        ErrorKind::Forbidden
    );
    let ova = UploadImage {
        container_format: "ova".to_owned(),
        ..named("x")
    };
    assert_eq!(refused(&member(), ova).await, ErrorKind::Invalid);
    let ploop = UploadImage {
        disk_format: "ploop".to_owned(),
        ..named("x")
    };
    assert_eq!(refused(&member(), ploop).await, ErrorKind::Invalid);
    let other = crate::common::member_of(&"f".repeat(32));
    assert_eq!(refused(&other, named("x")).await, ErrorKind::NotFound);
    cloud.glance.fail(Fault::Every(403, 1));
    assert_eq!(refused(&member(), named("x")).await, ErrorKind::Forbidden);
    cloud.world.attached(id).await;
    // `force` counts only where the options say so.
    let forced = UploadImage {
        force: true,
        ..named("x")
    };
    assert_eq!(refused(&member(), forced).await, ErrorKind::Invalid);
    assert_eq!(images(), before);
    let shown = control.upload_volume(&admin(), id, public).await;
    assert_eq!(shown.unwrap_err().kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn a_protected_image_that_gets_no_data_goes_too() {
    let cloud = Cloud::new().await;
    let id = cloud.written().await;
    cloud.glance.fail(Fault::Status(413));
    let request = UploadImage {
        protected: Some(true),
        ..named("x")
    };
    let control = &cloud.world.control;
    let asked = control.upload_volume(&member(), id, request).await;
    let image = asked.unwrap().image.id;
    cloud.world.settled(image).await;
    assert!(cloud.glance.known.lock().made.contains(&image));
    assert!(cloud.glance.image(image).is_none());
    let volume = cloud.world.volume(id).await.unwrap();
    assert_eq!(volume.shown_status(), VolumeStatus::Available);
}

#[tokio::test]
async fn an_attached_volume_is_uploaded_where_the_options_allow_it() {
    let cloud = Cloud::with(|options| {
        options.images.as_mut().unwrap().force_upload = true;
    })
    .await;
    let id = cloud.written().await;
    cloud.world.attached(id).await;
    let control = &cloud.world.control;
    let plain = control.upload_volume(&member(), id, named("x")).await;
    assert_eq!(plain.unwrap_err().kind, ErrorKind::Invalid);
    let forced = UploadImage {
        force: true,
        ..named("x")
    };
    let image = control.upload_volume(&member(), id, forced).await;
    let image = image.unwrap().image.id;
    cloud.world.settled(image).await;
    assert_eq!(cloud.glance.image(image).unwrap().0["status"], "active");
    let volume = cloud.world.volume(id).await.unwrap();
    assert_eq!(volume.shown_status(), VolumeStatus::InUse);
}

#[tokio::test]
async fn an_upload_that_fails_or_is_cancelled_leaves_nothing() {
    let cloud = Cloud::new().await;
    let id = cloud.written().await;
    cloud.glance.fail(Fault::Status(413));
    let image = cloud.uploading(&member(), id, "qcow2").await;
    cloud.world.settled(image).await;
    assert!(cloud.glance.image(image).is_none());
    assert_eq!((cloud.snapshots(id), cloud.files()), (0, 0));
    assert!(
        cloud
            .note(id)
            .await
            .contains("larger than the image service")
    );
    cloud.glance.fail(Fault::None);

    cloud.world.wire.arm(
        crate::common::At::Name(A, "read", 1),
        crate::common::Trouble::HangBeforeRelease,
    );
    let context = member();
    let image = cloud.uploading(&context, id, "raw").await;
    cloud.world.struck().await;
    let activity = context.began.activity().unwrap();
    let control = &cloud.world.control;
    control.cancel_activity(&context, activity).await.unwrap();
    cloud.world.wire.release();
    cloud.world.settled(image).await;
    let ended = control.activity(&context, activity).await.unwrap();
    assert_eq!(ended.status, ActivityStatus::Cancelled);
    assert!(cloud.glance.image(image).is_none());
    assert_eq!(cloud.snapshots(id), 0);
    let volume = cloud.world.volume(id).await.unwrap();
    assert_eq!(volume.shown_status(), VolumeStatus::Available);
}

#[tokio::test]
async fn an_upload_goes_on_after_a_crash_and_is_of_the_same_moment() {
    let mut cloud = Cloud::new().await;
    let id = cloud.written().await;
    cloud.world.wire.arm(
        crate::common::At::Name(A, "read", 1),
        crate::common::Trouble::HangBefore,
    );
    let image = cloud.uploading(&member(), id, "qcow2").await;
    cloud.world.struck().await;
    cloud.world.kill().await;
    cloud.world.site(A, |state| {
        let image = state.images.get_mut(&id.image_id()).unwrap();
        image.blocks.clear();
    });
    cloud.world.restart().await;
    cloud.world.settled(image).await;
    let (described, mut data) = cloud.glance.image(image).unwrap();
    assert_eq!(described["status"], "active");
    data.resize(described["size"].as_u64().unwrap() as usize, 0);
    let back = read_back(cloud.folder.path(), &data, "qcow2");
    assert!(back.starts_with(&disk()));
    assert_eq!((cloud.snapshots(id), cloud.files()), (0, 0));
}

#[tokio::test]
async fn a_volume_is_written_anew() {
    let cloud = Cloud::new().await;
    let id = cloud.written().await;
    let control = &cloud.world.control;
    let mut other = vec![0; MIB];
    other[70_000] = 5;
    let data = converted(cloud.folder.path(), &other, "qcow2", &[]);
    let image = cloud.glance.add("qcow2", data, &json!({ "name": "other" }));
    control
        .reimage_volume(&member(), id, image, false)
        .await
        .unwrap();
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Available));
    let (bytes, blocks) = cloud.bytes(id);
    assert!(bytes[..] == other[..bytes.len()] && blocks == 1);
    let known = cloud.remembered(id).await;
    assert_eq!(known["image_name"], "other");
    assert!(!known.contains_key("os_distro"));

    // One that is reserved only where the request says so, and it stays reserved.
    let reserved = control
        .create_attachment(&member(), attach_to(id, false))
        .await;
    reserved.unwrap();
    let plain = control.reimage_volume(&member(), id, image, false).await;
    assert_eq!(plain.unwrap_err().kind, ErrorKind::Invalid);
    control
        .reimage_volume(&member(), id, image, true)
        .await
        .unwrap();
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Reserved));

    // What fails in the middle says so.
    cloud.glance.fail(Fault::Truncated);
    let raw = cloud.glance.add("raw", disk(), &nothing());
    control
        .reimage_volume(&member(), id, raw, true)
        .await
        .unwrap();
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Error));
    cloud.glance.fail(Fault::None);
    let small = cloud.glance.add("raw", disk(), &json!({ "min_disk": 2 }));
    let small = control.reimage_volume(&member(), id, small, false).await;
    assert_eq!(small.unwrap_err().kind, ErrorKind::Invalid);
    let attached = cloud.world.made(sized(1)).await;
    cloud.world.attached(attached).await;
    let attached = control.reimage_volume(&member(), attached, raw, true).await;
    assert_eq!(attached.unwrap_err().kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn of_many_that_write_it_anew_one_does() {
    let cloud = Cloud::new().await;
    let id = cloud.written().await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let wire = &cloud.world.wire;
    wire.arm(At::Name(A, "write", 1), Trouble::HangBeforeRelease);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let control = cloud.world.handle();
        all.spawn(async move { control.reimage_volume(&member(), id, image, false).await });
    }
    let answers = all.join_all().await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 7, "{refused:?}");
    for error in refused {
        let kinds = [ErrorKind::Conflict, ErrorKind::Invalid];
        assert!(kinds.contains(&error.kind), "{error:?}");
    }
    cloud.world.struck().await;
    wire.disarm();
    wire.release();
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Available));
}

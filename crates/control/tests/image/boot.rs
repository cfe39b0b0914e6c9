//! Images of servers that boot from volumes, and signed images.

use firebrick_control::{CreateType, ErrorKind};
use firebrick_vocabulary::SnapshotUuid;

use super::*;
use crate::common::{admin, member_of};

/// What Nova says of a server's disks, one of which boots.
fn mapping(snapshot: impl std::fmt::Display, size: u64) -> Value {
    let devices = json!([
        { "source_type": "blank", "boot_index": -1 },
        {
            "source_type": "snapshot", "boot_index": 0, "volume_size": size,
            "snapshot_id": snapshot.to_string(),
        },
    ]);
    json!({ "block_device_mapping": devices.to_string(), "os_distro": "cirros" })
}

fn following(image: Uuid, size: Option<u32>) -> CreateVolume {
    CreateVolume {
        size,
        follow_mapping: true,
        ..of(image)
    }
}

impl Cloud {
    /// The name of a type of volumes of that backend.
    async fn type_of(&self, backend: &str) -> String {
        let request = CreateType {
            name: backend.to_owned(),
            description: None,
            is_public: true,
            extra_specs: [("volume_backend_name".to_owned(), backend.to_owned())].into(),
        };
        let made = self.world.control.create_type(&admin(), request).await;
        made.map(|_| backend.to_owned()).unwrap()
    }

    /// A bootable volume with the disk in it, and a snapshot of it.
    async fn snapped(&self) -> (VolumeId, SnapshotUuid) {
        let kind = json!({ "cinder_img_volume_type": self.type_of("blocks").await });
        let image = self.glance.add("raw", disk(), &kind);
        let (id, status) = self.ended(image).await;
        assert_eq!(status, VolumeStatus::Available, "{}", self.note(id).await);
        (id, self.world.snapped(id).await)
    }
}

#[tokio::test]
async fn a_volume_of_such_an_image_is_made_of_its_snapshot() {
    let cloud = Cloud::new().await;
    let (origin, snapshot) = cloud.snapped().await;
    let image = cloud.glance.add("raw", Vec::new(), &mapping(snapshot, 1));
    let control = &cloud.world.control;
    for size in [None, Some(2)] {
        let who = member();
        let made = control.create_volume(&who, following(image, size)).await;
        let made = made.unwrap().volume;
        assert_eq!(
            (made.snapshot, made.size, made.bootable),
            (Some(snapshot), size.unwrap_or(1), true)
        );
        cloud.world.settled(made.id.0).await;
        assert!(cloud.bytes(made.id).0 == cloud.bytes(origin).0);
    }
    // Before 3.46 its data are what counts, of which there are none, and a size is needed.
    let sizeless = CreateVolume {
        size: None,
        ..of(image)
    };
    let refused = control
        .create_volume(&member(), sizeless)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("Invalid volume size"),
        "{refused}"
    );
    let (plain, status) = cloud.ended(image).await;
    assert_eq!((status, cloud.bytes(plain).1), (VolumeStatus::Available, 0));
}

#[tokio::test]
async fn its_snapshot_must_be_there_for_the_user_and_fit() {
    let cloud = Cloud::new().await;
    let (_, snapshot) = cloud.snapped().await;
    let control = &cloud.world.control;
    for nobodys in [Uuid::new_v4().to_string(), "x".to_owned()] {
        let image = cloud.glance.add("raw", Vec::new(), &mapping(&nobodys, 1));
        let request = following(image, Some(1));
        let error = control.create_volume(&member(), request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.to_string().contains(&nobodys), "{error}");
    }
    let image = cloud.glance.add("raw", Vec::new(), &mapping(snapshot, 1));
    let other = member_of("fedcba9876543210fedcba9876543210");
    let error = control.create_volume(&other, following(image, None)).await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_volume_is_written_anew_from_the_snapshot_of_another_one_elsewhere() {
    let cloud = Cloud::of_two().await;
    let (origin, snapshot) = cloud.snapped().await;
    let (disk, _) = cloud.bytes(origin);
    let image = cloud.glance.add("raw", Vec::new(), &mapping(snapshot, 1));
    let far = CreateVolume {
        volume_type: Some(cloud.type_of("stones").await),
        ..sized(1)
    };
    let far = cloud.world.made(far).await;
    let key = far.image_id();
    cloud.world.far(|state| {
        let there = state.images.get_mut(&key).unwrap();
        there.blocks.insert(200_000, vec![3; 4096]);
    });
    let control = &cloud.world.control;
    let asked = control.reimage_volume(&member(), far, image, false).await;
    asked.unwrap();
    cloud.world.settled(far.0).await;
    let status = cloud.world.status(far).await;
    assert_eq!(
        status,
        Some(VolumeStatus::Available),
        "{}",
        cloud.note(far).await
    );
    let blocks = cloud.world.far(|state| state.images[&key].blocks.clone());
    assert!(!blocks.contains_key(&200_000), "what was there is gone");
    let mut bytes = vec![0; disk.len()];
    for (block, data) in blocks {
        let at = block as usize * 4096;
        bytes[at..at + 4096].copy_from_slice(&data);
    }
    assert!(bytes == disk);
    assert!(cloud.world.volume(far).await.unwrap().bootable);
    assert_eq!(cloud.remembered(far).await["os_distro"], "cirros");
    // What does not fit is refused, whichever of the two says so.
    let wide = cloud.glance.add("raw", Vec::new(), &mapping(snapshot, 2));
    let refused = control.reimage_volume(&member(), far, wide, false).await;
    let refused = refused.unwrap_err();
    assert!(
        refused.to_string().contains("(Image: 2, Volume: 1)"),
        "{refused}"
    );
    let gone = cloud
        .glance
        .add("raw", Vec::new(), &mapping(Uuid::new_v4(), 1));
    let refused = control.reimage_volume(&member(), far, gone, false).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(cloud.world.status(far).await, Some(VolumeStatus::Available));
}

#[tokio::test]
async fn a_signature_that_nobody_can_check_counts_as_a_wrong_one() {
    let cloud = Cloud::with(|options| {
        options.images.as_mut().unwrap().verify_signatures = true;
    })
    .await;
    for key in ["img_signature", "img_signature_key_type"] {
        let image = cloud.glance.add("raw", disk(), &json!({ key: "x" }));
        let (id, status) = cloud.ended(image).await;
        assert_eq!(status, VolumeStatus::Error, "{key}");
        let query = firebrick_control::Query::default();
        let messages = cloud
            .world
            .control
            .messages(&member(), query)
            .await
            .unwrap();
        let told = messages
            .iter()
            .find(|it| it.resource == Some(id.0))
            .unwrap();
        assert_eq!(told.event_id, "VOLUME_VOLUME_005_011");
    }
    assert_eq!(cloud.glance.known.lock().downloads, 0);
    let plain = cloud.glance.add("raw", disk(), &nothing());
    let (id, _) = cloud.ended(plain).await;
    assert_eq!(cloud.remembered(id).await["signature_verified"], "False");

    let trusting = Cloud::new().await;
    let more = json!({ "img_signature": "x" });
    let image = trusting.glance.add("raw", disk(), &more);
    let (id, status) = trusting.ended(image).await;
    assert_eq!(status, VolumeStatus::Available);
    let known = trusting.remembered(id).await;
    assert!(!known.contains_key("signature_verified") && !known.contains_key("img_signature"));
}

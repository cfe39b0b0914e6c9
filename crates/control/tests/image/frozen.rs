//! Images of volumes of a frozen backend, and what replicated volumes are made of.

use firebrick_control::{ErrorKind, UploadImage};

use super::*;
use crate::common::{HOST, MIRRORED, admin};

#[tokio::test]
async fn a_frozen_backend_uploads_nothing_and_writes_nothing_anew() {
    let cloud = Cloud::new().await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let (id, _) = cloud.ended(image).await;
    let control = &cloud.world.control;
    control.freeze(&admin(), HOST).await.unwrap();
    let request = UploadImage {
        name: "copy".to_owned(),
        force: false,
        disk_format: "raw".to_owned(),
        container_format: "bare".to_owned(),
        visibility: None,
        protected: None,
    };
    let upload = control.upload_volume(&member(), id, request).await;
    let anew = control.reimage_volume(&member(), id, image, false).await;
    for refused in [upload.map(drop), anew] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(refused.message.contains("is frozen"), "{refused}");
    }
    assert_eq!(cloud.world.status(id).await, Some(VolumeStatus::Available));
    control.thaw(&admin(), HOST).await.unwrap();
    let anew = control.reimage_volume(&member(), id, image, false).await;
    anew.unwrap();
    cloud.world.settled(id.0).await;
}

/// Volumes that were made of images were not replicated, whatever their type said.
#[tokio::test]
async fn lp_1654471_a_volume_made_of_an_image_is_replicated() {
    let cloud = Cloud::new().await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let request = CreateVolume {
        volume_type: Some(MIRRORED.to_owned()),
        ..of(image)
    };
    let asked = cloud.world.control.create_volume(&member(), request).await;
    let id = asked.unwrap().volume.id;
    cloud.world.settled(id.0).await;
    assert_eq!(cloud.world.statuses(id).await, ("available", "enabled"));
    let key = id.image_id();
    assert!(cloud.world.site(A, |site| site.images[&key].mirrored));
}

//! Images that were read once.

use firebrick_control::CacheOptions;
use firebrick_db::{Column, Listing, image_cache, volumes};
use firebrick_vocabulary::{HostName, ProjectId, UserId};

use super::*;
use crate::common::{At, HOST, Trouble, until};
use crate::place::on_both;

on_both!(
    the_second_volume_of_an_image_is_cloned,
    a_hidden_volume_that_an_operator_deletes_is_forgotten,
);

pub(super) const INTERNAL: &str = "internal";

/// A cloud whose one backend has a cache with these limits.
pub(super) async fn cached(max_gigabytes: u64, max_count: u64) -> Cloud {
    cached_at(Place::asked_for(), max_gigabytes, max_count).await
}

/// The same with its database there.
pub(super) async fn cached_at(place: Place, max_gigabytes: u64, max_count: u64) -> Cloud {
    Cloud::made(place, false, |options| {
        let images = options.images.as_mut().unwrap();
        images.internal = Some((ProjectId(INTERNAL.to_owned()), UserId("cinder".to_owned())));
        let cache = CacheOptions {
            max_gigabytes,
            max_count,
        };
        images.caches.insert("blocks".to_owned(), cache);
    })
    .await
}

impl Cloud {
    /// What is cached, the least recently used first.
    pub(super) async fn cache(&self) -> Vec<Uuid> {
        let host: HostName = HOST.parse().unwrap();
        let connection = &mut *self.world.db.read().await.unwrap();
        let rows = image_cache::of_host(connection, &host).await.unwrap();
        rows.into_iter().map(|row| row.image).collect()
    }

    /// The hidden volumes.
    pub(super) async fn hidden(&self) -> Vec<firebrick_control::Volume> {
        let listing = Listing::of(Column::Project, &INTERNAL);
        let connection = &mut *self.world.db.read().await.unwrap();
        volumes::list(connection, &listing).await.unwrap().unwrap()
    }

    pub(super) async fn good(&self, image: Uuid, size: u32) -> VolumeId {
        let request = CreateVolume {
            size: Some(size),
            ..of(image)
        };
        self.world.made(request).await
    }

    pub(super) fn downloads(&self) -> usize {
        self.glance.known.lock().downloads
    }

    /// The sites have as many images as there are rows.
    pub(super) async fn agrees(&self) {
        let rows = || async {
            let connection = &mut *self.world.db.read().await.unwrap();
            let all = volumes::list(connection, &Listing::default())
                .await
                .unwrap();
            let there = self.world.site(A, |state| state.images.len());
            all.unwrap().len() == there
        };
        until("every image has its volume", rows).await;
    }
}

async fn the_second_volume_of_an_image_is_cloned(place: Place) {
    let cloud = cached_at(place, 0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let first = cloud.good(image, 1).await;
    assert_eq!((cloud.downloads(), cloud.cache().await), (1, vec![image]));
    let hidden = cloud.hidden().await;
    assert_eq!(hidden.len(), 1);
    assert!(!hidden[0].consumes_quota && hidden[0].bootable);
    // What is written to the first is not in the second.
    cloud.world.site(A, |state| {
        let image = state.images.get_mut(&first.image_id()).unwrap();
        image.blocks.clear();
    });
    let second = cloud.good(image, 2).await;
    assert_eq!(cloud.downloads(), 1);
    assert!(cloud.bytes(second).0 == disk());
    let row = cloud.world.volume(second).await.unwrap();
    assert!(row.bootable && row.size == 2);
    assert_eq!(
        cloud.remembered(second).await["image_id"],
        image.to_string()
    );
    // Nobody sees the hidden one.
    let (context, query) = (member(), firebrick_control::Query::default());
    let seen = cloud.world.control.volumes(&context, query);
    assert_eq!(seen.await.unwrap().len(), 2);
    // A clone does not need its origin.
    cloud.world.deleted(first).await;
    cloud.world.deleted(second).await;
    cloud.agrees().await;
}

#[tokio::test]
async fn what_does_not_fit_is_read_again() {
    let cloud = cached(0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    cloud.good(image, 2).await;
    // Smaller than the cached one.
    cloud.good(image, 1).await;
    assert_eq!(cloud.downloads(), 2);
    // It has taken the place of the larger one.
    cloud.good(image, 1).await;
    assert_eq!(cloud.downloads(), 2);
    let one = || async { cloud.hidden().await.len() == 1 };
    until("the larger hidden volume is gone", one).await;
    // The image is another one now.
    cloud.glance.known.lock().images.get_mut(&image).unwrap().0["updated_at"] =
        "2026-02-02T00:00:00Z".into();
    cloud.good(image, 2).await;
    assert_eq!(cloud.downloads(), 3);
    assert_eq!(cloud.cache().await, [image]);
    cloud.good(image, 2).await;
    assert_eq!(cloud.downloads(), 3);
    until("the former hidden volume is gone", one).await;
    cloud.agrees().await;
    // Whoever does not see the image gets none of it.
    cloud.glance.fail(Fault::Every(404, 1));
    let none = cloud
        .world
        .control
        .create_volume(&member(), of(image))
        .await;
    assert!(none.is_err());
}

#[tokio::test]
async fn what_was_not_used_for_the_longest_time_makes_room() {
    let cloud = cached(0, 2).await;
    let image = || cloud.glance.add("raw", disk(), &nothing());
    let (a, b, c) = (image(), image(), image());
    cloud.good(a, 1).await;
    cloud.good(b, 1).await;
    cloud.good(a, 1).await;
    assert_eq!(cloud.cache().await, [b, a]);
    cloud.good(c, 1).await;
    assert_eq!(cloud.cache().await, [a, c]);
    let two = || async { cloud.hidden().await.len() == 2 };
    until("the hidden volume is gone", two).await;
    cloud.agrees().await;

    let cloud = cached(2, 0).await;
    let image = || cloud.glance.add("raw", disk(), &nothing());
    let (a, b) = (image(), image());
    cloud.good(a, 2).await;
    cloud.good(b, 1).await;
    assert_eq!(cloud.cache().await, [b]);
    // It would never fit.
    let large = cloud.glance.add("raw", disk(), &nothing());
    cloud.good(large, 3).await;
    assert_eq!(cloud.cache().await, [b]);
}

async fn a_hidden_volume_that_an_operator_deletes_is_forgotten(place: Place) {
    let cloud = cached_at(place, 0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    cloud.good(image, 1).await;
    let hidden = cloud.hidden().await[0].id;
    let control = &cloud.world.control;
    let how = firebrick_control::DeleteVolume::default();
    let context = crate::common::admin();
    control.delete_volume(&context, hidden, how).await.unwrap();
    cloud.world.settled(hidden.0).await;
    assert_eq!(cloud.cache().await, [] as [Uuid; 0]);
    cloud.good(image, 1).await;
    assert_eq!(cloud.downloads(), 2);
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_a_whole_volume_and_one_hidden_one() {
    // The calls of a volume that is filled, and of its clone.
    for at in 0..12 {
        let mut cloud = cached(0, 0).await;
        let image = cloud.glance.add("raw", disk(), &nothing());
        cloud.world.wire.arm(At::Index(at), Trouble::HangAfter);
        let id = cloud.begun(image).await;
        let ended = || async {
            cloud.world.wire.struck() > 0
                || cloud.world.status(id).await == Some(VolumeStatus::Available)
        };
        until("it is struck, or over", ended).await;
        cloud.world.kill().await;
        cloud.world.restart().await;
        cloud.world.settled(id.0).await;
        let status = cloud.world.status(id).await;
        assert_eq!(status, Some(VolumeStatus::Available), "{at}");
        assert!(cloud.bytes(id).0 == disk(), "{at}");
        let second = cloud.good(image, 1).await;
        assert!(cloud.bytes(second).0 == disk(), "{at}");
        assert_eq!(cloud.hidden().await.len(), 1, "{at}");
        cloud.agrees().await;
    }
}

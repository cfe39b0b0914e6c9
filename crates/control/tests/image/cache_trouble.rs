//! What is cached meets failures, other operations and other people.

use firebrick_backend::FaultKind;
use firebrick_control::CreateTransfer;
use firebrick_db::AttachMode;
use futures_util::future::join_all;

use super::cache::{INTERNAL, cached, cached_at};
use super::*;
use crate::common::{
    At, B, HOST, MIRRORED, Trouble, admin, attach_to, member_of, snapshot_of, until, with_roles,
};
use crate::place::on_both;

on_both!(
    what_goes_while_it_is_being_cloned_is_read,
    volumes_of_one_image_at_once_leave_one_hidden_one,
);

/// An administrator of the internal project.
fn keeper() -> Context {
    with_roles(INTERNAL, &["admin", "manager", "member", "reader"])
}

impl Cloud {
    /// A volume of that image of which the first half has come.
    async fn half(&self, image: Uuid) -> VolumeId {
        self.glance.fail(Fault::Slow);
        let before = self.downloads();
        let id = self.begun(image).await;
        let reading = || async {
            let status = self.world.status(id).await;
            status == Some(VolumeStatus::Downloading) && self.downloads() > before
        };
        until("it is being read", reading).await;
        id
    }

    fn go_on(&self) {
        self.glance.fail(Fault::None);
        self.glance.go_on.notify_one();
    }

    /// The volume is there, with the image in it.
    async fn is_whole(&self, id: VolumeId, when: &str) {
        self.world.settled(id.0).await;
        let status = self.world.status(id).await;
        assert_eq!(status, Some(VolumeStatus::Available), "{when}");
        assert!(self.bytes(id).0 == disk(), "{when}");
    }
}

#[tokio::test]
async fn what_cannot_be_cloned_is_read() {
    for kind in [FaultKind::NotFound, FaultKind::Io, FaultKind::Unreachable] {
        for trouble in [Trouble::Refuse(kind), Trouble::LoseAnswer(kind)] {
            let cloud = cached(0, 0).await;
            let image = cloud.glance.add("raw", disk(), &nothing());
            cloud.good(image, 1).await;
            cloud
                .world
                .wire
                .arm(At::Name(A, "create_image", 1), trouble);
            let id = cloud.begun(image).await;
            let when = format!("{trouble:?}");
            cloud.is_whole(id, &when).await;
            assert_eq!(cloud.world.wire.struck(), 1, "{when}");
            assert_eq!(cloud.downloads(), 2, "{when}");
            assert_eq!(cloud.hidden().await.len(), 1, "{when}");
            cloud.agrees().await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_cached_is_good_nevertheless() {
    for kind in [
        FaultKind::NoSpace,
        FaultKind::Unsupported,
        FaultKind::Unreachable,
    ] {
        for trouble in [Trouble::Refuse(kind), Trouble::LoseAnswer(kind)] {
            let cloud = cached(0, 0).await;
            let image = cloud.glance.add("raw", disk(), &nothing());
            let id = cloud.half(image).await;
            cloud
                .world
                .wire
                .arm(At::Name(A, "create_image", 1), trouble);
            cloud.go_on();
            let when = format!("{trouble:?}");
            cloud.is_whole(id, &when).await;
            assert_eq!(cloud.world.wire.struck(), 1, "{when}");
            assert_eq!(cloud.cache().await, [] as [Uuid; 0], "{when}");
            cloud.agrees().await;
        }
    }
}

async fn what_goes_while_it_is_being_cloned_is_read(place: Place) {
    let cloud = cached_at(place, 0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    cloud.good(image, 1).await;
    let hidden = cloud.hidden().await[0].id;
    let at = At::Name(A, "create_image", 1);
    cloud.world.wire.arm(at, Trouble::HangBeforeRelease);
    let id = cloud.begun(image).await;
    cloud.world.struck().await;
    let how = firebrick_control::DeleteVolume::default();
    let keeper = keeper();
    let deleted = cloud.world.control.delete_volume(&keeper, hidden, how);
    deleted.await.unwrap();
    cloud.world.settled(hidden.0).await;
    assert_eq!(cloud.world.status(hidden).await, None);
    cloud.world.wire.release();
    cloud.is_whole(id, "its origin is gone").await;
    assert_eq!(cloud.downloads(), 2);
    assert_eq!(cloud.cache().await, [image]);
    cloud.agrees().await;
}

async fn volumes_of_one_image_at_once_leave_one_hidden_one(place: Place) {
    let cloud = cached_at(place, 0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let ids = join_all((0..4).map(|_| cloud.begun(image))).await;
    for id in ids {
        cloud.is_whole(id, "all at once").await;
    }
    assert_eq!(
        (cloud.cache().await, cloud.hidden().await.len()),
        (vec![image], 1)
    );
    cloud.agrees().await;

    // The first one has made its clone when the second one's is in the cache already.
    let image = cloud.glance.add("raw", disk(), &nothing());
    let first = cloud.half(image).await;
    let at = At::Name(A, "create_image", 1);
    cloud.world.wire.arm(at, Trouble::HangAfterRelease);
    cloud.go_on();
    cloud.world.struck().await;
    let second = cloud.good(image, 1).await;
    assert_eq!(cloud.hidden().await.len(), 2);
    cloud.world.wire.release();
    cloud.is_whole(first, "it was second").await;
    cloud.is_whole(second, "it was first").await;
    assert_eq!(cloud.hidden().await.len(), 2);
    cloud.agrees().await;
}

#[tokio::test]
async fn whoever_asks_must_see_the_image_and_pays_for_the_volume_only() {
    let cloud = cached(0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let control = &cloud.world.control;
    let (first, second) = (with_token("first"), with_token("second"));
    let made = control.create_volume(&first, of(image));
    cloud
        .is_whole(made.await.unwrap().volume.id, "with a token")
        .await;
    let made = control.create_volume(&second, of(image));
    cloud
        .is_whole(made.await.unwrap().volume.id, "from the cache")
        .await;
    let asked = cloud.glance.known.lock().tokens.last().cloned().unwrap();
    assert_eq!((asked.0.as_deref(), cloud.downloads()), (Some("second"), 1));
    // The cache does not help whoever is refused.
    for status in [401, 403, 404] {
        cloud.glance.fail(Fault::Every(status, 9));
        let asked = control.create_volume(&with_token("third"), of(image)).await;
        assert!(asked.is_err(), "{status}");
    }
    cloud.glance.fail(Fault::None);
    let limits = |who: Context| async move {
        let used = control.limits(&who).await.unwrap().used.unwrap();
        (used.volumes, used.gigabytes)
    };
    assert_eq!(limits(member()).await, (2, 2));
    assert_eq!(limits(keeper()).await, (0, 0));
    let hidden = cloud.hidden().await[0].id;
    for stranger in [member(), member_of("ffffffffffffffffffffffffffffffff")] {
        assert!(control.volume(&stranger, hidden).await.is_err());
        let source = CreateVolume {
            source: Some(hidden),
            ..sized(1)
        };
        assert!(control.create_volume(&stranger, source).await.is_err());
    }
}

#[tokio::test]
async fn nobody_writes_to_what_is_cached() {
    let cloud = cached(0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    cloud.good(image, 1).await;
    let hidden = cloud.hidden().await[0].id;
    let mut attach = attach_to(hidden, true);
    attach.mode = Some(AttachMode::ReadWrite);
    let keeper = keeper();
    let attached = cloud.world.control.create_attachment(&keeper, attach);
    assert!(attached.await.is_err());
    // A clone can be written to.
    let second = cloud.good(image, 1).await;
    assert_eq!(cloud.downloads(), 1);
    assert_eq!(cloud.world.volume(second).await.unwrap().readonly, None);
}

#[tokio::test]
async fn what_somebody_was_given_or_has_snapshots_of_stays() {
    let cloud = cached(0, 1).await;
    let add = || cloud.glance.add("raw", disk(), &nothing());
    let (given, kept, third) = (add(), add(), add());
    let (control, taker) = (&cloud.world.control, member_of("taker"));
    cloud.good(given, 1).await;
    let gift = cloud.hidden().await[0].id;
    let offer = CreateTransfer {
        volume: gift,
        name: None,
        no_snapshots: false,
        encrypted: false,
    };
    let (transfer, key) = control.create_transfer(&keeper(), offer).await.unwrap();
    let taken = control.accept_transfer(&taker, transfer.id, key.reveal());
    taken.await.unwrap();
    let used = control.limits(&taker).await.unwrap().used.unwrap();
    assert_eq!((used.volumes, used.gigabytes), (1, 1));
    // It is not cloned any more, and goes on.
    cloud.good(given, 1).await;
    assert_eq!(cloud.downloads(), 2);
    assert_eq!(
        cloud.world.status(gift).await,
        Some(VolumeStatus::Available)
    );
    cloud.good(kept, 1).await;
    assert_eq!(cloud.cache().await, [kept]);
    let one = || async { cloud.hidden().await.len() == 1 };
    until("the other one has made room", one).await;
    let hidden = cloud.hidden().await[0].id;
    let snapped = control
        .create_snapshot(&keeper(), snapshot_of(hidden))
        .await;
    let snapshot = snapped.unwrap().snapshot.id;
    cloud.world.settled(snapshot.0).await;
    cloud.good(third, 1).await;
    assert_eq!(cloud.cache().await, [third]);
    cloud.world.settled(hidden.0).await;
    assert_eq!(
        cloud.world.status(hidden).await,
        Some(VolumeStatus::Available)
    );
    assert!(cloud.world.snapshot(snapshot).await.is_some());
    cloud.agrees().await;
}

#[tokio::test]
async fn what_is_cached_moves_with_its_backend() {
    let cloud = cached(0, 0).await;
    let image = cloud.glance.add("raw", disk(), &nothing());
    let request = || CreateVolume {
        volume_type: Some(MIRRORED.to_owned()),
        ..of(image)
    };
    let first = cloud.world.made(request()).await;
    let blocks = |site: &str, id: VolumeId| {
        cloud
            .world
            .site(site, |state| state.images[&id.image_id()].blocks.clone())
    };
    let expected = blocks(A, first);
    for (to, site) in [(B, B), ("default", A)] {
        cloud.world.failed_over(to).await;
        let (control, operator) = (&cloud.world.control, admin());
        let enabled = control.enable_service(&operator, "cinder-volume", HOST);
        enabled.await.unwrap();
        let id = cloud.world.made(request()).await;
        assert!(blocks(site, id) == expected, "{to}");
        assert_eq!(cloud.downloads(), 1, "{to}");
        assert_eq!(cloud.cache().await, [image], "{to}");
    }
    // One that is lost is forgotten, and read again.
    let hidden = cloud.hidden().await[0].id;
    for site in [A, B] {
        let lose = |state: &mut crate::common::State| state.images.remove(&hidden.image_id());
        cloud.world.site(site, lose);
    }
    let id = cloud.world.made(request()).await;
    assert!(blocks(A, id) == expected);
    assert_eq!(cloud.downloads(), 2);
    cloud.world.settled(hidden.0).await;
    assert_eq!(cloud.world.status(hidden).await, None);
    // One that is not mirrored is of no use to those that are, and none of theirs to it.
    cloud.good(image, 1).await;
    assert_eq!((cloud.downloads(), cloud.cache().await), (3, vec![image]));
}

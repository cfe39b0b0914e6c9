//! What sites that hear of no removal keep of volumes that are gone, or replicate no more, is remembered, and
//! removed.

use std::collections::BTreeMap;

use firebrick_backend::Reason;
use firebrick_control::{CreateType, MigrationPolicy, RetypeVolume, VolumeOutcome};
use firebrick_db::{Leftover, leftovers, now};
use firebrick_vocabulary::{ImageId, Role, VolumeId};
use uuid::Uuid;

use crate::common::{A, At, B, HOST, Trouble, World, admin, member, mirrored, until};

const PLAIN: &str = "plain";

impl World {
    /// Both sites hear nothing of each other.
    async fn apart() -> Self {
        let world = Self::new().await;
        for site in [A, B] {
            world.site(site, |it| it.leaves_copies = true);
        }
        world
    }

    fn role_at(&self, site: &str, volume: VolumeId) -> Option<Role> {
        let id = volume.image_id();
        self.site(site, |it| it.images.get(&id).map(|image| image.role))
    }

    fn global_id_at(&self, site: &str, volume: VolumeId) -> Option<Uuid> {
        let id = volume.image_id();
        self.site(site, |it| it.images.get(&id).map(|image| image.global_id))
    }

    /// Asks for another type, or for an end of its replication.
    async fn asked_to_end(&self, volume: VolumeId, how: Ending) {
        let control = &self.control;
        match how {
            Ending::Retyped => {
                let request = RetypeVolume {
                    new_type: PLAIN.to_owned(),
                    policy: MigrationPolicy::Never,
                };
                control.retype_volume(&member(), volume, request).await
            }
            Ending::Disabled => control.disable_replication(&admin(), volume, B).await,
        }
        .unwrap();
    }

    /// The volume lives at site-a alone, and nobody knows of anything else of it.
    async fn alone(&self, volume: VolumeId) {
        self.forgotten().await;
        assert_eq!(self.role_at(B, volume), None);
        assert_eq!(self.role_at(A, volume), Some(Role::Primary));
        assert_eq!(self.statuses(volume).await, ("available", "disabled"));
    }

    /// Notes that an image was removed.
    async fn note(&self, image: ImageId) {
        let leftover = Leftover {
            image,
            global_id: None,
            host: HOST.parse().unwrap(),
            since: now(),
        };
        let mut tx = self.db.begin().await.unwrap();
        leftovers::put(&mut tx, &leftover).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn noted(&self) -> Vec<Leftover> {
        let connection = &mut *self.db.read().await.unwrap();
        let host = HOST.parse().unwrap();
        leftovers::of_host(connection, &host, now()).await.unwrap()
    }

    async fn forgotten(&self) {
        until("nothing is left", || async {
            self.noted().await.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn a_copy_goes_once_its_site_can_be_asked() {
    let mut world = World::apart().await;
    let (gone, kept) = (world.made(mirrored(1)).await, world.made(mirrored(1)).await);
    world.set_linked(false);
    world.set_up(B, false);
    world.deleted(gone).await;
    // Whoever takes over knows of it.
    world.restart().await;
    let noted: Vec<_> = world.noted().await.iter().map(|it| it.image).collect();
    assert_eq!(noted, [gone.image_id()]);
    world.set_up(B, true);
    assert_eq!(world.role_at(B, gone), Some(Role::Secondary));
    world.restart().await;
    world.forgotten().await;
    assert_eq!(world.role_at(B, gone), None);
    assert_eq!(world.role_at(B, kept), Some(Role::Secondary));
}

#[tokio::test]
async fn what_a_lost_primary_has_goes_when_it_is_back() {
    let mut world = World::apart().await;
    let gone = world.made(mirrored(1)).await;
    world.set_linked(false);
    world.set_up(A, false);
    world.failed_over(B).await;
    world.deleted(gone).await;
    world.set_up(A, true);
    assert_eq!(world.role_at(A, gone), Some(Role::Primary));
    world.restart().await;
    world.forgotten().await;
    assert_eq!(world.role_at(A, gone), None);
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Retyped,
    Disabled,
}

/// A type that does not replicate.
async fn plain(world: &World) {
    let request = CreateType {
        name: PLAIN.to_owned(),
        description: None,
        is_public: true,
        extra_specs: BTreeMap::new(),
    };
    world.control.create_type(&admin(), request).await.unwrap();
}

/// The process dies at each call; the note comes before the mirroring ends, or nobody could write it any more.
#[tokio::test]
async fn the_copy_of_a_volume_that_stays_goes_whatever_call_the_process_dies_at() {
    for (how, trouble) in [
        (Ending::Retyped, Trouble::HangAfter),
        (Ending::Disabled, Trouble::HangBefore),
        (Ending::Disabled, Trouble::HangAfter),
    ] {
        for index in 0.. {
            let mut world = World::apart().await;
            plain(&world).await;
            let volume = world.made(mirrored(1)).await;
            world.set_linked(false);
            world.set_up(B, false);
            world.wire.arm(At::Index(index), trouble);
            world.asked_to_end(volume, how).await;
            let ended = || async { world.wire.struck() > 0 || world.rests(volume.0).await };
            until("it hangs or ends", ended).await;
            let struck = world.wire.struck() > 0;
            world.kill().await;
            world.restart().await;
            world.settled(volume.0).await;
            assert_eq!(world.role_at(B, volume), Some(Role::Secondary));
            assert_eq!(
                world.noted().await.len(),
                1,
                "{how:?}, {trouble:?} at {index}"
            );
            world.set_up(B, true);
            world.restart().await;
            world.alone(volume).await;
            if !struck {
                assert!(index > 0);
                break;
            }
            assert!(index < 30);
        }
    }
}

/// A volume that is replicated anew, while the site with the former copy of it heard nothing of that; and another one.
async fn anew() -> (World, VolumeId, VolumeId) {
    let world = World::apart().await;
    let (volume, other) = (world.made(mirrored(1)).await, world.made(mirrored(1)).await);
    let former = world.global_id_at(A, volume);
    world.set_linked(false);
    world.set_up(B, false);
    world.asked_to_end(volume, Ending::Disabled).await;
    world.settled(volume.0).await;
    let control = world.handle();
    let enabled = control.enable_replication(&admin(), volume, B).await;
    enabled.unwrap();
    world.settled(volume.0).await;
    assert_eq!(world.global_id_at(B, volume), former, "the name is taken");
    assert_ne!(world.global_id_at(A, volume), former);
    (world, volume, other)
}

impl World {
    /// The former copy goes, and there is a new one.
    async fn copied_anew(&mut self, volume: VolumeId) {
        self.set_up(B, true);
        self.set_linked(true);
        self.restart().await;
        self.forgotten().await;
        let now = self.global_id_at(A, volume);
        until("there is a new copy", || async {
            self.global_id_at(B, volume) == now
        })
        .await;
        assert_eq!(self.role_at(B, volume), Some(Role::Secondary));
        assert_eq!(self.statuses(volume).await, ("available", "enabled"));
    }
}

#[tokio::test]
async fn a_copy_of_what_is_replicated_again_is_no_leftover() {
    let (mut world, volume, _) = anew().await;
    world.copied_anew(volume).await;
}

/// Whoever removed it died once he had ended its mirroring.
#[tokio::test]
async fn what_is_removed_by_half_is_removed() {
    let (mut world, volume, _) = anew().await;
    let image = volume.image_id();
    world.site(B, |it| {
        let half = it.images.get_mut(&image).unwrap();
        (half.mirrored, half.role) = (false, Role::Primary);
    });
    world.copied_anew(volume).await;
}

#[tokio::test]
async fn a_copy_that_is_being_made_is_no_leftover() {
    let (mut world, volume, _) = anew().await;
    let image = volume.image_id();
    world.site(B, |it| it.images.get_mut(&image).unwrap().mirrored = false);
    world.set_up(B, true);
    let asked = |world: &World| {
        let calls = world.wire.calls();
        calls.iter().filter(|call| **call == (B, "image")).count()
    };
    for _ in 0..2 {
        let before = asked(&world);
        world.restart().await;
        until("site-b is asked", || async { asked(&world) > before }).await;
    }
    assert_eq!(world.noted().await.len(), 1);
    assert_eq!(world.role_at(B, volume), Some(Role::Secondary));
    assert!(!world.wire.saw(B, "remove_leftover"));
}

/// The site to go to missed that the replication ended and began anew, and has what the volume was before.
#[tokio::test]
async fn a_copy_of_a_replication_that_ended_is_never_promoted() {
    let (mut world, stale, fresh) = anew().await;
    let former = world.global_id_at(B, stale);
    world.set_up(A, false);
    world.set_up(B, true);
    let told = world.control.check_failover(&admin(), HOST, Some(B)).await;
    world.failed_over(B).await;
    let report = world.reported().await;
    for report in [told.unwrap(), report] {
        let of = |id| report.volumes.iter().find(|it| it.volume_id == id).unwrap();
        assert_eq!(of(fresh).outcome, VolumeOutcome::Moved);
        let stale = of(stale);
        assert_eq!(stale.outcome, VolumeOutcome::Failed);
        assert_eq!(stale.reason, Some(Reason::Leftover));
    }
    assert_eq!(world.statuses(stale).await, ("error", "error"));
    assert_eq!(world.role_at(B, stale), Some(Role::Secondary));
    assert_eq!(world.role_at(B, fresh), Some(Role::Primary));

    // All that is noted is looked at, and nobody takes what is there for where the volume lives.
    let image = fresh.image_id();
    world.note(image).await;
    world.restart().await;
    let looked = || async { world.noted().await.iter().all(|it| it.image != image) };
    until("the notes are looked at", looked).await;
    assert_eq!(world.noted().await.len(), 1);

    // Back where it lives, it is what it was, and gets its copy.
    world.set_up(A, true);
    world.set_linked(true);
    world.failed_over("default").await;
    assert_eq!(world.statuses(stale).await, ("available", "enabled"));
    world.restart().await;
    until("there is a new copy", || async {
        let there = world.global_id_at(B, stale);
        there.is_some() && there != former
    })
    .await;
}

#[tokio::test]
async fn what_was_not_replicated_in_the_end_is_removed_with_its_volume() {
    let mut world = World::apart().await;
    let volume = world.made(mirrored(1)).await;
    world.set_linked(false);
    world.set_up(B, false);
    world.asked_to_end(volume, Ending::Disabled).await;
    world.settled(volume.0).await;
    world.deleted(volume).await;
    world.set_up(B, true);
    world.restart().await;
    world.forgotten().await;
    assert_eq!(world.role_at(B, volume), None);
}

/// Two sections of one pool: what is there under the name of the volume is the volume.
#[tokio::test]
async fn a_site_that_is_the_same_store_keeps_the_volume() {
    let mut world = World::apart().await;
    let volume = world.made(mirrored(1)).await;
    world.set_linked(false);
    world.set_up(B, false);
    world.asked_to_end(volume, Ending::Disabled).await;
    world.settled(volume.0).await;
    let image = volume.image_id();
    let (store, own) = world.site(A, |it| (it.store, it.images[&image].clone()));
    world.site(B, |it| {
        it.store = store;
        it.images.insert(image, own);
    });
    world.set_up(B, true);
    world.restart().await;
    world.forgotten().await;
    assert_eq!(world.role_at(B, volume), Some(Role::Primary));
}

#[tokio::test]
async fn what_a_volume_lives_in_stays() {
    let mut world = World::apart().await;
    let volume = world.made(mirrored(1)).await;
    world.note(volume.image_id()).await;
    world.restart().await;
    world.forgotten().await;
    assert_eq!(world.role_at(A, volume), Some(Role::Primary));
    assert_eq!(world.role_at(B, volume), Some(Role::Secondary));
}

#[tokio::test]
async fn sites_that_hear_of_removals_are_not_asked() {
    let world = World::new().await;
    let gone = world.made(mirrored(1)).await;
    world.deleted(gone).await;
    assert_eq!(world.noted().await, []);
    assert_eq!(world.role_at(B, gone), None);
}

//! What sites that hear of no removal keep of volumes that are gone is remembered, and removed.

use firebrick_db::{Leftover, leftovers, now};
use firebrick_vocabulary::{Role, VolumeId};

use crate::common::{A, B, HOST, World, mirrored, until};

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

#[tokio::test]
async fn what_a_volume_lives_in_stays() {
    let mut world = World::apart().await;
    let volume = world.made(mirrored(1)).await;
    let leftover = Leftover {
        image: volume.image_id(),
        host: HOST.parse().unwrap(),
        since: now(),
    };
    let mut tx = world.db.begin().await.unwrap();
    leftovers::put(&mut tx, &leftover).await.unwrap();
    tx.commit().await.unwrap();
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

//! The site to which a backend has failed over becomes the one of its configuration, for good.

use firebrick_control::{ControlOptions, ErrorKind};
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::Role;

use crate::common::{A, B, HOST, World, admin, member, mirrored, sized};
use crate::failover::Given;

/// The configuration names the other site, and with `targets` the first one as its target.
fn turned(options: &mut ControlOptions, targets: bool) {
    let backend = &mut options.backends[0];
    let (_, other) = backend.targets.remove(0);
    let first = std::mem::replace(&mut backend.primary, other);
    if targets {
        backend.targets.push((A.to_owned(), first));
    }
}

impl World {
    async fn refused(&self, words: &str) {
        let refused = self.control.reset_active_backend(&admin(), HOST).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(refused.to_string().contains(words), "{refused}");
    }

    /// The first site is lost, and the other one is to stay.
    async fn given_up(targets: bool) -> (Self, Given) {
        let mut world = Self::new().await;
        let given = Given::new(&world).await;
        world.set_up(A, false);
        world.failed_over(B).await;
        world.control.freeze(&admin(), HOST).await.unwrap();
        world.reconfigured(|options| turned(options, targets)).await;
        (world, given)
    }
}

#[tokio::test]
async fn without_a_target_nothing_replicates_any_more() {
    let (world, given) = World::given_up(false).await;
    let done = world.control.reset_active_backend(&admin(), HOST).await;
    done.unwrap();
    world.refused("has not failed over").await;
    let service = world.service().await;
    assert_eq!(service.replication_status, ReplicationStatus::Disabled);
    assert_eq!((service.active_backend_id, service.frozen), (None, true));
    assert_eq!(world.statuses(given.free).await, ("available", "disabled"));
    assert_eq!(world.statuses(given.used).await, ("in-use", "disabled"));
    // What only the site had that was given up is lost.
    assert_eq!(world.statuses(given.plain).await, ("error", "disabled"));
    let plain = world.volume(given.plain).await.unwrap();
    assert_eq!(plain.previous_status, None);
    world.site(B, |site| {
        let image = &site.images[&given.free.image_id()];
        assert!(image.role == Role::Primary && !image.mirrored);
    });
    world.control.thaw(&admin(), HOST).await.unwrap();
    assert!(!world.service().await.disabled);
    // The backend is as any other, and the lost volumes can be deleted.
    let made = world.made(sized(1)).await;
    assert!(world.site(B, |site| site.images.contains_key(&made.image_id())));
    let snapshot = given.plain_snapshot;
    assert_eq!(
        world.snapshot(snapshot).await.unwrap().previous_status,
        None
    );
    let control = &world.control;
    let asked = control.delete_snapshot(&member(), snapshot, false).await;
    asked.unwrap();
    world.settled(snapshot.0).await;
    world.deleted(given.plain).await;
    world.deleted(made).await;
}

#[tokio::test]
async fn with_a_target_it_replicates_on_and_fails_over_again() {
    let (world, given) = World::given_up(true).await;
    world.set_up(A, true);
    let done = world.control.reset_active_backend(&admin(), HOST).await;
    done.unwrap();
    world.control.thaw(&admin(), HOST).await.unwrap();
    let service = world.service().await;
    assert_eq!(service.replication_status, ReplicationStatus::Enabled);
    assert_eq!(world.statuses(given.free).await, ("available", "enabled"));
    let fresh = world.made(mirrored(1)).await;
    assert_eq!(world.statuses(fresh).await, ("available", "enabled"));
    let service = world.failed_over(A).await;
    assert_eq!(service.active_backend_id.as_deref(), Some(A));
    assert_eq!(world.statuses(fresh).await, ("available", "failed-over"));
    world.one_primary();
}

#[tokio::test]
async fn it_is_refused_where_something_would_be_lost() {
    let mut world = World::new().await;
    let given = Given::new(&world).await;
    world.refused("has not failed over").await;
    world.failed_over(B).await;
    world.refused("must be frozen").await;
    world.control.freeze(&admin(), HOST).await.unwrap();
    world.refused("replication_device").await;
    let denied = world.control.reset_active_backend(&member(), HOST).await;
    assert_eq!(denied.unwrap_err().kind, ErrorKind::Forbidden);
    let nobody = world
        .control
        .reset_active_backend(&admin(), "none@none")
        .await;
    assert_eq!(nobody.unwrap_err().kind, ErrorKind::NotFound);

    // A configuration that names the wrong site.
    world
        .reconfigured(|options| options.backends[0].targets.clear())
        .await;
    world.refused("does not serve").await;
    // Something is under way.
    let image = given.free.image_id();
    assert_eq!(
        world.site(B, |site| site.images[&image].role),
        Role::Primary
    );
    assert_eq!(
        world.status(given.free).await,
        Some(VolumeStatus::Available)
    );
    let service = world.service().await;
    assert_eq!(service.active_backend_id.as_deref(), Some(B));
}

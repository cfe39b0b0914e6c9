//! A cluster moves: all of its services, those that are down and those that die as well.

use std::time::Duration;

use firebrick_backend::FaultKind;
use firebrick_control::ControlOptions;
use firebrick_state::ReplicationStatus;

use crate::common::{A, At, B, HOST, Trouble, World, admin, member, mirrored, until};
use crate::failover::Given;
use crate::place::{Place, on_both};

use super::CLUSTER;
use super::together::{SECOND, north};

on_both!(
    any_host_of_it_and_its_name_move_the_cluster,
    lp_1758024_a_cluster_says_how_it_replicates,
    it_is_done_when_every_service_has_gone_along,
    a_service_that_was_down_learns_it_at_its_start,
    a_service_that_does_not_reach_the_site_says_so,
    a_failover_that_fails_leaves_all_services_as_they_were,
    away_from_home_new_volumes_are_taken_if_an_operator_says_so,
);

/// A short life: who is killed is soon known to be down.
fn mortal(options: &mut ControlOptions) {
    north(options);
    options.report_interval = Duration::from_millis(50);
    options.service_down_time = Duration::from_millis(1500);
}

impl World {
    /// Waits until a service has reported: nobody waits for one that has not.
    async fn is_up(&self, host: &str) {
        until("the service is up", || async {
            self.service_at(host).await.reported_at > time::OffsetDateTime::UNIX_EPOCH
        })
        .await;
    }

    /// Whether the cluster and those services say the same, and what.
    async fn agreed(&self, hosts: &[&str]) -> (ReplicationStatus, Option<String>) {
        let cluster = self.service().await;
        let said = (cluster.replication_status, cluster.active_backend_id);
        for host in hosts {
            let row = self.service_at(host).await;
            assert_eq!(
                (row.replication_status, row.active_backend_id),
                said,
                "{host}"
            );
        }
        said
    }
}

fn away() -> (ReplicationStatus, Option<String>) {
    (ReplicationStatus::FailedOver, Some(B.to_owned()))
}

const HOME: (ReplicationStatus, Option<String>) = (ReplicationStatus::Enabled, None);

async fn any_host_of_it_and_its_name_move_the_cluster(place: Place) {
    let world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    world.is_up(SECOND).await;
    let given = Given::new(&world).await;
    for (control, host) in [
        (&world.control, SECOND),
        (&second.control, CLUSTER),
        (&second.control, HOST),
    ] {
        control.failover(&admin(), host, Some(B)).await.unwrap();
        let again = control.failover(&admin(), SECOND, Some(B)).await;
        assert!(again.is_err(), "one move at a time");
        world.moved().await;
        assert_eq!(world.agreed(&[HOST, SECOND]).await, away());
        given.is_away(&world, host).await;
        control
            .failover(&admin(), host, Some("default"))
            .await
            .unwrap();
        world.moved().await;
        assert_eq!(world.agreed(&[HOST, SECOND]).await, HOME);
        given.is_home(&world, host).await;
        world.one_primary();
    }
    second.kill().await;
}

/// It said `enabled`, whatever its services did.
async fn lp_1758024_a_cluster_says_how_it_replicates(place: Place) {
    let world = World::on(place, north).await;
    let shown = async || {
        let cluster = world
            .control
            .cluster(&admin(), CLUSTER, "cinder-volume")
            .await;
        let cluster = cluster.unwrap();
        let active = cluster.active_backend_id().map(str::to_owned);
        (cluster.replication_status(), active)
    };
    assert_eq!(shown().await, HOME);
    let trouble = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(B, "promote", 1), trouble);
    world
        .control
        .failover(&admin(), CLUSTER, Some(B))
        .await
        .unwrap();
    world.struck().await;
    assert_eq!(shown().await, (ReplicationStatus::FailingOver, None));
    world.wire.release();
    world.moved().await;
    assert_eq!(shown().await, away());
    world.failed_over("default").await;
    assert_eq!(shown().await, HOME);
}

async fn it_is_done_when_every_service_has_gone_along(place: Place) {
    let world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let given = Given::new(&world).await;
    world.is_up(SECOND).await;
    // Nobody knows yet that it is gone.
    second.kill().await;
    world
        .control
        .failover(&admin(), HOST, Some(B))
        .await
        .unwrap();
    until("the volumes are there", || async {
        world.service().await.replication_status == ReplicationStatus::FailedOver
    })
    .await;
    until("the first service is there", || async {
        world.service_at(HOST).await.replication_status == ReplicationStatus::FailedOver
    })
    .await;
    let resource = world.service().await.id.0;
    let cluster = async || {
        let cluster = world
            .control
            .cluster(&admin(), CLUSTER, "cinder-volume")
            .await;
        cluster.unwrap().replication_status()
    };
    for _ in 0..5 {
        world.breathe().await;
        assert!(!world.rests(resource).await);
        assert_eq!(cluster().await, ReplicationStatus::FailingOver);
    }
    // Volumes wait for nobody.
    world
        .control
        .extend_volume(&member(), given.free, 4, false)
        .await
        .unwrap();
    world.settled(given.free.0).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    world.settled(resource).await;
    assert_eq!(cluster().await, ReplicationStatus::FailedOver);
    assert_eq!(world.agreed(&[HOST, SECOND]).await, away());
    given.is_away(&world, "away").await;
    second.kill().await;
}

async fn a_service_that_was_down_learns_it_at_its_start(place: Place) {
    let world = World::on(place, mortal).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let given = Given::new(&world).await;
    second.kill().await;
    for (to, said) in [(B, away()), ("default", HOME)] {
        world.failed_over(to).await;
        let row = world.service_at(SECOND).await;
        assert_ne!(row.active_backend_id, said.1, "it is down");
        let second = world.beside("node2", |_| {}).await.unwrap();
        // At once, before it does anything else.
        assert_eq!(world.agreed(&[HOST, SECOND]).await, said);
        second.kill().await;
    }
    given.is_home(&world, "home").await;
}

/// What Cinder's `failover_completed` says of a node whose driver fails there.
async fn a_service_that_does_not_reach_the_site_says_so(place: Place) {
    let world = World::on(place, north).await;
    let id = world.made(mirrored(1)).await;
    let wait = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(B, "promote", 1), wait);
    world
        .control
        .failover(&admin(), HOST, Some(B))
        .await
        .unwrap();
    world.struck().await;
    // From here on the site is asked by nobody but the service.
    let refuse = Trouble::Refuse(FaultKind::Unreachable);
    world.wire.arm(At::All(B, &["status"]), refuse);
    world.wire.release();
    let said = world.moved().await;
    assert_eq!(said.replication_status, ReplicationStatus::FailedOver);
    let row = world.service_at(HOST).await;
    assert_eq!(row.replication_status, ReplicationStatus::Error);
    assert!(
        row.disabled_reason
            .unwrap()
            .contains("does not answer here")
    );
    assert_eq!(world.statuses(id).await, ("available", "failed-over"));
    world.wire.disarm();
    // It tries again until it does.
    until("it has gone along", || async {
        world.service_at(HOST).await.replication_status == ReplicationStatus::FailedOver
    })
    .await;
    assert_eq!(world.agreed(&[HOST]).await, away());
}

async fn a_failover_that_fails_leaves_all_services_as_they_were(place: Place) {
    let world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    world.is_up(SECOND).await;
    let given = Given::new(&world).await;
    world.set_up(B, false);
    world.failed_over(B).await;
    assert_eq!(world.agreed(&[HOST, SECOND]).await, HOME);
    given.is_home(&world, "after a failover in vain").await;
    world.set_up(B, true);
    second.kill().await;
}

async fn away_from_home_new_volumes_are_taken_if_an_operator_says_so(place: Place) {
    let world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    world.is_up(SECOND).await;
    let (control, binary) = (world.handle(), "cinder-volume");
    for by_service in [true, false] {
        world.failed_over(B).await;
        let made = control.create_volume(&member(), mirrored(1)).await;
        let id = made.unwrap().volume.id;
        world.settled(id.0).await;
        assert_eq!(world.statuses(id).await.0, "error");
        if by_service {
            let service = control.enable_service(&admin(), binary, SECOND).await;
            assert!(!service.unwrap().service.disabled);
        } else {
            let who = admin();
            let asked = control.switch_cluster(&who, CLUSTER, binary, false, None);
            let cluster = asked.await.unwrap();
            assert!(cluster.services.iter().all(|it| !it.service.disabled));
        }
        let id = world.made(mirrored(1)).await;
        assert_eq!(world.statuses(id).await, ("available", "failed-over"));
        world.failed_over("default").await;
        assert_eq!(world.statuses(id).await, ("available", "enabled"));
    }
    second.kill().await;
}

/// The node that moves the cluster dies at each call in turn, and its peer, which starts or was there, ends it.
async fn killed_anywhere(place: impl Fn() -> Place, trouble: Trouble, back: bool) {
    for index in 0..30 {
        let mut world = World::on(place(), north).await;
        let given = Given::new(&world).await;
        let to = if back { "default" } else { B };
        if back {
            world.failed_over(B).await;
        }
        world.wire.arm(At::Index(index), trouble);
        world
            .control
            .failover(&admin(), HOST, Some(to))
            .await
            .unwrap();
        until("the move hangs or ends", || async {
            world.wire.struck() > 0 || world.all_rest().await
        })
        .await;
        let struck = world.wire.struck() > 0;
        let when = format!("killed at {index}, {trouble:?}: {:?}", world.wire.calls());
        world.kill().await;
        world.wire.disarm();
        let second = world.beside("node2", |_| {}).await.unwrap();
        world.goes_on_as(second);
        // The first node is still taken for living, so the move ends when it is back.
        until("the volumes are there", || async {
            world.service().await.replication_status != ReplicationStatus::FailingOver
        })
        .await;
        let first = world.beside("node1", |_| {}).await.unwrap();
        world.moved().await;
        until("both say the same", || async {
            let (one, two) = (world.service_at(HOST).await, world.service_at(SECOND).await);
            one.replication_status == two.replication_status
                && one.active_backend_id == two.active_backend_id
        })
        .await;
        let said = world.agreed(&[HOST, SECOND]).await;
        if back {
            assert_eq!(said, HOME, "{when}");
            given.is_home(&world, &when).await;
        } else {
            assert_eq!(said, away(), "{when}");
            given.is_away(&world, &when).await;
        }
        world.one_primary();
        first.kill().await;
        if !struck {
            assert!(index > 3, "{when}");
            return;
        }
    }
    panic!("the move does not end");
}

macro_rules! killed {
    ($($name:ident: $trouble:ident, $back:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            killed_anywhere(Place::asked_for, Trouble::$trouble, $back).await;
        }
    )*};
}

killed! {
    a_node_that_dies_before_a_call_is_replaced: HangBefore, false;
    a_node_that_dies_behind_a_call_is_replaced: HangAfter, false;
    a_node_that_dies_before_a_call_on_the_way_home_is_replaced: HangBefore, true;
    a_node_that_dies_behind_a_call_on_the_way_home_is_replaced: HangAfter, true;
}

/// On PostgreSQL, where nodes really stand side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_dies_is_replaced_on_postgresql() {
    killed_anywhere(Place::postgres, Trouble::HangAfter, false).await;
}

#[tokio::test]
async fn a_driver_for_one_service_does_not_start_in_a_cluster() {
    let world = World::with(north).await;
    for site in [A, B] {
        world.site(site, |state| state.alone = true);
        let refused = world.beside("node2", |_| {}).await.err().unwrap();
        let text = refused.to_string();
        assert!(
            text.contains("active/active") && text.contains(site),
            "{text}"
        );
        world.site(site, |state| state.alone = false);
    }
    let refused = world.beside("north", |_| {}).await.err().unwrap();
    assert!(refused.to_string().contains("same name"), "{refused}");
    // Without a cluster it may.
    world.site(A, |state| state.alone = true);
    let single = world
        .beside("node3", |options| options.backends[0].cluster = None)
        .await;
    single.unwrap().kill().await;
}

//! What went wrong with failovers elsewhere, each under the number of its report.

use firebrick_backend::FaultKind;
use firebrick_control::{MigrationPolicy, RetypeVolume};
use firebrick_db::activities;
use firebrick_state::{ActivityStatus, ReplicationStatus, VolumeStatus};

use crate::common::{A, At, B, HOST, MIRRORED, Trouble, World, admin, member, mirrored, sized};
use crate::failover::Given;
use crate::place::{Place, on_both};

on_both!(
    lp_1641715_a_wrong_target_leaves_the_status_as_it_was,
    lp_1641716_a_fault_of_the_driver_leaves_the_service_usable,
    lp_1643886_the_replication_status_follows_type_and_failover,
    default_is_a_target_that_is_known,
    a_restart_keeps_what_a_failover_said,
);

/// It became `failed-over` at home, and `enabled` away.
async fn lp_1641715_a_wrong_target_leaves_the_status_as_it_was(place: Place) {
    let world = World::on(place, |_| {}).await;
    for (go, stays) in [
        (None, ReplicationStatus::Enabled),
        (Some(B), ReplicationStatus::FailedOver),
        (Some("default"), ReplicationStatus::Enabled),
    ] {
        if let Some(to) = go {
            world.failed_over(to).await;
        }
        let before = world.service().await;
        let asked = world.control.failover(&admin(), HOST, Some("mars")).await;
        assert!(asked.unwrap_err().message.contains("mars"));
        let mut after = world.service().await;
        assert_eq!(after.replication_status, stays);
        after.reported_at = before.reported_at;
        assert_eq!(after, before);
    }
}

/// It was written into the status of the service, from where nothing led back.
async fn lp_1641716_a_fault_of_the_driver_leaves_the_service_usable(place: Place) {
    let world = World::on(place, |_| {}).await;
    let given = Given::new(&world).await;
    for (site, call) in [(A, "demote"), (B, "status")] {
        let trouble = Trouble::Refuse(FaultKind::Io);
        world.wire.arm(At::Name(site, call, 1), trouble);
        let service = world.failed_over(B).await;
        assert!(world.wire.struck() > 0, "{call}");
        world.wire.disarm();
        if service.active_backend_id.is_none() {
            given.is_home(&world, call).await;
            let connection = &mut *world.db.read().await.unwrap();
            let all = activities::list(connection, &firebrick_db::Listing::default()).await;
            let failed = |it: &&firebrick_db::Activity| {
                it.resource == service.id.0 && it.status == ActivityStatus::Failed
            };
            let all = all.unwrap().unwrap();
            let failed = all.iter().find(failed).unwrap();
            assert!(failed.error.is_some(), "{call}");
        } else {
            given.is_away(&world, call).await;
            world.failed_over("default").await;
        }
        world.failed_over(B).await;
        given.is_away(&world, "the second try").await;
        world.failed_over("default").await;
        given.is_home(&world, "back").await;
    }
}

/// A volume kept the status of its former type, and after a failback that of the disaster.
async fn lp_1643886_the_replication_status_follows_type_and_failover(place: Place) {
    let world = World::on(place, |_| {}).await;
    let id = world.made(sized(1)).await;
    for (kind, status) in [(MIRRORED, "enabled"), ("__DEFAULT__", "disabled")] {
        let request = RetypeVolume {
            new_type: kind.to_owned(),
            policy: MigrationPolicy::Never,
        };
        let control = world.handle();
        control.retype_volume(&member(), id, request).await.unwrap();
        world.settled(id.0).await;
        assert_eq!(world.statuses(id).await, ("available", status));
        let mirrored = world.site(A, |site| site.images[&id.image_id()].mirrored);
        assert_eq!(mirrored, status == "enabled");
    }
    let snapshot = world.snapped(id).await;
    world.failed_over(B).await;
    assert_eq!(world.statuses(id).await, ("error", "not-capable"));
    let previous = world.volume(id).await.unwrap().previous_status;
    assert_eq!(previous, Some(VolumeStatus::Available));
    world.failed_over("default").await;
    assert_eq!(world.statuses(id).await, ("available", "disabled"));
    assert_eq!(world.volume(id).await.unwrap().previous_status, None);
    let snapshot = world.snapshot(snapshot).await.unwrap();
    assert_eq!(snapshot.status.as_str(), "available");
}

/// `default` was neither documented nor taken.
async fn default_is_a_target_that_is_known(place: Place) {
    let world = World::on(place, |_| {}).await;
    let id = world.made(mirrored(1)).await;
    let ask = |to: &'static str| {
        let control = world.handle();
        async move { control.failover(&admin(), HOST, Some(to)).await }
    };
    let at_home = ask("default").await.unwrap_err();
    assert!(at_home.message.contains("at its own site already"));
    world.failed_over(B).await;
    let unknown = ask("mars").await.unwrap_err();
    assert!(unknown.message.contains(B), "{unknown}");
    world.failed_over("default").await;
    assert_eq!(world.statuses(id).await, ("available", "enabled"));
}

/// What the last failover said was overwritten by what the configuration says.
async fn a_restart_keeps_what_a_failover_said(place: Place) {
    let mut world = World::on(place, |_| {}).await;
    world.failed_over(B).await;
    let before = world.service().await;
    world.restart().await;
    let after = world.service().await;
    assert_eq!(after.active_backend_id, before.active_backend_id);
    assert_eq!(after.replication_status, ReplicationStatus::FailedOver);
    assert!(after.disabled);
}

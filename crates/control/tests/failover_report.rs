//! What a failover would lose, and what it has lost, volume by volume.

use std::collections::BTreeMap;

use firebrick_backend::{Loss, PromoteMode, Reason};
use firebrick_control::{ErrorKind, FailoverReport, VolumeOutcome, VolumeReport};
use firebrick_db::{Listing, activities};
use firebrick_state::{ActivityKind, ActivityStatus};
use firebrick_vocabulary::{Bytes, VolumeId};

use crate::common::{A, At, B, HOST, Trouble, World, admin, member};
use crate::failover::Given;

const LOSS: Loss = Loss {
    seconds: 2.5,
    bytes: Bytes(8192),
    as_of: 0.5,
};

impl World {
    async fn checked(&self, to: Option<&str>) -> FailoverReport {
        let checked = self.control.check_failover(&admin(), HOST, to).await;
        checked.unwrap()
    }

    /// That of the failover that was asked for last.
    pub(crate) async fn reported(&self) -> FailoverReport {
        let connection = &mut *self.db.read().await.unwrap();
        let found = activities::list(connection, &Listing::default()).await;
        let mut found = found.unwrap().unwrap();
        found.retain(|it| it.kind == ActivityKind::Failover);
        let last = found.into_iter().max_by_key(|it| it.created_at).unwrap();
        assert_eq!(last.status, ActivityStatus::Done);
        serde_json::from_value(last.state["report"].clone()).unwrap()
    }
}

fn by_volume(report: &FailoverReport) -> BTreeMap<VolumeId, &VolumeReport> {
    report.volumes.iter().map(|it| (it.volume_id, it)).collect()
}

fn outcomes(report: &FailoverReport, given: &Given) -> [VolumeOutcome; 4] {
    let volumes = by_volume(report);
    [given.free, given.used, given.plain, given.plain_used].map(|id| volumes[&id].outcome)
}

const AWAY: [VolumeOutcome; 4] = [
    VolumeOutcome::Moved,
    VolumeOutcome::Moved,
    VolumeOutcome::LeftBehind,
    VolumeOutcome::LeftBehind,
];

const HOME: [VolumeOutcome; 4] = [
    VolumeOutcome::Moved,
    VolumeOutcome::Moved,
    VolumeOutcome::Restored,
    VolumeOutcome::Restored,
];

#[tokio::test]
async fn a_planned_one_says_that_nothing_is_lost() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    let told = world.checked(None).await;
    assert_eq!((told.from.as_str(), told.to.as_str()), (A, B));
    assert_eq!((told.mode, &told.refused), (PromoteMode::Planned, &None));
    assert_eq!(outcomes(&told, &given), AWAY);
    let free = by_volume(&told)[&given.free];
    assert_eq!((free.seconds_lost, free.bytes_lost), (Some(0.0), Some(0)));
    given.is_home(&world, "after a check").await;
    assert!(!world.wire.saw(A, "demote") && !world.wire.saw(B, "promote"));

    world.failed_over(B).await;
    let report = world.reported().await;
    assert_eq!(report.mode, PromoteMode::Planned);
    assert_eq!(outcomes(&report, &given), AWAY);
    let free = by_volume(&report)[&given.free];
    assert_eq!((free.seconds_lost, free.bytes_lost), (Some(0.0), Some(0)));
    assert!(free.position.is_some(), "where the first site gave way");
    assert!(free.duration_seconds <= report.duration_seconds);
    assert!(free.duration_seconds.is_some());

    let told = world.checked(Some("default")).await;
    assert_eq!(outcomes(&told, &given), HOME);
    given.is_away(&world, "after a check").await;
    world.failed_over("default").await;
    assert_eq!(outcomes(&world.reported().await, &given), HOME);
    given.is_home(&world, "home").await;
}

#[tokio::test]
async fn a_forced_one_says_what_is_lost() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    let lacking = given.used.image_id();
    world.site(B, |site| {
        site.loss = Some(LOSS);
        site.inconsistent.insert(lacking);
    });
    world.set_up(A, false);
    let told = world.checked(Some(B)).await;
    world.failed_over(B).await;
    let report = world.reported().await;
    for report in [told, report] {
        assert_eq!(report.mode, PromoteMode::Forced);
        let volumes = by_volume(&report);
        let free = volumes[&given.free];
        assert_eq!(free.outcome, VolumeOutcome::Moved);
        assert_eq!(free.seconds_lost, Some(2.5));
        assert_eq!(free.bytes_lost, Some(8192));
        assert!(free.position.is_some());
        let used = volumes[&given.used];
        assert_eq!(used.outcome, VolumeOutcome::Failed);
        assert_eq!(used.reason, Some(Reason::Inconsistent));
    }
}

#[tokio::test]
async fn a_loss_that_nobody_knows_is_not_said_to_be_none() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.set_up(A, false);
    let told = world.checked(Some(B)).await;
    assert_eq!(by_volume(&told)[&given.free].seconds_lost, None);
    // The other site dies between the question and the promotion, and comes back.
    world
        .wire
        .arm(At::Name(B, "mirror_status", 1), Trouble::HangBefore);
    world.failed_over(B).await;
    let report = world.reported().await;
    let free = by_volume(&report)[&given.free];
    assert_eq!(free.outcome, VolumeOutcome::Moved);
    assert_eq!((free.seconds_lost, free.bytes_lost), (None, None));
}

#[tokio::test]
async fn a_check_says_why_it_would_not_work() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.set_up(B, false);
    let told = world.checked(Some(B)).await;
    assert!(told.refused.unwrap().contains(B));
    world.set_up(B, true);
    world.failed_over(B).await;
    world.set_up(B, false);
    let told = world.checked(Some("default")).await;
    assert!(told.refused.unwrap().contains(B), "it may have written");
    let told = world.checked(Some(A)).await;
    assert_eq!((told.mode, told.refused), (PromoteMode::Forced, None));
    world.set_up(B, true);
    given.is_away(&world, "after checks").await;
    for (host, to) in [(HOST, "nowhere"), (HOST, B), ("none@none", B), ("", B)] {
        let refused = world.control.check_failover(&admin(), host, Some(to)).await;
        assert!(refused.is_err(), "{host} {to}");
    }
    let refused = world.control.check_failover(&member(), HOST, None).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_report_survives_the_death_of_the_process() {
    let mut world = World::new().await;
    let given = Given::new(&world).await;
    world.site(B, |site| site.loss = Some(LOSS));
    world.set_up(A, false);
    // It is primary by then, and could not say any more what it lacked.
    world
        .wire
        .arm(At::Name(B, "promote", 1), Trouble::HangAfter);
    let asked = world.control.failover(&admin(), HOST, Some(B)).await;
    asked.unwrap();
    world.struck().await;
    world.kill().await;
    world.restart().await;
    world.moved().await;
    let report = world.reported().await;
    assert_eq!(by_volume(&report)[&given.free].seconds_lost, Some(2.5));
}

//! Sites that are lost, behind, or refuse.

use firebrick_backend::FaultKind;
use firebrick_control::Query;
use firebrick_state::{GroupStatus, MessageDetail, SnapshotStatus};
use firebrick_vocabulary::GroupId;

use super::{refused, to, within, world};
use crate::common::{A, At, B, Trouble, World, admin, member, mirrored};

impl World {
    /// Why it failed, as the newest message about the group says.
    async fn said_of(&self, group: GroupId) -> Option<u32> {
        let found = self.control.messages(&member(), Query::default()).await;
        let found = found.unwrap().into_iter();
        let mut of_group = found.filter(|it| it.resource == Some(group.0));
        of_group.next().map(|message| message.detail)
    }

    async fn failed_for(&self, group: GroupId, detail: MessageDetail) {
        let said = self.said_of(group).await;
        assert_eq!(said, Some(u32::from(detail.number())));
    }
}

#[tokio::test]
async fn a_lost_site_is_left_by_force_and_comes_back() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    let attachment = world.attached(one).await;
    let snapshot = world.snapped(other).await;
    world.set_up(A, false);
    world.sent(group, to(B)).await.unwrap();
    assert_eq!(world.replication(group).await.0, "failed-over");
    let row = world.attachment(attachment).await.unwrap();
    assert!(row.connection_info.unwrap().to_string().contains(B));
    let control = &world.control;
    control
        .extend_volume(&member(), other, 5, false)
        .await
        .unwrap();
    world.settled(other.0).await;
    assert_eq!(world.volume(other).await.unwrap().size, 5);
    world.set_up(A, true);
    world.one_primary();
    world.sent(group, to("default")).await.unwrap();
    assert_eq!(world.replication(group).await, ("enabled", None));
    world.is_at(A, one);
    world.is_at(A, other);
    let status = world.snapshot(snapshot).await.unwrap().status;
    assert_eq!(status, SnapshotStatus::Available);
    world.consistent("home").await;
    world.one_primary();
}

/// The other site is gone, and what it wrote last is given up by whoever names the first one.
#[tokio::test]
async fn coming_back_needs_both_sites_but_by_its_name() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    world.sent(group, to(B)).await.unwrap();
    world.set_up(B, false);
    world.sent(group, to("default")).await.unwrap();
    let there = Some(B.to_owned());
    assert_eq!(world.replication(group).await, ("failed-over", there));
    assert_eq!(
        world.group_status(group).await,
        Some(GroupStatus::Available)
    );
    assert_eq!(world.statuses(one).await, ("available", "failed-over"));
    world
        .failed_for(group, MessageDetail::SiteUnreachable)
        .await;

    world.sent(group, to(A)).await.unwrap();
    assert_eq!(world.replication(group).await, ("enabled", None));
    world.set_up(B, true);
    world.is_at(A, one);
    world.is_at(A, other);
    world.consistent("home").await;
}

#[tokio::test]
async fn a_site_that_is_behind_takes_nothing_over() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    world.set_linked(false);
    world.sent(group, to(B)).await.unwrap();
    assert_eq!(world.replication(group).await, ("enabled", None));
    assert_eq!(
        world.role(A, one),
        Some(firebrick_vocabulary::Role::Primary)
    );
    world.failed_for(group, MessageDetail::NotCaughtUp).await;
    // One whose copy has not even begun stops nobody.
    let new = world.made(within(group, mirrored(1))).await;
    world.wire.arm(At::Index(usize::MAX), Trouble::HangBefore);
    world.sent(group, to(B)).await.unwrap();
    assert!(!world.wire.saw(A, "demote"));
    assert_eq!(world.replication(group).await, ("enabled", None));
    world.set_linked(true);
    world.sent(group, to(B)).await.unwrap();
    for volume in [one, other, new] {
        world.is_at(B, volume);
    }
    // Nor does it come home while that is behind.
    world.set_linked(false);
    world.sent(group, to("default")).await.unwrap();
    assert_eq!(world.replication(group).await.0, "failed-over");
    world.set_linked(true);
    world.consistent("away").await;
}

/// A copy turns out to be bad at the last moment: all of them stay.
#[tokio::test]
async fn all_of_them_go_or_none() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    let bad = other.image_id();
    world.site(B, |site| site.inconsistent.insert(bad));
    world.sent(group, to(B)).await.unwrap();
    assert!(world.wire.saw(B, "promote"));
    assert_eq!(world.replication(group).await, ("enabled", None));
    world.failed_for(group, MessageDetail::NotCaughtUp).await;
    for volume in [one, other] {
        world.is_at(A, volume);
        assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    }
    world.consistent("at home").await;
    world.site(B, |site| site.inconsistent.remove(&bad));
    world.sent(group, to(B)).await.unwrap();
    world.consistent("away").await;
}

/// The site that has all of them is lost: what is left is saved, and the rest waits for an operator.
#[tokio::test]
async fn what_is_lost_is_an_error_with_a_way_out() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    let snapshot = world.snapped(other).await;
    let bad = other.image_id();
    world.site(B, |site| site.inconsistent.insert(bad));
    world.set_up(A, false);
    world.sent(group, to(B)).await.unwrap();
    let there = Some(B.to_owned());
    assert_eq!(world.replication(group).await, ("error", there));
    assert_eq!(world.group_status(group).await, Some(GroupStatus::Error));
    assert_eq!(world.statuses(one).await, ("available", "error"));
    assert_eq!(world.statuses(other).await, ("error", "error"));
    let lost = world.snapshot(snapshot).await.unwrap().status;
    assert_eq!(lost, SnapshotStatus::Error);
    world.failed_for(group, MessageDetail::NotCaughtUp).await;
    let (_, text) = refused(world.sent(group, to("default")).await);
    assert!(text.contains("status must be ['available']"), "{text}");
    // What was saved is of use.
    let control = &world.control;
    control
        .extend_volume(&member(), one, 2, false)
        .await
        .unwrap();
    world.settled(one.0).await;
    assert_eq!(world.statuses(one).await.0, "available");

    world.set_up(A, true);
    world.failed_over(B).await;
    world.failed_over("default").await;
    assert_eq!(world.replication(group).await, ("error", None));
    for volume in [one, other] {
        assert_eq!(world.statuses(volume).await, ("available", "enabled"));
        world.is_at(A, volume);
    }
    let back = world.snapshot(snapshot).await.unwrap().status;
    assert_eq!(back, SnapshotStatus::Available);
    world.disabled(group).await;
    let who = admin();
    let reset = control.reset_group_status(&who, group, "available");
    reset.await.unwrap();
    world.enabled(group).await;
    assert_eq!(world.replication(group).await, ("enabled", None));
    world.consistent("all is well").await;
}

#[tokio::test]
async fn what_could_not_be_turned_on_can_be_turned_off() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    world.disabled(group).await;
    let refuse = Trouble::Refuse(FaultKind::Io);
    world.wire.arm(At::Name(A, "set_mirroring", 1), refuse);
    world.enabled(group).await;
    assert_eq!(world.replication(group).await, ("error", None));
    assert_eq!(
        world.group_status(group).await,
        Some(GroupStatus::Available)
    );
    for id in [one, other] {
        assert_eq!(world.statuses(id).await, ("available", "error"));
    }
    world.failed_for(group, MessageDetail::UnknownError).await;
    world.disabled(group).await;
    world.consistent("off").await;
    world.enabled(group).await;
    assert_eq!(world.replication(group).await, ("enabled", None));
    world.consistent("on").await;
}

/// A site that does not answer for a moment is asked again.
#[tokio::test]
async fn lost_answers_lose_nothing() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    let lost = Trouble::LoseAnswer(FaultKind::Unreachable);
    for (site, call, target) in [(B, "promote", B), (A, "promote", "default")] {
        world.wire.arm(At::Name(site, call, 1), lost);
        world.sent(group, to(target)).await.unwrap();
        let there = if target == B { B } else { A };
        world.is_at(there, one);
        world.is_at(there, other);
        world.consistent(target).await;
    }
    world.wire.arm(At::Name(A, "set_mirroring", 1), lost);
    world.disabled(group).await;
    assert_eq!(world.replication(group).await, ("disabled", None));
    world.consistent("off").await;
}

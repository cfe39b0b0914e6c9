//! One volume moves to another site on its own.

use firebrick_backend::{Loss, PromoteMode, Reason};
use firebrick_control::{
    Control, ErrorKind, FailoverReport, FailoverVolume, RelationState, VolumeOutcome,
};
use firebrick_db::{activities, now};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::{ActivityId, Bytes, Role, VolumeId};
use time::OffsetDateTime;

use crate::common::{
    A, At, B, Trouble, World, admin, attach_to, member, member_of, mirrored, sized,
};

fn to(target: &str) -> FailoverVolume {
    FailoverVolume {
        target: target.to_owned(),
        ..FailoverVolume::default()
    }
}

impl World {
    /// The volume goes there, or stays.
    async fn sent_alone(&self, volume: VolumeId, target: &str) {
        let asked = self
            .control
            .failover_volume(&admin(), volume, &to(target))
            .await;
        asked.unwrap();
        self.settled(volume.0).await;
    }

    async fn lives(&self, volume: VolumeId) -> Option<String> {
        self.volume(volume).await.unwrap().site
    }

    /// Whether its image can be written there.
    fn is_primary(&self, volume: VolumeId, site: &str) -> bool {
        let id = volume.image_id();
        self.site(site, |site| {
            site.images
                .get(&id)
                .is_some_and(|it| it.role == Role::Primary)
        })
    }

    async fn begun(&self, volume: VolumeId, request: &FailoverVolume) -> ActivityId {
        let who = admin();
        let asked = self.control.failover_volume(&who, volume, request);
        asked.await.unwrap()
    }

    /// What its activity says that it did.
    pub(crate) async fn report_of(&self, id: ActivityId) -> FailoverReport {
        let connection = &mut *self.db.read().await.unwrap();
        let found = activities::get(connection, id).await.unwrap().unwrap();
        FailoverReport::of(&found).unwrap()
    }

    async fn foretold(&self, volume: VolumeId, target: &str) -> FailoverReport {
        let told = self
            .control
            .check_volume_failover(&member(), volume, &to(target))
            .await;
        told.unwrap()
    }
}

#[tokio::test]
async fn it_moves_alone_and_comes_back() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let other = world.made(mirrored(1)).await;
    let attachment = world.attached(volume).await;
    world.sent_alone(volume, B).await;
    assert_eq!(world.lives(volume).await.as_deref(), Some(B));
    assert_eq!(world.statuses(volume).await, ("in-use", "failed-over"));
    assert_eq!(world.statuses(other).await, ("available", "enabled"));
    assert!(world.is_primary(volume, B) && world.is_primary(other, A));
    world.one_primary();
    let info = world.attachment(attachment).await.unwrap().connection_info;
    assert!(info.unwrap().to_string().contains(B), "where it is now");
    assert_eq!(world.service().await.active_backend_id, None);
    // Life goes on there.
    world
        .control
        .extend_volume(&member(), volume, 3, true)
        .await
        .unwrap();
    world.settled(volume.0).await;
    assert_eq!(world.statuses(volume).await, ("in-use", "failed-over"));
    world.snapped(volume).await;
    let fresh = world.made(mirrored(1)).await;
    assert!(world.is_primary(fresh, A));

    world.sent_alone(volume, "default").await;
    assert_eq!(world.lives(volume).await, None);
    assert_eq!(world.statuses(volume).await, ("in-use", "enabled"));
    assert!(world.is_primary(volume, A));
    world.one_primary();
}

#[tokio::test]
async fn it_goes_without_a_lost_site_and_says_what_that_loses() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let told = world.foretold(volume, B).await;
    assert_eq!((told.mode, told.refused), (PromoteMode::Planned, None));
    assert_eq!(told.volumes[0].seconds_lost, Some(0.0));
    world.site(B, |site| {
        site.loss = Some(Loss {
            seconds: 3.0,
            bytes: Bytes(4096),
            as_of: 0.0,
        });
    });
    world.set_up(A, false);
    let told = world.foretold(volume, B).await;
    assert_eq!(told.mode, PromoteMode::Forced);
    assert_eq!(told.volumes[0].outcome, VolumeOutcome::Moved);
    assert_eq!(told.volumes[0].seconds_lost, Some(3.0));
    world.sent_alone(volume, B).await;
    assert_eq!(world.statuses(volume).await, ("available", "failed-over"));
    // Going back needs both.
    let told = world.foretold(volume, "default").await;
    assert!(told.refused.is_some());
    world.sent_alone(volume, "default").await;
    assert_eq!(world.lives(volume).await.as_deref(), Some(B));
    assert_eq!(world.statuses(volume).await, ("available", "failed-over"));
    world.set_up(A, true);
    world.sent_alone(volume, "default").await;
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    world.one_primary();
}

#[tokio::test]
async fn by_force_it_goes_though_the_other_site_answers() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    world.set_linked(false);
    world.sent_alone(volume, B).await;
    assert_eq!(world.lives(volume).await, None, "it cannot catch up");
    assert!(world.is_primary(volume, A));
    let asked = FailoverVolume {
        force: true,
        ..to(B)
    };
    world
        .control
        .failover_volume(&admin(), volume, &asked)
        .await
        .unwrap();
    world.settled(volume.0).await;
    assert_eq!(world.lives(volume).await.as_deref(), Some(B));
    assert!(world.is_primary(volume, B));
    world.set_linked(true);
    world.sent_alone(volume, "default").await;
    assert_eq!(world.lives(volume).await, None);
    world.one_primary();
}

#[tokio::test]
async fn by_force_it_comes_home_from_a_lost_site() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    world.sent_alone(volume, B).await;
    world.set_up(B, false);
    let asked = FailoverVolume {
        force: true,
        ..to("default")
    };
    let told = world
        .control
        .check_volume_failover(&member(), volume, &asked)
        .await
        .unwrap();
    assert_eq!((told.mode, told.refused), (PromoteMode::Forced, None));
    let begun = world
        .control
        .failover_volume(&admin(), volume, &asked)
        .await;
    begun.unwrap();
    world.settled(volume.0).await;
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    assert!(world.is_primary(volume, A));
}

#[tokio::test]
async fn what_the_other_site_lacks_stays_where_it_is() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let image = volume.image_id();
    world.site(B, |site| {
        site.inconsistent.insert(image);
    });
    world.set_up(A, false);
    let told = world.foretold(volume, B).await;
    assert!(told.refused.unwrap().contains("no complete copy"));
    assert_eq!(told.volumes[0].outcome, VolumeOutcome::Failed);
    assert_eq!(told.volumes[0].reason, Some(Reason::Inconsistent));
    world.sent_alone(volume, B).await;
    assert_eq!(world.lives(volume).await, None);
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    world.set_up(A, true);
    assert!(world.is_primary(volume, A));
    world.site(B, |site| site.inconsistent.clear());
    world.sent_alone(volume, B).await;
    assert_eq!(world.statuses(volume).await, ("available", "failed-over"));
    world.one_primary();
}

#[tokio::test]
async fn a_report_says_what_it_lost() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let asked = to(B);
    let begun = world.begun(volume, &asked).await;
    world.settled(volume.0).await;
    let report = world.report_of(begun).await;
    assert_eq!((report.from.as_str(), report.to.as_str()), (A, B));
    assert_eq!(report.mode, PromoteMode::Planned);
    let [told] = report.volumes.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(
        (told.volume_id, told.outcome),
        (volume, VolumeOutcome::Moved)
    );
    assert_eq!((told.seconds_lost, told.bytes_lost), (Some(0.0), Some(0)));
    assert!(told.position.is_some(), "where the first site gave way");
    assert!(told.duration_seconds.is_some());
    assert!(told.duration_seconds <= report.duration_seconds);

    world.site(A, |site| {
        site.loss = Some(Loss {
            seconds: 2.0,
            bytes: Bytes(8192),
            as_of: 0.0,
        });
    });
    world.set_up(B, false);
    let asked = FailoverVolume {
        force: true,
        ..to("default")
    };
    let begun = world.begun(volume, &asked).await;
    world.settled(volume.0).await;
    let report = world.report_of(begun).await;
    assert_eq!((report.from.as_str(), report.to.as_str()), (B, A));
    assert_eq!(report.mode, PromoteMode::Forced);
    assert_eq!(report.volumes[0].seconds_lost, Some(2.0));
    assert_eq!(report.volumes[0].bytes_lost, Some(8192));
}

#[tokio::test]
async fn its_backend_moves_past_it() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let other = world.made(mirrored(1)).await;
    world.sent_alone(volume, B).await;
    world.failed_over(B).await;
    assert_eq!(world.lives(volume).await, None, "it lives with its backend");
    for id in [volume, other] {
        assert_eq!(world.statuses(id).await, ("available", "failed-over"));
        assert!(world.is_primary(id, B));
    }
    // Home before its backend is.
    world.sent_alone(volume, "default").await;
    assert_eq!(world.lives(volume).await.as_deref(), Some("default"));
    assert!(world.is_primary(volume, A) && world.is_primary(other, B));
    world.failed_over("default").await;
    assert_eq!(world.lives(volume).await, None);
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    world.one_primary();
    world.emptied("both are home").await;
}

#[tokio::test]
async fn what_cannot_go_alone_is_refused() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let plain = world.made(sized(1)).await;
    let stranger = member_of("fedcba9876543210fedcba9876543210");
    for (context, id, target, kind) in [
        (admin(), volume, "nowhere", ErrorKind::Invalid),
        (admin(), volume, "default", ErrorKind::Invalid),
        (admin(), plain, B, ErrorKind::Invalid),
        (member(), volume, B, ErrorKind::Forbidden),
        (stranger, volume, B, ErrorKind::NotFound),
    ] {
        let refused = world
            .control
            .failover_volume(&context, id, &to(target))
            .await;
        assert_eq!(refused.unwrap_err().kind, kind, "{target}");
    }
    world
        .wire
        .arm(At::Name(B, "promote", 1), Trouble::HangBeforeRelease);
    let asked = world
        .control
        .failover_volume(&admin(), volume, &to(B))
        .await;
    asked.unwrap();
    world.struck().await;
    let second = world
        .control
        .failover_volume(&admin(), volume, &to(B))
        .await;
    assert_eq!(
        second.unwrap_err().kind,
        ErrorKind::Invalid,
        "one at a time"
    );
    let state = world.control.replication(&member(), volume, B).await;
    assert_eq!(state.unwrap().state, RelationState::FailingOver);
    // Who wants the volume meanwhile waits.
    let control: Control = world.handle();
    let waits = tokio::spawn(async move {
        let request = attach_to(volume, true);
        control.create_attachment(&member(), request).await
    });
    world.wire.release();
    world.settled(volume.0).await;
    waits.await.unwrap().unwrap();
    assert_eq!(world.lives(volume).await.as_deref(), Some(B));
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Attaching));
}

/// The process dies at each call of a move.
#[tokio::test]
async fn it_arrives_or_stays_whatever_call_the_process_dies_at() {
    for trouble in [Trouble::HangBefore, Trouble::HangAfter] {
        for index in 0.. {
            let mut world = World::new().await;
            let volume = world.made(mirrored(1)).await;
            world.wire.arm(At::Index(index), trouble);
            let asked = world
                .control
                .failover_volume(&admin(), volume, &to(B))
                .await;
            asked.unwrap();
            let ended = || async { world.wire.struck() > 0 || world.rests(volume.0).await };
            crate::common::until("the move hangs or ends", ended).await;
            let struck = world.wire.struck() > 0;
            world.kill().await;
            world.restart().await;
            world.settled(volume.0).await;
            let when = format!("{trouble:?} at {index}");
            assert_eq!(world.lives(volume).await.as_deref(), Some(B), "{when}");
            assert_eq!(
                world.statuses(volume).await,
                ("available", "failed-over"),
                "{when}"
            );
            assert!(world.is_primary(volume, B), "{when}");
            world.one_primary();
            if !struck {
                assert!(index > 3, "{when}");
                break;
            }
            assert!(index < 30, "{when}");
        }
    }
}

/// What is in the first block of its image there.
fn first_block(world: &World, site: &str, volume: VolumeId) -> Option<u8> {
    let id = volume.image_id();
    world.site(site, |site| {
        let block = site.images[&id].blocks.get(&0)?;
        block.first().copied()
    })
}

impl World {
    /// A volume whose first block is of eights, and of which the other site remembers sevens.
    async fn changed(&self) -> VolumeId {
        let volume = self.made(mirrored(1)).await;
        let id = volume.image_id();
        let block = |byte: u8| [(0, vec![byte; 4096])].into();
        self.site(A, |site| {
            site.images.get_mut(&id).unwrap().blocks = block(8);
        });
        self.site(B, |site| site.past.insert(id, block(7)));
        volume
    }
}

fn as_of(at: OffsetDateTime) -> FailoverVolume {
    FailoverVolume {
        at: Some(at),
        ..to(B)
    }
}

#[tokio::test]
async fn it_goes_as_it_was_at_a_time() {
    let world = World::new().await;
    let volume = world.changed().await;
    let attachment = world.attached(volume).await;
    let asked = as_of(now());
    let begun = world.begun(volume, &asked).await;
    world.settled(volume.0).await;
    assert_eq!(world.statuses(volume).await, ("in-use", "failed-over"));
    assert!(world.is_primary(volume, B));
    assert_eq!(first_block(&world, B, volume), Some(7), "what was kept");
    let info = world.attachment(attachment).await.unwrap().connection_info;
    assert!(info.unwrap().to_string().contains(B), "where it is now");
    assert_eq!(world.report_of(begun).await.volumes.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_had_any_more_is_said_before_it_goes() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let tomorrow = as_of(now() + time::Duration::days(1));
    let who = admin();
    let refused = world.control.failover_volume(&who, volume, &tomorrow);
    assert_eq!(refused.await.unwrap_err().kind, ErrorKind::Invalid);
    // The site keeps nothing of it.
    let asked = as_of(now());
    world.begun(volume, &asked).await;
    world.settled(volume.0).await;
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    assert!(world.is_primary(volume, A));
    assert!(!world.wire.saw(A, "demote"), "nobody was stopped for it");
    world.one_primary();
}

/// The process dies at each call.
#[tokio::test]
async fn it_goes_as_it_was_whatever_call_the_process_dies_at() {
    for trouble in [Trouble::HangBefore, Trouble::HangAfter] {
        for index in 0.. {
            let mut world = World::new().await;
            let volume = world.changed().await;
            world.attached(volume).await;
            world.wire.arm(At::Index(index), trouble);
            let asked = as_of(now());
            world.begun(volume, &asked).await;
            let ended = || async { world.wire.struck() > 0 || world.rests(volume.0).await };
            crate::common::until("the move hangs or ends", ended).await;
            let struck = world.wire.struck() > 0;
            world.kill().await;
            world.restart().await;
            world.settled(volume.0).await;
            let when = format!("{trouble:?} at {index}");
            let statuses = world.statuses(volume).await;
            assert_eq!(statuses, ("in-use", "failed-over"), "{when}");
            assert_eq!(first_block(&world, B, volume), Some(7), "{when}");
            if !struck {
                assert!(index > 3, "{when}");
                break;
            }
            assert!(index < 30, "{when}");
        }
    }
}

/// A site without states between snapshots says so before anything moves.
#[tokio::test]
async fn no_time_is_asked_of_a_site_that_keeps_none() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    world.site(B, |site| site.forgets = true);
    let (who, asked) = (admin(), as_of(now()));
    let asked = world.control.failover_volume(&who, volume, &asked);
    let refused = asked.await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains(B), "{refused}");
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    assert!(world.is_primary(volume, A));
}

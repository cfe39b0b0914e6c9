//! Changes of replication survive the death of the process, whichever call it was at.

use firebrick_vocabulary::{GroupId, Role, VolumeId};

use super::{to, world};
use crate::common::{A, At, B, Trouble, World, member, until};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Case {
    Away,
    /// The site that is left dies together with the process.
    AwayThenLost,
    Disaster,
    Home,
    Enable,
    Disable,
}

impl Case {
    async fn prepare(self, world: &World, group: GroupId) {
        match self {
            Self::Away | Self::AwayThenLost | Self::Disable => {}
            Self::Disaster => world.set_up(A, false),
            Self::Home => world.sent(group, to(B)).await.unwrap(),
            Self::Enable => world.disabled(group).await,
        }
    }

    async fn ask(self, world: &World, group: GroupId) {
        let (control, context) = (&world.control, member());
        let asked = match self {
            Self::Away | Self::AwayThenLost | Self::Disaster => {
                control.failover_group(&context, group, to(B)).await
            }
            Self::Home => control.failover_group(&context, group, to("default")).await,
            Self::Enable => control.enable_group_replication(&context, group).await,
            Self::Disable => control.disable_group_replication(&context, group).await,
        };
        asked.unwrap();
    }

    async fn check(self, world: &World, group: GroupId, volumes: [VolumeId; 2], when: &str) {
        let (status, site) = world.replication(group).await;
        match self {
            Self::Away | Self::AwayThenLost | Self::Disaster => {
                assert_eq!(
                    (status, site.as_deref()),
                    ("failed-over", Some(B)),
                    "{when}"
                );
            }
            Self::Home | Self::Enable => assert_eq!((status, site), ("enabled", None), "{when}"),
            Self::Disable => assert_eq!((status, site), ("disabled", None), "{when}"),
        }
        for site in [A, B] {
            world.set_up(site, true);
        }
        for volume in volumes {
            assert_eq!(
                world.statuses(volume).await,
                ("available", status),
                "{when}"
            );
            match self {
                Self::Away | Self::AwayThenLost | Self::Disaster => world.is_at(B, volume),
                Self::Home | Self::Enable => world.is_at(A, volume),
                Self::Disable => {
                    assert_eq!(world.role(A, volume), Some(Role::Primary), "{when}");
                    assert_eq!(world.role(B, volume), None, "{when}");
                }
            }
        }
        world.consistent(when).await;
    }
}

async fn killed_at(case: Case, index: usize, trouble: Trouble) -> bool {
    let mut world = world().await;
    let (group, volumes) = world.replicated().await;
    case.prepare(&world, group).await;
    world.wire.arm(At::Index(index), trouble);
    case.ask(&world, group).await;
    let ended = || async { world.wire.struck() > 0 || world.rests(group.0).await };
    until("it hangs or ends", ended).await;
    let struck = world.wire.struck() > 0;
    let calls = world.wire.calls();
    let when = format!("{case:?} killed at {index}, {trouble:?}: {calls:?}");
    world.kill().await;
    if case == Case::AwayThenLost {
        world.set_up(A, false);
    }
    world.restart().await;
    world.settled(group.0).await;
    case.check(&world, group, volumes, &when).await;
    world.one_primary();
    struck
}

async fn killed_anywhere(case: Case) {
    for trouble in [Trouble::HangBefore, Trouble::HangAfter] {
        let mut index = 0;
        while killed_at(case, index, trouble).await {
            index += 1;
            assert!(index < 30, "{case:?} does not end");
        }
        assert!(index > 1, "{case:?} asks hardly anybody");
    }
}

macro_rules! killed {
    ($($name:ident: $case:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            killed_anywhere(Case::$case).await;
        }
    )*};
}

killed! {
    a_group_that_goes: Away,
    a_group_whose_site_is_lost_on_the_way: AwayThenLost,
    a_group_whose_site_was_lost: Disaster,
    a_group_that_comes_home: Home,
    a_group_that_begins_to_replicate: Enable,
    a_group_that_replicates_no_more: Disable,
}

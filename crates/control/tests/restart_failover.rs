//! A move survives the death of the process, whichever call it was at.

use crate::common::{A, At, B, HOST, Trouble, World, admin, until};
use crate::failover::Given;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Case {
    Planned,
    /// The old site dies together with the process.
    PlannedThenLost,
    Disaster,
    /// The old site returns before the process does.
    DisasterThenBack,
    Home,
    /// The site that is left dies together with the process.
    HomeThenLost,
}

async fn killed_at(case: Case, index: usize, trouble: Trouble) -> bool {
    let mut world = World::new().await;
    let given = Given::new(&world).await;
    let home = matches!(case, Case::Home | Case::HomeThenLost);
    if home {
        world.failed_over(B).await;
    }
    if matches!(case, Case::Disaster | Case::DisasterThenBack) {
        world.set_up(A, false);
    }
    world.wire.arm(At::Index(index), trouble);
    let to = if home { "default" } else { B };
    world
        .control
        .failover(&admin(), HOST, Some(to))
        .await
        .unwrap();
    let ended = || async { world.wire.struck() > 0 || world.all_rest().await };
    until("the move hangs or ends", ended).await;
    let struck = world.wire.struck() > 0;
    let when = format!(
        "{case:?} killed at {index}, {trouble:?}: {:?}",
        world.wire.calls()
    );
    world.kill().await;
    match case {
        Case::Planned | Case::Disaster | Case::Home => {}
        Case::PlannedThenLost => world.set_up(A, false),
        Case::DisasterThenBack => world.set_up(A, true),
        Case::HomeThenLost => world.set_up(B, false),
    }
    world.restart().await;
    let service = world.moved().await;
    match case {
        Case::Planned | Case::PlannedThenLost | Case::Disaster | Case::DisasterThenBack => {
            given.is_away(&world, &when).await;
        }
        Case::Home => given.is_home(&world, &when).await,
        Case::HomeThenLost => {
            world.set_up(B, true);
            world.restart().await;
            world.healed().await;
            match service.active_backend_id {
                None => given.is_home(&world, &when).await,
                Some(_) => given.is_away(&world, &when).await,
            }
        }
    }
    for site in [A, B] {
        world.set_up(site, true);
    }
    world.one_primary();
    // The way home is the same each time.
    if index.is_multiple_of(4) {
        if world.service().await.active_backend_id.is_some() {
            world.failed_over("default").await;
        }
        given.is_home(&world, &format!("home, {when}")).await;
        world.emptied(&when).await;
    }
    struck
}

async fn killed_anywhere(case: Case) {
    for trouble in [Trouble::HangBefore, Trouble::HangAfter] {
        let mut index = 0;
        while killed_at(case, index, trouble).await {
            index += 1;
            assert!(index < 30, "{case:?} does not end");
        }
        assert!(index > 3, "{case:?} asks hardly anybody");
    }
}

/// A site that died while it was asked to give way, and for which the others went on, is not asked
/// again when it returns, cut off, before the process does.
#[tokio::test]
async fn a_site_that_was_given_up_stays_so() {
    let mut world = World::new().await;
    let given = Given::new(&world).await;
    let wait = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(A, "demote", 1), wait);
    let to = Some(B);
    world.control.failover(&admin(), HOST, to).await.unwrap();
    world.struck().await;
    world.set_up(A, false);
    world
        .wire
        .arm(At::Name(B, "promote", 1), Trouble::HangAfter);
    world.wire.release();
    world.struck().await;
    world.kill().await;
    world.set_linked(false);
    world.set_up(A, true);
    world.restart().await;
    world.moved().await;
    given.is_away(&world, "given up").await;
    world.set_linked(true);
    world.one_primary();
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
    a_planned_move: Planned,
    a_planned_move_whose_old_site_is_lost: PlannedThenLost,
    a_disaster: Disaster,
    a_disaster_whose_old_site_returns: DisasterThenBack,
    going_home: Home,
    going_home_from_a_site_that_is_lost: HomeThenLost,
}

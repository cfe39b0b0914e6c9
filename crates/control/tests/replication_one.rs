//! The replication of one volume is turned on and off, and drilled.

use std::collections::BTreeMap;

use firebrick_control::{
    Context, DeleteVolume, ErrorKind, MigrationPolicy, Relation, Result, RetypeVolume,
};
use firebrick_db::now;
use firebrick_policy::Rule;
use firebrick_vocabulary::{Role, VolumeId};

use crate::common::{
    A, At, B, HOST, MIRRORED, Trouble, World, admin, member, member_of, mirrored, sized, until,
};

const STRANGER: &str = "fedcba9876543210fedcba9876543210";

impl World {
    async fn turned(&self, volume: VolumeId, on: bool) -> Result<()> {
        let (control, who) = (self.handle(), admin());
        if on {
            control.enable_replication(&who, volume, B).await?;
        } else {
            control.disable_replication(&who, volume, B).await?;
        }
        self.settled(volume.0).await;
        Ok(())
    }

    fn has(&self, site: &str, volume: VolumeId) -> Option<Role> {
        let id = volume.image_id();
        self.site(site, |it| it.images.get(&id).map(|image| image.role))
    }

    async fn drilled(&self, who: &Context, volume: VolumeId) -> Result<Relation> {
        self.control.begin_drill(who, volume, B, None).await
    }

    fn drills(&self, site: &str) -> usize {
        self.site(site, |it| it.drills.len())
    }

    async fn related(&self, volume: VolumeId) -> Result<Relation> {
        self.control.replication(&member(), volume, B).await
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

#[tokio::test]
async fn a_volume_of_any_type_is_replicated_and_is_not_any_more() {
    let world = World::new().await;
    let volume = world.made(sized(1)).await;
    assert_eq!(kind(world.related(volume).await), ErrorKind::NotFound);
    world.turned(volume, true).await.unwrap();
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    assert_eq!(world.has(B, volume), Some(Role::Secondary));
    assert_eq!(world.related(volume).await.unwrap().target, B);
    // It goes along, and comes back.
    world.failed_over(B).await;
    assert_eq!(world.statuses(volume).await, ("available", "failed-over"));
    let refused = world.turned(volume, false).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("failed-over"), "{refused}");
    world.failed_over("default").await;
    world.turned(volume, false).await.unwrap();
    assert_eq!(world.statuses(volume).await, ("available", "disabled"));
    assert_eq!(world.has(B, volume), None, "the copy is gone");
    assert_eq!(world.has(A, volume), Some(Role::Primary));
    world.one_primary();
}

#[tokio::test]
async fn a_type_that_replicates_turns_it_on_again() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    world.turned(volume, false).await.unwrap();
    assert_eq!(world.statuses(volume).await, ("available", "disabled"));
    let plain = world.made(sized(1)).await;
    let request = RetypeVolume {
        new_type: MIRRORED.to_owned(),
        policy: MigrationPolicy::Never,
    };
    let retyped = world.control.retype_volume(&member(), plain, request).await;
    retyped.unwrap();
    world.settled(plain.0).await;
    assert_eq!(world.statuses(plain).await, ("available", "enabled"));
    world.turned(volume, true).await.unwrap();
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
}

#[tokio::test]
async fn what_cannot_be_turned_is_refused() {
    let world = World::new().await;
    let (volume, plain) = (world.made(mirrored(1)).await, world.made(sized(1)).await);
    let control = world.handle();
    for (on, id) in [(true, volume), (false, plain)] {
        let refused = world.turned(id, on).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    }
    let asked = control.enable_replication(&admin(), plain, "nowhere").await;
    assert_eq!(kind(asked), ErrorKind::NotFound);
    let asked = control.enable_replication(&member(), plain, B).await;
    assert_eq!(kind(asked), ErrorKind::Forbidden);
    let stranger = member_of(STRANGER);
    let asked = control.enable_replication(&stranger, plain, B).await;
    assert_eq!(kind(asked), ErrorKind::NotFound);
    control.freeze(&admin(), HOST).await.unwrap();
    for (on, id) in [(false, volume), (true, plain)] {
        let refused = world.turned(id, on).await.unwrap_err();
        assert!(refused.message.contains("is frozen"), "{refused}");
    }
    control.thaw(&admin(), HOST).await.unwrap();
    world.turned(plain, true).await.unwrap();
}

#[tokio::test]
async fn what_a_site_refuses_is_an_error_and_can_be_asked_again() {
    let world = World::new().await;
    let volume = world.made(sized(1)).await;
    let image = volume.image_id();
    let lost = world.site(A, |site| site.images.remove(&image)).unwrap();
    world.turned(volume, true).await.unwrap();
    assert_eq!(world.statuses(volume).await, ("available", "error"));
    world.site(A, |site| site.images.insert(image, lost));
    world.turned(volume, true).await.unwrap();
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
}

/// The process dies at each call.
#[tokio::test]
async fn it_is_turned_whatever_call_the_process_dies_at() {
    for trouble in [Trouble::HangBefore, Trouble::HangAfter] {
        for index in 0.. {
            let mut world = World::new().await;
            let volume = world.made(sized(1)).await;
            world.wire.arm(At::Index(index), trouble);
            let asked = world.control.enable_replication(&admin(), volume, B).await;
            asked.unwrap();
            let ended = || async { world.wire.struck() > 0 || world.rests(volume.0).await };
            until("it hangs or ends", ended).await;
            let struck = world.wire.struck() > 0;
            world.kill().await;
            world.restart().await;
            world.settled(volume.0).await;
            let when = format!("{trouble:?} at {index}");
            let statuses = world.statuses(volume).await;
            assert_eq!(statuses, ("available", "enabled"), "{when}");
            assert_eq!(world.has(B, volume), Some(Role::Secondary), "{when}");
            if !struck {
                assert!(index > 0, "{when}");
                break;
            }
            assert!(index < 30, "{when}");
        }
    }
}

#[tokio::test]
async fn a_project_drills_its_own_volume() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let begun = world.drilled(&member(), volume).await.unwrap();
    let uri = begun.drill.unwrap().address.unwrap().uri;
    assert!(uri.contains(B), "where the copy is: {uri}");
    assert_eq!((world.drills(A), world.drills(B)), (0, 1));
    let shown = world.related(volume).await.unwrap();
    assert_eq!(shown.drill.unwrap().address.unwrap().uri, uri);
    // Again: the same one.
    world.drilled(&member(), volume).await.unwrap();
    assert_eq!(world.drills(B), 1);
    assert_eq!(world.statuses(volume).await, ("available", "enabled"));
    let control = world.handle();
    control.end_drill(&member(), volume, B).await.unwrap();
    assert_eq!(world.drills(B), 0);
    assert_eq!(world.related(volume).await.unwrap().drill, None);
    let again = control.end_drill(&member(), volume, B).await;
    assert_eq!(kind(again), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_drill_is_as_it_was_at_a_time() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let (control, who) = (world.handle(), member());
    let drilled = async |at| control.begin_drill(&who, volume, B, Some(at)).await;
    let tomorrow = now() + time::Duration::days(1);
    assert_eq!(kind(drilled(tomorrow).await), ErrorKind::Invalid);
    assert_eq!(kind(drilled(now()).await), ErrorKind::Invalid, "not kept");
    assert_eq!(world.drills(B), 0);
    let image = volume.image_id();
    world.site(B, |site| site.past.insert(image, BTreeMap::new()));
    drilled(now()).await.unwrap();
    assert_eq!(world.drills(B), 1);
    let again = kind(drilled(now()).await);
    assert_eq!(again, ErrorKind::Conflict, "there is one");
}

#[tokio::test]
async fn a_drill_ends_wherever_its_volume_is_and_with_it() {
    let world = World::new().await;
    let control = world.handle();
    let volume = world.made(mirrored(1)).await;
    world.drilled(&member(), volume).await.unwrap();
    world.failed_over(B).await;
    // Its site is primary now, and a drill would be at the other one.
    control.end_drill(&member(), volume, B).await.unwrap();
    assert_eq!(world.drills(B), 0);
    world.drilled(&member(), volume).await.unwrap();
    assert_eq!((world.drills(A), world.drills(B)), (1, 0));
    let how = DeleteVolume::default();
    let deleted = control.delete_volume(&member(), volume, how).await;
    deleted.unwrap();
    world.settled(volume.0).await;
    assert_eq!((world.drills(A), world.drills(B)), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_drilled_is_refused() {
    let world = World::new().await;
    let (volume, plain) = (world.made(mirrored(1)).await, world.made(sized(1)).await);
    let asked = world.drilled(&member(), plain).await;
    assert_eq!(kind(asked), ErrorKind::NotFound);
    let asked = world.drilled(&member_of(STRANGER), volume).await;
    assert_eq!(kind(asked), ErrorKind::NotFound);
    let image = volume.image_id();
    world.site(B, |site| {
        site.inconsistent.insert(image);
    });
    let asked = world.drilled(&member(), volume).await;
    assert_eq!(kind(asked), ErrorKind::Unavailable);
    world.set_up(B, false);
    let asked = world.drilled(&member(), volume).await;
    assert_eq!(kind(asked), ErrorKind::Unavailable);
    let asked = world.control.end_drill(&member(), volume, B).await;
    assert_eq!(kind(asked), ErrorKind::Unavailable, "nobody knows");
}

#[test]
fn who_may_do_it_is_said_by_rules_of_their_own() {
    let check = |rule: Rule| rule.default_check();
    let admins = check(Rule::VolumeFailoverHost);
    for rule in [
        Rule::FirebrickReplicationFailover,
        Rule::FirebrickReplicationEnable,
        Rule::FirebrickReplicationDisable,
    ] {
        assert_eq!(check(rule), admins, "{}", rule.name());
    }
    let members = check(Rule::VolumeExtend);
    assert_eq!(check(Rule::FirebrickReplicationDrill), members);
}

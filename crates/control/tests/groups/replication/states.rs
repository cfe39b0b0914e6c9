//! What a group, its type and its volumes must be: Cinder's words for everything else.

use firebrick_control::{CreateType, Error, ErrorKind};
use firebrick_db::{groups, volumes};
use firebrick_state::{GroupOperation, GroupStatus, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{GroupId, VolumeId};

use super::{REPLICATING, of_type, refused, replicating, to, typed, world};
use crate::common::{A, At, B, HOST, MIRRORED, Trouble, World, admin, member, member_of, mirrored};
use crate::groups::{PLAIN, TOGETHER, within};

const OPERATIONS: [(GroupOperation, &str); 3] = [
    (GroupOperation::EnableReplication, "enable"),
    (GroupOperation::DisableReplication, "disable"),
    (GroupOperation::Failover, "failover"),
];

impl World {
    async fn asked(&self, group: GroupId, operation: GroupOperation) -> Result<(), Error> {
        let (control, context) = (&self.control, member());
        match operation {
            GroupOperation::EnableReplication => {
                control.enable_group_replication(&context, group).await
            }
            GroupOperation::DisableReplication => {
                control.disable_group_replication(&context, group).await
            }
            _ => control.failover_group(&context, group, to(B)).await,
        }
    }

    async fn say_group(&self, id: GroupId, status: GroupStatus, replication: ReplicationStatus) {
        let mut tx = self.db.begin().await.unwrap();
        let mut group = groups::get_locked(&mut tx, id).await.unwrap().unwrap();
        group.status = status;
        group.replication_status = replication;
        let swapped = groups::swap(&mut tx, GroupStatus::ALL, &group).await;
        assert!(swapped.unwrap().won());
        tx.commit().await.unwrap();
    }

    async fn say_volume(&self, id: VolumeId, status: VolumeStatus, replication: ReplicationStatus) {
        let mut tx = self.db.begin().await.unwrap();
        let mut volume = volumes::get_locked(&mut tx, id).await.unwrap().unwrap();
        volume.status = status;
        volume.replication_status = Some(replication);
        let swapped = volumes::swap(&mut tx, VolumeStatus::ALL, &volume).await;
        assert!(swapped.unwrap().won());
        tx.commit().await.unwrap();
    }
}

fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(|one| format!("'{one}'")).collect();
    format!("[{}]", all.join(", "))
}

/// All statuses of group and volume with each operation: only those of the table may begin it. Nothing of
/// what is refused changes anything.
#[tokio::test]
async fn it_begins_in_cinders_statuses_and_no_others() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    world.wire.arm(At::Index(usize::MAX), Trouble::HangBefore);
    for (operation, what) in OPERATIONS {
        let good = operation.replication_sources().unwrap();
        for status in GroupStatus::ALL {
            if !operation.sources().contains(status) {
                world.say_group(group, *status, good[0]).await;
                world.is_no_status(group, operation, *status, what).await;
            }
        }
        for replication in ReplicationStatus::ALL {
            if good.contains(replication) {
                continue;
            }
            let available = GroupStatus::Available;
            world.say_group(group, available, *replication).await;
            let wanted = format!(
                "Invalid Group: Group {group} replication status must be {}, but current status is: \
                 {replication}. Cannot {what} replication.",
                listed(good)
            );
            assert_eq!(refused(world.asked(group, operation).await).1, wanted);
            world.say_group(group, available, good[0]).await;
            let free = VolumeStatus::Available;
            world.say_volume(one, free, good[0]).await;
            world.say_volume(other, free, *replication).await;
            let wanted = format!(
                "Invalid volume: Volume {other} replication status must be {}, but current status \
                 is: {replication}. Cannot {what} replication.",
                listed(good)
            );
            assert_eq!(refused(world.asked(group, operation).await).1, wanted);
            let first = world.volume(one).await.unwrap().replication_status;
            assert_eq!(first, Some(good[0]), "all of them or none");
        }
        for status in VolumeStatus::ALL {
            if !begins_with(operation, *status) {
                world.say_volume(other, *status, good[0]).await;
                world
                    .is_no_volume(group, operation, (other, *status), what)
                    .await;
            }
        }
        world
            .say_volume(other, VolumeStatus::Available, good[0])
            .await;
    }
    assert!(world.rests(group.0).await);
    for call in ["demote", "promote", "set_mirroring"] {
        assert!(
            !world.wire.saw(A, call) && !world.wire.saw(B, call),
            "{call}"
        );
    }
}

fn begins_with(operation: GroupOperation, status: VolumeStatus) -> bool {
    use VolumeStatus as S;
    match operation {
        GroupOperation::DisableReplication => !matches!(status, S::Creating | S::Downloading),
        _ => matches!(status, S::Available | S::InUse),
    }
}

impl World {
    async fn is_no_status(
        &self,
        group: GroupId,
        operation: GroupOperation,
        status: GroupStatus,
        what: &str,
    ) {
        let (kind, text) = refused(self.asked(group, operation).await);
        assert_eq!(kind, ErrorKind::Invalid);
        let wanted = format!(
            "Invalid Group: Group {group} status must be {}, but current status is: {status}. \
             Cannot {what} replication.",
            listed(operation.sources())
        );
        assert_eq!(text, wanted);
    }

    async fn is_no_volume(
        &self,
        group: GroupId,
        operation: GroupOperation,
        (volume, status): (VolumeId, VolumeStatus),
        what: &str,
    ) {
        let (_, text) = refused(self.asked(group, operation).await);
        let wanted = format!(
            "Invalid volume: Volume {volume} status must be ['available', 'in-use'], but current \
             status is: {status}. Cannot {what} replication."
        );
        assert_eq!(text, wanted);
    }
}

/// What it begins with shows at once, of the group and of all its volumes.
#[tokio::test]
async fn it_shows_what_is_under_way() {
    for (operation, what) in OPERATIONS {
        let mut world = world().await;
        let (group, volumes) = world.replicated().await;
        let call = match operation {
            GroupOperation::Failover => "demote",
            _ => "set_mirroring",
        };
        world.wire.arm(At::Name(A, call, 1), Trouble::HangBefore);
        world.asked(group, operation).await.unwrap();
        world.struck().await;
        let target = operation.replication_target().unwrap();
        let shown = world.group(group).await.unwrap().replication_status;
        assert_eq!(shown, target, "{what}");
        for id in volumes {
            let statuses = world.statuses(id).await;
            assert_eq!(statuses, ("available", target.as_str()), "{what}");
        }
        // Nothing else begins meanwhile.
        for (other, _) in OPERATIONS {
            let (kind, _) = refused(world.asked(group, other).await);
            assert_eq!(kind, ErrorKind::Invalid, "{other:?} meets {operation:?}");
        }
        let (_, text) = refused(world.delete_group(group, true).await);
        assert!(text.contains("ends by itself"), "{text}");
        world.restart().await;
        world.settled(group.0).await;
        world.consistent(what).await;
    }
}

#[tokio::test]
async fn types_must_fit() {
    let world = world().await;
    let (control, context) = (world.handle(), member());
    let both = [
        "group_replication_enabled",
        "consistent_group_replication_enabled",
    ];
    typed(&world, "both", &both).await;
    typed(&world, "loose", &both[..1]).await;
    typed(&world, TOGETHER, &["consistent_group_snapshot_enabled"]).await;
    let create = |kind: &'static str, volumes: &'static [&'static str]| {
        let (control, context) = (control.clone(), context.clone());
        async move {
            let request = of_type(kind, volumes);
            control
                .create_group(&context, request)
                .await
                .map(|it| it.id)
        }
    };
    let (kind, text) = refused(create("both", &[MIRRORED]).await);
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.starts_with("Invalid group type: "), "{text}");
    assert!(text.contains("mixed specs is not supported"), "{text}");
    for kind in ["loose", REPLICATING] {
        let (kind, text) = refused(create(kind, &[MIRRORED, PLAIN]).await);
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(
            text.starts_with("Invalid volume type: Volume type "),
            "{text}"
        );
        let end = "does not have 'replication_enabled' spec key set to '<is> True'.";
        assert!(text.ends_with(end), "{text}");
    }
    let specs = [
        ("replication_enabled", "<is> True"),
        ("replication_mode", "<in> snapshot"),
    ];
    let by_snapshots = CreateType {
        name: "by-snapshots".to_owned(),
        description: None,
        is_public: true,
        extra_specs: specs.map(|(key, value)| (key.into(), value.into())).into(),
    };
    control.create_type(&admin(), by_snapshots).await.unwrap();
    let (kind, text) = refused(create(REPLICATING, &["by-snapshots"]).await);
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(
        text.contains("those of a group are of one moment"),
        "{text}"
    );
    let loose = create("loose", &[MIRRORED]).await.unwrap();
    world.settled(loose.0).await;
    let one = world.made(within(loose, mirrored(1))).await;
    world.enabled(loose).await;
    world.sent(loose, to(B)).await.unwrap();
    world.is_at(B, one);

    // Of those that do not replicate on their own, none of it can be asked.
    let simple = create(TOGETHER, &[PLAIN]).await.unwrap();
    world.settled(simple.0).await;
    let wanted = format!("Invalid group type: Group {simple} is not a replication group type.");
    for (operation, _) in OPERATIONS {
        let (_, text) = refused(world.asked(simple, operation).await);
        assert_eq!(text, wanted);
    }
    let listed = control.group_replication_targets(&context, simple).await;
    assert_eq!(refused(listed).1, wanted);
    let listed = control.group_replication_targets(&context, loose).await;
    assert_eq!(listed.unwrap(), [B]);
    let stranger = member_of("ffffffffffffffffffffffffffffffff");
    let hidden = control.group_replication_targets(&stranger, loose).await;
    assert_eq!(refused(hidden).0, ErrorKind::NotFound);
}

/// A backend without targets offers no such groups.
#[tokio::test]
async fn a_group_goes_where_it_can_replicate() {
    let world = World::of_two(crate::place::Place::asked_for(), |_| {}).await;
    replicating(&world).await;
    for _ in 0..4 {
        let request = of_type(REPLICATING, &[MIRRORED]);
        let made = world.control.create_group(&member(), request).await;
        let id = made.unwrap().id;
        world.settled(id.0).await;
        let group = world.group(id).await.unwrap();
        let host = group.host.unwrap().without_pool().to_string();
        assert_eq!(host, HOST);
    }
}

#[tokio::test]
async fn targets_that_make_no_sense_are_refused() {
    let world = world().await;
    let (group, _) = world.replicated().await;
    for (target, why) in [
        ("mars", "has no replication target mars; it has site-b."),
        ("default", "is at its own site already."),
        (A, "is at site-a already."),
    ] {
        let (kind, text) = refused(world.sent(group, to(target)).await);
        assert_eq!(kind, ErrorKind::Invalid);
        let wanted = format!("Invalid Replication Target: The group {group} {why}");
        assert_eq!(text, wanted);
    }
    world.sent(group, to(B)).await.unwrap();
    let (_, text) = refused(world.sent(group, to(B)).await);
    assert!(text.ends_with("is at site-b already."), "{text}");
    let anywhere = firebrick_control::FailoverGroup::default();
    let (_, text) = refused(world.sent(group, anywhere).await);
    assert!(text.ends_with("`default` brings it back."), "{text}");
    assert_eq!(world.replication(group).await.0, "failed-over");
}

//! Groups that replicate on their own: turned on and off, moved away and back.

use std::collections::BTreeMap;

use firebrick_backend::{PromoteMode, Reason};
use firebrick_control::{
    CloneGroup, CreateGroup, CreateGroupType, CreateVolume, Error, ErrorKind, FailoverGroup,
    FailoverReport, Family, GroupSource, VolumeOutcome,
};
use firebrick_db::{Column, Listing, activities, volumes};
use firebrick_state::{ActivityKind, GroupStatus, ReplicationStatus};
use firebrick_vocabulary::{GroupId, Role, VolumeId};

use super::{adding, of_types, refused, within};
use crate::common::{A, At, B, HOST, MIRRORED, State, Trouble, World, admin, member, mirrored};

mod killed;
mod meeting;
mod states;
mod trouble;

/// The type of groups that replicate on their own, and whose snapshots are of one moment.
pub(super) const REPLICATING: &str = "replicating";

async fn typed(world: &World, name: &str, keys: &[&str]) {
    let specs = keys.iter();
    let specs = specs.map(|key| ((*key).to_owned(), "<is> True".to_owned()));
    let request = CreateGroupType {
        name: name.to_owned(),
        description: None,
        is_public: true,
        group_specs: specs.collect(),
    };
    let made = world.control.create_group_type(&admin(), request).await;
    made.unwrap();
}

/// A world with that type of groups.
async fn world() -> World {
    let world = World::new().await;
    replicating(&world).await;
    world
}

async fn replicating(world: &World) {
    let keys = [
        "consistent_group_replication_enabled",
        "consistent_group_snapshot_enabled",
    ];
    typed(world, REPLICATING, &keys).await;
}

fn of_type(kind: &str, types: &[&str]) -> CreateGroup {
    CreateGroup {
        group_type: Some(kind.to_owned()),
        ..of_types(types)
    }
}

fn to(target: &str) -> FailoverGroup {
    FailoverGroup {
        allow_attached: true,
        target: Some(target.to_owned()),
    }
}

impl World {
    /// What its last failover did.
    async fn last_report(&self, group: GroupId) -> FailoverReport {
        let connection = &mut *self.db.read().await.unwrap();
        let listing = Listing::of(Column::Resource, &group);
        let mut found = activities::list(connection, &listing)
            .await
            .unwrap()
            .unwrap();
        found.retain(|it| it.kind == ActivityKind::GroupFailover);
        let last = found.into_iter().max_by_key(|it| it.created_at).unwrap();
        FailoverReport::of(&last).unwrap()
    }

    /// A group that replicates, of two volumes.
    async fn replicated(&self) -> (GroupId, [VolumeId; 2]) {
        let request = of_type(REPLICATING, &[MIRRORED]);
        let made = self.control.create_group(&member(), request).await;
        let group = made.unwrap().id;
        self.settled(group.0).await;
        let one = self.made(within(group, mirrored(1))).await;
        let other = self.made(within(group, mirrored(2))).await;
        self.enabled(group).await;
        (group, [one, other])
    }

    async fn enabled(&self, group: GroupId) {
        let context = member();
        let asked = self.control.enable_group_replication(&context, group);
        asked.await.unwrap();
        self.settled(group.0).await;
    }

    async fn disabled(&self, group: GroupId) {
        let context = member();
        let asked = self.control.disable_group_replication(&context, group);
        asked.await.unwrap();
        self.settled(group.0).await;
    }

    async fn sent(&self, group: GroupId, request: FailoverGroup) -> Result<(), Error> {
        let context = member();
        let asked = self.control.failover_group(&context, group, request);
        asked.await?;
        self.settled(group.0).await;
        Ok(())
    }

    /// The group's replication status, and its own site if it has one.
    async fn replication(&self, group: GroupId) -> (&'static str, Option<String>) {
        let group = self.group(group).await.unwrap();
        (group.replication_status.as_str(), group.site)
    }

    fn role(&self, site: &str, volume: VolumeId) -> Option<Role> {
        self.site(site, |it| {
            let image = it.images.get(&volume.image_id());
            image.map(|image| image.role)
        })
    }

    fn is_at(&self, site: &str, volume: VolumeId) {
        let other = if site == A { B } else { A };
        assert_eq!(self.role(site, volume), Some(Role::Primary), "at {site}");
        assert_eq!(
            self.role(other, volume),
            Some(Role::Secondary),
            "at {other}"
        );
    }
}

#[tokio::test]
async fn a_group_goes_and_comes_back_and_leaves_others_where_they_are() {
    let world = world().await;
    let (group, [one, other]) = world.replicated().await;
    let stranger = world.made(mirrored(1)).await;
    let attachment = world.attached(one).await;
    for round in 0..2 {
        let asked = FailoverGroup {
            allow_attached: false,
            ..to(B)
        };
        let (kind, text) = refused(world.sent(group, asked).await);
        assert_eq!(kind, ErrorKind::Invalid);
        assert_eq!(
            text,
            format!(
                "Invalid volume: Volume {one} is attached but allow_attached_volume flag is False. \
                 Cannot failover replication."
            )
        );
        world.wire.arm(At::Index(usize::MAX), Trouble::HangBefore);
        // Without a name it goes to the first target.
        let asked = FailoverGroup {
            allow_attached: true,
            target: None,
        };
        world.sent(group, asked).await.unwrap();
        assert!(world.wire.saw(A, "demote"));
        let calls = world.wire.calls();
        let promotions = calls.iter().filter(|call| **call == (B, "promote"));
        assert_eq!(promotions.count(), 1, "both at once: {calls:?}");
        let there = Some(B.to_owned());
        assert_eq!(world.replication(group).await, ("failed-over", there));
        assert_eq!(world.statuses(one).await, ("in-use", "failed-over"));
        assert_eq!(world.statuses(other).await, ("available", "failed-over"));
        assert_eq!(world.statuses(stranger).await, ("available", "enabled"));
        world.is_at(B, one);
        world.is_at(B, other);
        world.is_at(A, stranger);
        let row = world.attachment(attachment).await.unwrap();
        assert!(row.connection_info.unwrap().to_string().contains(B));
        world.consistent(&format!("away, {round}")).await;

        world.sent(group, to("default")).await.unwrap();
        assert_eq!(world.replication(group).await, ("enabled", None));
        assert_eq!(world.statuses(one).await, ("in-use", "enabled"));
        world.is_at(A, one);
        world.is_at(A, other);
        let row = world.attachment(attachment).await.unwrap();
        assert!(row.connection_info.unwrap().to_string().contains(A));
        world.consistent(&format!("home, {round}")).await;
    }
    world.one_primary();
}

/// A volume of another one.
fn clone_of(source: VolumeId) -> CreateVolume {
    CreateVolume {
        source: Some(source),
        ..mirrored(4)
    }
}

impl World {
    /// What would need both sites at once is refused.
    async fn keeps_to_its_site(&self, group: GroupId, one: VolumeId, stranger: VolumeId) {
        let (control, context) = (&self.control, member());
        let out = control.create_volume(&context, clone_of(one)).await;
        let into = within(group, clone_of(stranger));
        let into = control.create_volume(&context, into).await;
        let joining = self.change(group, adding(&[stranger], &[])).await;
        let leaving = self.change(group, adding(&[], &[one])).await;
        for (why, answer) in [
            ("The source lives at another site", out.map(drop)),
            ("The source lives at another site", into.map(drop)),
            ("while it is at another site", joining),
            ("while it is at another site", leaving),
        ] {
            let (kind, text) = refused(answer);
            assert_eq!(kind, ErrorKind::Invalid);
            assert!(text.contains(why), "{text}");
        }
    }
}

#[tokio::test]
async fn life_goes_on_where_the_group_is() {
    let world = world().await;
    let (control, context) = (world.handle(), member());
    let (group, [one, other]) = world.replicated().await;
    let stranger = world.made(mirrored(1)).await;
    world.sent(group, to(B)).await.unwrap();
    control
        .extend_volume(&context, one, 3, false)
        .await
        .unwrap();
    world.settled(one.0).await;
    let snapshot = world.snapped(other).await;
    let taken = world.group_snapped(group).await;
    let new = world.made(within(group, mirrored(1))).await;
    let cloned = world.made(within(group, clone_of(one))).await;
    for made in [new, cloned] {
        world.is_at(B, made);
        assert_eq!(world.statuses(made).await, ("available", "failed-over"));
    }
    let copy = CloneGroup {
        name: None,
        description: None,
        source: GroupSource::Snapshot(taken),
    };
    let copied = control.clone_group(&context, Family::Groups, copy).await;
    let copied = copied.unwrap().id;
    world.settled(copied.0).await;
    let there = Some(B.to_owned());
    assert_eq!(
        world.group_status(copied).await,
        Some(GroupStatus::Available)
    );
    assert_eq!(world.group(copied).await.unwrap().site, there);
    world.consistent("away").await;

    world.keeps_to_its_site(group, one, stranger).await;
    world.delete_group(copied, true).await.unwrap();
    control
        .delete_snapshot(&context, snapshot, false)
        .await
        .unwrap();
    world.settled(snapshot.0).await;
    world.sent(group, to("default")).await.unwrap();
    for volume in [one, other, new, cloned] {
        world.is_at(A, volume);
    }
    world.consistent("home").await;
    assert_eq!(world.volume(one).await.unwrap().size, 3);
    let gone = control.delete_group_snapshot(&context, Family::Groups, taken);
    gone.await.unwrap();
    world.settled(taken.0).await;
    world.delete_group(group, true).await.unwrap();
    world.deleted(stranger).await;
    world.consistent("emptied").await;
}

#[tokio::test]
async fn mirroring_is_turned_off_and_on() {
    let world = world().await;
    let (group, volumes) = world.replicated().await;
    let plain = |id: VolumeId| {
        let of = |it: &mut State| it.images[&id.image_id()].mirrored;
        (!world.site(A, of), world.role(B, id).is_none())
    };
    world.disabled(group).await;
    assert_eq!(world.replication(group).await, ("disabled", None));
    for id in volumes {
        assert_eq!(
            plain(id),
            (true, true),
            "not mirrored, and gone from the other site"
        );
        assert_eq!(world.statuses(id).await, ("available", "disabled"));
    }
    let (_, text) = refused(world.sent(group, to(B)).await);
    assert!(
        text.contains("must be ['enabled', 'failed-over']"),
        "{text}"
    );
    world.consistent("off").await;
    world.enabled(group).await;
    assert_eq!(world.replication(group).await, ("enabled", None));
    for id in volumes {
        world.is_at(A, id);
        assert_eq!(world.statuses(id).await, ("available", "enabled"));
    }
    world.sent(group, to(B)).await.unwrap();
    for id in volumes {
        world.is_at(B, id);
    }
}

#[tokio::test]
async fn a_volume_joins_with_the_replication_of_the_group() {
    let world = world().await;
    let (group, [one, _]) = world.replicated().await;
    let (other, [gone, _]) = world.replicated().await;
    world.disabled(other).await;
    world.change(other, adding(&[], &[gone])).await.unwrap();
    let (_, text) = refused(world.change(group, adding(&[gone], &[])).await);
    assert!(
        text.contains("its replication status is disabled"),
        "{text}"
    );
    world.change(group, adding(&[], &[one])).await.unwrap();
    world.change(group, adding(&[one], &[])).await.unwrap();
    // A group that does not replicate takes it, and turns it on with the others.
    world.change(other, adding(&[gone], &[])).await.unwrap();
    world.enabled(other).await;
    world.is_at(A, gone);
    let found = volumes::get(&mut world.db.read().await.unwrap(), gone).await;
    let status = found.unwrap().unwrap().replication_status;
    assert_eq!(status, Some(ReplicationStatus::Enabled));
}

#[tokio::test]
async fn of_a_frozen_backend_it_is_not_turned_on_or_off_but_goes() {
    let world = world().await;
    let (group, _) = world.replicated().await;
    let control = world.handle();
    control.freeze(&admin(), HOST).await.unwrap();
    let who = member();
    for asked in [
        control.disable_group_replication(&who, group).await,
        control.enable_group_replication(&who, group).await,
    ] {
        let (kind, text) = refused(asked);
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(text.contains("is frozen"), "{text}");
    }
    world.sent(group, to(B)).await.unwrap();
    world.sent(group, to("default")).await.unwrap();
    control.thaw(&admin(), HOST).await.unwrap();
    world.disabled(group).await;
    assert_eq!(world.replication(group).await.0, "disabled");
}

#[tokio::test]
async fn a_report_says_what_became_of_each_volume() {
    let world = world().await;
    let (group, volumes) = world.replicated().await;
    world.sent(group, to(B)).await.unwrap();
    let report = world.last_report(group).await;
    assert_eq!((report.from.as_str(), report.to.as_str()), (A, B));
    assert_eq!(report.mode, PromoteMode::Planned);
    assert!(report.duration_seconds.is_some());
    let told: BTreeMap<VolumeId, _> = report.volumes.iter().map(|it| (it.volume_id, it)).collect();
    assert_eq!(told.len(), 2);
    for volume in volumes {
        let told = told[&volume];
        assert_eq!(told.outcome, VolumeOutcome::Moved);
        assert_eq!((told.seconds_lost, told.bytes_lost), (Some(0.0), Some(0)));
        assert!(told.position.is_some() && told.duration_seconds.is_some());
    }
    // One that is lost is named, with the reason.
    world.sent(group, to("default")).await.unwrap();
    let image = volumes[1].image_id();
    world.site(B, |site| {
        site.inconsistent.insert(image);
    });
    world.set_up(A, false);
    world.sent(group, to(B)).await.unwrap();
    let report = world.last_report(group).await;
    assert_eq!(report.mode, PromoteMode::Forced);
    let lost = report.volumes.iter().find(|it| it.volume_id == volumes[1]);
    let lost = lost.unwrap();
    assert_eq!(lost.outcome, VolumeOutcome::Failed);
    assert_eq!(lost.reason, Some(Reason::Inconsistent));
}

//! Replications as projects see them: how far copies are behind, and being told when that is too far.

use firebrick_backend::Loss;
use firebrick_control::{CreateType, ErrorKind, Query, Relation, RelationState};
use firebrick_db::{Column, Listing, Message, messages};
use firebrick_state::MessageDetail;
use firebrick_vocabulary::{Bytes, MirrorWay, VolumeId};

use crate::common::{
    A, At, B, HOST, MIRRORED, Trouble, World, admin, member, member_of, mirrored, sized, until,
};

const TARGET: &str = "rpo_target_seconds";

const fn loss(seconds: f64) -> Loss {
    Loss {
        seconds,
        bytes: Bytes(4096),
        as_of: 0.0,
    }
}

impl World {
    async fn relation(&self, volume: VolumeId) -> Relation {
        self.control
            .replication(&member(), volume, B)
            .await
            .unwrap()
    }

    async fn relations(&self) -> Vec<Relation> {
        let found = self.control.replications(&member(), Query::default()).await;
        found.unwrap()
    }

    async fn demand(&self, seconds: &str) {
        let kind = self.mirrored_type().await;
        let specs = [(TARGET.to_owned(), seconds.to_owned())].into();
        self.control
            .set_extra_specs(&admin(), kind, specs)
            .await
            .unwrap();
    }

    async fn mirrored_type(&self) -> firebrick_vocabulary::TypeId {
        let connection = &mut *self.db.read().await.unwrap();
        let kind = firebrick_db::types::named(connection, MIRRORED)
            .await
            .unwrap();
        kind.unwrap().id
    }

    /// What the project was told of missed targets of a volume.
    async fn told(&self, volume: VolumeId) -> Vec<Message> {
        let connection = &mut *self.db.read().await.unwrap();
        let listing = Listing::of(Column::Resource, &volume);
        let mut told = messages::list(connection, &listing).await.unwrap().unwrap();
        told.retain(|it| it.detail == u32::from(MessageDetail::RpoTargetMissed.number()));
        told
    }

    /// The backend is looked at once more.
    async fn look_again(&self) {
        let before = self.wire.calls().len();
        self.control.freeze(&admin(), HOST).await.unwrap();
        self.control.thaw(&admin(), HOST).await.unwrap();
        let asked = || async {
            let calls = self.wire.calls();
            calls[before.min(calls.len())..].contains(&(B, "mirror_status"))
        };
        until("lags were looked at", asked).await;
    }
}

#[tokio::test]
async fn a_relation_says_where_the_volume_lives_and_how_far_its_copy_is_behind() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    world.made(sized(1)).await;
    world.site(B, |site| site.loss = Some(loss(0.25)));
    let all = world.relations().await;
    let [relation] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(*relation, {
        let mut again = world.relation(volume).await;
        again.consistent_at = relation.consistent_at;
        again
    });
    assert_eq!((relation.volume, relation.target.as_str()), (volume, B));
    assert_eq!(
        (relation.primary.as_str(), relation.secondary.as_str()),
        (A, B)
    );
    assert!(!relation.away);
    assert_eq!(relation.state, RelationState::Replaying);
    assert_eq!(
        (relation.lag_seconds, relation.lag_bytes),
        (Some(0.25), Some(4096))
    );
    assert!(relation.position.is_some() && relation.consistent_at.is_some());
    assert_eq!((relation.rpo_target, relation.rpo_met()), (None, None));
    assert_eq!(relation.way, Some(MirrorWay::Journal));
    assert_eq!(relation.replication_type(), Some("async"));

    world.set_linked(false);
    assert_eq!(
        world.relation(volume).await.state,
        RelationState::Disconnected
    );
    world.set_linked(true);
    world.failed_over(B).await;
    let away = world.relation(volume).await;
    assert!(away.away);
    assert_eq!((away.primary.as_str(), away.secondary.as_str()), (B, A));
    world.failed_over("default").await;
    assert!(!world.relation(volume).await.away);
}

#[tokio::test]
async fn what_no_site_says_is_not_made_up() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let image = volume.image_id();
    world.site(B, |site| {
        site.loss = Some(loss(1.0));
        site.inconsistent.insert(image);
    });
    let copying = world.relation(volume).await;
    assert_eq!(copying.state, RelationState::Syncing);
    assert_eq!(copying.progress, Some((0, 1 << 30)));
    assert_eq!((copying.lag_seconds, copying.consistent_at), (None, None));
    world.set_up(A, false);
    world.set_up(B, false);
    let unknown = world.relation(volume).await;
    assert_eq!(unknown.state, RelationState::Unknown);
    assert_eq!((unknown.lag_seconds, unknown.position), (None, None));
    assert_eq!((unknown.way, unknown.replication_type()), (None, None));
    world.set_up(A, true);
    world.set_up(B, true);
    // One that hangs holds up nobody for long.
    world
        .wire
        .arm(At::Name(B, "mirror_status", 1), Trouble::HangBefore);
    assert_eq!(world.relation(volume).await.lag_seconds, None);
    world.wire.disarm();

    world
        .wire
        .arm(At::Name(B, "promote", 1), Trouble::HangBeforeRelease);
    let asked = world.control.failover(&admin(), HOST, Some(B)).await;
    asked.unwrap();
    world.struck().await;
    let moving = world.relation(volume).await;
    assert_eq!(moving.state, RelationState::FailingOver);
    world.wire.release();
    world.moved().await;
}

#[tokio::test]
async fn others_see_no_relation() {
    let world = World::new().await;
    let volume = world.made(mirrored(1)).await;
    let plain = world.made(sized(1)).await;
    let stranger = member_of("fedcba9876543210fedcba9876543210");
    let control = &world.control;
    let found = control.replications(&stranger, Query::default()).await;
    assert!(found.unwrap().is_empty());
    for (context, volume, target) in [
        (&stranger, volume, B),
        (&member(), volume, "default"),
        (&member(), plain, B),
    ] {
        let refused = control.replication(context, volume, target).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::NotFound);
    }
    let query = Query {
        all_projects: true,
        ..Query::default()
    };
    assert_eq!(
        control.replications(&admin(), query).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_missed_target_is_told_once_each_time() {
    let world = World::new().await;
    world.demand("10").await;
    // The target asks nothing of pools.
    let volume = world.made(mirrored(1)).await;
    world.site(B, |site| site.loss = Some(loss(9.0)));
    let met = world.relation(volume).await;
    assert_eq!((met.rpo_target, met.rpo_met()), (Some(10.0), Some(true)));
    world.look_again().await;
    assert!(world.told(volume).await.is_empty());

    world.site(B, |site| site.loss = Some(loss(30.0)));
    assert_eq!(world.relation(volume).await.rpo_met(), Some(false));
    let told = || async { !world.told(volume).await.is_empty() };
    world.look_again().await;
    until("the project is told", told).await;
    for _ in 0..2 {
        world.look_again().await;
        world.breathe().await;
    }
    let told = world.told(volume).await;
    assert_eq!(told.len(), 1, "once");
    assert_eq!(told[0].project, member().project);
    let note = told[0].note.clone().unwrap();
    assert_eq!(note, "30.0 s of writes are missing there, 10 s are allowed");
}

#[tokio::test]
async fn a_target_is_a_time() {
    let world = World::new().await;
    let kind = world.mirrored_type().await;
    for text in ["", "soon", "0", "-1", "NaN", "inf", "604801", "10 s"] {
        let specs = firebrick_control::Metadata::from([(TARGET.to_owned(), text.to_owned())]);
        let control = &world.control;
        let set = control.set_extra_specs(&admin(), kind, specs.clone()).await;
        let refused = set.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{text}");
        assert!(refused.to_string().contains(TARGET), "{refused}");
        let request = CreateType {
            name: "other".to_owned(),
            description: None,
            is_public: true,
            extra_specs: specs,
        };
        let made = world.control.create_type(&admin(), request).await;
        assert_eq!(made.unwrap_err().kind, ErrorKind::Invalid, "{text}");
    }
    for text in ["0.1", "604800", " 15 "] {
        world.demand(text).await;
    }
}

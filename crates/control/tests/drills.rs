//! Drills of sites that have no states but snapshots: one is taken at the primary, and goes again.

use firebrick_backend::DrillInfo;
use firebrick_control::{DeleteVolume, ErrorKind, Query};
use firebrick_db::{Column, Listing, Test, activities};
use firebrick_state::ActivityStatus;
use firebrick_vocabulary::VolumeId;

use crate::common::{A, At, B, Trouble, World, admin, member, mirrored, until};

impl World {
    /// Whose drills are of snapshots, with a volume.
    async fn of_snapshots() -> (Self, VolumeId) {
        let world = Self::new().await;
        for site in [A, B] {
            world.site(site, |it| it.drills_of_snapshots = true);
        }
        let volume = world.made(mirrored(1)).await;
        (world, volume)
    }

    /// The drill, as those see it who look.
    async fn seen(&self, volume: VolumeId) -> Option<DrillInfo> {
        let found = self.control.replication(&member(), volume, B).await;
        found.unwrap().drill
    }

    async fn drill_begun(&self, volume: VolumeId) -> DrillInfo {
        let begun = self.control.begin_drill(&member(), volume, B, None).await;
        begun.unwrap().drill.unwrap()
    }

    /// Guests can reach it at site-b, once it is waited for.
    async fn there(&self, volume: VolumeId) {
        until("the drill is there", || async {
            let drill = self.seen(volume).await;
            drill.is_some_and(|drill| drill.address.is_some())
        })
        .await;
        assert!(self.site(B, |it| it.drills.contains(&volume.image_id())));
    }

    fn snapshots_at(&self, site: &str, volume: VolumeId) -> usize {
        let id = volume.image_id();
        self.site(site, |it| {
            it.images.get(&id).map_or(0, |it| it.snapshots.len())
        })
    }

    /// How the last of its activities is.
    async fn last(&self) -> ActivityStatus {
        let only = Test::OneOf(vec!["drill".to_owned()]);
        let listing = Listing::default().and(Column::Kind, only);
        let connection = &mut *self.db.read().await.unwrap();
        let all = activities::list(connection, &listing).await.unwrap();
        let newest = all.unwrap().into_iter().max_by_key(|it| it.created_at);
        newest.unwrap().status
    }

    /// Its activity has ended so, and has left no snapshot.
    async fn ended(&self, volume: VolumeId, status: ActivityStatus) {
        until("the activity ends", || async {
            self.last().await != ActivityStatus::Running
        })
        .await;
        assert_eq!(self.last().await, status);
        assert_eq!(self.snapshots_at(A, volume), 0);
    }

    /// The copy has the snapshot, and does not show it: the activity waits.
    async fn waits(&self, volume: VolumeId) {
        until("a snapshot is taken", || async {
            self.snapshots_at(A, volume) == 1
        })
        .await;
    }
}

#[tokio::test]
async fn a_drill_of_a_snapshot_begins_behind_the_answer_and_leaves_none() {
    let (world, volume) = World::of_snapshots().await;
    let begun = world.drill_begun(volume).await;
    assert_eq!((begun.of, begun.address), (volume.image_id(), None));
    world.there(volume).await;
    world.ended(volume, ActivityStatus::Done).await;
    assert!(world.wire.saw(B, "begin_drill_of") && !world.wire.saw(B, "begin_drill"));
    // Again: the same one, at once.
    let again = world.drill_begun(volume).await;
    assert!(again.address.is_some());
    world.control.end_drill(&member(), volume, B).await.unwrap();
    assert_eq!(world.seen(volume).await, None);
    let again = world.control.end_drill(&member(), volume, B).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::NotFound);
    let listed = world.control.activities(&member(), Query::default()).await;
    let of_drills = listed
        .unwrap()
        .into_iter()
        .filter(|it| it.kind.as_str() == "drill");
    assert_eq!(of_drills.count(), 1);
}

#[tokio::test]
async fn a_drill_that_begins_is_shown_and_can_be_ended() {
    let (world, volume) = World::of_snapshots().await;
    world.site(B, |it| it.lags = true);
    let begun = world.drill_begun(volume).await;
    world.waits(volume).await;
    let seen = world.seen(volume).await.unwrap();
    assert_eq!((seen.began, seen.address), (begun.began, None));
    assert_eq!(
        world.drill_begun(volume).await.began,
        begun.began,
        "there is one"
    );
    world.control.end_drill(&member(), volume, B).await.unwrap();
    assert_eq!(world.seen(volume).await, None);
    world.ended(volume, ActivityStatus::Cancelled).await;
    world.site(B, |it| {
        it.lags = false;
        assert!(it.drills.is_empty());
    });
    // The next one is another.
    world.drill_begun(volume).await;
    world.there(volume).await;
}

#[tokio::test]
async fn a_drill_goes_on_after_a_restart() {
    let (mut world, volume) = World::of_snapshots().await;
    world.site(B, |it| it.lags = true);
    world.drill_begun(volume).await;
    world.waits(volume).await;
    world.kill().await;
    world.site(B, |it| it.lags = false);
    world.restart().await;
    world.there(volume).await;
    world.ended(volume, ActivityStatus::Done).await;
}

#[tokio::test]
async fn without_the_primary_a_drill_is_what_the_copy_is() {
    let (world, volume) = World::of_snapshots().await;
    world.set_up(A, false);
    world.drill_begun(volume).await;
    world.there(volume).await;
    // Nothing was taken, so nothing is waited for.
    world.ended(volume, ActivityStatus::Done).await;
    assert!(world.wire.saw(B, "begin_drill"));
}

#[tokio::test]
async fn a_primary_that_dies_while_it_is_waited_for_is_tidied_when_it_is_back() {
    let (world, volume) = World::of_snapshots().await;
    world.site(B, |it| it.lags = true);
    world.drill_begun(volume).await;
    world.waits(volume).await;
    world.set_up(A, false);
    world.there(volume).await;
    assert_eq!(world.last().await, ActivityStatus::Running);
    world.set_up(A, true);
    world.ended(volume, ActivityStatus::Done).await;
    world.there(volume).await;
}

#[tokio::test]
async fn a_volume_takes_along_the_drill_that_begins() {
    let (world, volume) = World::of_snapshots().await;
    world
        .wire
        .arm(At::Name(B, "begin_drill_of", 1), Trouble::HangBeforeRelease);
    world.drill_begun(volume).await;
    world.struck().await;
    let (who, how) = (member(), DeleteVolume::default());
    let deleted = world.control.delete_volume(&who, volume, how);
    deleted.await.unwrap();
    until("drills are looked for", || async {
        world.wire.saw(B, "end_drill")
    })
    .await;
    world.wire.release();
    until("nothing is left", || async {
        world.site(B, |it| it.drills.is_empty()) && world.volume(volume).await.is_none()
    })
    .await;
    until("the activity ends", || async {
        world.last().await != ActivityStatus::Running
    })
    .await;
    assert!(world.site(B, |it| it.drills.is_empty()));
}

#[tokio::test]
async fn a_drill_ends_with_the_replication_of_its_volume() {
    let (world, volume) = World::of_snapshots().await;
    world.drill_begun(volume).await;
    world.there(volume).await;
    world.ended(volume, ActivityStatus::Done).await;
    let disabled = world.control.disable_replication(&admin(), volume, B).await;
    disabled.unwrap();
    world.settled(volume.0).await;
    assert_eq!(world.statuses(volume).await, ("available", "disabled"));
    assert!(world.site(B, |it| it.drills.is_empty()));
}

#[tokio::test]
async fn no_drill_begins_of_a_site_that_does_not_answer() {
    let (world, volume) = World::of_snapshots().await;
    world.set_up(B, false);
    let asked = world.control.begin_drill(&member(), volume, B, None).await;
    assert_eq!(asked.unwrap_err().kind, ErrorKind::Unavailable);
}

//! Images that come by way of a peer which follows them itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod two;

use std::collections::BTreeMap;

use firebrick_engine::{Applied, CopyImage, Handover, ImageInfo, PeerRecord, Reign, Store, Turn};
use firebrick_log::{Change, Promotion};
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageName, MIB, Role, Sequence, StoreId, SyncState,
};
use two::{mirrored, open, write};
use uuid::Uuid;

/// Who hands on.
const MIDDLE: StoreId = StoreId(Uuid::from_u128(2));
/// Who is primary.
const LEADER: StoreId = StoreId(Uuid::from_u128(1));

const fn reign(epoch: u64, leader: StoreId) -> Reign {
    let epoch = Epoch(epoch);
    Reign { epoch, leader }
}

fn handover(image: ImageId, to: Reign, after: Option<Reign>) -> Handover {
    Handover {
        image,
        described: None,
        reign: to,
        after,
        turn: Turn::Taken,
    }
}

/// Takes that from the one in the middle.
fn hear(store: &Store, handover: Handover) {
    let upto = store.applied(MIDDLE).next();
    let records = [PeerRecord::Handover(handover)];
    store.apply(MIDDLE, upto, &records).unwrap();
}

/// An image of the leader that came by way of the one in the middle from its first record on.
fn begin(store: &Store) -> ImageId {
    let image = ImageId::random();
    let create = Change::Create {
        image,
        name: ImageName::new("one").unwrap(),
        size: Bytes(MIB),
        origin: None,
        mirrored: true,
        role: Role::Secondary,
        epoch: Epoch(1),
        sync: SyncState::Consistent,
    };
    let after = Some(reign(1, MIDDLE));
    let records = [
        PeerRecord::Change(create),
        PeerRecord::Handover(handover(image, reign(1, LEADER), after)),
    ];
    store.apply(MIDDLE, Sequence(10), &records).unwrap();
    image
}

fn info(store: &Store, image: ImageId) -> ImageInfo {
    store.image(image).unwrap().info()
}

#[test]
fn whose_an_image_is_stays_known_and_whoever_was_there_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = begin(&store);
    let seen = info(&store, image);
    assert_eq!((seen.upstream, seen.leader), (Some(MIDDLE), Some(LEADER)));
    let next = StoreId(Uuid::from_u128(3));
    hear(
        &store,
        handover(image, reign(3, next), Some(reign(1, LEADER))),
    );
    let seen = info(&store, image);
    assert_eq!((seen.epoch, seen.leader), (Epoch(3), Some(next)));
    assert!(seen.sync.is_consistent(), "nothing is to be compared");
    assert!(store.snapshots(image).unwrap().is_empty());
    store.close().unwrap();
    drop(store);
    let store = open(&folder);
    let seen = info(&store, image);
    assert_eq!((seen.upstream, seen.leader), (Some(MIDDLE), Some(next)));
    // A promotion of the one in the middle is its own.
    store.promote(&[image], true).unwrap()[0].1.unwrap();
    assert_eq!(info(&store, image).leader, None);
}

#[test]
fn who_missed_a_reign_keeps_what_it_has_and_compares() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = begin(&store);
    hear(
        &store,
        handover(image, reign(5, LEADER), Some(reign(3, LEADER))),
    );
    let seen = info(&store, image);
    assert_eq!((seen.epoch, seen.upstream), (Epoch(5), Some(MIDDLE)));
    assert!(!seen.sync.is_consistent());
    assert!(store.snapshots(image).unwrap()[0].divergent);
    assert_eq!(store.copying(MIDDLE), [image]);
}

#[test]
fn another_state_in_the_same_reign_is_compared_and_nothing_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = begin(&store);
    hear(&store, handover(image, reign(1, LEADER), None));
    assert!(!info(&store, image).sync.is_consistent());
    assert!(store.snapshots(image).unwrap().is_empty());
}

#[test]
fn of_two_in_one_epoch_all_choose_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = begin(&store);
    let (low, high) = (StoreId(Uuid::from_u128(7)), StoreId(Uuid::from_u128(8)));
    hear(
        &store,
        handover(image, reign(3, high), Some(reign(1, LEADER))),
    );
    hear(&store, handover(image, reign(3, low), None));
    assert_eq!(info(&store, image).leader, Some(high));
}

#[test]
fn a_demoted_primary_goes_on_where_a_planned_promotion_is_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = mirrored(&store);
    write(&store, image, 0, 1).unwrap();
    let own = reign(1, store.id());
    let planned = || Handover {
        turn: Turn::Planned,
        ..handover(image, reign(2, LEADER), Some(own))
    };
    let primary = info(&store, image);
    assert_eq!(primary.epoch, own.epoch);
    store.demote(&[image]).unwrap();
    hear(&store, planned());
    let seen = info(&store, image);
    assert_eq!((seen.upstream, seen.leader), (Some(MIDDLE), Some(LEADER)));
    assert!(seen.sync.is_consistent(), "it has all of it");
    assert!(store.snapshots(image).unwrap().is_empty());
}

#[test]
fn a_primary_that_was_not_demoted_gives_way_and_keeps_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = mirrored(&store);
    write(&store, image, 0, 1).unwrap();
    let own = reign(1, store.id());
    hear(&store, handover(image, reign(3, LEADER), Some(own)));
    let seen = info(&store, image);
    assert_eq!((seen.role, seen.epoch), (Role::Secondary, Epoch(3)));
    assert!(!seen.sync.is_consistent());
    assert!(store.snapshots(image).unwrap()[0].divergent);
}

#[test]
fn an_image_that_changed_hands_twice_before_it_came_is_the_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = ImageId::random();
    let described = CopyImage {
        image,
        name: ImageName::new("one").unwrap(),
        size: Bytes(MIB),
        epoch: Epoch(6),
        leader: Some(MIDDLE),
        metadata: BTreeMap::new(),
    };
    let promotion = |epoch, origin: Option<Applied>| {
        let promotion = Promotion {
            image,
            epoch: Epoch(epoch),
            origin,
            forced: true,
            after: None,
        };
        let images = vec![promotion];
        PeerRecord::Change(Change::Promote { images })
    };
    // In between another site was primary of it, of whose log nothing is here.
    let elsewhere = Applied {
        peer: LEADER,
        sequence: Sequence(80),
    };
    let records = [
        PeerRecord::Describe(described),
        promotion(3, None),
        promotion(6, Some(elsewhere)),
    ];
    store.apply(MIDDLE, Sequence(10), &records).unwrap();
    let seen = info(&store, image);
    assert_eq!((seen.epoch, seen.upstream), (Epoch(6), Some(MIDDLE)));
    assert_eq!(store.copying(MIDDLE), [image]);
}

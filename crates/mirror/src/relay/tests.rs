//! Who gets what of whom.

use super::*;
use crate::direction::Direction;
use crate::identity::Fingerprint;
use crate::mirror::PeerOptions;
use crate::traffic::Traffic;
use firebrick_simulate::Scheduler;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const READER: StoreId = StoreId(Uuid::from_u128(1));
const MET: StoreId = StoreId(Uuid::from_u128(2));
const UNMET: StoreId = StoreId(Uuid::from_u128(3));
const IMAGE: ImageId = ImageId(Uuid::from_u128(9));

fn fingerprint() -> Fingerprint {
    format!("{:064x}", 7).parse().unwrap()
}

/// A site that has met one of its peers.
fn known() -> Arc<Known> {
    let options = PeerOptions {
        name: "met".to_owned(),
        address: "met".to_owned(),
        fingerprint: fingerprint(),
        direction: Direction::RxTx,
        traffic: Traffic::default(),
    };
    let runtime = Scheduler::new(1).runtime(0);
    let peer = Peer::new(options, runtime, CancellationToken::new());
    peer.saw_store(MET);
    let known = Arc::new(Known::default());
    known.put(peer);
    known
}

fn relay(sources: Option<Sources>) -> Relay {
    Relay::new(&known(), READER, sources)
}

#[test]
fn who_reads_from_nobody_else_gets_all_but_its_own() {
    let relay = relay(Some(Sources::default()));
    assert!(relay.tells(MET, IMAGE) && relay.tells(UNMET, IMAGE));
    assert!(!relay.tells(READER, IMAGE), "nothing goes back");
}

#[test]
fn who_does_not_know_of_this_gets_nothing() {
    let relay = relay(None);
    assert!(!relay.is_on() && !relay.tells(MET, IMAGE) && !relay.tells_any(UNMET));
}

#[test]
fn what_a_reader_hears_from_there_does_not_go_twice() {
    let relay = relay(Some(Sources {
        peers: vec![fingerprint().to_string()],
        stores: vec![UNMET],
        images: Vec::new(),
    }));
    assert!(!relay.tells(MET, IMAGE) && !relay.tells_any(MET));
    assert!(!relay.tells(UNMET, IMAGE), "it has something of that log");
}

#[test]
fn an_image_that_goes_by_way_of_this_site_goes_on_so() {
    let relay = relay(Some(Sources {
        peers: vec![fingerprint().to_string()],
        stores: Vec::new(),
        images: vec![IMAGE],
    }));
    let other = ImageId(Uuid::from_u128(10));
    assert!(relay.tells(MET, IMAGE) && !relay.tells(MET, other));
}

#[test]
fn what_was_said_of_a_store_holds_as_long_as_the_connection() {
    let relay = relay(Some(Sources {
        peers: vec![fingerprint().to_string()],
        ..Sources::default()
    }));
    assert!(relay.tells(UNMET, IMAGE));
    relay.known.all()[0].saw_store(UNMET);
    assert!(relay.tells(UNMET, IMAGE), "there would be a gap");
}

//! What comes before a promotion: a primary that could follow, and the demotion that is answered, no older one.

use std::time::Duration;

use firebrick_backend::{Backend, FaultKind, NewImage, PromoteMode};
use firebrick_ceph::CephSite;
use firebrick_tests::CephPair;
use firebrick_vocabulary::{Bytes, Epoch, ImageId, ImageName, MIB};

use super::{all_are, follows, has, is_primary};
use crate::contract::{mirrored_site, runtime};

const PATIENCE: Duration = Duration::from_secs(120);
/// Long enough for what would be wrong, as nobody could do what is waited for.
const SHORT: Duration = Duration::from_secs(3);

pub(super) async fn make(at: &CephSite) -> (ImageId, String) {
    let id = ImageId::random();
    let name = format!("volume-{id}");
    let new = NewImage {
        id,
        name: ImageName::new(name.as_str()).unwrap(),
        size: Bytes(8 * MIB),
        origin: None,
        mirrored: true,
    };
    at.create_image(new).await.unwrap();
    (id, name)
}

/// Demotes at `from`, and promotes at `to` once that has arrived.
pub(super) async fn hand_over(from: &CephSite, to: &CephSite, id: ImageId) {
    let epoch = from.image(id).await.unwrap().epoch;
    to.wait_ready(&[(id, epoch)], PATIENCE).await.unwrap();
    let store = from.status().await.unwrap().store;
    let demoted = from.demote(&[id]).await.unwrap();
    to.wait_applied(store, demoted, &[id], PATIENCE)
        .await
        .unwrap();
    promote(to, id).await;
}

async fn promote(at: &CephSite, id: ImageId) {
    let outcomes = at.promote(&[id], PromoteMode::Planned).await.unwrap();
    assert!(outcomes[0].result.is_ok(), "{outcomes:?}");
}

/// Nothing is left of it at either, whether the rbd-mirror of site-a has understood that or not.
pub(super) async fn remove(
    pair: &CephPair,
    (a, b): (&CephSite, &CephSite),
    id: ImageId,
    name: &str,
) {
    b.remove_image(id).await.unwrap();
    let end = std::time::Instant::now() + PATIENCE;
    while has(&pair.a, name) {
        assert!(std::time::Instant::now() < end, "{name} stays");
        if let Ok(known) = a.global_id(id).await {
            // `Busy` where rbd-mirror is at it.
            let _ = a.remove_leftover(id, known).await;
        }
    }
    assert!(!has(&pair.b, name));
}

/// A cluster whose rbd-mirror hangs knows its own demotion as the newest of an image that has been primary
/// elsewhere since, and librbd would let it promote that without force.
async fn older_demotion(pair: &CephPair) {
    let a = mirrored_site("site-a", &pair.a);
    let b = mirrored_site("site-b", &pair.b);
    let (id, name) = make(&a).await;
    let of_a = a.status().await.unwrap().store;
    hand_over(&a, &b, id).await;
    a.wait_ready(&[(id, Epoch::FIRST)], PATIENCE).await.unwrap();

    pair.b.stop_mirror();
    hand_over(&b, &a, id).await;
    let demoted = a.demote(&[id]).await.unwrap();
    let early = b.wait_applied(of_a, demoted, &[id], SHORT).await;
    assert_eq!(early.unwrap_err().kind, FaultKind::TimedOut);

    // Neither is primary now, and rbd-mirror reads on of a primary alone: who was left takes it back.
    promote(&a, id).await;
    pair.b.go_on_mirror();
    hand_over(&a, &b, id).await;
    follows(&pair.a, &name);
    remove(pair, (&a, &b), id, &name).await;
}

/// Before the rbd-mirror of the primary has registered with the journal of the copy, a promotion there would cut
/// what links the two.
async fn unregistered(pair: &CephPair) {
    let a = mirrored_site("site-a", &pair.a);
    let b = mirrored_site("site-b", &pair.b);
    pair.a.stop_mirror();
    let (id, name) = make(&a).await;
    let early = b.wait_ready(&[(id, Epoch::FIRST)], SHORT).await;
    assert_eq!(early.unwrap_err().kind, FaultKind::TimedOut);
    follows(&pair.b, &name);
    let early = b
        .wait_ready(&[(id, Epoch::FIRST)], SHORT)
        .await
        .unwrap_err();
    assert!(early.why.contains("does not read its journal"), "{early}");
    pair.a.go_on_mirror();
    hand_over(&a, &b, id).await;
    pair.b.write(&name, 0xb2, 1);
    follows(&pair.a, &name);
    remove(pair, (&a, &b), id, &name).await;
}

/// The primary dies as rbd-mirror asks it for what came with its demotion, and rbd-mirror holds the copy until that is
/// answered. Who is told that it was promoted can write to it all the same.
async fn held(pair: &CephPair) {
    let a = mirrored_site("site-a", &pair.a);
    let b = mirrored_site("site-b", &pair.b);
    let (id, name) = make(&a).await;
    b.wait_ready(&[(id, Epoch::FIRST)], PATIENCE).await.unwrap();
    pair.b.stop_mirror();
    a.demote(&[id]).await.unwrap();
    pair.a.kill_osd();
    pair.b.go_on_mirror();
    // Which takes it as long as rbd-mirror needs to begin.
    assert!(!is_primary(&pair.b, &name));
    let mut promoted = b.promote(&[id], PromoteMode::Forced).await;
    if promoted.is_err() {
        // Whoever fails over asks again, too.
        promoted = b.promote(&[id], PromoteMode::Forced).await;
    }
    assert_eq!(promoted.unwrap()[0].result, Ok(Epoch(2)));
    pair.b.write(&name, 0xb2, 1);
    assert!(all_are(&pair.b.read(&name, 1), 0xb2));
    pair.a.start_osd();
    remove(pair, (&a, &b), id, &name).await;
}

#[test]
fn what_is_promoted_by_force_can_be_written_to() {
    CephPair::with(|pair| runtime().block_on(held(pair)));
}

#[test]
fn an_older_demotion_is_not_taken_for_the_newest() {
    CephPair::with(|pair| runtime().block_on(older_demotion(pair)));
}

#[test]
fn nobody_is_promoted_whom_the_former_primary_could_not_follow() {
    CephPair::with(|pair| runtime().block_on(unregistered(pair)));
}

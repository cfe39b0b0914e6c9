//! A copy that rbd-mirror has begun to make, and of which librbd says what it says of an image that nobody mirrors.

use std::time::Duration;

use firebrick_backend::{Access, Backend, ExportKey, FaultKind, PromoteMode, Reason};
use firebrick_ceph::CephSite;
use firebrick_tests::CephPair;
use firebrick_vocabulary::{Epoch, ImageId, Role};

use super::order::{hand_over, make, remove};
use super::{follows, has};
use crate::contract::{mirrored_site, runtime};

/// Long enough for what would be wrong, as nobody could do what is waited for.
const SHORT: Duration = Duration::from_secs(1);

/// Nobody takes it for the image, and nothing can be done with it.
async fn is_unfinished(site: &CephSite, id: ImageId) {
    let seen = site.image(id).await.unwrap();
    assert_eq!((seen.role, seen.mirrored), (Role::Secondary, true));
    assert!(!seen.sync.is_consistent());
    let status = site.mirror_status().await.unwrap();
    let shown = status.images.iter().find(|image| image.id == id);
    assert!(shown.is_some_and(|image| !image.sync.is_consistent()));
    for mode in [PromoteMode::Planned, PromoteMode::Forced] {
        let outcomes = site.promote(&[id], mode).await.unwrap();
        assert_eq!(outcomes[0].result, Err(Reason::Inconsistent), "{mode:?}");
    }
    let key = ExportKey("k".to_owned());
    let exported = site.export(id, key, Access::ReadOnly).await;
    assert_eq!(exported.unwrap_err().kind, FaultKind::NotPrimary);
    let removed = site.remove_image(id).await;
    assert_eq!(removed.unwrap_err().kind, FaultKind::NotPrimary);
    let ready = site.wait_ready(&[(id, Epoch::FIRST)], SHORT).await;
    let why = ready.unwrap_err().why;
    assert!(why.contains("its copy is being made"), "{why}");
}

async fn begun(pair: &CephPair) {
    let a = mirrored_site("site-a", &pair.a);
    let b = mirrored_site("site-b", &pair.b);
    let (id, name) = make(&a).await;
    follows(&pair.b, &name);
    pair.b.stop_mirror();
    let look = is_unfinished(&b, id);
    pair.b.without_mirroring_note(&name, look).await;
    pair.b.go_on_mirror();
    hand_over(&a, &b, id).await;
    remove(pair, (&a, &b), id, &name).await;
}

/// Before that, it has no journal.
async fn without_journal(pair: &CephPair) {
    let b = mirrored_site("site-b", &pair.b);
    let id = ImageId::random();
    let name = format!("volume-{id}");
    let of = format!("volumes/{name}");
    let features = "--image-feature=exclusive-lock,journaling";
    let _ = pair.b.rbd(&["create", "--size=8", features, &of]).ok();
    assert_eq!(b.image(id).await.unwrap().role, Role::Primary);
    let look = is_unfinished(&b, id);
    pair.b.without_journal(&name, look).await;
    b.remove_image(id).await.unwrap();
    assert!(!has(&pair.b, &name));
}

#[test]
fn a_copy_that_is_being_made_is_no_image() {
    CephPair::with(|pair| runtime().block_on(begun(pair)));
}

#[test]
fn an_image_that_has_no_journal_yet_is_none() {
    CephPair::with(|pair| runtime().block_on(without_journal(pair)));
}

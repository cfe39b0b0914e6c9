//! Limits of images: for running guests at once, over restarts, and at the other site.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::num::NonZeroU64;

use firebrick_backend::{Access, Backend as _, ExportKey, FaultKind, PromoteMode};
use firebrick_vocabulary::{ImageId, Limit, Limits, MIB, Rates};
use support::nbd::Nbd;
use support::{Pair, Site, caught_up, conf, new_image};
use tempfile::TempDir;

fn key() -> ExportKey {
    ExportKey("attachment".to_owned())
}

/// One byte of writes a second: after the first write, none passes in the time of a test.
fn tight() -> Limits {
    let average = NonZeroU64::MIN;
    Limits {
        bytes: Rates {
            write: Some(Limit {
                average,
                burst: None,
            }),
            ..Rates::default()
        },
        ..Limits::default()
    }
}

async fn limits(site: &Site, id: ImageId) -> Limits {
    site.client.image(id).await.unwrap().limits
}

async fn attach(site: &Site, id: ImageId) -> Nbd {
    let address = site.client.export(id, key(), Access::ReadWrite).await;
    Nbd::connect(&site.conf.nbd_socket, &address.unwrap().export).unwrap()
}

/// A write that does not come back before the limits are lifted.
async fn is_held(site: &Site, id: ImageId, mut guest: Nbd) {
    guest.write(0, &[1; 4096]).unwrap();
    let writing = tokio::task::spawn_blocking(move || guest.write(4096, &[2; 4096]));
    let mut other = attach(site, id).await;
    assert_eq!(other.read(4096, 4096).unwrap(), [0; 4096]);
    assert!(!writing.is_finished());
    let lifted = site.client.set_limits(id, Limits::default()).await;
    lifted.unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(other.read(4096, 4096).unwrap(), [2; 4096]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_are_held_at_once_and_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let mut site = Site::start(conf(dir.path(), "a")).await;
    let new = new_image(4 * MIB, false);
    let id = new.id;
    let made = site.client.create_image(new).await.unwrap();
    assert!(made.limits.is_none());
    let guest = attach(&site, id).await;
    for _ in 0..2 {
        site.client.set_limits(id, tight()).await.unwrap();
    }
    is_held(&site, id, guest).await;
    assert!(limits(&site, id).await.is_none());

    let other = new_image(4 * MIB, false);
    let id = other.id;
    site.client.create_image(other).await.unwrap();
    site.client.set_limits(id, tight()).await.unwrap();
    site.stop().await;
    site.start_again().await;
    assert_eq!(limits(&site, id).await, tight());
    let guest = attach(&site, id).await;
    is_held(&site, id, guest).await;
    let nothing = new_image(MIB, false).id;
    let fault = site.client.set_limits(nothing, tight()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirrored_image_keeps_its_limits_where_it_goes() {
    let pair = Pair::start().await;
    let new = new_image(4 * MIB, true);
    let id = new.id;
    pair.a.client.create_image(new).await.unwrap();
    pair.a.client.set_limits(id, tight()).await.unwrap();
    caught_up(&pair.a, &pair.b).await;
    assert_eq!(limits(&pair.b, id).await, tight());
    let fault = pair.b.client.set_limits(id, Limits::default()).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::NotPrimary);
    let promoted = pair.b.client.promote(&[id], PromoteMode::Forced).await;
    promoted.unwrap();
    let guest = attach(&pair.b, id).await;
    is_held(&pair.b, id, guest).await;
    pair.stop().await;
}

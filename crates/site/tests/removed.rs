//! What a site keeps of images that their primary removed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use firebrick_backend::{Backend as _, FaultKind};
use firebrick_site::admin::{
    MirrorRequest, ToolClient, ToolReply, ToolRequest, ToolTrash, TrashRequest, TrashSource,
};
use firebrick_vocabulary::{ImageId, MIB, Role};
use support::{Pair, Site, caught_up, image_name, new_image, until};

async fn call(site: &Site, request: ToolRequest) -> ToolReply {
    let mut tool = ToolClient::connect(&site.client).await.unwrap();
    tool.call(request).await.unwrap()
}

async fn trash(site: &Site) -> Vec<ToolTrash> {
    match call(site, ToolRequest::Trash).await {
        ToolReply::Trash(thrown) => thrown,
        other => panic!("an answer to another question: {other:?}"),
    }
}

async fn write(site: &Site, image: ImageId, byte: u8) {
    let mut tool = ToolClient::connect(&site.client).await.unwrap();
    let (offset, len) = (0, 8192);
    let request = ToolRequest::Write { image, offset, len };
    tool.transfer(request, &[byte; 8192]).await.unwrap();
    tool.call(ToolRequest::Flush).await.unwrap();
}

/// An image that is at both sites.
async fn mirrored(pair: &Pair) -> ImageId {
    let new = new_image(MIB, true);
    let id = new.id;
    pair.a.client.create_image(new).await.unwrap();
    write(&pair.a, id, 7).await;
    caught_up(&pair.a, &pair.b).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_image_comes_back_at_the_other_site() {
    let day = Duration::from_secs(86_400);
    let mut pair = Pair::start_with(|conf| conf.delete_delay = Some(day)).await;
    let (removed, thrown) = (mirrored(&pair).await, mirrored(&pair).await);
    let beside = mirrored(&pair).await;
    pair.a.client.remove_image(removed).await.unwrap();
    // One that a user threw away first has its own name still.
    let (image, what) = (thrown, TrashRequest::Move { until: 0 });
    call(&pair.a, ToolRequest::Throw { image, what }).await;
    let what = TrashRequest::Remove { force: false };
    call(&pair.a, ToolRequest::Throw { image, what }).await;
    caught_up(&pair.a, &pair.b).await;
    assert!(
        trash(&pair.a).await.is_empty(),
        "who removes has nothing left"
    );
    assert!(pair.b.client.image(removed).await.is_err());
    let kept = trash(&pair.b).await;
    assert_eq!(kept.len(), 2);
    for (was, it) in [removed, thrown].map(image_name).iter().zip([0, 1]) {
        let found = kept.iter().find(|kept| kept.name == *was);
        let found = found.unwrap_or_else(|| panic!("{it}: {was} of {kept:?}"));
        assert_eq!(found.source, TrashSource::Mirroring);
        assert_eq!(found.until - found.deleted, day.as_nanos() as u64);
    }
    let listed = pair.b.client.images().await.unwrap();
    assert_eq!(listed.len(), 1, "only what is beside is an image of users");

    // The site where it was removed is lost.
    pair.a.stop().await;
    pair.heal();
    let request = MirrorRequest::Promote {
        images: vec![beside],
        force: true,
        dry_run: false,
        accept_loss: None,
    };
    call(&pair.b, ToolRequest::Mirror { request }).await;
    let was = image_name(removed);
    let image = kept.iter().find(|kept| kept.name == was).unwrap().id;
    let what = TrashRequest::Restore { name: None };
    call(&pair.b, ToolRequest::Throw { image, what }).await;
    let back = pair.b.client.image(image).await.unwrap();
    assert_eq!((back.name, back.role), (was, Role::Primary));
    assert_eq!(back.used.0, 8192);
    write(&pair.b, image, 8).await;
    pair.b.client.set_mirroring(image, true).await.unwrap();

    pair.a.start_again().await;
    pair.heal();
    until("it is mirrored the other way", async || {
        let there = pair.a.client.image(image).await;
        there.is_ok_and(|there| there.sync.is_consistent())
    })
    .await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_goes_when_its_time_has_come() {
    let short = Duration::from_millis(1);
    let pair = Pair::start_with(|conf| conf.delete_delay = Some(short)).await;
    let image = mirrored(&pair).await;
    pair.a.client.remove_image(image).await.unwrap();
    caught_up(&pair.a, &pair.b).await;
    until("nothing is left of it", async || {
        trash(&pair.b).await.is_empty()
    })
    .await;
    pair.stop().await;
}

/// The default, and what a user's own trash is not subject to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_where_nobody_asked_for_it() {
    let pair = Pair::start().await;
    let (image, thrown) = (mirrored(&pair).await, mirrored(&pair).await);
    let throw = ToolRequest::Throw {
        image: thrown,
        what: TrashRequest::Move { until: 1 },
    };
    call(&pair.a, throw).await;
    pair.a.client.remove_image(image).await.unwrap();
    caught_up(&pair.a, &pair.b).await;
    let gone = pair.b.client.image(image).await.unwrap_err();
    assert_eq!(gone.kind, FaultKind::NotFound);
    let kept = trash(&pair.b).await;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].id, kept[0].source), (thrown, TrashSource::User));
    pair.stop().await;
}

//! The embedded engine does what every kind of site has to do; run here over the admin socket.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use firebrick_contract::{contract, drill_contract, mirrored_contract};
use support::{Pair, Site, conf};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_keeps_the_contract() {
    let dir = TempDir::new().unwrap();
    let mut site = Site::start(conf(dir.path(), "a")).await;
    contract(&site.client).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_embedded_engines_keep_the_contract() {
    let pair = Pair::start().await;
    mirrored_contract(&pair.a.client, &pair.b.client).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drills_of_two_embedded_engines_keep_the_contract() {
    let pair = Pair::start().await;
    drill_contract(&pair.a.client, &pair.b.client).await;
    pair.stop().await;
}

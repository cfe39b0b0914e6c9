//! Requests end in the middle, when a client goes away: the one writer must survive it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use firebrick_db::{Db, activities};

/// Polls a future so many times, with the worker getting time in between, and drops it.
async fn cut_after<F: Future>(polls: usize, future: F) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        let mut context = Context::from_waker(Waker::noop());
        if future.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

#[tokio::test]
async fn a_transaction_cut_at_any_point_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("db").display());
    let db = Db::open(&url).await.unwrap();
    let work = async || {
        let mut tx = db.begin().await?;
        activities::release_node(&mut tx, "node").await?;
        tx.commit().await
    };
    for polls in 1..200 {
        let whole = cut_after(polls, work()).await;
        let next = tokio::time::timeout(Duration::from_secs(5), work()).await;
        next.unwrap_or_else(|_| panic!("stuck after {polls} polls"))
            .unwrap_or_else(|error| panic!("after {polls} polls: {error}"));
        // A second process finds no lock either.
        let other = tokio::time::timeout(Duration::from_secs(5), Db::open(&url)).await;
        let other = other.unwrap_or_else(|_| panic!("locked after {polls} polls"));
        other.unwrap().close().await;
        if whole {
            return;
        }
    }
    panic!("the work does not end");
}

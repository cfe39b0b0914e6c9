//! Sites on a real Ceph.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod contract;
mod pair;
mod rbd;
mod volumes;

//! A Ceph site does what every kind of site has to do.

use std::time::Duration;

use firebrick_ceph::{CephOptions, CephSite};
use firebrick_contract::contract;
use firebrick_tests::{Ceph, until};

fn options(ceph: &Ceph) -> CephOptions {
    CephOptions {
        exclusive_pool: false,
        purge: Duration::from_secs(1),
        ..CephOptions::new("ceph", ceph.conf(), "volumes")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceph_site_keeps_the_contract() {
    let ceph = Ceph::with_manager();
    let site = CephSite::new(options(&ceph)).unwrap();
    contract(&site).await;
    let left = ceph.rbd(&["ls", "volumes"]).ok().stdout;
    assert_eq!(left, "", "images are left");
    until("what clones needed is removed", 60, || {
        ceph.rbd(&["trash", "ls", "volumes"]).ok().stdout.is_empty()
    });
}

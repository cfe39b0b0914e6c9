//! A Ceph site does what every kind of site has to do.

use std::time::Duration;

use firebrick_ceph::{CephOptions, CephSite, Mirroring};
use firebrick_contract::contract;
use firebrick_tests::{Ceph, until};

fn options(ceph: &Ceph) -> CephOptions {
    CephOptions {
        exclusive_pool: false,
        purge: Duration::from_secs(1),
        ..CephOptions::new("ceph", ceph.conf(), "volumes")
    }
}

/// One of two, as the user that Cinder has.
pub(crate) fn mirrored_site(name: &str, ceph: &Ceph) -> CephSite {
    mirrored_by(Mirroring::Journal, name, ceph)
}

/// The same, mirrored in that way.
pub(crate) fn mirrored_by(mirroring: Mirroring, name: &str, ceph: &Ceph) -> CephSite {
    let options = CephOptions {
        mirroring,
        name: name.to_owned(),
        cluster: name.to_owned(),
        user: Some("cinder".to_owned()),
        has_target: true,
        ..options(ceph)
    };
    CephSite::new(options).unwrap()
}

/// For what is told of sites without a control plane.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
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

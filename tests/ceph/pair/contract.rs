//! Two sites keep the driver's contract.

use firebrick_ceph::Mirroring;
use firebrick_contract::{drill_contract, mirrored_contract};
use firebrick_tests::CephPair;

use crate::contract::{mirrored_by, mirrored_site, runtime};

#[test]
fn two_ceph_sites_keep_the_contract() {
    CephPair::with(|pair| {
        let a = mirrored_site("site-a", &pair.a);
        let b = mirrored_site("site-b", &pair.b);
        runtime().block_on(mirrored_contract(&a, &b));
    });
}

#[test]
fn drills_of_two_ceph_sites_keep_the_contract() {
    CephPair::with(|pair| {
        for way in [Mirroring::Journal, Mirroring::Snapshot] {
            let a = mirrored_by(way, "site-a", &pair.a);
            let b = mirrored_by(way, "site-b", &pair.b);
            runtime().block_on(drill_contract(&a, &b));
        }
    });
}

//! Stories: the real binary, real clients, real crashes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that cannot go on fails"
)]

mod active_active;
mod backups;
mod bad_input;
mod chaos;
mod clients;
mod control_plane_killed;
mod damage;
mod dev;
mod disaster;
mod drills;
mod filesystems;
mod full;
mod fuzz_api;
mod group_replication;
mod groups;
mod guests;
mod images;
mod mirror_away;
mod mirror_chain;
mod mirror_clones;
mod mirror_groups;
mod mirror_limits;
mod mirror_snapshots;
mod mirror_sync;
mod mirror_three_sites;
mod mirror_types;
mod mirror_verify;
mod mirroring;
mod moving;
mod qos;
mod rbd;
mod rbd_bench;
mod rbd_ceph;
mod rbd_groups;
mod rbd_journal;
mod rbd_keeping;
mod replication;
mod replication_bugs;
mod revert;
mod scenario;
mod time_machine;
mod tokens;
mod torture;
mod volumes;

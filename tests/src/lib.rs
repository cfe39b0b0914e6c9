//! Stories with the real binary and real clients.
//!
//! What it is for: start `firebrick dev` in a folder of its own on free ports, drive it as a user
//! would, kill what a story kills, and end everything that it started. What it leans on: the binary
//! named by `FIREBRICK_BIN` (else the one beside the test), the stock clients in `FIREBRICK_CLIENTS`
//! (else `target/venv/bin`), Keystone, Glance and Tempest in `FIREBRICK_OPENSTACK` (else
//! `target/openstack/bin`), and the programs that `cargo xtask prepare` installs. What is missing
//! fails the test and says what to run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod api;
mod bugs;
mod ceph;
mod clients;
mod cluster;
mod deployment;
mod dev;
mod disk;
mod lone;
mod nodes;
mod openstack;
mod ports;
#[path = "../../crates/db/tests/contract/place/postgres.rs"]
mod postgres;
mod process;
mod rbd;
mod tools;
mod wait;

pub use api::{Answer, Api};
pub use bugs::Bugs;
pub use ceph::{Ceph, CephPair};
pub use clients::{Clients, fields, rows};
pub use cluster::{PHASES, Together};
pub use deployment::Deployment;
pub use dev::{Dev, Site, binary};
pub use disk::{Access, Disk, FileSystem, Mounted};
pub use firebrick_export::{Guest, GuestError};
pub use lone::LoneSite;
pub use nodes::{Hold, Nodes};
pub use openstack::{Openstack, PASSWORD, program};
pub use rbd::Rbd;
pub use tools::{Ran, run, run_within, tool};
pub use wait::{until, until_some};

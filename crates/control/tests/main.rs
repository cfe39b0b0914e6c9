//! The control plane over a real database and sites without disks.
//!
//! One program for all subjects, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "../../cloud/tests/fake/glance.rs"]
mod glance;
#[path = "../../cloud/tests/fake/nova.rs"]
mod nova;
#[path = "../../db/tests/contract/place/mod.rs"]
mod place;

mod activities;
mod attachments;
mod backups;
mod clusters;
mod drills;
mod failover;
mod failover_bugs;
mod failover_database;
mod failover_one;
mod failover_report;
mod failover_trouble;
mod frozen;
mod groups;
mod identity;
mod image;
mod image_metadata;
mod leftovers;
mod manage;
mod messages;
mod moving;
mod placing;
mod policy;
mod promotion;
mod qos;
mod quota;
mod replication_one;
mod replications;
mod reset;
mod restart;
mod restart_failover;
mod revert;
mod servers;
mod stale;
mod together;
mod transfers;
mod twice;
mod types;
mod volumes;

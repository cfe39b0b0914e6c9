//! A site on a pool of a Ceph cluster.
//!
//! What it is for: [`CephSite`] is a [`firebrick_backend::Backend`] whose images are RBD's, as Cinder's own
//! driver makes them, so that volumes made by either are found by the other. What it promises: the program
//! starts where no Ceph is installed, and [`CephSite::new`] says what is missing; nothing that waits for the
//! cluster runs on the runtime's threads, and every call ends in time. What it leans on: librados and librbd of
//! Ceph 16.2 and later, loaded at run time (`ffi`), and the trait.

mod fault;
mod ffi;
mod journal;
mod link;
mod names;
mod notes;
mod options;
mod running;
mod site;
mod threads;

pub use ffi::Missing;
pub use options::{CephOptions, Mirroring};
pub use site::CephSite;

/// A cluster as the operator's tool sees it: pools and images by name, and librbd's own answers. Calls block, each
/// for as long as the settings of its [`tool::Access`] let the cluster think.
pub mod tool {
    pub use crate::ffi::tool::*;
}

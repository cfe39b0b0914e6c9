//! Groups of volumes: rows, and the stories behind them.

mod change;
pub(crate) mod clone;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod join;
pub(crate) mod look;
mod place;
pub(crate) mod replication;
mod request;

pub use replication::FailoverGroup;
pub use request::{CloneGroup, CreateGroup, Family, GroupSource, UpdateGroup};

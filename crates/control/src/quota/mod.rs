//! Quotas: what a project may have, counted from the rows in the transaction that adds one.
//!
//! A limit is the project's own where one is set, else that of the class `default`, else that of the
//! configuration. Types have limits of their own, which nobody has but who sets them.

mod check;
mod limits;
mod resource;
mod sets;

pub(crate) use check::{Wanted, check, check_type, gigabytes};
pub(crate) use limits::Effective;
pub(crate) use resource::Resource;
pub use sets::{QuotaSet, QuotaUse};

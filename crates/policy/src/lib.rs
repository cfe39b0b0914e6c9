//! Who may do what: oslo.policy's language and Cinder's rules.
//!
//! What it is for: a [`Policy`] says whether somebody with given [`Credentials`] may do what a [`Rule`]
//! is about to a [`Target`]. What it promises: no I/O; the defaults are those of Cinder's secure roles;
//! the text of a `policy.yaml` is either understood as a whole or refused with the rule and the reason;
//! what cannot be compared never allows. What it leans on: nothing of ours.

mod check;
mod file;
mod language;
mod policy;
mod rule;
mod who;

pub use language::CheckError;
pub use policy::{Defaults, Policy, PolicyError, Remark};
pub use rule::Rule;
pub use who::{Credentials, Target};

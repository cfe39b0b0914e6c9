//! Volumes offered to whoever has a key, and taken over by another project.

mod accept;
mod key;
mod look;
mod offer;

pub use key::AuthKey;
pub use offer::CreateTransfer;

//! Reader and server of a log between two sites.
//!
//! What it is for: [`Mirror`] serves this store's log to its peers and follows theirs. What it
//! promises: only what is durable here is ever sent (a crash never takes back what a peer holds);
//! a batch is applied whole and in order (INV-2); only peers whose certificate is pinned are talked
//! to; memory is bounded whatever a peer sends. What it leans on: `engine` for what records mean,
//! TLS for who speaks.

mod catch_up;
mod copies;
mod copy;
mod digests;
mod direction;
mod door;
mod durable;
mod error;
mod flushes;
mod follow;
mod hold;
mod identity;
mod known;
mod lag;
mod lend;
mod message;
mod mirror;
mod network;
mod newcomer;
mod outlet;
mod pace;
mod packed;
mod peers;
mod relay;
mod runtime;
mod serve;
mod session;
mod stream;
mod succession;
mod tcp;
mod tls;
mod traffic;
mod wire;

pub use digests::{Digests, RANGE_BLOCKS, digests};
pub use direction::Direction;
pub use door::{Join, Joined, Knock, Secret};
pub use error::{Error, ErrorKind};
pub use flushes::{Settled, SyncPeer, SyncPlace, Synchrony, Waiter};
pub use identity::{Fingerprint, Identity};
pub use mirror::{Mirror, MirrorOptions, PeerOptions};
pub use network::{Arrival, Duplex, Listener, Network, Wire};
pub use peers::{ImageReader, PeerState, Upstream};
pub use traffic::{Allowed, Compression, Hours, Rate, Traffic};

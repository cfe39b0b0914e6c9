//! How a pool and its images are mirrored.

mod image;
mod peers;
mod pool;
mod status;

pub use super::super::peers::{MirrorPeer, PeerDirection};
pub use image::{ImageMirroring, ImageMode};
pub use pool::PoolMode;
pub use status::{MirrorState, MirrorStatus, SiteStatus};

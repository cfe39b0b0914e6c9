//! How a pool and its images are mirrored.

mod image;
mod peers;
mod pool;
mod status;

pub use image::{ImageMirroring, ImageMode};
pub use peers::{MirrorPeer, PeerDirection};
pub use pool::PoolMode;
pub use status::{MirrorState, MirrorStatus, SiteStatus};

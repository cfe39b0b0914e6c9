//! What guests talk to: block devices exported by NBD.
//!
//! What it is for: speak the NBD protocol on Unix and TCP sockets for any number of clients. What it
//! promises: no answer for a write before the device took it, none for a flush or FUA before it is
//! durable; bounded memory and time per client; a server that stops drops its connections and never
//! answers "shutting down", so that clients reconnect. What it leans on: the [`Device`] trait, which
//! the engine's images satisfy.

mod arena;
mod budget;
mod buffers;
mod client;
mod connection;
mod device;
mod error;
mod fields;
mod flush;
mod guest;
mod intake;
mod link;
mod listen;
mod negotiate;
mod option;
mod outbox;
mod pool;
mod registry;
mod replies;
mod server;
mod session;
mod status;
mod throttle;
mod tls;
mod wire;

pub use device::{Device, DeviceError, DeviceWrite, Extent, ExtentState, Flushed};
pub use error::Error;
pub use guest::{Guest, GuestError};
pub use server::{ExportServer, ExportServerOptions};
pub use throttle::Throttle;
pub use tls::{Tls, TlsError, TlsFile, TlsFiles, TlsMode};

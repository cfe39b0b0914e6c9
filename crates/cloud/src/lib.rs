//! The other OpenStack services, as this one calls them.
//!
//! What it is for: a [`Keystone`] says whose token a request has and which projects there are, a [`Glance`] gives and
//! takes images, and a [`Nova`] is told what became of the disks of its servers.
//! What it promises: a token counts only if Keystone said so within the cache time and it has not
//! expired; a service that does not answer is an error of its own, never a verdict; an image is read
//! whole and as its checksum says, or not at all; answers are bounded; tokens and passwords are neither
//! logged nor kept in clear text beyond a request. What it leans on: `policy` for credentials, ureq for
//! HTTP.

mod glance;
mod keystone;
mod nova;
mod seal;
mod tls;

pub use glance::{
    Digest, Download, Glance, GlanceError, GlanceOptions, Image, ImageStatus, NewImage, Upload,
    Visibility,
};
pub use seal::{Seal, UserToken};

pub use keystone::{Domain, Identity, Keystone, KeystoneError, KeystoneOptions, ProjectAnswer};
pub use nova::{DiskEvent, Nova, NovaError, NovaOptions};

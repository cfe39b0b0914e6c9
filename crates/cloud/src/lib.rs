//! The other OpenStack services, as this one calls them.
//!
//! What it is for: a [`Keystone`] says whose token a request has. What it promises: a token counts only
//! if Keystone said so within the cache time and it has not expired; a Keystone that does not answer is
//! an error of its own, never a verdict; answers are bounded; tokens and passwords are neither logged
//! nor kept in clear text beyond a request. What it leans on: `policy` for credentials, ureq for HTTP.

mod keystone;

pub use keystone::{Domain, Identity, Keystone, KeystoneError, KeystoneOptions};

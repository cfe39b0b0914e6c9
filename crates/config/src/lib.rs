//! Configuration files in the dialect of `cinder.conf`.
//!
//! What it is for: one reader of oslo.config's INI format for the control plane and for sites. What
//! it promises: a wrong file or value is refused with file, line, option and reason; options that
//! nobody asked for can be listed for a warning; lines that cinder takes are taken. What it leans
//! on: nothing of this project.

mod error;
mod file;
mod parse;
mod section;

pub use error::{ConfigError, Unknown};
pub use file::ConfigFile;
pub use section::{Dict, Section};

#[cfg(test)]
mod tests;

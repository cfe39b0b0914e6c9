//! `bench`.

use clap::{Args, ValueEnum};

use super::specs::SpecArgs;
use crate::cli::rbd::size::Size;

/// `bench`
#[derive(Args, Debug)]
#[command(after_help = "\
Each thread is a client of its own, which reaches the image by NBD as a guest does, and has one request in
flight. What `write` writes stays: bench an image that nobody needs.

Examples:
  firebrick rbd create --size 1G scratch
  firebrick rbd bench --io-type write --io-size 4K --io-total 256M --io-pattern rand scratch
  firebrick rbd bench --io-type readwrite --rw-mix-read 70 scratch")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// What is done
    #[arg(long, value_enum)]
    pub(crate) io_type: Option<IoType>,
    /// The size of a request
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = exact)]
    pub(crate) io_size: u64,
    /// How many clients
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u64).range(1..=1000)
    )]
    pub(crate) io_threads: u64,
    /// How much all of them do
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub(crate) io_total: Size,
    /// In which order
    #[arg(long, value_enum, default_value_t)]
    pub(crate) io_pattern: IoPattern,
    /// Of 100 requests so many read
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(0..=100)
    )]
    pub(crate) rw_mix_read: u64,
}

fn exact(text: &str) -> Result<u64, String> {
    let bytes = crate::cli::rbd::size::bytes(text)?;
    match bytes {
        0 => Err("a request has at least one byte".to_owned()),
        bytes => Ok(bytes),
    }
}

/// What a bench does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum IoType {
    /// Read
    Read,
    /// Write
    Write,
    /// Both
    #[value(alias = "rw")]
    Readwrite,
}

/// In which order a bench does it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum IoPattern {
    /// Anywhere
    Rand,
    /// Each client from a place of its own on
    #[default]
    Seq,
    /// All clients together from the first byte on
    FullSeq,
}

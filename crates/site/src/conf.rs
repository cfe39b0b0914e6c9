//! `site.conf`: what a site must know.

mod mirror;
mod nbd;
mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firebrick_config::{ConfigError, ConfigFile, Section, Unknown};
use firebrick_engine::Retention;
use firebrick_mirror::{Direction, Fingerprint, Traffic};
use firebrick_vocabulary::{Bytes, GIB, KIB, MIB};

pub(crate) use mirror::is_address;
pub use nbd::NbdSecurity;
pub(crate) use nbd::option_of;

/// The longest path that the address of a Unix socket holds, in bytes.
pub const SOCKET_PATH_MAX: usize = 107;

/// Over which socket guests are told to reach an export.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExportVia {
    /// `nbd+unix:///NAME?socket=PATH`: for guests on this machine.
    Unix,
    /// `nbd://ADDRESS:PORT/NAME`, or `nbds` where TLS is required.
    Tcp,
}

/// Another site that mirrors with this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerConf {
    /// Its name, from the section's: `[peer site-b]`.
    pub name: String,
    /// Where its mirror listens, for example `127.0.0.1:10909`.
    pub address: String,
    /// The SHA-256 of its certificate in hexadecimal; nobody else is taken for it.
    pub fingerprint: Fingerprint,
    /// How much the log may grow for it while it is away. `None`: as for each.
    pub log_limit: Option<Bytes>,
    /// Which way logs go.
    pub direction: Direction,
    /// How much may go to it.
    pub traffic: Traffic,
}

/// The configuration of a site. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct SiteConf {
    /// The name of the site, for example `site-a`.
    pub name: String,
    /// The folder of the store and of the site's identity.
    pub dir: PathBuf,
    /// The Unix socket of the admin protocol.
    pub admin: PathBuf,
    /// The Unix socket of the exports.
    pub nbd_socket: PathBuf,
    /// Where exports listen by TCP. `None`: nowhere.
    pub nbd_listen: Option<SocketAddr>,
    /// What protects them there.
    pub nbd_security: NbdSecurity,
    /// Which of both addresses guests are told.
    pub export_address: ExportVia,
    /// Where peers reach the log. `None`: no peer can read it.
    pub mirror_listen: Option<SocketAddr>,
    /// By which address peers are told to reach it there, as `host:port`. `None`: by that itself.
    pub mirror_address: Option<String>,
    /// The size at which the log begins a new segment.
    pub segment_size: Bytes,
    /// How much the log grows between two checkpoints.
    pub checkpoint_every: Bytes,
    /// How far back images can be had, unless they say so themselves.
    pub retention: Retention,
    /// The most that the log may take. `None`: what the file system has.
    pub capacity: Option<Bytes>,
    /// The memory for the part of the index that is in use.
    pub index_cache: Bytes,
    /// The memory for what has changed since the last checkpoint.
    pub pending_cache: Bytes,
    /// Within which time everything that is stored is read and checked once. `None`: only when asked.
    pub scrub_interval: Option<Duration>,
    /// How long mirrored images that were primary wait for their peer's word after a start.
    pub fence_grace: Duration,
    /// How many seconds of their writes peers may lack of images that have no target of their own.
    /// `None`: any number.
    pub rpo_target: Option<Duration>,
    /// How much the log may grow for each peer that is away. `None`: as much as suits the store.
    pub peer_log_limit: Option<Bytes>,
    /// How many mirror snapshots of an image stay.
    pub mirror_snapshots: u8,
    /// Within which time each mirrored image is compared with its peers once. `None`: only when asked.
    pub verify_interval: Option<Duration>,
    /// How long replicas that their primary removes are kept here. `None`: not at all.
    pub delete_delay: Option<Duration>,
    /// Where figures for Prometheus are served. `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The other sites.
    pub peers: Vec<PeerConf>,
}

impl SiteConf {
    /// Reads the file at `path`; what it has and nobody knows comes along for a warning. Relative
    /// paths in it start at its folder.
    pub fn read(path: &Path) -> Result<(Self, Vec<Unknown>), ConfigError> {
        let file = ConfigFile::read(path)?;
        let conf = Self::from_file(&file)?;
        Ok((conf, file.unknown()))
    }

    /// Understands `file`.
    pub fn from_file(file: &ConfigFile) -> Result<Self, ConfigError> {
        let section = file.require("site")?;
        let base = file.path().parent().unwrap_or(Path::new(""));
        let nbd_security = nbd::security(section, base)?;
        let nbd_listen = nbd::listen(section, &nbd_security)?;
        let capacity = store::capacity(section)?;
        Ok(Self {
            name: site_name(section)?,
            dir: base.join(section.require("dir")?),
            admin: socket(section, base, "admin")?,
            nbd_socket: socket(section, base, "nbd_socket")?,
            nbd_listen,
            export_address: nbd::via(section, nbd_listen, &nbd_security)?,
            nbd_security,
            mirror_listen: section.value("mirror_listen", ADDRESS)?,
            mirror_address: mirror::mirror_address(section)?,
            segment_size: size(
                section,
                "segment_size",
                store::segment_size(capacity),
                MIB,
                GIB,
            )?,
            checkpoint_every: size(section, "checkpoint_every", GIB, MIB, 1024 * GIB)?,
            retention: store::retention(section)?,
            capacity,
            index_cache: size(section, "index_cache", 160 * MIB, MIB, 1024 * GIB)?,
            pending_cache: size(section, "pending_cache", 96 * MIB, MIB, 1024 * GIB)?,
            scrub_interval: store::scrub_interval(section)?,
            fence_grace: seconds(section, "fence_grace", 3.0)?,
            rpo_target: mirror::rpo_target(section)?,
            peer_log_limit: mirror::log_limit(section, "peer_log_limit")?,
            mirror_snapshots: mirror::snapshots(section)?,
            verify_interval: mirror::verify_interval(section)?,
            delete_delay: mirror::delete_delay(section)?,
            metrics_listen: mirror::metrics_listen(section)?,
            peers: mirror::peers(file)?,
        })
    }
}

const ADDRESS: &str = "an address and port such as 127.0.0.1:10809";

fn site_name(section: &Section) -> Result<String, ConfigError> {
    let name = section.require("name")?;
    if fits_name(&name) {
        Ok(name)
    } else {
        Err(section.refuse(
            "name",
            "at most 64 letters, digits, dashes, dots and underscores",
        ))
    }
}

/// Whether a site may be called that.
pub(crate) fn fits_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

fn socket(section: &Section, base: &Path, option: &str) -> Result<PathBuf, ConfigError> {
    let text = section.require(option)?;
    let path = base.join(text.strip_prefix("unix://").unwrap_or(&text));
    let len = path.as_os_str().len();
    if len > SOCKET_PATH_MAX {
        let reason = format!("the path has {len} bytes; a Unix socket allows {SOCKET_PATH_MAX}");
        return Err(section.refuse(option, reason));
    }
    Ok(path)
}

/// A size in bytes, perhaps with a unit: `67108864`, `64MiB`, `64M`.
fn size(
    section: &Section,
    option: &str,
    default: u64,
    least: u64,
    most: u64,
) -> Result<Bytes, ConfigError> {
    match section.text(option)? {
        None => Ok(Bytes(default)),
        Some(text) => size_of(section, option, &text, least, most),
    }
}

fn size_of(
    section: &Section,
    option: &str,
    text: &str,
    least: u64,
    most: u64,
) -> Result<Bytes, ConfigError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text[digits.len()..].trim() {
        "" | "B" => Some(1),
        "K" | "KiB" => Some(KIB),
        "M" | "MiB" => Some(MIB),
        "G" | "GiB" => Some(GIB),
        "T" | "TiB" => Some(1024 * GIB),
        _ => None,
    };
    let size = digits
        .parse::<u64>()
        .ok()
        .zip(unit)
        .and_then(|(n, unit)| n.checked_mul(unit));
    match size {
        Some(size) if (least..=most).contains(&size) => Ok(Bytes(size)),
        Some(_) => Err(section.refuse(
            option,
            format!("{text} is not between {} and {}", Bytes(least), Bytes(most)),
        )),
        None => Err(section.refuse(option, format!("{text:?} is not a size such as 64MiB"))),
    }
}

fn seconds(section: &Section, option: &str, default: f64) -> Result<Duration, ConfigError> {
    let value: f64 = section.value_or(option, "a number of seconds", default)?;
    if (0.0..=3600.0).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(section.refuse(option, format!("{value} is not between 0 and 3600 seconds")))
    }
}

#[cfg(test)]
mod tests;

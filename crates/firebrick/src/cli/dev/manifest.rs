//! `dev.json`: what runs where, for programs.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// The file's name in the folder of the `dev`.
const FILE: &str = "dev.json";
/// The largest file that is read, in bytes.
const SIZE_MAX: u64 = 1 << 20;

/// What runs where.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Manifest {
    /// The address of the API, for example `http://127.0.0.1:8776`.
    pub(crate) api: String,
    /// The process of the control plane; `None` while it is down.
    pub(crate) pid: Option<u32>,
    /// The process of `dev` itself; `None` when it has ended.
    pub(crate) supervisor: Option<u32>,
    /// The backend's section in `cinder.conf`.
    pub(crate) backend: String,
    /// The backend's service.
    pub(crate) host: String,
    /// The control plane's configuration.
    pub(crate) conf: PathBuf,
    /// Where the API listens.
    pub(crate) listen: SocketAddr,
    /// The socket over which `dev` is asked to start and stop sites.
    pub(crate) control: PathBuf,
    /// A private folder for sockets, where the `dev`'s own is too deep for their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sockets: Option<PathBuf>,
    /// The sites, in order.
    pub(crate) sites: Vec<SiteEntry>,
}

/// One site.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SiteEntry {
    /// Its name.
    pub(crate) name: String,
    /// Its process; `None` while it is down.
    pub(crate) pid: Option<u32>,
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// Its configuration.
    pub(crate) conf: PathBuf,
    /// Its admin socket.
    pub(crate) admin: PathBuf,
    /// The Unix socket of its exports.
    pub(crate) nbd_socket: PathBuf,
    /// The TCP port of its exports.
    pub(crate) nbd_port: u16,
    /// The TCP port of its mirror.
    pub(crate) mirror_port: u16,
    /// What its log goes to.
    pub(crate) log: PathBuf,
}

impl Manifest {
    /// Reads the file in `dir`; `None` where there is none.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, Failure> {
        let path = dir.join(FILE);
        let doing = || format!("read {}", path.display());
        match fs::metadata(&path) {
            Ok(found) if found.len() > SIZE_MAX => {
                return Err(Failure::new(
                    doing(),
                    format!("{} bytes are too many", found.len()),
                ));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::new(doing(), error)),
        }
        let text = fs::read(&path).map_err(|error| Failure::new(doing(), error))?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Failure::new(doing(), error))
    }

    /// Writes the file in `dir`; a reader sees the old one or the new one, whole.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Failure> {
        let path = dir.join(FILE);
        let doing = |error| Failure::new(format!("write {}", path.display()), error);
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::new(format!("write {}", path.display()), error))?;
        text.push(b'\n');
        replace(&path, &text).map_err(doing)
    }

    /// The site `name`.
    pub(crate) fn site(&self, name: &str) -> Option<&SiteEntry> {
        self.sites.iter().find(|site| site.name == name)
    }
}

/// Puts `contents` at `path` in one step that survives a crash: written beside, synced, renamed,
/// and the folder synced.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

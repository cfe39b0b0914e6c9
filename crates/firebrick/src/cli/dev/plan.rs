//! Where everything of a `dev` is: folders, sockets and ports; the same at every start.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firebrick_site::conf::SOCKET_PATH_MAX;

use super::manifest::{Manifest, SiteEntry};
use crate::cli::args::DevArgs;
use crate::exit::Failure;

/// The sites, in order: the first is the primary.
pub(super) const SITES: [&str; 2] = ["site-a", "site-b"];
/// The backend's section.
pub(super) const BACKEND: &str = "blocks";
/// The project that the printed environment works in.
pub(super) const PROJECT: &str = "dev";
/// The cloud's name in `clouds.yaml`.
pub(super) const CLOUD: &str = "firebrick";
/// What `host` in `cinder.conf` says.
pub(super) const NODE: &str = "node1";
/// Where the API listens at the first start.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8776);
/// The first NBD port at the first start.
const NBD_PORT: u16 = 10809;
/// Between the NBD port of a site and the port of its mirror, where that one is free.
const MIRROR_DISTANCE: u16 = 100;
/// How long the processes of a `dev` that was killed may take to let go of their ports.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);
/// The longest name of a socket in the folder.
const LONGEST_SOCKET: &str = "site-a/admin.sock";

/// Decides where everything is: as the command line says, else as the last time, else the defaults.
pub(super) fn decide(dir: &Path, args: &DevArgs) -> Result<Manifest, Failure> {
    let last = Manifest::read(dir)?;
    let listen = args
        .listen
        .or(last.as_ref().map(|last| last.listen))
        .unwrap_or(LISTEN);
    if !listen.ip().is_loopback() {
        return Err(Failure::Usage(format!(
            "--listen {listen}: `dev` serves with noauth, where everybody is an administrator, so it \
             listens on a loopback address only, such as 127.0.0.1"
        )));
    }
    let listen = if listen.port() == 0 {
        SocketAddr::new(listen.ip(), free_port()?)
    } else {
        listen
    };
    let sockets = sockets_folder(dir, last.as_ref())?;
    let mut taken = vec![listen.port()];
    let mut sites = Vec::new();
    for (index, name) in SITES.iter().enumerate() {
        let last = last.as_ref().and_then(|last| last.site(name));
        let nbd_port = nbd_port(args.nbd_port, last, index, &taken)?;
        taken.push(nbd_port);
        let mirror_port = mirror_port(last, nbd_port, &taken)?;
        taken.push(mirror_port);
        sites.push(site_entry(
            dir,
            sockets.as_deref(),
            name,
            nbd_port,
            mirror_port,
        ));
    }
    Ok(Manifest {
        api: format!("http://{listen}"),
        pid: None,
        supervisor: Some(std::process::id()),
        backend: BACKEND.to_owned(),
        host: format!("{NODE}@{BACKEND}"),
        conf: dir.join("cinder.conf"),
        listen,
        control: sockets.as_deref().unwrap_or(dir).join("dev.sock"),
        sockets,
        sites,
    })
}

fn site_entry(
    dir: &Path,
    sockets: Option<&Path>,
    name: &str,
    nbd_port: u16,
    mirror_port: u16,
) -> SiteEntry {
    let home = dir.join(name);
    let socket = |what: &str| match sockets {
        Some(sockets) => sockets.join(format!("{name}.{what}")),
        None => home.join(format!("{what}.sock")),
    };
    SiteEntry {
        name: name.to_owned(),
        pid: None,
        conf: home.join("site.conf"),
        admin: socket("admin"),
        nbd_socket: socket("nbd"),
        nbd_port,
        mirror_port,
        log: dir.join("logs").join(format!("{name}.log")),
        dir: home,
    }
}

fn nbd_port(
    asked: Option<u16>,
    last: Option<&SiteEntry>,
    index: usize,
    taken: &[u16],
) -> Result<u16, Failure> {
    let step = index as u16;
    match (asked, last) {
        (Some(0), _) => free_port_but(taken),
        (Some(first), _) => first.checked_add(step).ok_or_else(|| {
            Failure::Usage(format!(
                "--nbd-port {first}: the second site needs the port behind it"
            ))
        }),
        (None, Some(last)) => Ok(last.nbd_port),
        (None, None) => Ok(NBD_PORT + step),
    }
}

fn mirror_port(last: Option<&SiteEntry>, nbd: u16, taken: &[u16]) -> Result<u16, Failure> {
    if let Some(last) = last.filter(|last| last.nbd_port == nbd) {
        return Ok(last.mirror_port);
    }
    match nbd.checked_add(MIRROR_DISTANCE) {
        Some(port) if !taken.contains(&port) && is_free(port) => Ok(port),
        _ => free_port_but(taken),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn free_port() -> Result<u16, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Failure::new("find a free port", error))
}

fn free_port_but(taken: &[u16]) -> Result<u16, Failure> {
    loop {
        let port = free_port()?;
        if !taken.contains(&port) {
            return Ok(port);
        }
    }
}

/// Where sockets go if the folder is too deep for their names: a private one below `/tmp`.
fn sockets_folder(dir: &Path, last: Option<&Manifest>) -> Result<Option<PathBuf>, Failure> {
    if dir.join(LONGEST_SOCKET).as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok(None);
    }
    let new = || {
        let id = uuid::Uuid::new_v4().simple().to_string();
        std::env::temp_dir().join(format!("firebrick-{}", &id[..12]))
    };
    let folder = last
        .and_then(|last| last.sockets.clone())
        .unwrap_or_else(new);
    let failed = |error| Failure::new(format!("make {}", folder.display()), error);
    match fs::DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => check_private(&folder)?,
        Err(error) => return Err(failed(error)),
    }
    Ok(Some(folder))
}

/// A folder in `/tmp` that another user made in the meantime must not get our sockets.
fn check_private(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let doing = format!("use {}", folder.display());
    let found = fs::symlink_metadata(folder).map_err(|error| Failure::new(&doing, error))?;
    let ours = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.permissions().mode().trailing_zeros() >= 6;
    if ours {
        Ok(())
    } else {
        Err(Failure::new(
            doing,
            "it is not a private folder of this user",
        ))
    }
}

/// Waits until nobody listens on the ports; names the one that stays in use.
pub(super) fn check_ports(manifest: &Manifest) -> Result<(), Failure> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut wanted = vec![(manifest.listen, "the API", "--listen")];
    for site in &manifest.sites {
        wanted.push((local(site.nbd_port), "the exports of a site", "--nbd-port"));
        wanted.push((
            local(site.mirror_port),
            "the mirror of a site",
            "--nbd-port",
        ));
    }
    let deadline = Instant::now() + RELEASE_WITHIN;
    for (address, what, option) in wanted {
        while let Err(error) = TcpListener::bind(address) {
            if error.kind() != std::io::ErrorKind::AddrInUse || Instant::now() > deadline {
                return Err(Failure::Usage(format!(
                    "{address}, meant for {what}: {error}; {option} chooses another one"
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! The configurations that `dev` writes for its processes.

use std::fs;
use std::path::Path;

use super::manifest::{Manifest, SiteEntry, replace};
use super::plan::{BACKEND, CLOUD, NODE, PROJECT};
use crate::exit::Failure;

/// What `openstack` reads, in the folder of the `dev`.
pub(super) const CLOUDS: &str = "clouds.yaml";

/// Writes what is missing or was made for other ports or sockets; a file that a person changed
/// below its first line stays as it is.
pub(super) fn write(dir: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let make = |path: &Path| {
        fs::create_dir_all(path)
            .map_err(|error| Failure::new(format!("make {}", path.display()), error))
    };
    make(&dir.join("logs"))?;
    for site in &manifest.sites {
        make(&site.dir)?;
    }
    let mut fingerprints = Vec::new();
    for site in &manifest.sites {
        let print = firebrick_site::serve::fingerprint_in(&site.dir)
            .map_err(|error| Failure::new(format!("make the identity of {}", site.name), error))?;
        fingerprints.push(print.to_string());
    }
    for (index, site) in manifest.sites.iter().enumerate() {
        let other = (index + 1) % manifest.sites.len();
        keep_or_write(
            &site.conf,
            &site_conf(site, &manifest.sites[other], &fingerprints[other]),
        )?;
    }
    keep_or_write(&dir.join(CLOUDS), &clouds(manifest))?;
    keep_or_write(&manifest.conf, &cinder_conf(dir, manifest))
}

fn keep_or_write(path: &Path, contents: &str) -> Result<(), Failure> {
    let first = contents.lines().next();
    if fs::read_to_string(path).is_ok_and(|found| found.lines().next() == first) {
        return Ok(());
    }
    replace(path, contents.as_bytes())
        .map_err(|error| Failure::new(format!("write {}", path.display()), error))
}

fn site_conf(site: &SiteEntry, peer: &SiteEntry, fingerprint: &str) -> String {
    format!(
        "# Written by `firebrick dev` for ports {nbd} and {mirror}, peer {peer_mirror} {short}, sockets {sockets}; changes below stay.\n\
         [site]\n\
         name = {name}\n\
         dir = {dir}\n\
         admin = {admin}\n\
         nbd_socket = {nbd_socket}\n\
         nbd_port = {nbd}\n\
         mirror_listen = 127.0.0.1:{mirror}\n\
         \n\
         [peer {peer_name}]\n\
         address = 127.0.0.1:{peer_mirror}\n\
         fingerprint = {fingerprint}\n",
        nbd = site.nbd_port,
        mirror = site.mirror_port,
        peer_mirror = peer.mirror_port,
        short = fingerprint.get(..12).unwrap_or(fingerprint),
        sockets = site.admin.display(),
        name = site.name,
        dir = site.dir.display(),
        admin = site.admin.display(),
        nbd_socket = site.nbd_socket.display(),
        peer_name = peer.name,
    )
}

fn clouds(manifest: &Manifest) -> String {
    format!(
        "# Written by `firebrick dev` for {api}; changes below stay.\n\
         clouds:\n\
         \x20 {CLOUD}:\n\
         \x20   auth_type: none\n\
         \x20   auth:\n\
         \x20     endpoint: {api}/v3/{PROJECT}\n",
        api = manifest.api,
    )
}

fn cinder_conf(dir: &Path, manifest: &Manifest) -> String {
    let primary = &manifest.sites[0];
    let secondary = &manifest.sites[1];
    format!(
        "# Written by `firebrick dev` for {listen}, {dir}, sockets {primary_admin}; changes below stay.\n\
         [DEFAULT]\n\
         host = {NODE}\n\
         enabled_backends = {BACKEND}\n\
         osapi_volume_listen = {ip}\n\
         osapi_volume_listen_port = {port}\n\
         auth_strategy = noauth\n\
         report_interval = 1\n\
         service_down_time = 10\n\
         quota_volumes = 20000\n\
         quota_snapshots = 20000\n\
         quota_gigabytes = -1\n\
         quota_backups = 20000\n\
         quota_backup_gigabytes = -1\n\
         backup_posix_path = {dir}/backups\n\
         \n\
         [database]\n\
         connection = sqlite:///{dir}/firebrick.sqlite\n\
         \n\
         [{BACKEND}]\n\
         volume_driver = firebrick\n\
         volume_backend_name = {BACKEND}\n\
         site_name = {primary_name}\n\
         site_admin = {primary_admin}\n\
         replication_device = backend_id:{secondary_name},admin:{secondary_admin}\n\
         # A machine to try things out has little room and many thin volumes.\n\
         max_over_subscription_ratio = 10000\n",
        listen = manifest.listen,
        ip = manifest.listen.ip(),
        port = manifest.listen.port(),
        dir = dir.display(),
        primary_name = primary.name,
        primary_admin = primary.admin.display(),
        secondary_name = secondary.name,
        secondary_admin = secondary.admin.display(),
    )
}

#[cfg(test)]
mod tests;

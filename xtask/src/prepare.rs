//! What the tests need: Debian packages, and the stock clients and services in virtual environments.

use std::path::{Path, PathBuf};

use crate::command::{Error, command, root, run, target};

/// Programs and the Debian packages that bring them.
const PROGRAMS: &[(&str, &str)] = &[
    ("fio", "fio"),
    ("nbdkit", "nbdkit"),
    ("nbdinfo", "libnbd-bin"),
    ("nbdcopy", "libnbd-bin"),
    ("nbdfuse", "libnbd-bin"),
    ("nbdsh", "python3-libnbd"),
    ("nbd-client", "nbd-client"),
    ("qemu-img", "qemu-utils"),
    ("qemu-io", "qemu-utils"),
    ("qemu-nbd", "qemu-utils"),
    ("mke2fs", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("xfs_repair", "xfsprogs"),
    ("losetup", "mount"),
    ("umount", "mount"),
    ("fsfreeze", "util-linux"),
    ("initdb", "postgresql"),
    ("rbd", "ceph-common"),
    ("rados", "ceph-common"),
    ("monmaptool", "ceph-base"),
    ("ceph-mon", "ceph-mon"),
    ("ceph-osd", "ceph-osd"),
    ("ceph-mgr", "ceph-mgr"),
    ("rbd-mirror", "rbd-mirror"),
];

/// Where Debian keeps the programs of PostgreSQL, below the version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// The virtual environments of the tests.
pub(crate) struct Prepared {
    /// The programs of the stock clients.
    pub(crate) clients: PathBuf,
    /// Those of Keystone, Glance and Tempest, whose libraries do not go with those of the clients.
    pub(crate) openstack: PathBuf,
    /// Those of the maker of requests, which knows the description of the API alone.
    pub(crate) fuzz: PathBuf,
}

/// Installs what is missing.
pub(crate) fn prepare() -> Result<Prepared, Error> {
    packages()?;
    Ok(Prepared {
        clients: environment("venv", "clients.txt")?.join("bin"),
        openstack: environment("openstack", "openstack.txt")?.join("bin"),
        fuzz: fuzz()?,
    })
}

/// The maker of requests alone.
pub(crate) fn fuzz() -> Result<PathBuf, Error> {
    Ok(environment("fuzz", "fuzz.txt")?.join("bin"))
}

fn packages() -> Result<(), Error> {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|&(_, package)| package)
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    run(command("apt-get").args(["update", "-qq"]))?;
    run(command("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir(POSTGRESQL)
        .into_iter()
        .flatten()
        .flatten();
    std::env::split_paths(&path)
        .chain(versions.map(|version| version.path().join("bin")))
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .any(|dir| dir.join(program).is_file())
}

/// A virtual environment below the folder of build products with what `tests/LIST` names; made anew
/// where that list changed.
fn environment(name: &str, list: &str) -> Result<PathBuf, Error> {
    let venv = target().join(name);
    let wanted_at = root().join("tests").join(list);
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })
    };
    let wanted = read(&wanted_at)?;
    let installed = venv.join("installed.txt");
    if read(&installed).is_ok_and(|text| text == wanted) {
        return Ok(venv);
    }
    run(command("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    run(command(venv.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&wanted_at))?;
    std::fs::write(&installed, wanted).map_err(|source| Error::Read {
        path: installed.clone(),
        source,
    })?;
    Ok(venv)
}

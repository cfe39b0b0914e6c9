//! An export as a block device of this machine, and file systems on it.
//!
//! An NBD client shows the export as a file, and a loop device makes a disk of that file: like this
//! the kernel's own file systems run on a volume without the kernel's own NBD client, which many
//! machines do not have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::tools::{Ran, run, tool};
use crate::wait::until;

/// A file system of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileSystem {
    /// ext4, with its defaults.
    Ext4,
    /// XFS, with its defaults.
    Xfs,
}

/// Whether a mounted file system may be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Reading and writing; the journal is replayed if need be.
    Write,
    /// Reading only.
    Read,
}

/// An export as a block device; gone with the value, whatever still uses it.
#[derive(Debug)]
pub struct Disk {
    device: PathBuf,
    client: Child,
    shown_in: PathBuf,
    // Last, because a folder can only go when nothing is mounted in it.
    dir: tempfile::TempDir,
}

/// A mounted file system; unmounted with the value, also when its disk is dead.
#[derive(Debug)]
pub struct Mounted {
    root: PathBuf,
    in_use: bool,
    _dir: tempfile::TempDir,
}

/// Fails with the reason where this machine cannot do what [`Disk`] needs.
fn assert_possible() {
    assert!(
        rustix::process::geteuid().is_root(),
        "loop devices and mounts need root; run this test as root"
    );
    for (device, of) in [("/dev/fuse", "fuse"), ("/dev/loop-control", "loop")] {
        assert!(
            Path::new(device).exists(),
            "no {device}: the kernel's {of} module is missing; try modprobe {of}"
        );
    }
}

impl Disk {
    /// Makes a block device of the export at `uri`.
    pub fn open(uri: &str) -> Self {
        assert_possible();
        let dir = tempfile::Builder::new().prefix("fbdisk").tempdir().unwrap();
        let shown_in = dir.path().join("shown");
        fs::create_dir(&shown_in).unwrap();
        let file = shown_in.join("disk");
        let complaints = dir.path().join("complaints.txt");
        let client = tool("nbdfuse")
            .arg(&file)
            .arg(uri)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&complaints).unwrap())
            .spawn()
            .unwrap();
        let mut disk = Self {
            device: PathBuf::new(),
            client,
            shown_in,
            dir,
        };
        until("nbdfuse shows the export as a file", 30, || {
            let ended = disk.client.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "nbdfuse ended with {ended:?}: {}",
                fs::read_to_string(&complaints).unwrap_or_default()
            );
            file.exists()
        });
        let ran = run(tool("losetup").args(["--show", "--find"]).arg(&file));
        assert_eq!(
            ran.status, 0,
            "no loop device; this test needs one and the right to set it up: {}",
            ran.stderr
        );
        disk.device = PathBuf::from(ran.stdout.trim());
        disk
    }

    /// The block device.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// Puts a new file system onto the first `mebibytes` of the disk.
    pub fn make(&self, kind: FileSystem, mebibytes: u64) {
        let (mut command, size) = match kind {
            FileSystem::Ext4 => (tool("mkfs.ext4"), format!("{mebibytes}M")),
            FileSystem::Xfs => (tool("mkfs.xfs"), format!("-dsize={mebibytes}m")),
        };
        let _ = match kind {
            FileSystem::Ext4 => run(command.arg("-q").arg(&self.device).arg(size)),
            FileSystem::Xfs => run(command.args(["-q", &size]).arg(&self.device)),
        }
        .ok();
    }

    /// Fails the test unless the file system's own checker finds nothing to repair.
    pub fn assert_clean(&self, kind: FileSystem) {
        let mut command = match kind {
            FileSystem::Ext4 => tool("e2fsck"),
            FileSystem::Xfs => tool("xfs_repair"),
        };
        let _ = match kind {
            FileSystem::Ext4 => run(command.arg("-fn").arg(&self.device)),
            FileSystem::Xfs => run(command.arg("-n").arg(&self.device)),
        }
        .ok();
    }

    /// Mounts the file system in a folder of its own.
    pub fn mount(&self, kind: FileSystem, access: Access) -> Mounted {
        let dir = tempfile::Builder::new().prefix("fbroot").tempdir().unwrap();
        // A clone has the same identity as its origin, which XFS refuses to see twice.
        let (name, own) = match kind {
            FileSystem::Ext4 => ("ext4", "errors=remount-ro"),
            FileSystem::Xfs => ("xfs", "nouuid"),
        };
        let access = match access {
            Access::Write => "rw",
            Access::Read => "ro",
        };
        let ran = run(tool("mount")
            .args(["-t", name, "-o", &format!("{access},{own}")])
            .arg(&self.device)
            .arg(dir.path()));
        assert_eq!(
            ran.status, 0,
            "cannot mount {name}; this test needs the right to, and a kernel with {name}: {}",
            ran.stderr
        );
        Mounted {
            root: dir.path().to_owned(),
            in_use: true,
            _dir: dir,
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.device.is_absolute() {
            complain(&run(tool("losetup").arg("-d").arg(&self.device)));
        }
        complain(&run(tool("umount").arg("-l").arg(&self.shown_in)));
        let end = Instant::now() + Duration::from_secs(5);
        while matches!(self.client.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.client.kill();
                let _ = self.client.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if std::thread::panicking() {
            let said = fs::read_to_string(self.dir.path().join("complaints.txt"));
            eprintln!("nbdfuse said: {}", said.unwrap_or_default());
        }
    }
}

impl Mounted {
    /// Where the files are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Unmounts as an administrator does: everything is written and no error is hidden.
    pub fn unmount(mut self) {
        let _ = run(tool("umount").arg(&self.root)).ok();
        self.in_use = false;
    }

    /// Holds all writes back while `during` runs, with everything before them on the disk.
    pub fn frozen<T>(&self, during: impl FnOnce() -> T) -> T {
        struct Thaw<'a>(&'a Path);
        impl Drop for Thaw<'_> {
            fn drop(&mut self) {
                complain(&run(tool("fsfreeze").arg("-u").arg(self.0)));
            }
        }
        let _ = run(tool("fsfreeze").arg("-f").arg(&self.root)).ok();
        let _thaw = Thaw(&self.root);
        during()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.in_use {
            complain(&run(tool("umount").arg("-l").arg(&self.root)));
        }
    }
}

/// A guard that cannot clean up says so, but does not end a test that is failing already.
fn complain(ran: &Ran) {
    if ran.status != 0 {
        eprintln!("{} failed: {}", ran.line, ran.stderr);
    }
}

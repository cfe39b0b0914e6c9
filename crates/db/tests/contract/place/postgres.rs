//! A PostgreSQL of the tests' own: in a temporary folder, reached by a socket there, gone with them.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// Whom PostgreSQL runs as where the tests run as root, whom it refuses: `nobody`.
const NOBODY: u32 = 65534;
/// The one user of its databases.
const USER: &str = "firebrick";

/// Ends the server when the tests are gone, however they ended: then its input ends. The folder goes with it.
const GUARD: &str = r#""$@" >/dev/null 2>"$0/log" & server=$!; read -r _; kill -INT $server; wait $server; rm -rf "$0""#;

/// A running server.
pub(super) struct Cluster {
    folder: PathBuf,
    /// Its input is open as long as this process is there.
    _guard: Child,
    databases: AtomicUsize,
}

impl Cluster {
    /// The one of this process. It takes longer to make than most tests to run, so it stays until the last has run.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        // The guard removes it: nothing that stays to the end of a process is dropped.
        let folder = TempDir::new().unwrap().keep();
        if runs_as_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = folder.join("data");
        run(unprivileged(program("initdb"))
            .args([
                "--no-sync",
                "--no-instructions",
                "--auth=trust",
                "--encoding=UTF8",
            ])
            .args(["--locale=C", "--username", USER, "--pgdata"])
            .arg(&data));
        let guard = unprivileged("sh")
            .args(["-c", GUARD])
            .arg(&folder)
            .arg(program("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "max_connections=600"])
            .args(["-c", "fsync=off", "-c", "shared_buffers=32MB", "-k"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let cluster = Self {
            folder,
            _guard: guard,
            databases: AtomicUsize::new(0),
        };
        cluster.wait();
        cluster
    }

    fn wait(&self) {
        let began = Instant::now();
        let mut ready = Command::new(program("pg_isready"));
        ready.arg("-q").arg("-h").arg(&self.folder);
        while !ready.status().unwrap().success() {
            assert!(
                began.elapsed() < PATIENCE,
                "PostgreSQL does not start: {:?}",
                std::fs::read_to_string(self.folder.join("log"))
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The address of a new, empty database.
    pub(super) fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let folder = &self.folder;
        run(Command::new(program("createdb"))
            .args(["--template=template0", "-U", USER, "-h"])
            .arg(folder)
            .arg(&name));
        format!(
            "postgres://{USER}@localhost/{name}?host={}",
            folder.display()
        )
    }
}

fn runs_as_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn unprivileged(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    if runs_as_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/").env("LC_ALL", "C");
    command
}

fn run(command: &mut Command) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(child.wait().unwrap().success(), "{command:?}: {said:?}");
}

/// The program of the newest PostgreSQL that is installed.
pub(super) fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let debian = versions.into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = debian
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .filter(|program| program.is_file())
        .collect();
    found.sort_by_key(|program| version(program));
    found.pop().unwrap_or_else(|| {
        panic!("{name} is missing: these tests need PostgreSQL (Debian package postgresql)")
    })
}

fn version(program: &Path) -> u32 {
    let mut parts = program.iter().filter_map(OsStr::to_str);
    parts.find_map(|part| part.parse().ok()).unwrap_or(0)
}

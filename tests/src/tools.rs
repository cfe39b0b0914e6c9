//! Running programs that users have.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program of a test may take where nothing else is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// What a program did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command line.
    pub line: String,
    /// Its exit status, 0 for success.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Ran {
    /// Fails the test unless the program succeeded.
    #[must_use]
    pub fn ok(self) -> Self {
        assert!(
            self.status == 0,
            "{} failed with {}\n{}\n{}",
            self.line,
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }
}

/// Runs a command to its end; fails the test where it has none within ten minutes.
pub fn run(command: &mut Command) -> Ran {
    run_within(command, PATIENCE)
}

/// Runs a command to its end; fails the test where it has none within that time.
pub fn run_within(command: &mut Command, within: Duration) -> Ran {
    ended_within(command, within).unwrap_or_else(|hangs| panic!("{hangs}"))
}

/// Runs a command to its end, or kills it where it has none within that time, and says what it printed until then.
pub(crate) fn ended_within(command: &mut Command, within: Duration) -> Result<Ran, String> {
    let line = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {line}: {error}; run cargo xtask prepare"));
    let end = Instant::now() + within;
    let stdout = Printed::of(child.stdout.take().unwrap());
    let stderr = Printed::of(child.stderr.take().unwrap());
    stdout.wait(end);
    stderr.wait(end);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() >= end {
            child.kill().unwrap();
            child.wait().unwrap();
            let (stdout, stderr) = (stdout.text(), stderr.text());
            return Err(format!(
                "{line} hangs: it was killed after {within:?}\n{stdout}\n{stderr}"
            ));
        }
        thread::sleep(Duration::from_millis(1));
    };
    Ok(Ran {
        line,
        status: status.code().unwrap_or(-1),
        stdout: stdout.text(),
        stderr: stderr.text(),
    })
}

/// What a program prints, read beside it.
struct Printed {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Printed {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let (end, ended) = mpsc::channel();
        let kept = Arc::clone(&bytes);
        thread::spawn(move || {
            // Dropped with the thread: so who waits is told.
            let _end: Sender<()> = end;
            let mut some = [0; 8192];
            while let Ok(read @ 1..) = pipe.read(&mut some) {
                kept.lock().unwrap().extend(&some[..read]);
            }
        });
        Self { bytes, ended }
    }

    /// Waits until all of it is there, but not beyond that moment.
    fn wait(&self, end: Instant) {
        // Nothing is ever sent.
        let _ = self
            .ended
            .recv_timeout(end.saturating_duration_since(Instant::now()));
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

/// A command for a program that `cargo xtask prepare` installs.
pub fn tool(name: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file());
    Command::new(found.unwrap_or_else(|| panic!("{name} is missing; run cargo xtask prepare")))
}

//! Running programs that users have.

use std::path::PathBuf;
use std::process::{Command, Stdio};

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

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    let line = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {line}: {error}; run cargo xtask prepare"));
    Ran {
        line,
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
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

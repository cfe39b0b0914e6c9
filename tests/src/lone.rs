//! A site by itself: a process of its own, without a control plane and a supervisor.

use std::path::PathBuf;
use std::process::Command;

use crate::dev::binary;
use crate::ports::free_port;
use crate::process::Process;
use crate::rbd::Rbd;
use crate::wait::until;

/// A site in a folder of its own.
#[derive(Debug)]
pub struct LoneSite {
    dir: tempfile::TempDir,
    name: String,
    process: Option<Process>,
}

impl LoneSite {
    /// Starts a site that knows no other one, and waits until it answers.
    pub fn start(name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("fb").tempdir().unwrap();
        let port = free_port();
        let conf = format!(
            "[site]\nname = {name}\ndir = data\nadmin = admin.sock\nnbd_socket = nbd.sock\n\
             mirror_listen = 127.0.0.1:{port}\n"
        );
        std::fs::write(dir.path().join("site.conf"), conf).unwrap();
        let mut site = Self {
            dir,
            name: name.to_owned(),
            process: None,
        };
        site.start_again();
        site
    }

    /// Starts it again after [`Self::kill`].
    pub fn start_again(&mut self) {
        let mut command = Command::new(binary());
        command.arg("site").arg("--conf").arg(self.conf());
        let process = Process::start(&mut command, &self.dir.path().join("output.txt"));
        self.process = Some(process);
        let rbd = self.rbd();
        until(&format!("{} answers", self.name), 60, || {
            rbd.run(&["ls"]).status == 0
        });
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Its configuration.
    pub fn conf(&self) -> PathBuf {
        self.dir.path().join("site.conf")
    }

    /// What it has written to its log so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("output.txt")).unwrap()
    }

    /// A place for a file beside its own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes this site and another one peers by a token, which must not show anywhere.
    pub fn introduce(&self, other: &Self) {
        let create = ["mirror", "pool", "peer", "bootstrap", "create", "volumes"];
        let token = self.rbd().ok(&create);
        let file = other.file("token");
        std::fs::write(&file, &token).unwrap();
        let file = file.to_str().unwrap();
        let import = [
            "mirror",
            "pool",
            "peer",
            "bootstrap",
            "import",
            "volumes",
            file,
        ];
        other.rbd().ok(&import);
        for site in [self, other] {
            let shows = site.output().contains(token.trim());
            assert!(!shows, "a token is in the log");
        }
    }

    /// Its verbs.
    pub fn rbd(&self) -> Rbd {
        Rbd::new(&self.conf())
    }
}

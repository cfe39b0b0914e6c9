//! The stock command-line clients, unmodified.

mod programs;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::tools::{Ran, run};
use programs::Programs;
pub use table::{fields, rows};

/// The stock clients, pointed at one API. Clones share the process that runs them.
#[derive(Clone, Debug)]
pub struct Clients {
    bin: PathBuf,
    environment: Vec<(String, String)>,
    programs: Arc<Programs>,
}

impl Clients {
    /// The clients with the environment that `dev` printed for each of them.
    pub fn new(environment: Vec<(String, String)>) -> Self {
        let bin = std::env::var_os("FIREBRICK_CLIENTS").map_or_else(
            || {
                let here = Path::new(env!("CARGO_MANIFEST_DIR"));
                here.parent().unwrap().join("target/venv/bin")
            },
            PathBuf::from,
        );
        assert!(
            bin.join("cinder").exists(),
            "no stock clients in {}; run cargo xtask prepare",
            bin.display()
        );
        let clients = Self {
            bin,
            environment,
            programs: Arc::default(),
        };
        clients.programs.prepare(clients.command("python3"));
        clients
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OS_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// `cinder ARGS`.
    pub fn cinder(&self, args: &[&str]) -> Ran {
        self.programs.run("cinder", args)
    }

    /// `openstack ARGS -f json`, which must succeed, as JSON.
    pub fn openstack_json(&self, args: &[&str]) -> Value {
        let ran = self.openstack(&[args, &["-f", "json"]].concat()).ok();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no JSON: {}", ran.stdout))
    }

    /// `openstack ARGS`.
    pub fn openstack(&self, args: &[&str]) -> Ran {
        self.programs.run("openstack", args)
    }

    /// A Python script with the clients' libraries and these arguments.
    pub fn python(&self, script: &str, args: &[&str]) -> Ran {
        run(self.command("python3").args(["-c", script]).args(args))
    }
}

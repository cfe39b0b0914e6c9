//! A real Keystone and a real Glance on loopback, from PyPI.
//!
//! What it is for: stories that need tokens and images, and the conformance suite. Each start has
//! its own folder, ports and databases (SQLite), and ends with the test. What it leans on: the
//! virtual environment named by `FIREBRICK_OPENSTACK` (else `target/openstack/bin`), which
//! `cargo xtask prepare` makes of `tests/openstack.txt`.

mod services;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::clients::Clients;
use crate::ports::free_port;
use crate::process::Process;
use crate::tools::{Ran, run};
use services::Service;

/// The password of every user.
pub const PASSWORD: &str = "only on loopback";

/// Makes projects, users, services and endpoints; see there what it is told.
const CATALOGUE: &str = include_str!("catalogue.py");

/// A running Keystone and Glance.
///
/// Keystone has the project `admin` with the administrator `admin`, and `service` with the users
/// `cinder` and `glance`; its catalogue names the Block Storage API that [`Openstack::start`] was
/// told.
#[derive(Debug)]
pub struct Openstack {
    dir: tempfile::TempDir,
    keystone: u16,
    glance: u16,
    services: Vec<Service>,
    scripts: Vec<Process>,
}

/// A program of the virtual environment of the services.
pub fn program(name: &str) -> Command {
    let bin = bin();
    let path = bin.join(name);
    assert!(
        path.exists(),
        "no {}; run cargo xtask prepare",
        path.display()
    );
    let mut command = Command::new(path);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OS_")) {
        command.env_remove(name);
    }
    let rest = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{rest}", bin.display()))
        .env("PYTHONWARNINGS", "ignore")
        .env("no_proxy", "*");
    command
}

fn bin() -> PathBuf {
    std::env::var_os("FIREBRICK_OPENSTACK").map_or_else(
        || {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            here.parent().unwrap().join("target/openstack/bin")
        },
        PathBuf::from,
    )
}

impl Openstack {
    /// Starts both and registers the Block Storage API at `volumes`, for example
    /// `http://127.0.0.1:8776/v3`, whether it answers already or not.
    pub fn start(volumes: &str) -> Self {
        let mut cloud = Self::keystone(volumes);
        let glance = services::glance(cloud.dir(), cloud.glance, &cloud.keystone_url());
        cloud.services.push(glance);
        cloud
    }

    /// The same without Glance.
    pub fn keystone(volumes: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("os").tempdir().unwrap();
        let mut cloud = Self {
            dir,
            keystone: free_port(),
            glance: free_port(),
            services: Vec::new(),
            scripts: Vec::new(),
        };
        let keystone = services::keystone(cloud.dir(), cloud.keystone);
        cloud.services.push(keystone);
        let endpoints = json!([
            ["glance", "image", cloud.glance_url()],
            [
                "cinder",
                "block-storage",
                format!("{volumes}/%(project_id)s")
            ],
        ]);
        cloud.catalogue(&json!({ "endpoints": endpoints }));
        cloud
    }

    /// Where both keep their files; tests may keep theirs there too.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The address of Keystone, with `/v3`.
    pub fn keystone_url(&self) -> String {
        format!("http://127.0.0.1:{}/v3", self.keystone)
    }

    /// The address of Glance, without a version.
    pub fn glance_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.glance)
    }

    /// Runs a Python script that serves HTTP at the port that it is told, as the endpoint of the
    /// service type `kind`.
    pub fn serve_python(&mut self, kind: &str, script: &str) {
        let port = free_port();
        let log = self.dir().join(format!("{kind}.log"));
        let mut command = program("python3");
        command.args(["-c", script, &port.to_string()]);
        self.scripts.push(Process::start(&mut command, &log));
        let url = format!("http://127.0.0.1:{port}");
        self.catalogue(&json!({ "endpoints": [[kind, kind, url]] }));
    }

    /// Makes what `wanted` names: `endpoints` as `[name, type, url]`, and `users` as
    /// `[name, project, role]`, with their projects.
    pub fn catalogue(&self, wanted: &Value) {
        let _ = run(self.command("admin", "admin", "python3").args([
            "-c",
            CATALOGUE,
            &wanted.to_string(),
        ]))
        .ok();
    }

    /// A program of the virtual environment that speaks as `user` of `project`.
    pub fn command(&self, user: &str, project: &str, name: &str) -> Command {
        let mut command = program(name);
        command.envs(self.environment(user, project));
        command
    }

    /// A Python script with the SDK, as `user` of `project`.
    pub fn python(&self, user: &str, project: &str, script: &str) -> Ran {
        run(self.command(user, project, "python3").args(["-c", script]))
    }

    /// The stock clients, as `user` of `project`.
    pub fn clients(&self, user: &str, project: &str) -> Clients {
        Clients::new(self.environment(user, project))
    }

    /// A token of `user` for `project`.
    pub fn token(&self, user: &str, project: &str) -> String {
        token_at(self.keystone, user, project)
    }

    /// A token that ends a second after it is made. A second Keystone with the keys and users of the
    /// first makes it.
    pub fn brief_token(&mut self, user: &str, project: &str) -> String {
        let port = free_port();
        let brief = services::brief_keystone(self.dir(), port);
        self.services.push(brief);
        token_at(port, user, project)
    }

    /// Options of `[keystone_authtoken]` for the user `cinder`.
    pub fn authtoken(&self) -> String {
        format!(
            "auth_url = {}\nusername = cinder\npassword = {PASSWORD}\nproject_name = service\n",
            self.keystone_url()
        )
    }

    fn environment(&self, user: &str, project: &str) -> Vec<(String, String)> {
        let keystone = self.keystone_url();
        [
            ("OS_AUTH_URL", keystone.as_str()),
            ("OS_USERNAME", user),
            ("OS_PASSWORD", PASSWORD),
            ("OS_PROJECT_NAME", project),
            ("OS_USER_DOMAIN_NAME", "Default"),
            ("OS_PROJECT_DOMAIN_NAME", "Default"),
            ("OS_IDENTITY_API_VERSION", "3"),
            ("OS_REGION_NAME", services::REGION),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

/// A token of the Keystone at that port.
fn token_at(port: u16, user: &str, project: &str) -> String {
    let domain = json!({ "name": "Default" });
    let user = json!({ "name": user, "password": PASSWORD, "domain": domain });
    let body = json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": user } },
        "scope": { "project": { "name": project, "domain": domain } },
    } });
    let url = format!("http://127.0.0.1:{port}/v3/auth/tokens");
    let answer = ureq::post(url).send_json(&body).unwrap();
    let token = answer.headers()["x-subject-token"].to_str();
    token.unwrap().to_owned()
}

impl Drop for Openstack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for service in &self.services {
                service.show_tail();
            }
        }
    }
}

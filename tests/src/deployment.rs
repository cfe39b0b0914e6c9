//! `firebrick serve` with backends of its own, as an operator would set it up.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::api::Api;
use crate::clients::Clients;
use crate::dev::binary;
use crate::ports::free_port;
use crate::process::Process;
use crate::wait::until;

/// A control plane and one site for each of its backends.
#[derive(Debug)]
pub struct Deployment {
    dir: tempfile::TempDir,
    port: u16,
    backends: Vec<String>,
    /// Backends without a site of this deployment.
    others: Vec<String>,
    /// Before the sites, so that it ends first.
    serve: Option<Process>,
    sites: Vec<Process>,
}

impl Deployment {
    /// A deployment whose API will answer at a port that is known before it starts.
    pub fn new(backends: &[&str]) -> Self {
        Self {
            dir: tempfile::Builder::new().prefix("fb").tempdir().unwrap(),
            port: free_port(),
            backends: backends.iter().map(|&name| name.to_owned()).collect(),
            others: Vec::new(),
            serve: None,
            sites: Vec::new(),
        }
    }

    /// With one more backend, whose section the caller writes and whose site runs already.
    #[must_use]
    pub fn beside(mut self, name: &str) -> Self {
        self.others.push(name.to_owned());
        self
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The address of the API, with `/v3`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v3", self.port)
    }

    /// A client of its API as `noauth` knows it.
    pub fn api(&self) -> Api {
        Api::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// The stock clients, without Keystone: `cinder` reads the first half and `openstack` the second.
    pub fn clients(&self) -> Clients {
        let clouds = self.dir().join("clouds.yaml");
        let text = format!(
            "clouds:\n  firebrick:\n    auth_type: none\n    auth:\n      endpoint: {}/dev\n",
            self.url()
        );
        fs::write(&clouds, text).unwrap();
        let pairs = [
            ("OS_AUTH_PLUGIN", "noauth".to_owned()),
            ("CINDER_ENDPOINT", self.url()),
            ("CINDER_PROJECT_ID", "dev".to_owned()),
            ("OS_CLOUD", "firebrick".to_owned()),
            ("OS_CLIENT_CONFIG_FILE", clouds.display().to_string()),
        ];
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        Clients::new(pairs.into_iter().map(owned).collect())
    }

    /// Writes the configuration and starts all of it. `defaults` are more lines of `[DEFAULT]`,
    /// `sections` more sections.
    pub fn start(&mut self, defaults: &str, sections: &str) {
        let mut text = format!(
            "[DEFAULT]\nhost = node1\nenabled_backends = {}\n\
             osapi_volume_listen = 127.0.0.1\nosapi_volume_listen_port = {}\n\
             report_interval = 1\nservice_down_time = 10\nbackup_posix_path = {}\n\
             image_conversion_dir = {}\n{defaults}\n\
             [database]\nconnection = sqlite:///{}\n{sections}\n",
            [&self.backends[..], &self.others].concat().join(","),
            self.port,
            self.dir().join("backups").display(),
            self.dir().join("conversion").display(),
            self.dir().join("firebrick.sqlite").display(),
        );
        for name in self.backends.clone() {
            let admin = self.start_site(&name);
            // Thin volumes of a test promise more than a test's disk has.
            write!(
                text,
                "[{name}]\nvolume_driver = firebrick\nvolume_backend_name = {name}\n\
                 site_name = {name}\nsite_admin = {}\nmax_over_subscription_ratio = 10000\n",
                admin.display()
            )
            .unwrap();
        }
        fs::write(self.conf(), text).unwrap();
        self.start_serve();
    }

    /// Starts the control plane with the configuration that is there, and waits until it answers.
    pub fn start_serve(&mut self) {
        let log = self.dir().join("serve.log");
        let mut command = Command::new(binary());
        command.arg("serve").arg("--conf").arg(self.conf());
        let mut serve = Process::start(&mut command, &log);
        let api = self.api();
        until("the API answers", 60, || {
            assert!(serve.runs(), "{}", fs::read_to_string(&log).unwrap());
            api.try_send_text("GET", "/healthcheck", None, "3.0")
                .is_some_and(|answer| answer.status == 200)
        });
        for name in self.backends.iter().chain(&self.others) {
            until(&format!("{name} answers"), 60, || {
                let text = fs::read_to_string(&log).unwrap();
                text.contains(&format!("the backend answers backend=\"{name}\""))
            });
        }
        self.serve = Some(serve);
    }

    /// `kill -9` of the control plane.
    pub fn kill_serve(&mut self) {
        self.serve = None;
    }

    fn conf(&self) -> PathBuf {
        self.dir().join("cinder.conf")
    }

    /// Starts a site and returns the socket of its control.
    fn start_site(&mut self, name: &str) -> PathBuf {
        let at = self.dir().join(name);
        fs::create_dir_all(&at).unwrap();
        let (admin, conf) = (at.join("admin.sock"), at.join("site.conf"));
        let text = format!(
            "[site]\nname = {name}\ndir = {}\nadmin = {}\nnbd_socket = {}\n",
            at.display(),
            admin.display(),
            at.join("nbd.sock").display()
        );
        fs::write(&conf, text).unwrap();
        let mut command = Command::new(binary());
        command.arg("site").arg("--conf").arg(conf);
        let log = self.dir().join(format!("{name}.log"));
        self.sites.push(Process::start(&mut command, &log));
        until(&format!("site {name} is up"), 60, || admin.exists());
        admin
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = fs::read_to_string(self.dir().join("serve.log")).unwrap_or_default();
            let telling = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
            let lines: Vec<&str> = text.lines().filter(telling).collect();
            eprintln!("serve.log:\n{}", lines.join("\n"));
        }
    }
}

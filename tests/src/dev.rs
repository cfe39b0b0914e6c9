//! A `firebrick dev` of one test: own folder, own ports, ended with the test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::api::Api;
use crate::clients::Clients;
use crate::ports::{dev_ports, free_port};
use crate::rbd::Rbd;
use crate::tools::{Ran, run};
use crate::wait::{until, until_some};

/// One site of a `dev`.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its process.
    pub pid: i32,
    /// Its folder.
    pub dir: PathBuf,
    /// The Unix socket of its NBD exports.
    pub nbd_socket: String,
    /// The TCP port of its NBD exports.
    pub nbd_port: u16,
}

/// A running `firebrick dev`.
#[derive(Debug)]
pub struct Dev {
    dir: tempfile::TempDir,
    listen: String,
    nbd_port: u16,
    supervisor: Option<Child>,
}

/// The binary under test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("FIREBRICK_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().unwrap();
    let path = test
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("firebrick");
    assert!(
        path.exists(),
        "no {}; run cargo build first",
        path.display()
    );
    path
}

impl Dev {
    /// Starts a `dev` in a new folder and waits until its API answers and both sites run.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("fb").tempdir().unwrap();
        let mut dev = Self {
            dir,
            listen: format!("127.0.0.1:{}", free_port()),
            nbd_port: dev_ports(),
            supervisor: None,
        };
        dev.launch();
        dev
    }

    /// Starts the supervisor again in the same folder.
    pub fn launch(&mut self) {
        assert!(self.supervisor.is_none(), "dev runs already");
        let began = ["site-a", "site-b"].map(|name| (name, self.starts(name)));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("dev-output.txt"))
            .unwrap();
        let child = Command::new(binary())
            .arg("dev")
            .args(["--dir".as_ref(), self.dir().as_os_str()])
            .args([
                "--listen",
                &self.listen,
                "--nbd-port",
                &self.nbd_port.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.supervisor = Some(child);
        let api = self.api();
        until("the API answers", 60, || {
            api.try_send_text("GET", "/healthcheck", None, "3.0")
                .is_some_and(|a| a.status == 200)
        });
        until("both sites run and the backend is up", 60, || {
            self.sites().len() == 2 && self.api().volume_service()["state"] == "up"
        });
        // A site that is stopped before its start is over never had what the start makes.
        until("the start of both sites is over", 60, || {
            began
                .iter()
                .all(|(name, before)| self.starts(name) > *before)
        });
    }

    /// How often that site's start was over.
    fn starts(&self, name: &str) -> usize {
        let log = self.dir().join("logs").join(format!("{name}.log"));
        let log = std::fs::read_to_string(log).unwrap_or_default();
        log.matches("the site is up").count()
    }

    /// The folder of the `dev`.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What the supervisor printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("dev-output.txt")).unwrap()
    }

    /// A client of its API.
    pub fn api(&self) -> Api {
        Api::new(&format!("http://{}", self.listen))
    }

    /// The address of its API.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// `dev.json`; null where it is not there.
    pub fn json(&self) -> Value {
        std::fs::read(self.dir().join("dev.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or(Value::Null)
    }

    /// The sites that run.
    pub fn sites(&self) -> Vec<Site> {
        let json = self.json();
        let sites = json["sites"].as_array().cloned().unwrap_or_default();
        sites
            .iter()
            .filter_map(|site| {
                Some(Site {
                    name: site["name"].as_str()?.to_owned(),
                    pid: site["pid"].as_i64()? as i32,
                    dir: PathBuf::from(site["dir"].as_str()?),
                    nbd_socket: site["nbd_socket"].as_str()?.to_owned(),
                    nbd_port: site["nbd_port"].as_u64()? as u16,
                })
            })
            .collect()
    }

    /// The site of that name.
    pub fn site(&self, name: &str) -> Site {
        self.sites()
            .into_iter()
            .find(|site| site.name == name)
            .unwrap_or_else(|| panic!("{name} does not run: {}", self.json()))
    }

    /// `firebrick rbd` for a site, whether it runs or not.
    pub fn rbd(&self, name: &str) -> Rbd {
        Rbd::new(&self.dir().join(name).join("site.conf"))
    }

    /// Adds `options` to the configuration of a site, which is stopped and started for it.
    pub fn configure(&self, name: &str, options: &[&str]) {
        self.stop_site(name);
        let path = self.dir().join(name).join("site.conf");
        let conf = std::fs::read_to_string(&path).unwrap();
        let more = format!("[site]\n{}\n", options.join("\n"));
        std::fs::write(&path, conf.replacen("[site]\n", &more, 1)).unwrap();
        self.start_site(name);
    }

    /// Stops a site in order and waits until it is gone.
    pub fn stop_site(&self, name: &str) {
        let _ = self.site_command("stop", name).ok();
        until(&format!("{name} is down"), 60, || {
            self.sites().iter().all(|site| site.name != name)
        });
    }

    /// `kill -9` of a site's process; waits until it is gone.
    pub fn kill_site(&self, name: &str) {
        kill(self.site(name).pid);
    }

    /// Asks a site's process to end, as `kill` does; waits until it is gone.
    pub fn terminate_site(&self, name: &str) {
        end(self.site(name).pid, Signal::TERM);
    }

    /// `kill -9` of the control plane; waits until another one serves.
    pub fn kill_control_plane(&self) {
        let pid = self.strike_control_plane();
        self.wait_control_plane(pid);
    }

    /// The same without waiting; which process it was.
    pub fn strike_control_plane(&self) -> i32 {
        let pid = self.json()["pid"].as_i64().unwrap() as i32;
        kill(pid);
        pid
    }

    /// Waits until a control plane other than `former` answers.
    pub fn wait_control_plane(&self, former: i32) {
        until("the control plane is back", 60, || {
            self.json()["pid"]
                .as_i64()
                .is_some_and(|pid| pid != i64::from(former))
                && self
                    .api()
                    .try_send_text("GET", "/healthcheck", None, "3.0")
                    .is_some_and(|answer| answer.status == 200)
        });
    }

    /// `firebrick dev site VERB NAME`.
    pub fn site_command(&self, verb: &str, name: &str) -> Ran {
        let dir = self.dir();
        run(Command::new(binary())
            .args(["dev", "site", verb, name, "--dir"])
            .arg(dir))
    }

    /// Starts a site that is down and waits until it runs.
    pub fn start_site(&self, name: &str) {
        let _ = self.site_command("start", name).ok();
        until(&format!("{name} runs"), 60, || {
            self.sites().iter().any(|site| site.name == name)
        });
    }

    /// Ends the `dev` as Ctrl-C does and waits until all of it is gone.
    pub fn stop(&mut self) -> i32 {
        let Some(mut child) = self.supervisor.take() else {
            return 0;
        };
        let _ = kill_process(Pid::from_child(&child), Signal::INT);
        until_some("dev ends", 60, || child.try_wait().unwrap())
            .code()
            .unwrap_or(-1)
    }

    /// `kill -9` of the supervisor itself.
    pub fn kill_supervisor(&mut self) {
        if let Some(mut child) = self.supervisor.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A power cut as far as processes see it: `kill -9` of all of them.
    pub fn kill_everything(&mut self) {
        let sites = self.sites();
        let serve = self.json()["pid"].as_i64();
        // First, so that it starts nothing again.
        self.kill_supervisor();
        let sites = sites.iter().map(|site| site.pid);
        for pid in sites.chain(serve.map(|pid| pid as i32)) {
            kill(pid);
        }
    }

    /// The stock clients with the environment that `dev` printed.
    pub fn clients(&self) -> Clients {
        self.clients_at(&self.listen)
    }

    /// The same for the API at another address.
    pub fn clients_at(&self, listen: &str) -> Clients {
        let environment = self
            .output()
            .lines()
            .filter_map(|line| line.trim().strip_prefix("export "))
            .flat_map(|line| {
                line.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let value = value.trim_matches(['"', '\'']);
                Some((name.to_owned(), value.replace(&self.listen, listen)))
            })
            .collect();
        Clients::new(environment)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("dev printed:\n{}", self.output());
            for name in ["serve.log", "site-a.log", "site-b.log"] {
                show_tail(&self.dir(), name);
            }
        }
        if let Some(child) = &self.supervisor {
            let _ = kill_process(Pid::from_child(child), Signal::INT);
        }
        if let Some(mut child) = self.supervisor.take() {
            for _ in 0..200 {
                if matches!(child.try_wait(), Ok(Some(_))) {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The last lines of every log of that name below `dir`, for a test that failed.
fn show_tail(dir: &Path, name: &str) {
    for path in [dir.join(name), dir.join("logs").join(name)] {
        if let Ok(text) = std::fs::read_to_string(&path) {
            let count = text.lines().count();
            let tail: Vec<&str> = text
                .lines()
                .enumerate()
                .filter(|(at, line)| {
                    at + 20 >= count || line.contains(" WARN ") || line.contains(" ERROR ")
                })
                .map(|(_, line)| line)
                .collect();
            eprintln!("{}:\n{}", path.display(), tail.join("\n"));
        }
    }
}

fn kill(pid: i32) {
    end(pid, Signal::KILL);
}

fn end(pid: i32, signal: Signal) {
    let id = Pid::from_raw(pid).unwrap();
    let _ = kill_process(id, signal);
    until(&format!("process {pid} is gone"), 30, || {
        // A dead child that its parent has not reaped yet still has an entry; `Z` says so.
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
            stat.rsplit(')')
                .next()
                .unwrap_or("")
                .trim()
                .starts_with('Z')
        })
    });
}

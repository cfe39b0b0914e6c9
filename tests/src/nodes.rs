//! Two control planes that serve one backend as a cluster, on a PostgreSQL of the test's own.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use crate::api::Api;
use crate::clients::Clients;
use crate::dev::{Dev, binary};
use crate::ports::free_port;
use crate::postgres::{Cluster, program};
use crate::process::Process;
use crate::tools::run;
use crate::wait::until;

/// The two sites of a `dev`, its control plane as `node1`, and another one as `node2`.
#[derive(Debug)]
pub struct Nodes {
    /// The second control plane, while it runs; before the rest, so that it ends first.
    second: Option<Process>,
    listen: String,
    /// The sites and the first control plane.
    pub dev: Dev,
    url: String,
}

/// What a failover waits for before it says that it is at a phase.
#[derive(Debug)]
pub struct Hold(Child);

/// The lock for which it waits.
const LOCK: u32 = 99;

impl Nodes {
    /// Both nodes in the cluster `north`, and both sites up.
    pub fn start() -> Self {
        Self::beside(None)
    }

    /// The same with one more backend: its name, and the text of its section.
    pub fn beside(more: Option<(&str, &str)>) -> Self {
        let url = Cluster::shared().database();
        let dev = Dev::start();
        let conf = dev.dir().join("cinder.conf");
        let text = fs::read_to_string(&conf).unwrap();
        let changed = text.lines().map(|line| match line {
            "[DEFAULT]" => "[DEFAULT]\ncluster = north".to_owned(),
            "enabled_backends = blocks" if more.is_some() => {
                format!("{line},{}", more.unwrap().0)
            }
            _ if line.starts_with("connection = ") => format!("connection = {url}"),
            _ => line.to_owned(),
        });
        let mut changed: Vec<String> = changed.collect();
        changed.extend(more.map(|(_, section)| section.to_owned()));
        fs::write(&conf, changed.join("\n")).unwrap();
        dev.kill_control_plane();
        let mut nodes = Self {
            second: None,
            listen: format!("127.0.0.1:{}", free_port()),
            dev,
            url,
        };
        nodes.start_second();
        nodes.make_holdable();
        nodes
    }

    /// Starts `node2`, and waits until it and its backend are up.
    pub fn start_second(&mut self) {
        assert!(self.second.is_none(), "node2 runs already");
        let dir = self.dev.dir();
        let first = fs::read_to_string(dir.join("cinder.conf")).unwrap();
        let (_, port) = self.listen.split_once(':').unwrap();
        let lines = first.lines().map(|line| match line {
            "host = node1" => "host = node2".to_owned(),
            _ if line.starts_with("osapi_volume_listen_port") => {
                format!("osapi_volume_listen_port = {port}")
            }
            _ => line.to_owned(),
        });
        let lines: Vec<String> = lines.collect();
        let conf = dir.join("node2.conf");
        fs::write(&conf, lines.join("\n")).unwrap();
        let mut command = Command::new(binary());
        command.arg("serve").arg("--conf").arg(&conf);
        self.second = Some(Process::start(&mut command, &dir.join("logs/node2.log")));
        let api = self.second();
        until("node2 is up", 60, || {
            let Some(answer) = api.try_send("GET", "/os-services?binary=cinder-volume", None)
            else {
                return false;
            };
            let services = answer.body["services"].as_array().cloned();
            let services = services.unwrap_or_default();
            let is_up = |host: &str| {
                services.iter().any(|service| {
                    service["host"] == format!("{host}@blocks") && service["state"] == "up"
                })
            };
            is_up("node1") && is_up("node2")
        });
    }

    /// `kill -9` of that node, which is at what is held. `node1` is started again at once, by what supervises
    /// it, and answers when this returns.
    pub fn kill(&mut self, node: &str, hold: Hold) {
        let struck = if node == "node1" {
            Some(self.dev.strike_control_plane())
        } else {
            self.second = None;
            None
        };
        // What it was at has not been committed, and goes with its connection.
        drop(hold);
        if let Some(pid) = struck {
            self.dev.wait_control_plane(pid);
        }
    }

    /// Whether `node2` runs.
    pub fn has_second(&self) -> bool {
        self.second.is_some()
    }

    /// The API of `node1`.
    pub fn first(&self) -> Api {
        self.dev.api()
    }

    /// The API of `node2`.
    pub fn second(&self) -> Api {
        Api::new(&format!("http://{}", self.listen))
    }

    /// The stock clients, for each of the two.
    pub fn clients(&self) -> [Clients; 2] {
        [self.dev.clients(), self.dev.clients_at(&self.listen)]
    }

    /// What the database answers.
    fn sql(&self, statement: &str) -> String {
        let mut command = Command::new(program("psql"));
        command.args(["-X", "-q", "-t", "-A", &self.url, "-c", statement]);
        run(&mut command).ok().stdout.trim().to_owned()
    }

    fn make_holdable(&self) {
        self.sql("CREATE TABLE held (phase TEXT)");
        self.sql(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.phase IN (SELECT phase FROM held) AND NEW.phase IS DISTINCT FROM OLD.phase \
             THEN PERFORM pg_advisory_xact_lock_shared(99); END IF; RETURN NEW; END $$",
        );
        self.sql(
            "CREATE TRIGGER hold BEFORE UPDATE ON activities FOR EACH ROW EXECUTE FUNCTION hold()",
        );
    }

    /// From here on activities wait before they come to that phase.
    pub fn hold(&self, phase: &str) -> Hold {
        self.sql(&format!(
            "DELETE FROM held; INSERT INTO held VALUES ('{phase}')"
        ));
        let mut session = Command::new(program("psql"))
            .args(["-X", "-q", &self.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let input = session.stdin.as_mut().unwrap();
        writeln!(input, "SELECT pg_advisory_lock({LOCK});").unwrap();
        until("the phase is held", 30, || self.locks(true) == "1");
        Hold(session)
    }

    /// Whether an activity waits.
    pub fn is_held(&self) -> bool {
        self.locks(false) == "1"
    }

    fn locks(&self, granted: bool) -> String {
        self.sql(&format!(
            "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK} \
             AND objsubid = 1 AND granted = {granted}"
        ))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Its session ends, and with it the lock.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

//! What went wrong with failovers elsewhere, each by the number of its report, on whatever kind of sites: asked as an
//! operator would, of a backend at home that replicates to `site-b` and has no volumes.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::api::Api;
use crate::clients::Clients;
use crate::wait::{until, until_some};

/// A backend whose story is told.
#[derive(Debug)]
pub struct Bugs {
    /// Its API.
    pub api: Api,
    /// The stock clients.
    pub clients: Clients,
    /// Its service.
    pub host: String,
    /// Its `volume_backend_name`.
    pub backend: String,
    /// The file of its database.
    pub database: PathBuf,
}

impl Bugs {
    fn kind(&self, name: &str, replicates: bool) -> String {
        let mut specs = json!({ "volume_backend_name": self.backend });
        if replicates {
            specs["replication_enabled"] = json!("<is> True");
        }
        self.api.make_type(name, &specs)
    }

    fn volume(&self, kind: &str) -> String {
        let request = json!({ "size": 1, "volume_type": kind });
        self.api.make_volume(&request)
    }

    fn service(&self) -> Value {
        let found = self.api.get("/os-services?binary=cinder-volume");
        let services = found.expect(200).body["services"].clone();
        let mut own = services.as_array().unwrap().iter();
        own.find(|it| it["host"] == self.host).unwrap().clone()
    }

    /// Asks for a failover to that site, and waits until the service is that.
    fn fail_over(&self, to: &str, status: &str) {
        self.ask(to);
        self.ends(status);
    }

    fn ask(&self, to: &str) {
        let asked = ["failover-host", &self.host, "--backend_id", to];
        let _ = self.clients.cinder(&asked).ok();
    }

    fn ends(&self, status: &str) {
        let found = until_some("the failover ends", 240, || {
            let now = self.service()["replication_status"].clone();
            (now != "failing-over").then_some(now)
        });
        assert_eq!(found, status, "{}", self.last());
    }

    /// The failover that was asked for last.
    fn last(&self) -> Value {
        let path = "/activities?action=failover&all_tenants=true&sort=created_at:desc";
        self.api.get(path).expect(200).body["activities"][0].clone()
    }

    /// Status and replication status of a volume are these.
    fn is(&self, volume: &str, status: &str, replication: &str) {
        let shown = self.api.volume(volume);
        let found = (&shown["status"], &shown["replication_status"]);
        assert_eq!(found, (&json!(status), &json!(replication)));
    }

    fn remove(&self, volumes: &[&str]) {
        for volume in volumes {
            let _ = self.api.delete(&format!("/volumes/{volume}")).expect(202);
        }
        for volume in volumes {
            until("it is gone", 180, || self.api.volume(volume).is_null());
        }
    }

    /// A request that named no host was an error of the server.
    pub fn lp_1641714(&self) {
        for action in ["failover_host", "freeze", "thaw"] {
            let path = format!("/os-services/{action}");
            let _ = self.api.put(&path, &json!({})).expect(400);
        }
        assert_eq!(self.service()["replication_status"], "enabled");
    }

    /// A wrong target made the service `failed-over` at home, and `enabled` away.
    pub fn lp_1641715(&self) {
        let kind = self.kind("mirrored", true);
        let volume = self.volume(&kind);
        for (to, status) in [("site-b", "failed-over"), ("default", "enabled")] {
            let before = self.service();
            let asked = ["failover-host", &self.host, "--backend_id", "mars"];
            assert_ne!(self.clients.cinder(&asked).status, 0);
            let after = self.service();
            for key in ["replication_status", "active_backend_id", "status"] {
                assert_eq!(after[key], before[key], "{key}");
            }
            self.fail_over(to, status);
            self.is(&volume, "available", status);
        }
        self.remove(&[&volume]);
    }

    /// A fault of the driver went into the status of the service, from where nothing led back. `trouble` takes
    /// `site-b` away (`true`) and brings it back.
    pub fn lp_1641716(&self, trouble: &dyn Fn(bool)) {
        let kind = self.kind("mirrored", true);
        let volume = self.volume(&kind);
        trouble(true);
        self.ask("site-b");
        self.ends("enabled");
        assert_eq!(self.last()["status"], "failed");
        assert_ne!(self.service()["status"], "disabled");
        self.is(&volume, "available", "enabled");
        trouble(false);
        self.fail_over("site-b", "failed-over");
        self.is(&volume, "available", "failed-over");
        self.fail_over("default", "enabled");
        self.remove(&[&volume]);
    }

    /// A volume kept the replication status of its former type, and one that was left behind stayed an error.
    pub fn lp_1643886(&self) {
        let (kind, plain) = (self.kind("mirrored", true), self.kind("plain", false));
        let (stays, turns) = (self.volume(&plain), self.volume(&plain));
        for (kind, status) in [(&kind, "enabled"), (&plain, "disabled"), (&kind, "enabled")] {
            let policy = ["retype", "--migration-policy", "never"];
            let _ = self
                .clients
                .cinder(&[&policy[..], &[&turns, kind]].concat())
                .ok();
            until("the type is changed", 120, || {
                let shown = self.api.volume(&turns);
                shown["status"] == "available" && shown["volume_type"] == kind.as_str()
            });
            self.is(&turns, "available", status);
        }
        self.fail_over("site-b", "failed-over");
        self.is(&stays, "error", "not-capable");
        self.is(&turns, "available", "failed-over");
        self.fail_over("default", "enabled");
        self.is(&stays, "available", "disabled");
        self.is(&turns, "available", "enabled");
        self.remove(&[&stays, &turns]);
    }

    /// Of a frozen backend volumes were made, snapshotted and deleted all the same.
    pub fn lp_1616974(&self) {
        let kind = self.kind("mirrored", true);
        let volume = self.volume(&kind);
        let _ = self.clients.cinder(&["freeze-host", &self.host]).ok();
        for (to, status) in [("site-b", "failed-over"), ("default", "enabled")] {
            let path = format!("/volumes/{volume}");
            assert_ne!(self.api.delete(&path).status, 202);
            let snapshot = json!({ "snapshot": { "volume_id": volume, "force": true } });
            assert_ne!(self.api.post("/snapshots", &snapshot).status, 202);
            let request = json!({ "volume": { "size": 1, "volume_type": kind } });
            let made = self.api.post("/volumes", &request).expect(202).body;
            let id = made["volume"]["id"].as_str().unwrap();
            until("nobody makes it", 60, || {
                self.api.volume(id)["status"] == "error"
            });
            self.remove(&[id]);
            assert_eq!(self.service()["frozen"], true);
            self.fail_over(to, status);
        }
        let _ = self.clients.cinder(&["thaw-host", &self.host]).ok();
        self.remove(&[&volume]);
    }

    /// What was made of something else than nothing was not replicated.
    pub fn lp_1654471(&self) {
        let kind = self.kind("mirrored", true);
        let volume = self.volume(&kind);
        let request = json!({ "snapshot": { "volume_id": volume } });
        let made = self.api.post("/snapshots", &request).expect(202).body;
        let snapshot = made["snapshot"]["id"].as_str().unwrap().to_owned();
        let path = format!("/snapshots/{snapshot}");
        until("the snapshot is there", 60, || {
            self.api.get(&path).body["snapshot"]["status"] == "available"
        });
        let of = |key: &str, id: &str| {
            let mut request = json!({ "size": 1, "volume_type": kind });
            request[key] = json!(id);
            self.api.make_volume(&request)
        };
        let copies = [of("source_volid", &volume), of("snapshot_id", &snapshot)];
        for copy in &copies {
            self.is(copy, "available", "enabled");
        }
        self.fail_over("site-b", "failed-over");
        for copy in &copies {
            self.is(copy, "available", "failed-over");
        }
        let found = self.api.get(&path).expect(200).body;
        assert_eq!(found["snapshot"]["status"], "available");
        self.fail_over("default", "enabled");
        let _ = self.api.delete(&path).expect(202);
        until("the snapshot is gone", 60, || {
            self.api.get(&path).status == 404
        });
        self.remove(&[&volume, &copies[0], &copies[1]]);
    }

    /// An error of the database in the middle of a failover was reported as a success, and is to this day: here it
    /// is neither that nor an end.
    pub fn an_error_of_the_database(&self) {
        let kind = self.kind("mirrored", true);
        let (one, other) = (self.volume(&kind), self.volume(&kind));
        for (to, status) in [("site-b", "failed-over"), ("default", "enabled")] {
            self.sql(&format!(
                "CREATE TRIGGER broken BEFORE UPDATE ON volumes WHEN NEW.id = '{other}' \
                 BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END"
            ));
            let before = self.service()["active_backend_id"].clone();
            self.ask(to);
            until("it is tried again", 240, || {
                self.last()["error"]
                    .to_string()
                    .contains("the disk is broken")
            });
            let now = self.service();
            assert_eq!(self.last()["status"], "running");
            assert_eq!(now["replication_status"], "failing-over");
            assert_eq!(now["active_backend_id"], before);
            self.sql("DROP TRIGGER broken");
            self.ends(status);
            for volume in [&one, &other] {
                self.is(volume, "available", status);
            }
        }
        self.remove(&[&one, &other]);
    }

    fn sql(&self, statement: &str) {
        let script = "import sqlite3, sys\n\
                      database = sqlite3.connect(sys.argv[1], timeout=60)\n\
                      database.execute(sys.argv[2])\n\
                      database.commit()\n";
        let file = self.database.display().to_string();
        let _ = self.clients.python(script, &[&file, statement]).ok();
    }
}

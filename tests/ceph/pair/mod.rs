//! Two clusters and their rbd-mirror, and a `firebrick serve` whose volumes are mirrored between them.

mod article;
mod bugs;
mod cannot;
mod contract;
mod deleted;
mod drill;
mod dying;
mod groups;
mod killed;
mod lost;
mod nodes;
mod order;
mod unfinished;

use std::time::Duration;

use firebrick_backend::Backend as _;
use firebrick_tests::{Api, Ceph, CephPair, Clients, Deployment, fields, until, until_some};
use firebrick_vocabulary::Epoch;
use serde_json::{Value, json};

use crate::contract::{mirrored_site, runtime};

const HOST: &str = "node1@ceph";
const MIB: usize = 1 << 20;

struct Story<'a> {
    pair: &'a CephPair,
    api: Api,
    clients: Clients,
    deployment: Deployment,
}

impl<'a> Story<'a> {
    /// `more` are lines of the backend's section.
    fn begin(pair: &'a CephPair, more: &str) -> Self {
        let mut deployment = Deployment::new(&[]).beside("ceph");
        deployment.start("auth_strategy = noauth", &section(pair, more));
        let story = Self {
            api: deployment.api(),
            clients: deployment.clients(),
            pair,
            deployment,
        };
        story.cinder(&["type-create", "replicated"]);
        let specs = ["volume_backend_name=ceph", "replication_enabled=<is> True"];
        story.cinder(&[&["type-key", "replicated", "set"], &specs[..]].concat());
        story
    }

    fn cinder(&self, args: &[&str]) -> String {
        self.clients.cinder(args).ok().stdout
    }

    /// `cinder` with words that have no spaces.
    fn line(&self, line: &str) -> String {
        self.cinder(&line.split(' ').collect::<Vec<_>>())
    }

    /// The one group that there is.
    fn group(&self) -> Value {
        let found = self.api.get("/groups/detail?all_tenants=1").expect(200);
        found.body["groups"][0].clone()
    }

    /// A replicated volume, at once: its id and its image.
    fn replicated(&self) -> (String, String) {
        let create = [
            "create",
            "--volume-type",
            "replicated",
            "--name",
            "fingers-crossed",
            "1",
        ];
        let made = fields(&self.cinder(&create));
        let id = made["id"].as_str().unwrap().to_owned();
        self.api.wait_status(&id, "available");
        assert_eq!(self.api.volume(&id)["replication_status"], "enabled");
        let image = image(&id);
        (id, image)
    }

    /// `cinder failover-host`, until the backend is what comes of it; the report.
    fn fail_over(&self, more: &[&str], status: &str) -> Value {
        self.ask_failover(more);
        self.switched(status)
    }

    /// The same, and nobody waits.
    fn ask_failover(&self, more: &[&str]) {
        self.cinder(&[&["failover-host", HOST], more].concat());
    }

    /// Waits until the copy of a volume that was just made could take over from site-a.
    fn ready(&self, volume: &str) {
        let b = mirrored_site("site-b", &self.pair.b);
        let id = volume.parse().unwrap();
        let ready = [(id, Epoch::FIRST)];
        let patience = Duration::from_secs(120);
        runtime().block_on(b.wait_ready(&ready, patience)).unwrap();
    }

    /// Waits until the backend is something else than failing over; what it is then.
    fn ended(&self) -> Value {
        until_some("the failover ends", 240, || {
            let now = self.api.volume_service()["replication_status"].clone();
            (now != "failing-over").then_some(now)
        })
    }

    /// The same, and it must be that; returns the report.
    fn switched(&self, status: &str) -> Value {
        let found = self.ended();
        assert_eq!(
            found,
            status,
            "{}\n{}",
            self.last_failover(),
            self.mirrored()
        );
        self.last_failover()["report"].clone()
    }

    /// What both clusters say of all that they mirror.
    fn mirrored(&self) -> String {
        let said = [&self.pair.a, &self.pair.b].map(|site| {
            let status = ["mirror", "pool", "status", "volumes", "--verbose"];
            site.rbd(&status).stdout
        });
        said.join("\n")
    }

    /// The activity of the failover that was asked for last.
    fn last_failover(&self) -> Value {
        let path = "/activities?action=failover&all_tenants=true&sort=created_at:desc";
        let found = self.api.get(path).expect(200).body;
        let id = found["activities"][0]["id"].as_str().unwrap().to_owned();
        until_some("the failover says what it did", 60, || {
            let found = self.api.get(&format!("/activities/{id}")).expect(200).body;
            let activity = found["activity"].clone();
            (activity["status"] != "running").then_some(activity)
        })
    }

    /// What a failover would do now.
    fn check(&self, to: &str) -> Value {
        let body = json!({ "host": HOST, "backend_id": to });
        let found = self
            .api
            .put("/os-services/failover-check", &body)
            .expect(200);
        found.body["failover_checks"][0].clone()
    }

    /// The failover that is under way; null where there is none.
    fn running_failover(&self) -> Value {
        let path = "/activities?action=failover&all_tenants=true&status=running";
        self.api.get(path).expect(200).body["activities"][0].clone()
    }

    /// The volume is gone, and so are its images at both clusters.
    fn remove(&self, volume: &str) {
        self.cinder(&["delete", volume]);
        self.gone(volume);
    }

    /// Waits until that is so.
    fn gone(&self, volume: &str) {
        until("the volume is gone", 120, || {
            self.api.volume(volume).is_null()
        });
        self.nothing_left(volume);
    }

    /// Both clusters have nothing of the volume any more.
    fn nothing_left(&self, volume: &str) {
        for site in [&self.pair.a, &self.pair.b] {
            until("no image of it is left", 180, || !has(site, &image(volume)));
        }
    }
}

/// The backend's section, with more lines.
fn section(pair: &CephPair, more: &str) -> String {
    format!(
        "[ceph]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver\n\
         volume_backend_name = ceph\nrbd_pool = volumes\nrbd_user = cinder\n\
         rbd_cluster_name = site-a\nrbd_ceph_conf = {}\nrados_connect_timeout = 5\n\
         replication_device = backend_id:site-b, conf:{}, user:cinder, pool:volumes\n{more}",
        pair.a.conf().display(),
        pair.b.conf().display()
    )
}

fn image(volume: &str) -> String {
    format!("volume-{volume}")
}

fn has(site: &Ceph, image: &str) -> bool {
    let listed = site.rbd(&["ls", "volumes"]).ok().stdout;
    listed.lines().any(|line| line == image)
}

/// Waits until a cluster follows the other one; an image that went a way of its own never does.
pub(crate) fn follows(site: &Ceph, image: &str) {
    let name = format!("volumes/{image}");
    until(&format!("{image} follows"), 120, || {
        let status = site.rbd(&["mirror", "image", "status", &name]).stdout;
        assert!(!status.contains("split-brain"), "{status}");
        status.contains("up+replaying")
    });
}

fn is_primary(site: &Ceph, image: &str) -> bool {
    let info = site.rbd(&["info", "--format", "json", &format!("volumes/{image}")]);
    info.stdout.contains("\"primary\":true")
}

fn all_are(bytes: &[u8], byte: u8) -> bool {
    !bytes.is_empty() && bytes.iter().all(|it| *it == byte)
}

/// The entry of a volume in a report.
fn of(report: &Value, volume: &str) -> Value {
    let volumes = report["volumes"].as_array();
    let found = volumes.and_then(|all| all.iter().find(|it| it["volume_id"] == volume));
    found
        .cloned()
        .unwrap_or_else(|| panic!("{volume} is not in {report}"))
}

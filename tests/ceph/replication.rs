//! Two clusters and their rbd-mirror: the scenario of the README on Ceph, there and back, planned and by force.

use firebrick_tests::{Api, CephPair, Clients, Deployment, fields, until};
use serde_json::json;

const HOST: &str = "node1@ceph";

struct Story {
    pair: CephPair,
    api: Api,
    clients: Clients,
    _deployment: Deployment,
}

impl Story {
    fn begin() -> Self {
        let pair = CephPair::start();
        let mut deployment = Deployment::new(&[]).beside("ceph");
        let section = format!(
            "[ceph]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver\n\
             volume_backend_name = ceph\nrbd_pool = volumes\nrbd_user = cinder\n\
             rbd_cluster_name = site-a\nrbd_ceph_conf = {}\nrados_connect_timeout = 5\n\
             replication_device = backend_id:site-b, conf:{}, user:cinder, pool:volumes\n",
            pair.a.conf().display(),
            pair.b.conf().display()
        );
        deployment.start("auth_strategy = noauth", &section);
        Self {
            api: deployment.api(),
            clients: deployment.clients(),
            pair,
            _deployment: deployment,
        }
    }

    fn cinder(&self, args: &[&str]) -> String {
        self.clients.cinder(args).ok().stdout
    }

    /// A replicated volume, once the other cluster follows; its image.
    fn replicated(&self) -> (String, String) {
        self.cinder(&["type-create", "replicated"]);
        let specs = ["volume_backend_name=ceph", "replication_enabled=<is> True"];
        self.cinder(&[&["type-key", "replicated", "set"], &specs[..]].concat());
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
        let image = format!("volume-{id}");
        self.follows("site-b", &image);
        (id, image)
    }

    /// Waits until a cluster follows the other one; an image that went a way of its own never does.
    fn follows(&self, site: &str, image: &str) {
        let ceph = if site == "site-a" {
            &self.pair.a
        } else {
            &self.pair.b
        };
        let name = format!("volumes/{image}");
        until(&format!("{site} follows"), 120, || {
            let status = ceph.rbd(&["mirror", "image", "status", &name]);
            status.stdout.contains("up+replaying")
        });
    }

    /// `cinder failover-host`, and what becomes of it.
    fn fail_over(&self, more: &[&str], status: &str) {
        self.cinder(&[&["failover-host", HOST], more].concat());
        until(&format!("replication is {status}"), 240, || {
            let now = self.api.volume_service()["replication_status"].clone();
            assert_ne!(now, "error", "the failover failed");
            now == status
        });
    }

    fn is_primary(&self, at_b: bool, image: &str) -> bool {
        let site = if at_b { &self.pair.b } else { &self.pair.a };
        let info = site.rbd(&["info", "--format", "json", &format!("volumes/{image}")]);
        info.stdout.contains("\"primary\":true")
    }
}

fn all_are(bytes: &[u8], byte: u8) -> bool {
    !bytes.is_empty() && bytes.iter().all(|it| *it == byte)
}

#[test]
fn the_article_works_on_two_clusters() {
    let story = Story::begin();
    let (volume, image) = story.replicated();
    story.pair.a.write(&image, 0xa1, 2);

    // At once: what site-b lacks arrives before it is promoted.
    story.fail_over(&[], "failed-over");
    assert_eq!(
        story.api.volume(&volume)["replication_status"],
        "failed-over"
    );
    let services = story.cinder(&["service-list", "--withreplication"]);
    let line = services.lines().find(|line| line.contains(HOST)).unwrap();
    assert!(
        line.contains("failed-over") && line.contains("site-b"),
        "{services}"
    );
    assert!(story.is_primary(true, &image) && !story.is_primary(false, &image));
    assert!(
        all_are(&story.pair.b.read(&image, 2), 0xa1),
        "site-b lacks something"
    );

    story.pair.b.write(&image, 0xb2, 1);
    story.fail_over(&["--backend_id", "default"], "enabled");
    assert!(story.is_primary(false, &image) && !story.is_primary(true, &image));
    let back = story.pair.a.read(&image, 2);
    assert!(all_are(&back[..1 << 20], 0xb2) && all_are(&back[1 << 20..], 0xa1));
    let service = story.api.volume_service();
    assert_eq!(service["status"], json!("enabled"), "{service}");

    // And there again: no older demotion is taken for the newest.
    story.fail_over(&[], "failed-over");
    assert!(story.is_primary(true, &image) && !story.is_primary(false, &image));
    story.follows("site-a", &image);
}

#[test]
fn a_cluster_that_is_lost_comes_back_with_one_command() {
    let story = Story::begin();
    let (volume, image) = story.replicated();
    story.pair.a.write(&image, 0xa1, 2);
    until("site-b has it", 60, || {
        all_are(&story.pair.b.read(&image, 2), 0xa1)
    });

    story.pair.a.stop();
    story.fail_over(&["--backend_id", "site-b"], "failed-over");
    assert!(story.is_primary(true, &image));
    story.pair.b.write(&image, 0xb2, 1);
    assert_eq!(story.api.volume(&volume)["status"], "available");

    story.pair.a.go_on();
    story.fail_over(&["--backend_id", "default"], "enabled");
    assert!(story.is_primary(false, &image) && !story.is_primary(true, &image));
    let back = story.pair.a.read(&image, 2);
    assert!(all_are(&back[..1 << 20], 0xb2) && all_are(&back[1 << 20..], 0xa1));
    story.follows("site-b", &image);
}

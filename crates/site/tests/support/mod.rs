//! Sites in temporary folders, for the tests of this crate.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

pub mod nbd;
pub mod relay;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use firebrick_backend::{Backend as _, NewImage};
use firebrick_site::Retention;
use firebrick_site::serve::{SiteServer, fingerprint_in};
use firebrick_site::{Direction, ExportVia, NbdSecurity, PeerConf, SiteClient, SiteConf, Traffic};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, SnapshotName};
use relay::Relay;
use tempfile::TempDir;

/// The longest that anything in a test may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A site's configuration in `dir`, without peers.
pub fn conf(dir: &Path, name: &str) -> SiteConf {
    SiteConf {
        name: name.to_owned(),
        dir: dir.join(name),
        admin: dir.join(format!("{name}.admin")),
        nbd_socket: dir.join(format!("{name}.nbd")),
        nbd_listen: None,
        nbd_security: NbdSecurity::default(),
        export_address: ExportVia::Unix,
        mirror_listen: None,
        mirror_address: None,
        segment_size: Bytes(4 * MIB),
        checkpoint_every: Bytes(8 * MIB),
        retention: Retention::None,
        capacity: None,
        index_cache: Bytes(16 * MIB),
        pending_cache: Bytes(16 * MIB),
        scrub_interval: None,
        fence_grace: Duration::from_secs(20),
        rpo_target: None,
        peer_log_limit: None,
        mirror_snapshots: 5,
        verify_interval: None,
        delete_delay: None,
        metrics_listen: None,
        peers: Vec::new(),
    }
}

/// One site, which may be stopped and started again.
pub struct Site {
    pub conf: SiteConf,
    pub client: SiteClient,
    server: Option<SiteServer>,
}

impl Site {
    pub async fn start(conf: SiteConf) -> Self {
        let server = SiteServer::start(conf.clone()).await.unwrap();
        Self {
            client: SiteClient::new(&conf),
            conf,
            server: Some(server),
        }
    }

    pub async fn stop(&mut self) {
        self.server.take().unwrap().stop().await;
    }

    pub async fn start_again(&mut self) {
        self.server = Some(SiteServer::start(self.conf.clone()).await.unwrap());
    }

    pub fn server(&self) -> &SiteServer {
        self.server.as_ref().unwrap()
    }

    fn mirror_address(&self) -> SocketAddr {
        self.server().mirror_address().unwrap()
    }
}

/// Two sites that mirror with each other, over links that can be cut.
pub struct Pair {
    pub a: Site,
    pub b: Site,
    to_a: Relay,
    to_b: Relay,
    _dir: TempDir,
}

impl Pair {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With something else in both configurations.
    pub async fn start_with(change: impl Fn(&mut SiteConf)) -> Self {
        let dir = TempDir::new().unwrap();
        let (to_a, to_b) = (Relay::start().await, Relay::start().await);
        let mut a = peered(dir.path(), "a", "b", &to_b);
        let mut b = peered(dir.path(), "b", "a", &to_a);
        change(&mut a);
        change(&mut b);
        let (a, b) = (Site::start(a).await, Site::start(b).await);
        let pair = Self {
            a,
            b,
            to_a,
            to_b,
            _dir: dir,
        };
        pair.heal();
        pair
    }

    /// Nothing passes between the sites from here on.
    pub fn cut(&self) {
        self.to_a.lead_to(None);
        self.to_b.lead_to(None);
    }

    /// The sites reach each other from here on, as far as they run.
    pub fn heal(&self) {
        self.to_a
            .lead_to(self.a.server.as_ref().map(|_| self.a.mirror_address()));
        self.to_b
            .lead_to(self.b.server.as_ref().map(|_| self.b.mirror_address()));
    }

    pub async fn stop(mut self) {
        self.a.stop().await;
        self.b.stop().await;
    }
}

fn peered(dir: &Path, name: &str, peer: &str, link: &Relay) -> SiteConf {
    let mut conf = conf(dir, name);
    conf.mirror_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    conf.peers = vec![PeerConf {
        log_limit: None,
        name: peer.to_owned(),
        address: link.address().to_string(),
        fingerprint: fingerprint_in(&dir.join(peer)).unwrap(),
        direction: Direction::RxTx,
        traffic: Traffic::default(),
    }];
    conf
}

/// An image to be made, named after its id as a volume's is.
pub fn new_image(size: u64, mirrored: bool) -> NewImage {
    let id = ImageId::random();
    NewImage {
        id,
        name: image_name(id),
        size: Bytes(size),
        origin: None,
        mirrored,
    }
}

pub fn image_name(id: ImageId) -> ImageName {
    ImageName::new(format!("volume-{id}")).unwrap()
}

pub fn snapshot(name: &str) -> SnapshotName {
    SnapshotName::new(name).unwrap()
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{what}: not within {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until `to` holds everything that `from` has logged so far.
pub async fn caught_up(from: &Site, to: &Site) {
    let status = from.client.status().await.unwrap();
    to.client
        .wait_applied(status.store, status.head, &[], PATIENCE)
        .await
        .unwrap();
}

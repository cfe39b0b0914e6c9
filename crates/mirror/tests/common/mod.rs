//! Sites made of a store and a mirror, in folders of their own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a test that cannot go on fails"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_engine::{NewImage, NewOrigin, Store, StoreOptions, Write};
use firebrick_mirror::{
    Direction, Fingerprint, Identity, Mirror, MirrorOptions, PeerOptions, Traffic,
};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, SnapshotName, StoreId};
use tempfile::TempDir;

pub(crate) const BLOCK: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(30);
const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    checkpoint_bytes: 64 * MIB,
    ..StoreOptions::DEFAULT
};

pub(crate) struct Site {
    pub(crate) store: Arc<Store>,
    pub(crate) mirror: Mirror,
    name: &'static str,
    folder: TempDir,
    address: SocketAddr,
}

fn open(folder: &Path) -> Arc<Store> {
    let folder = folder.join("store");
    std::fs::create_dir_all(&folder).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(&folder).unwrap());
    // It may be there already.
    drop(Store::create(&disk, StoreId::random(), &OPTIONS));
    Store::open(disk, Arc::new(SystemClock::new()), OPTIONS).unwrap()
}

fn fingerprint(folder: &TempDir) -> Fingerprint {
    Identity::load_or_create(folder.path())
        .unwrap()
        .fingerprint()
}

async fn mirror(
    store: &Arc<Store>,
    folder: &TempDir,
    name: &str,
    listen: SocketAddr,
    peers: Vec<PeerOptions>,
) -> Mirror {
    let identity = Identity::load_or_create(folder.path()).unwrap();
    let options = MirrorOptions {
        name: name.to_owned(),
        listen: Some(listen),
        peers,
        heartbeat: Duration::from_millis(100),
        retry: Duration::from_millis(100),
    };
    Mirror::start(Arc::clone(store), identity, options)
        .await
        .unwrap()
}

fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn peer(name: &str, address: SocketAddr, folder: &TempDir) -> Vec<PeerOptions> {
    vec![PeerOptions {
        name: name.to_owned(),
        address: address.to_string(),
        fingerprint: fingerprint(folder),
        direction: Direction::RxTx,
        traffic: Traffic::default(),
    }]
}

/// Two sites that know each other.
pub(crate) async fn pair() -> (Site, Site) {
    let folders = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let addresses = (free(), free());
    let stores = (open(folders.0.path()), open(folders.1.path()));
    let of_a = peer("b", addresses.1, &folders.1);
    let of_b = peer("a", addresses.0, &folders.0);
    let a = mirror(&stores.0, &folders.0, "a", addresses.0, of_a).await;
    let b = mirror(&stores.1, &folders.1, "b", addresses.1, of_b).await;
    let a = Site {
        store: stores.0,
        mirror: a,
        name: "a",
        folder: folders.0,
        address: addresses.0,
    };
    let b = Site {
        store: stores.1,
        mirror: b,
        name: "b",
        folder: folders.1,
        address: addresses.1,
    };
    (a, b)
}

/// A site that knows nobody.
pub(crate) async fn alone(name: &'static str) -> Site {
    let folder = TempDir::new().unwrap();
    let (store, address) = (open(folder.path()), free());
    let mirror = mirror(&store, &folder, name, address, Vec::new()).await;
    Site {
        store,
        mirror,
        name,
        folder,
        address,
    }
}

impl Site {
    /// How another site knows this one.
    pub(crate) fn as_peer(&self, direction: Direction) -> PeerOptions {
        let peer = peer(self.name, self.address, &self.folder).remove(0);
        PeerOptions { direction, ..peer }
    }

    /// A site that knows `of`, and that `of` does not know.
    pub(crate) async fn stranger(of: &Self) -> Self {
        let folder = TempDir::new().unwrap();
        let (store, address) = (open(folder.path()), free());
        let peers = peer(of.name, of.address, &of.folder);
        let mirror = mirror(&store, &folder, "stranger", address, peers).await;
        let stranger = Self {
            store,
            mirror,
            name: "stranger",
            folder,
            address,
        };
        // Long enough for several attempts; the other tests show that one is enough.
        tokio::time::sleep(Duration::from_millis(300)).await;
        stranger
    }

    /// Waits until everything that `of` holds now is applied here and durable at `of`.
    pub(crate) async fn holds(&self, of: &Self) {
        let head = of.store.head().sequence;
        let held = self
            .mirror
            .wait_applied(of.store.id(), head, PATIENCE)
            .await;
        assert!(held, "only {} of {head}", self.store.applied(of.store.id()));
    }

    pub(crate) fn received(&self) -> u64 {
        self.mirror.peers().remove(0).received.0
    }

    pub(crate) async fn stop(self) {
        self.mirror.stop().await;
        self.store.close().unwrap();
    }

    /// Ends the mirror and begins it again, over the same store.
    pub(crate) async fn restart_mirror(self, with: &Self) -> Self {
        self.cut_off().await.reconnect(with).await
    }

    /// Leaves the site without its mirror.
    pub(crate) async fn cut_off(self) -> Self {
        self.mirror.stop().await;
        self
    }

    pub(crate) async fn reconnect(mut self, with: &Self) -> Self {
        let peers = peer(with.name, with.address, &with.folder);
        self.mirror = mirror(&self.store, &self.folder, self.name, self.address, peers).await;
        self
    }

    /// Opens the store again as a crash of its process leaves it. The mirror must not run.
    pub(crate) async fn reopen(self) -> Self {
        let Self {
            store,
            mirror,
            name,
            folder,
            address,
        } = self;
        drop((store, mirror));
        let store = open(folder.path());
        // Not to be reached by anybody before it is connected again.
        let mirror = self::mirror(&store, &folder, name, free(), Vec::new()).await;
        Self {
            store,
            mirror,
            name,
            folder,
            address,
        }
    }

    /// What a backup of the store's folder would hold.
    pub(crate) fn copy_of_the_store(&self) -> TempDir {
        self.store.flush().unwrap();
        let copy = TempDir::new().unwrap();
        copy_folder(
            &self.folder.path().join("store"),
            &copy.path().join("store"),
        );
        copy
    }

    pub(crate) async fn replace_store(self, by: TempDir, with: &Self) -> Self {
        self.mirror.stop().await;
        self.store.close().unwrap();
        let there = self.folder.path().join("store");
        std::fs::remove_dir_all(&there).unwrap();
        copy_folder(&by.path().join("store"), &there);
        let store = open(self.folder.path());
        Self { store, ..self }.reconnect(with).await
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(crate) async fn eventually(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn mirrored(store: &Arc<Store>, name: &str, mirrored: bool) -> ImageId {
    let name = ImageName::new(name).unwrap();
    let id = ImageId::random();
    let size = Bytes(4 * MIB);
    store
        .create_image(NewImage {
            id,
            name,
            size,
            origin: None,
            mirrored,
        })
        .unwrap();
    id
}

pub(crate) fn clone_of(
    store: &Arc<Store>,
    image: ImageId,
    at: &SnapshotName,
    name: &str,
) -> ImageId {
    make_clone(store, image, at, name, true)
}

pub(crate) fn clone_of_any(store: &Arc<Store>, image: ImageId, at: &SnapshotName) -> ImageId {
    make_clone(store, image, at, "look", false)
}

fn make_clone(
    store: &Arc<Store>,
    image: ImageId,
    at: &SnapshotName,
    name: &str,
    mirrored: bool,
) -> ImageId {
    let id = ImageId::random();
    let origin = Some(NewOrigin {
        image,
        snapshot: Some(at.clone()),
        at: None,
    });
    let (name, size) = (ImageName::new(name).unwrap(), Bytes(4 * MIB));
    store
        .create_image(NewImage {
            id,
            name,
            size,
            origin,
            mirrored,
        })
        .unwrap();
    id
}

/// A byte for a block that tells block and round.
pub(crate) fn fill(block: u64, round: u64) -> u8 {
    (block.wrapping_mul(31) ^ round.wrapping_mul(97)) as u8 | 1
}

pub(crate) fn write(store: &Store, image: ImageId, block: u64, byte: u8) {
    let data = [byte; BLOCK];
    let write = Write {
        offset: block * BLOCK as u64,
        data: &data,
    };
    store.image(image).unwrap().write(&[write]).unwrap();
}

pub(crate) fn read(store: &Store, image: ImageId, block: u64) -> u8 {
    let mut data = [0; BLOCK];
    store
        .image(image)
        .unwrap()
        .read(block * BLOCK as u64, &mut data)
        .unwrap();
    assert!(data.iter().all(|byte| *byte == data[0]));
    data[0]
}

/// Whether the image reads the same at both.
pub(crate) fn same(one: &Store, other: &Store, image: ImageId) -> bool {
    let all = |store: &Store| {
        let image = store.image(image).unwrap();
        let mut data = vec![0; image.size().0 as usize];
        image.read(0, &mut data).unwrap();
        data
    };
    all(one) == all(other)
}

//! What a start does before anybody is answered.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::{Clock, Disk, RealDisk, SystemClock};
use firebrick_engine::{ErrorKind, RebuildProgress, RebuildReport, Store, StoreOptions};
use firebrick_mirror::{Identity, Mirror, MirrorOptions};
use firebrick_vocabulary::{Bytes, GIB, StoreId};

use super::error::Error;
use super::pool::{Keeper, KeptPeer, Roster};
use super::tools::keep_removed;
use super::views;
use crate::conf::SiteConf;

/// Where the store lies in the site's folder.
const FOLDER: &str = "store";
/// How often a peer is told the head, and how soon its silence is noticed.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long after a broken connection the next attempt begins.
const RETRY: Duration = Duration::from_millis(500);
/// How much the log may grow for a peer that is away, where nobody says: hours of a busy site.
const PEER_LOG: Bytes = Bytes(16 * GIB);
/// But no more than such a part of the store.
const PEER_LOG_SHARE: u64 = 8;

/// What there is when a site begins.
pub(super) struct Opened {
    pub(super) store: Arc<Store>,
    pub(super) identity: Identity,
    pub(super) roster: Roster,
    pub(super) keeper: Keeper,
}

/// Opens the store of the site, or makes it, and reads who the site is and whom it mirrors with.
pub(super) async fn open(conf: &SiteConf) -> Result<Opened, Error> {
    let conf = conf.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let identity = super::identity(&conf.dir)?;
        let (roster, keeper) = Roster::read(&conf)?;
        let store = open_store(&conf.dir.join(FOLDER), options(&conf))?;
        views::remove_temporary(&store);
        report_divergence(&store);
        Ok(Opened {
            store,
            identity,
            roster,
            keeper,
        })
    });
    opening.await.map_err(Error::task)?
}

/// Makes the index of the store anew; the site must not run.
pub(super) fn rebuild_index(
    conf: &SiteConf,
    progress: &mut dyn FnMut(RebuildProgress),
) -> Result<RebuildReport, Error> {
    let folder = conf.dir.join(FOLDER);
    let disk = RealDisk::new(&folder).map_err(|error| Error::io("open", &folder, error))?;
    let clock = Arc::new(SystemClock::new());
    Store::rebuild_index(Arc::new(disk), clock, options(conf), progress)
        .map_err(|error| Error::store(&folder, error))
}

fn options(conf: &SiteConf) -> StoreOptions {
    StoreOptions {
        segment_bytes: conf.segment_size.get(),
        checkpoint_bytes: conf.checkpoint_every.get(),
        pending_bytes: conf.pending_cache.get() as usize,
        cache_bytes: conf.index_cache.get() as usize,
        retention: conf.retention,
        capacity: conf.capacity.map(Bytes::get),
        mirror_snapshots: usize::from(conf.mirror_snapshots),
        ..StoreOptions::DEFAULT
    }
}

fn open_store(folder: &Path, options: StoreOptions) -> Result<Arc<Store>, Error> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io("make", folder, error))?;
    let disk = RealDisk::new(folder).map_err(|error| Error::io("open", folder, error))?;
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let failed = |error| Error::store(folder, error);
    match Store::open(Arc::clone(&disk), Arc::clone(&clock), options) {
        Err(error) if error.kind == ErrorKind::NotFound => {
            refuse_remains(folder)?;
            let id = StoreId::random();
            Store::create(&disk, id, &options).map_err(failed)?;
            tracing::info!(store = %id, folder = %folder.display(), "made a new store");
            Store::open(disk, clock, options).map_err(failed)
        }
        opened => opened.map_err(failed),
    }
}

/// A folder with segments but without a superblock is a damaged store, not a place for a new one.
fn refuse_remains(folder: &Path) -> Result<(), Error> {
    let segments = folder.join("segments");
    let remains = std::fs::read_dir(&segments).is_ok_and(|mut entries| entries.next().is_some());
    if remains {
        let why = io::Error::new(
            io::ErrorKind::InvalidData,
            "there are segments, but no superblock; nothing is made in their place",
        );
        return Err(Error::io("read", &segments, why));
    }
    Ok(())
}

/// Says at each start what an operator has to look at and remove some day.
fn report_divergence(store: &Store) {
    for image in store.images() {
        let info = image.info();
        for snapshot in store.snapshots(info.id).unwrap_or_default() {
            if snapshot.divergent {
                tracing::warn!(
                    image = %info.name,
                    snapshot = %snapshot.name,
                    "a divergent snapshot keeps what this site had written and another did not take over"
                );
            }
        }
    }
}

/// Fences the mirrored images that were primary here, where a peer may have taken them over since.
/// Returns whether there are any.
pub(super) fn fence(conf: &SiteConf, roster: &Roster, store: &Store) -> bool {
    if roster.peers().is_empty() || !store.has_mirrored_primaries() {
        return false;
    }
    store.set_fenced(true);
    tracing::info!(
        grace_seconds = conf.fence_grace.as_secs_f64(),
        "mirrored images take no write before the peer has been heard or the grace time is over"
    );
    true
}

/// Where peers reach the log; without a host where nobody has said by which.
pub(super) fn reach(conf: &SiteConf, mirror: &Mirror) -> Option<String> {
    let listens = mirror.listen_address()?;
    let named = conf.mirror_address.clone();
    Some(named.unwrap_or_else(|| match listens.ip() {
        ip if ip.is_unspecified() => format!(":{}", listens.port()),
        _ => listens.to_string(),
    }))
}

/// Starts to serve the log to the peers and to read theirs.
pub(super) async fn start_mirror(
    conf: &SiteConf,
    store: &Arc<Store>,
    identity: Identity,
    roster: &Roster,
) -> Result<Mirror, Error> {
    let peers = roster.peers();
    let options = MirrorOptions {
        name: roster.site_name().to_owned(),
        listen: conf.mirror_listen,
        peers: peers.iter().filter_map(KeptPeer::options).collect(),
        heartbeat: HEARTBEAT,
        retry: RETRY,
    };
    if let Some(delay) = conf.delete_delay {
        // Before anybody can say that something was removed.
        store.keep_removed(keep_removed(delay, Arc::new(SystemClock::new())));
    }
    let mirror = Mirror::start(Arc::clone(store), identity, options)
        .await
        .map_err(|error| Error::mirror("start the mirror", error))?;
    limit_log(conf, store, &mirror)?;
    for peer in &peers {
        peer.limit_log(&mirror);
    }
    mirror.forget_others();
    Ok(mirror)
}

/// Says how much the log may grow for peers that are away and of which nobody says it.
fn limit_log(conf: &SiteConf, store: &Store, mirror: &Mirror) -> Result<(), Error> {
    let most = if let Some(most) = conf.peer_log_limit {
        most
    } else {
        let space = store.space();
        let space = space.map_err(|error| Error::store(&conf.dir, error))?;
        // Two peers that are away must not fill a store between them.
        PEER_LOG.min(Bytes(space.total.0 / PEER_LOG_SHARE))
    };
    mirror.limit_log(None, most);
    Ok(())
}

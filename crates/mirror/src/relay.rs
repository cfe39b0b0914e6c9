//! Handing on: what a peer gets here of the logs that this site follows itself.
//!
//! Whoever reads says from whom else it reads. What follows one of these here it gets from there, and all else that this
//! site follows, from this one: so in a chain each site reads its neighbours alone, and where all read from all nothing
//! goes twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::{SentRecords, Store};
use firebrick_vocabulary::{Bytes, ImageId, Lag, Sequence, StoreId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::known::Known;
use crate::mirror::Shared;
use crate::peers::Peer;

/// So long after the last word of a primary it counts as silent.
const SILENT: Duration = Duration::from_secs(2);

/// From whom a reader reads besides.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sources {
    /// The certificates of those, as they are written.
    pub(crate) peers: Vec<String>,
    /// The stores from whose logs it has something.
    pub(crate) stores: Vec<StoreId>,
    /// The images that it follows by way of this site: they go on to, from wherever else it could read them by now.
    pub(crate) images: Vec<ImageId>,
}

impl Sources {
    /// What this site says to a peer, whose store is `by`.
    pub(crate) fn of(shared: &Shared, peer: &Peer, by: StoreId) -> Self {
        let (store, to) = (&shared.store, peer.fingerprint());
        let others = shared.peers().filter(|peer| {
            let reads = peer.options.direction.receives() && !peer.options.address.is_empty();
            reads && peer.fingerprint() != to
        });
        let infos = store.images().into_iter().map(|image| image.info());
        let by_way = infos.filter(|info| info.upstream == Some(by) && info.leader.is_some());
        Self {
            peers: others.map(|peer| peer.fingerprint().to_string()).collect(),
            stores: store.sources(),
            images: by_way.map(|info| info.id).collect(),
        }
    }
}

/// What one reader gets of what this site follows.
pub(crate) struct Relay {
    known: Arc<Known>,
    reader: StoreId,
    /// `None` for a reader that does not know of this.
    sources: Option<Sources>,
    /// Of which stores it gets what follows them. What was said once holds as long as the connection, or there would
    /// be a gap in what it gets.
    decided: Mutex<BTreeMap<StoreId, bool>>,
    /// Those of which nobody knew.
    unsure: Mutex<BTreeSet<StoreId>>,
}

impl Relay {
    pub(crate) fn new(known: &Arc<Known>, reader: StoreId, sources: Option<Sources>) -> Self {
        Self {
            known: Arc::clone(known),
            reader,
            sources,
            decided: Mutex::default(),
            unsure: Mutex::default(),
        }
    }

    /// Whether the reader gets anything of the kind.
    pub(crate) const fn is_on(&self) -> bool {
        self.sources.is_some()
    }

    /// Whether it gets of an image what was written while that follows the store `of` here.
    pub(crate) fn tells(&self, of: StoreId, image: ImageId) -> bool {
        let gets = self.is_on() && of != self.reader;
        gets && (self.hands_on(of) || self.holds(image))
    }

    /// Whether it gets something of the store `of`.
    pub(crate) fn tells_any(&self, of: StoreId) -> bool {
        let gets = self.is_on() && of != self.reader;
        gets && (self.hands_on(of) || self.holds_any())
    }

    /// The same as [`Self::tells`], without a lock: for who holds that of the store.
    pub(crate) fn as_of_now(&self, store: &Store) -> impl Fn(StoreId, ImageId) -> bool + '_ {
        let sources = store.sources().into_iter();
        let handed_on: BTreeSet<StoreId> = sources.filter(|of| self.hands_on(*of)).collect();
        move |of, image| {
            let gets = self.is_on() && of != self.reader;
            gets && (handed_on.contains(&of) || self.holds(image))
        }
    }

    /// The images that it followed by way of this site when it came.
    pub(crate) fn by_way(&self) -> BTreeSet<ImageId> {
        let sources = self.sources.iter();
        sources.flat_map(|it| it.images.iter().copied()).collect()
    }

    fn holds(&self, image: ImageId) -> bool {
        let mut held = self.sources.iter().flat_map(|sources| &sources.images);
        held.any(|held| *held == image)
    }

    fn holds_any(&self) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|sources| !sources.images.is_empty())
    }

    fn hands_on(&self, of: StoreId) -> bool {
        let Some(sources) = &self.sources else {
            return false;
        };
        let decide = || {
            let peers = self.known.all();
            let reads = |peer: &Arc<Peer>| sources.peers.contains(&peer.fingerprint().to_string());
            match peers.iter().find(|peer| peer.store() == Some(of)) {
                Some(peer) => !reads(peer),
                // It has not been met since the start, and may be one of those.
                None if peers.iter().any(|it| it.store().is_none() && reads(it)) => {
                    self.unsure.lock().insert(of);
                    false
                }
                None => !sources.stores.contains(&of),
            }
        };
        *self.decided.lock().entry(of).or_insert_with(decide)
    }

    /// Whether it turned out that the reader would get more with another connection.
    pub(crate) fn knows_better(&self) -> bool {
        let unsure = self.unsure.lock();
        let Some(sources) = self.sources.as_ref().filter(|_| !unsure.is_empty()) else {
            return false;
        };
        self.known.all().iter().any(|peer| {
            let was_unsure = peer.store().is_some_and(|store| unsure.contains(&store));
            was_unsure && !sources.peers.contains(&peer.fingerprint().to_string())
        })
    }

    /// Of the images that follow this site there, those that did so as this site's own. It may have missed that this
    /// site follows another one with them, as it heard that from there.
    pub(crate) fn as_own(&self, images: &[(ImageId, bool)]) -> BTreeSet<ImageId> {
        let images = images.iter().map(|(image, _)| *image);
        images.filter(|image| !self.holds(*image)).collect()
    }
}

/// What a peer is told of how far it is behind, by image; and the images of which nobody knows, as how far this site is
/// behind itself is not known.
pub(crate) fn behind(
    shared: &Shared,
    peer: &Peer,
    relay: &Relay,
) -> (Vec<(ImageId, Lag)>, Vec<ImageId>) {
    let (store, now) = (&shared.store, shared.store.now());
    let gets = |of| peer.gets(of);
    let mut behind = shared
        .backlog
        .images_behind(peer.known_confirmed(), now, &gets);
    let mut unknown = Vec::new();
    if !relay.is_on() {
        return (behind.into_iter().collect(), unknown);
    }
    let sites: BTreeMap<StoreId, Arc<Peer>> = shared
        .peers()
        .filter_map(|peer| Some((peer.store()?, peer)))
        .collect();
    for info in store.images().into_iter().map(|image| image.info()) {
        let upstream = info.upstream.filter(|of| relay.tells(*of, info.id));
        let Some(of) = upstream.filter(|_| info.mirrored) else {
            continue;
        };
        let Some((lag, ago)) = sites.get(&of).and_then(|site| site.told_lag(info.id)) else {
            unknown.push(info.id);
            continue;
        };
        // A primary that is silent may have written since.
        let silent = if ago > SILENT { ago.as_secs_f64() } else { 0.0 };
        if lag.records > 0 || silent > 0.0 {
            let own = behind.entry(info.id).or_insert(Lag::NONE);
            own.records += lag.records;
            own.bytes = Bytes(own.bytes.0 + lag.bytes.0);
            own.seconds += lag.seconds + silent;
        }
    }
    (behind.into_iter().collect(), unknown)
}

/// Which records of a frame a reader gets. It asks the store once for each image: that answers under the lock under
/// which guests write.
pub(crate) struct Sent<'a> {
    store: &'a Store,
    /// Whether the reader gets all that happened to an image, whoever was primary.
    all: bool,
    last: Option<(ImageId, SentRecords, SentRecords)>,
}

impl<'a> Sent<'a> {
    /// For a frame that has been read already.
    pub(crate) const fn new(store: &'a Store, all: bool) -> Self {
        Self {
            store,
            all,
            last: None,
        }
    }

    fn records(&mut self, image: ImageId) -> (SentRecords, SentRecords) {
        let records = match self.last {
            Some((last, own, told)) if last == image => (own, told),
            Some(_) | None => (self.store.sent(image), self.store.told(image)),
        };
        self.last = Some((image, records.0, records.1));
        records
    }

    /// Whether the reader gets record `sequence` of a frame of this site's own, which is about `image`.
    pub(crate) fn has(&mut self, image: ImageId, sequence: Sequence) -> bool {
        let (own, told) = self.records(image);
        own.has(sequence) || (self.all && told.has(sequence))
    }

    /// Whether record `sequence`, of a frame that came from a peer, says what happened to `image`.
    pub(crate) fn tells(&mut self, image: ImageId, sequence: Sequence) -> bool {
        self.records(image).1.has(sequence)
    }
}

#[cfg(test)]
mod tests;

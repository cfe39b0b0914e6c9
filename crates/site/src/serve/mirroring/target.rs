//! How many seconds of writes peers may lack, and the events where they lack more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use firebrick_engine::{ImageInfo, Store};
use firebrick_mirror::ImageReader;
use firebrick_vocabulary::{ImageId, Role};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Mirroring;
use crate::admin::Target;
use crate::serve::background::every;
use crate::serve::tools::group_id;

/// The key of an image's mirrored metadata that holds its own target, in seconds.
const KEY: &str = "mirror.rpo_target_seconds";
/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(1);

/// What is missed now.
pub(in crate::serve) struct Watch {
    /// The target of images that have none of their own, in seconds.
    default: Option<f64>,
    begun: Instant,
    /// Since when, in nanoseconds since the Unix epoch.
    breached: Mutex<BTreeMap<ImageId, u64>>,
    /// How often a target began to be missed, since the start of the site.
    breaches: AtomicU64,
}

impl Watch {
    pub(super) fn new(default: Option<Duration>) -> Self {
        Self {
            default: default.map(|target| target.as_secs_f64()),
            begun: Instant::now(),
            breached: Mutex::default(),
            breaches: AtomicU64::new(0),
        }
    }

    /// How often a target began to be missed, since the start of the site.
    pub(in crate::serve) fn breaches(&self) -> u64 {
        self.breaches.load(Ordering::Relaxed)
    }

    fn target(&self, info: &ImageInfo, of_group: Option<f64>) -> Option<Target> {
        Some(Target {
            seconds: own(info).or(of_group).or(self.default)?,
            breached_since: self.breached.lock().get(&info.id).copied(),
        })
    }

    /// How many seconds of writes a peer lacks at least.
    fn exposed(&self, reader: &ImageReader) -> f64 {
        match reader.peer.store {
            Some(_) => reader.lag.seconds,
            // It has not been met since the start, and nobody knows what it had before.
            None => self.begun.elapsed().as_secs_f64(),
        }
    }

    /// Notes how an image is now; says so where that is another way than before.
    fn note(&self, info: &ImageInfo, missed: Option<(f64, &str)>, target: f64) {
        let mut breached = self.breached.lock();
        match (missed, breached.contains_key(&info.id)) {
            (Some((seconds, peer)), false) => {
                breached.insert(info.id, nanos());
                self.breaches.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    image = %info.name, peer, seconds, target,
                    "a peer lacks more seconds of an image's writes than its target allows"
                );
            }
            (None, true) => {
                breached.remove(&info.id);
                tracing::info!(
                    image = %info.name, target,
                    "the peers hold an image as its target demands again"
                );
            }
            (Some(_), true) | (None, false) => {}
        }
    }

    /// Forgets images that nobody watches any more.
    fn keep(&self, watched: impl Fn(&ImageId) -> bool) {
        self.breached.lock().retain(|image, _| watched(image));
    }
}

/// The target that an image has of its own, or a group, of what stands for it.
fn own(info: &ImageInfo) -> Option<f64> {
    info.metadata.get(KEY)?.parse().ok()
}

/// Gives an image, or what stands for a group, a target, or none of its own.
pub(super) fn set(
    store: &Store,
    image: ImageId,
    seconds: Option<f64>,
) -> Result<(), firebrick_engine::Error> {
    let seconds = seconds.map(|seconds| seconds.to_string());
    store.set_metadata(image, KEY, seconds.as_deref())
}

pub(super) fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_nanos() as u64
}

/// Looks each second whether targets are met.
pub(in crate::serve) async fn watch(mirroring: Arc<Mirroring>, ending: CancellationToken) {
    every(PERIOD, ending, move || mirroring.look()).await;
}

impl Mirroring {
    /// The target of an image, which is its own, that of its group, or that of the site, and whether it is missed.
    pub(super) fn target(&self, info: &ImageInfo) -> Option<Target> {
        let group = group_id(info).and_then(|group| self.store.image(group).ok());
        let of_group = group.and_then(|group| own(&group.info()));
        self.watch.target(info, of_group)
    }

    fn look(&self) {
        self.release_kept();
        self.sweep_marks();
        let mut watched = Vec::new();
        for image in self.store.images() {
            let info = image.info();
            // What stands for a group has no data that could be missed.
            if !info.mirrored || info.role != Role::Primary || info.name.is_internal() {
                continue;
            }
            let Some(Target { seconds, .. }) = self.target(&info) else {
                continue;
            };
            watched.push(info.id);
            let readers = self.readers(&info);
            let exposed = readers.iter().map(|reader| {
                let exposed = self.watch.exposed(reader);
                (exposed, reader.peer.name.as_str())
            });
            let worst = exposed.max_by(|one, other| one.0.total_cmp(&other.0));
            let missed = worst.filter(|(exposed, _)| *exposed > seconds);
            self.watch.note(&info, missed, seconds);
        }
        watched.sort_unstable();
        self.watch
            .keep(|image| watched.binary_search(image).is_ok());
    }
}

//! The limits of images: kept in their metadata, so that a mirrored image keeps them wherever it is
//! primary, and held by one throttle for all exports of an image.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use firebrick_edge::{Clock, SystemClock};
use firebrick_engine::ImageInfo;
use firebrick_export::Throttle;
use firebrick_vocabulary::{ImageId, Limits};

/// Where they stand in the image's metadata, as JSON.
pub(super) const LIMITS_KEY: &str = "limits";

/// Those in the metadata of an image.
pub(super) fn of(info: &ImageInfo) -> Limits {
    let Some(text) = info.metadata.get(LIMITS_KEY) else {
        return Limits::default();
    };
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!(image = %info.name, %error, "the limits of an image are not readable");
        Limits::default()
    })
}

/// What the metadata is to say; `None` where nothing is limited.
pub(super) fn to_metadata(limits: &Limits) -> Option<String> {
    if limits.is_none() {
        return None;
    }
    serde_json::to_string(limits).ok()
}

/// The throttles of the images that are exported.
pub(super) struct Throttles {
    clock: Arc<dyn Clock>,
    /// They live as long as their exports.
    known: BTreeMap<ImageId, Weak<Throttle>>,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            known: BTreeMap::new(),
        }
    }
}

impl Throttles {
    /// The throttle of an image, with its limits.
    pub(super) fn of(&mut self, info: &ImageInfo) -> Arc<Throttle> {
        if let Some(throttle) = self.known.get(&info.id).and_then(Weak::upgrade) {
            return throttle;
        }
        self.known.retain(|_, throttle| throttle.strong_count() > 0);
        let throttle = Arc::new(Throttle::new(Arc::clone(&self.clock)));
        throttle.set(&of(info));
        self.known.insert(info.id, Arc::downgrade(&throttle));
        throttle
    }

    /// Changes the limits of an image where it is exported.
    pub(super) fn set(&self, image: ImageId, limits: &Limits) {
        if let Some(throttle) = self.known.get(&image).and_then(Weak::upgrade) {
            throttle.set(limits);
        }
    }
}

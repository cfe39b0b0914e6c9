//! Which image has which id.
//!
//! The control plane calls images by ids, RBD by names. The image of a volume has both in one, so that one look
//! finds it; of any other, the pool is searched, and what was found is remembered. A memory is only a guess:
//! the image itself is asked before it is believed.

use std::collections::HashMap;

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::ImageId;
use parking_lot::Mutex;

use crate::fault::Doing;
use crate::ffi::{Errno, Image, Opening};
use crate::link::Link;
use crate::notes::{Notes, derived};

/// Images that are on their way begin so.
pub(crate) const WORK: &str = "firebrick-new-";
/// Images that are drills begin so; behind it stands of which image.
pub(crate) const DRILL: &str = "firebrick-drill-";

/// What has been seen.
#[derive(Default)]
pub(crate) struct Names {
    /// By librbd's own ids: the id that the image's notes say, if they say one.
    noted: Mutex<HashMap<String, Option<ImageId>>>,
    /// Under which names images were found last that are not called by their ids.
    last: Mutex<HashMap<ImageId, String>>,
}

/// Whether an image of that name is nobody's volume: it is on its way, or a drill.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with(WORK) || name.starts_with(DRILL)
}

/// The name under which an image is made.
pub(crate) fn work_name(id: ImageId) -> String {
    format!("{WORK}{id}")
}

/// The image of that name, open, if it is there.
pub(crate) fn open(
    link: &Link,
    name: &str,
    how: Opening,
    doing: &str,
) -> Result<Option<Image>, Fault> {
    match Image::open(&link.pool, name, how) {
        Ok(image) => Ok(Some(image)),
        Err(Errno(libc::ENOENT)) => Ok(None),
        Err(error) => Err(error).doing(doing),
    }
}

impl Names {
    /// The image with that id, open, with its name and notes.
    pub(crate) fn open(
        &self,
        link: &Link,
        id: ImageId,
        how: Opening,
        doing: &str,
    ) -> Result<(Image, String, Notes), Fault> {
        let last = self.last.lock().get(&id).cloned();
        for name in last.into_iter().chain([format!("volume-{id}")]) {
            if let Some(image) = open(link, &name, how, doing)? {
                let notes = Notes::of(&image, doing)?;
                if notes.id(&name) == id {
                    return Ok((image, name, notes));
                }
            }
        }
        let missing = || {
            Fault::new(
                FaultKind::NotFound,
                doing,
                format!("there is no image {id}"),
            )
        };
        let name = self.search(link, id, doing)?.ok_or_else(missing)?;
        let image = open(link, &name, how, doing)?.ok_or_else(missing)?;
        let notes = Notes::of(&image, doing)?;
        if notes.id(&name) != id {
            return Err(missing());
        }
        self.last.lock().insert(id, name.clone());
        Ok((image, name, notes))
    }

    /// Looks at every image that was never looked at.
    fn search(&self, link: &Link, id: ImageId, doing: &str) -> Result<Option<String>, Fault> {
        for entry in link.pool.entries().doing(doing)? {
            if is_own(&entry.name) {
                continue;
            }
            let known = self.noted.lock().get(&entry.id).copied();
            let noted = match known {
                Some(noted) => noted,
                None => match open(link, &entry.name, Opening::Looking, doing)? {
                    Some(image) => {
                        let noted = Notes::of(&image, doing)?.id;
                        self.noted.lock().insert(entry.id, noted);
                        noted
                    }
                    None => continue,
                },
            };
            if noted.unwrap_or_else(|| derived(&entry.name)) == id {
                return Ok(Some(entry.name));
            }
        }
        Ok(None)
    }

    /// The image is called so from now on, and its notes may say its id.
    pub(crate) fn learn(&self, image: &Image, id: ImageId, name: &str, notes: &Notes) {
        if let Ok(own) = image.id() {
            self.noted.lock().insert(own, notes.id);
        }
        if derived(name) == id && name.starts_with("volume-") {
            self.last.lock().remove(&id);
        } else {
            self.last.lock().insert(id, name.to_owned());
        }
    }

    /// The image is gone.
    pub(crate) fn forget(&self, id: ImageId) {
        self.last.lock().remove(&id);
    }
}
